package wire

import (
	"testing"
	"time"
)

func TestSpent(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		name, value string
		reset       string // of whatever header is asked for
		asked       string
		want        time.Duration
	}{
		"openai":            {"X-Ratelimit-Remaining-Requests", "0", "6m0s", "x-ratelimit-reset-requests", 6 * time.Minute},
		"openai, tokens":    {"x-ratelimit-remaining-tokens", "0", "12ms", "x-ratelimit-reset-tokens", 12 * time.Millisecond},
		"groq":              {"x-ratelimit-remaining-tokens", "0", "7.66s", "x-ratelimit-reset-tokens", 7660 * time.Millisecond},
		"azure":             {"x-ratelimit-remaining-requests", "0", "9", "x-ratelimit-reset-requests", 9 * time.Second},
		"azure, unknown":    {"x-ratelimit-remaining-tokens", "-1", "0", "", 0},
		"some left":         {"x-ratelimit-remaining-requests", "1", "6m0s", "", 0},
		"anthropic":         {"Anthropic-Ratelimit-Input-Tokens-Remaining", "0", "2026-11-29T12:00:31Z", "anthropic-ratelimit-input-tokens-reset", 31 * time.Second},
		"anthropic, past":   {"anthropic-ratelimit-requests-remaining", "0", "2026-11-29T11:59:00Z", "anthropic-ratelimit-requests-reset", 0},
		"of another thing":  {"x-ratelimit-remaining-audio", "0", "6m0s", "", 0},
		"of nothing":        {"anthropic-ratelimit-unified-remaining", "0", "6m0s", "", 0},
		"no header of ours": {"age", "0", "6m0s", "", 0},
		"no reset":          {"x-ratelimit-remaining-requests", "0", "", "x-ratelimit-reset-requests", 0},
		"nonsense":          {"x-ratelimit-remaining-requests", "0", "soon", "x-ratelimit-reset-requests", 0},
		"not a number":      {"x-ratelimit-remaining-requests", "0", "NaN", "x-ratelimit-reset-requests", 0},
		"for ever":          {"x-ratelimit-remaining-requests", "0", "1e300", "x-ratelimit-reset-requests", maxRetryAfter},
		"negative":          {"x-ratelimit-remaining-requests", "0", "-6m0s", "x-ratelimit-reset-requests", 0},
	} {
		asked := ""
		got := Spent(c.name, c.value, func(h string) string {
			if asked == "" {
				asked = h
			}
			return c.reset
		}, now)
		if got != c.want || asked != c.asked {
			t.Errorf("%s: %v, asked for %q; want %v, %q", name, got, asked, c.want, c.asked)
		}
	}
}

func FuzzSpent(f *testing.F) {
	f.Add("x-ratelimit-remaining-requests", "0", "6m0s")
	f.Add("anthropic-ratelimit-tokens-remaining", "0", "2026-11-29T12:00:31Z")
	f.Fuzz(func(t *testing.T, name, value, reset string) {
		d := Spent(name, value, func(string) string { return reset }, time.Unix(1<<30, 0))
		if d < 0 || d > maxRetryAfter || d > 0 && value != "0" {
			t.Errorf("%v", d)
		}
	})
}
