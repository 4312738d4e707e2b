package wire

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// maxRetryAfter is the longest wait that is believed.
const maxRetryAfter = 24 * time.Hour

// RetryAfter is how long the provider asks to wait, by retry-after-ms (OpenAI,
// Azure) or Retry-After (RFC 9110: seconds or a date); 0 where it does not ask.
// header gives a header's value or "". A date is compared with now, or, if now
// is the zero time, with the answer's own Date.
func RetryAfter(header func(string) string, now time.Time) time.Duration {
	if ms, ok := number(header("Retry-After-Ms")); ok {
		return clamp(ms * float64(time.Millisecond))
	}
	value := header("Retry-After")
	if s, ok := number(value); ok {
		return clamp(s * float64(time.Second))
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if now.IsZero() {
		if now, err = http.ParseTime(header("Date")); err != nil {
			return 0
		}
	}
	return clamp(float64(at.Sub(now)))
}

func number(s string) (float64, bool) {
	if s == "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsNaN(f)
}

func clamp(d float64) time.Duration {
	return time.Duration(max(0, min(d, float64(maxRetryAfter))))
}
