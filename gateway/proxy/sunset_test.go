package proxy

import (
	"errors"
	"testing"
	"time"

	"sluice/providers/schema"
)

func TestVersionTells(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2027, 5, n, 0, 0, 0, 0, time.UTC) }
	out := func(share float64, windows ...Span) *BrownOut {
		return &BrownOut{Share: share, Windows: windows, Status: 503}
	}
	for name, c := range map[string]struct {
		v    Version
		at   time.Time
		code schema.Code // empty: it is served
		rest time.Duration
	}{
		"no sunset":            {Version{Deprecated: day(1)}, day(2), "", 0},
		"before the sunset":    {Version{Sunset: day(9)}, day(8), "", 0},
		"at the sunset":        {Version{Sunset: day(9)}, day(9), schema.CodeGone, 0},
		"in a window":          {Version{Sunset: day(9), BrownOut: out(1, Span{day(2), day(4)})}, day(3), schema.CodeBrownOut, 24 * time.Hour},
		"windows that overlap": {Version{Sunset: day(9), BrownOut: out(1, Span{day(2), day(4)}, Span{day(3), day(6)})}, day(3), schema.CodeBrownOut, 72 * time.Hour},
		"as it begins":         {Version{Sunset: day(9), BrownOut: out(1, Span{day(3), day(4)})}, day(3), schema.CodeBrownOut, 24 * time.Hour},
		"as it ends":           {Version{Sunset: day(9), BrownOut: out(1, Span{day(2), day(3)})}, day(3), "", 0},
		"before it":            {Version{Sunset: day(9), BrownOut: out(1, Span{day(4), day(5)})}, day(3), "", 0},
		"nearly all":           {Version{Sunset: day(9), BrownOut: out(1 - 1e-15)}, day(3), schema.CodeBrownOut, time.Second},
		"hardly any":           {Version{Sunset: day(9), BrownOut: out(1e-15)}, day(3), "", 0},
		"not deprecated yet":   {Version{Deprecated: day(4), Sunset: day(9), BrownOut: out(1 - 1e-15)}, day(3), "", 0},
		"gone all the same":    {Version{Sunset: day(9), BrownOut: out(1, Span{day(2), day(20)})}, day(10), schema.CodeGone, 0},
	} {
		err := c.v.tell(&Exchange{Now: c.at, Version: "1"})
		var r *Retired
		switch errors.As(err, &r); {
		case r == nil && (c.code != "" || err != nil):
			t.Errorf("%s: %v, want %q", name, err, c.code)
		case r != nil && (r.Fault.Code != c.code || r.Fault.RetryAfter != c.rest || !r.Sunset.Equal(day(9))):
			t.Errorf("%s: %s, again in %v, want %q and %v", name, r.Fault.Code, r.Fault.RetryAfter, c.code, c.rest)
		}
	}
}
