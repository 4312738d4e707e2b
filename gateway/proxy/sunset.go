package proxy

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/providers/schema"
)

// BrownOut switches a version off for a while, or for some of its requests, so
// that those who have missed that it is to go learn of it while it still can be
// switched on again. It begins no earlier than the version is deprecated.
type BrownOut struct {
	Share   float64 // of the requests
	Windows []Span  // when; none: at all times
	Status  int     // 503 or 410
}

// Span is a time, of which To is no part.
type Span struct{ From, To time.Time }

// hits tells whether a request is refused, and how long others will be.
func (b *BrownOut) hits(now time.Time) (rest time.Duration, hit bool) {
	rest, in := time.Second, len(b.Windows) == 0
	for _, w := range b.Windows {
		if !now.Before(w.From) && now.Before(w.To) {
			rest, in = max(rest, w.To.Sub(now)), true
		}
	}
	if b.Share < 1 {
		rest = time.Second // the next request may be one that passes
	}
	return rest, in && (b.Share >= 1 || rand.Float64() < b.Share)
}

// Retired is the fault of a request for a version that is gone, or is switched
// off for a while.
type Retired struct {
	Fault  *schema.Error
	Sunset time.Time
	Link   string // empty: there is none
}

// Error is the fault in words.
func (r *Retired) Error() string { return r.Fault.Error() }

// Unwrap is the fault.
func (r *Retired) Unwrap() error { return r.Fault }

// tell says in the answer that a version is to go (RFC 9745, RFC 8594); one that
// has gone, or is switched off, is an error.
func (v Version) tell(x *Exchange) error {
	add := func(name, value string) { x.Told = append(x.Told, Condition{name, value}) }
	if !v.Deprecated.IsZero() {
		add("Deprecation", "@"+strconv.FormatInt(v.Deprecated.Unix(), 10))
		if v.Link != "" {
			add("Link", "<"+v.Link+`>; rel="deprecation"`)
		}
	}
	if v.Sunset.IsZero() {
		return nil
	}
	add("Sunset", v.Sunset.UTC().Format(http.TimeFormat))
	if v.Link != "" {
		add("Link", "<"+v.Link+`>; rel="sunset"`)
	}
	day := v.Sunset.UTC().Format(time.DateOnly)
	e := &schema.Error{Origin: schema.OriginGateway, Class: schema.ClassCancelled}
	switch {
	case !x.Now.Before(v.Sunset):
		e.Code, e.Status, e.Message = schema.CodeGone, fasthttp.StatusGone, "version "+x.Version+" is no more since "+day
	case v.BrownOut != nil && !x.Now.Before(v.Deprecated):
		rest, hit := v.BrownOut.hits(x.Now)
		if !hit {
			return nil
		}
		e.Code, e.Status, e.Message = schema.CodeBrownOut, v.BrownOut.Status, "version "+x.Version+" is switched off for a while: it will be for ever on "+day
		if e.Status == fasthttp.StatusServiceUnavailable {
			e.RetryAfter = rest
		}
	default:
		return nil
	}
	if v.Link != "" {
		e.Message += ": see " + v.Link
	}
	return &Retired{Fault: e, Sunset: v.Sunset, Link: v.Link}
}
