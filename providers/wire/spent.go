package wire

import (
	"net/http"
	"strings"
	"time"
)

// Spent reads one header of an answer's head: where it says that nothing of a
// rate limit remains, after what time the limit is reset; 0: it does not say
// so. header gives another header's value or "". A moment is compared with
// the answer's own Date, or, without one, with now.
//
// OpenAI, and those who do as it does, send x-ratelimit-remaining-requests and
// -tokens with x-ratelimit-reset-…, a duration such as 6m0s or 12ms
// (platform.openai.com/docs/guides/rate-limits, "Rate limits in headers"; Groq's
// console.groq.com/docs/rate-limits, such as 7.66s). Azure gives seconds as a
// plain number, and -1 for what it does not know. Anthropic sends
// anthropic-ratelimit-requests-, -tokens-, -input-tokens- and
// -output-tokens-remaining with …-reset, a moment of RFC 3339
// (docs.anthropic.com/en/api/rate-limits, "Response headers"). All are also in
// recorded answers of 2025 and 2026.
func Spent(name, value string, header func(string) string, now time.Time) time.Duration {
	if value != "0" {
		return 0
	}
	reset := resetOf(name)
	if reset == "" {
		return 0
	}
	return clamp(float64(untilReset(header(reset), header, now)))
}

// resetOf names the header that tells the reset of what a header tells the rest
// of; empty: it is none of those.
func resetOf(name string) string {
	name = strings.ToLower(name)
	if what, ok := strings.CutPrefix(name, "x-ratelimit-remaining-"); ok {
		if what == "requests" || what == "tokens" {
			return "x-ratelimit-reset-" + what
		}
		return ""
	}
	what, ok := strings.CutPrefix(name, "anthropic-ratelimit-")
	if !ok {
		return ""
	}
	switch what, ok = strings.CutSuffix(what, "-remaining"); {
	case !ok:
		return ""
	case what == "requests", what == "tokens", what == "input-tokens", what == "output-tokens":
		return "anthropic-ratelimit-" + what + "-reset"
	}
	return ""
}

// untilReset reads a duration, seconds, or a moment.
func untilReset(s string, header func(string) string, now time.Time) time.Duration {
	if d, err := time.ParseDuration(s); err == nil {
		return d
	}
	if f, ok := number(s); ok {
		return clamp(f * float64(time.Second))
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return 0
	}
	if theirs, err := http.ParseTime(header("Date")); err == nil {
		now = theirs
	}
	return at.Sub(now)
}
