package console

import (
	"bytes"
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
	switch {
	case model == "":
		return nil, schema.Invalid("model", "Say which model.")
	case key == "" || strings.ContainsAny(key, "\r\n\x00"):
		return nil, schema.Invalid("key", "A key pays for the call: paste one of a team's.")
	case strings.TrimSpace(text) == "":
		return nil, schema.Invalid("text", "Write what the model is asked.")
	}
	body, err := json.Marshal(map[string]any{"model": model, "messages": []map[string]string{{"role": "user", "content": text}}})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.DataURL+"/v1/chat/completions", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Sluice-Tags", "console")
	begun := c.Now()
	res, err := c.calls.Do(r)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, schema.Invalid("model", "No answer came within %v.", tryTime)
		}
		return nil, schema.Invalid("model", "The data plane at %s cannot be reached.", c.DataURL)
	}
	defer res.Body.Close() //nolint:errcheck // it is read
	said, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, schema.Invalid("model", "The answer broke off.")
	}
	h := res.Header
	return &trial{Status: res.StatusCode, Text: gjson.GetBytes(said, "choices.0.message.content").String(), Error: gjson.GetBytes(said, "error.message").String(),
		Target: h.Get("X-Sluice-Model"), Attempts: h.Get("X-Sluice-Attempts"), Cost: h.Get("X-Sluice-Cost"), ID: h.Get("X-Request-Id"),
		InputTokens: gjson.GetBytes(said, "usage.prompt_tokens").Int(), OutputTokens: gjson.GetBytes(said, "usage.completion_tokens").Int(),
		Took: c.Now().Sub(begun).Milliseconds()}, nil
}
