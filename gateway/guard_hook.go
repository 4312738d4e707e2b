package gateway

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	neturl "net/url"

	"sluice/billing"
	"sluice/gateway/guard"
)

// guardClient posts to the webhooks of guards; each post has the guard's time
// limit.
var guardClient = &http.Client{
	Transport: &http.Transport{MaxIdleConnsPerHost: 64},
	CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("a guard's webhook must not redirect: texts go nowhere else")
	},
}

// mostVerdict bounds a webhook's answer, which may hold a text.
const mostVerdict = 8 << 20

// AskWebhook has a webhook decide: it is posted {stage, team, key, model, text},
// signed as the events of budgets are if there is a secret, and answers {allow,
// reason, text}.
func AskWebhook(url, secret string) guard.Ask {
	return func(ctx context.Context, q *guard.Question) (guard.Verdict, error) {
		c := q.Who.(*Call)
		body, err := json.Marshal(map[string]string{"stage": q.Stage.String(), "team": c.entry.Team, "key": c.entry.Key,
			"model": c.entry.Model, "text": q.Text})
		if err != nil {
			return guard.Verdict{}, err
		}
		v, err := postQuestion(ctx, url, secret, body)
		if err != nil && c.ctx.Err() == nil {
			c.g.log.Warn("a guard's webhook did not decide", "call", c.entry.Call, "error", err)
		}
		return v, err
	}
}

func postQuestion(ctx context.Context, url, secret string, body []byte) (v guard.Verdict, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return v, err
	}
	req.Header.Set("Content-Type", "application/json")
	if secret != "" {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		req.Header.Set(billing.SignatureHeader, "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	resp, err := guardClient.Do(req)
	var failed *neturl.Error
	if errors.As(err, &failed) { // without the address, which may hold a secret
		err = failed.Err
	}
	if err != nil {
		return v, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, mostVerdict+1))
	switch {
	case err != nil:
		return v, err
	case resp.StatusCode != http.StatusOK:
		return v, fmt.Errorf("the webhook answered %s", resp.Status)
	case len(answer) > mostVerdict:
		return v, errors.New("the webhook's answer is too long")
	}
	var said struct {
		Allow  *bool   `json:"allow"`
		Reason string  `json:"reason"`
		Text   *string `json:"text"`
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return v, errors.New("the webhook's answer is not {allow, reason, text}")
	}
	if said.Allow == nil {
		return v, errors.New("the webhook's answer does not say allow")
	}
	return guard.Verdict{Allow: *said.Allow, Reason: said.Reason, Text: said.Text}, nil
}
