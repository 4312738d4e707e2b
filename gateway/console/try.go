package console

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
)

// tryTime is the longest that an answer to "try a model" is waited for, and
// maxAnswer the most that is read of it.
const (
	tryTime   = time.Minute
	maxAnswer = 1 << 20
)

// trial is what a model said to a text.
type trial struct {
	Status                                  int
	Text, Error, Target, Attempts, Cost, ID string
	InputTokens, OutputTokens               int64
	Took                                    int64 // milliseconds
}

// tryModel sends a text to a model the way any client does: with a key, which
// pays for it, over the data plane.
func (v *visit) tryModel() error {
	t, err := v.c.ask(v.Context(), v.PostForm)
	if err != nil {
		f, err := refused("try", v.PostForm, err, "key", "model", "text")
		if err != nil {
			return err
		}
		return v.showModels(f.Status, f, nil)
	}
	return v.showModels(http.StatusOK, form{Which: "try", Values: v.PostForm}, t)
}

// ask makes the call that a form says.
func (c *Console) ask(ctx context.Context, values url.Values) (*trial, error) {
	key, model, text := strings.TrimSpace(values.Get("key")), strings.TrimSpace(values.Get("model")), values.Get("text")
	if model == "" {
		return nil, schema.Invalid("model", "Say which model.")
	}
	if err := plainKey(key); err != nil {
		return nil, err
	}
	if strings.TrimSpace(text) == "" {
		return nil, schema.Invalid("text", "Write what the model is asked.")
	}
	body, err := json.Marshal(map[string]any{"model": model, "messages": []map[string]string{{"role": "user", "content": text}}})
	if err != nil {
		return nil, err
	}
	t, said, err := c.post(ctx, key, "/v1/chat/completions", body)
	if err != nil {
		return nil, err
	}
	t.Text = gjson.GetBytes(said, "choices.0.message.content").String()
	t.InputTokens, t.OutputTokens = gjson.GetBytes(said, "usage.prompt_tokens").Int(), gjson.GetBytes(said, "usage.completion_tokens").Int()
	return t, nil
}

// plainKey refuses what cannot stand in a header.
func plainKey(key string) error {
	if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return schema.Invalid("key", "A key pays for the call: paste one of a team's.")
	}
	return nil
}

// post sends JSON to the data plane with a key, and gives what came back.
func (c *Console) post(ctx context.Context, key, path string, body []byte) (*trial, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.DataURL+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Sluice-Tags", "console")
	begun := c.Now()
	res, err := c.calls.Do(r)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, nil, schema.Invalid("model", "No answer came within %v.", tryTime)
		}
		return nil, nil, schema.Invalid("model", "The data plane at %s cannot be reached.", c.DataURL)
	}
	defer res.Body.Close() //nolint:errcheck // it is read
	said, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, nil, schema.Invalid("model", "The answer broke off.")
	}
	h := res.Header
	refusal := gjson.GetBytes(said, "error.message").String()
	return &trial{Status: res.StatusCode, Error: cmp.Or(refusal, gjson.GetBytes(said, "detail").String()), Target: h.Get("X-Sluice-Model"),
		Attempts: h.Get("X-Sluice-Attempts"), Cost: h.Get("X-Sluice-Cost"), ID: h.Get("X-Request-Id"), Took: c.Now().Sub(begun).Milliseconds()}, said, nil
}
