package providers

import (
	"testing"

	"sluice/providers/anthropic"
	"sluice/providers/dialect"
	"sluice/providers/openai"
)

// Bytes are passed on only to a model that speaks the caller's dialect: one
// that is chosen for a model is the only one that it speaks.
func TestRawGoesByTheModel(t *testing.T) {
	other := anthropic.Dialect
	p := New(Options{Dialect: &openai.Dialect, Also: []*dialect.Dialect{&other}, Choose: func(model string) *dialect.Dialect {
		if model == "claude" {
			return &anthropic.Dialect
		}
		return nil
	}})
	for _, tc := range []struct {
		client *dialect.Dialect
		model  string
		want   *dialect.Dialect
	}{
		{&openai.Dialect, "gpt", &openai.Dialect},
		{&anthropic.Dialect, "gpt", &other},
		{&anthropic.Dialect, "claude", &anthropic.Dialect},
		{&openai.Dialect, "claude", nil},
	} {
		r := &Request{Client: tc.client, Raw: []byte(`{}`)}
		if got := p.raw(r, tc.model); got != tc.want || p.Raw(r, tc.model) != (tc.want != nil) {
			t.Errorf("%s's client, model %s: %p, want %p", tc.client.Name, tc.model, got, tc.want)
		}
	}
}
