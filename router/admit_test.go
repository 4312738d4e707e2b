package router

import (
	"errors"
	"slices"
	"testing"
	"time"

	"sluice/providers/schema"
)

func full(wait time.Duration) *schema.Error {
	return &schema.Error{Code: schema.CodeRateLimit, Status: 429, Origin: schema.OriginPolicy, Class: schema.ClassRateLimited, RetryAfter: wait}
}

// Candidates that Admit refuses are passed over; without any attempt the
// refusal that is over first is the answer.
func TestAdmit(t *testing.T) {
	down := errs{failed(schema.ClassServerError)}
	for name, c := range map[string]struct {
		targets, fallback []string
		errors            map[string]errs
		refuse            map[string]*schema.Error
		open              string // a target that an operator took out
		after             int    // attempts that are admitted before any refusal
		want              []string
		refused           string // whose refusal is returned
		class             schema.Class
	}{
		"none refused":        {targets: []string{"a"}, want: []string{"a"}},
		"the next target":     {targets: []string{"a", "b"}, refuse: map[string]*schema.Error{"a": full(9e9)}, want: []string{"b"}},
		"the fallback":        {targets: []string{"a"}, fallback: []string{"f"}, refuse: map[string]*schema.Error{"a": full(9e9)}, want: []string{"f"}},
		"all, the soonest":    {targets: []string{"a", "b"}, refuse: map[string]*schema.Error{"a": full(9e9), "b": full(3e9)}, refused: "b", class: schema.ClassRateLimited},
		"all, one for ever":   {targets: []string{"a", "b"}, refuse: map[string]*schema.Error{"a": full(0), "b": full(3e9)}, refused: "b", class: schema.ClassRateLimited},
		"the fallback's too":  {targets: []string{"a"}, fallback: []string{"f"}, refuse: map[string]*schema.Error{"a": full(2e9), "f": full(3e9)}, refused: "a", class: schema.ClassRateLimited},
		"one out, one full":   {targets: []string{"a", "b"}, open: "a", refuse: map[string]*schema.Error{"b": full(2e9)}, refused: "b", class: schema.ClassRateLimited},
		"a real error counts": {targets: []string{"a", "b"}, errors: map[string]errs{"a": down}, refuse: map[string]*schema.Error{"b": full(2e9)}, want: []string{"a", "a"}, class: schema.ClassServerError},
		"no second try": {targets: []string{"a", "b"}, errors: map[string]errs{"a": down}, after: 1, refuse: map[string]*schema.Error{"a": full(2e9)},
			want: []string{"a", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := script{errors: c.errors}
			r := routeOf(t, "r", c.targets...)
			if c.fallback != nil {
				r.Fallback = []Fallback{{Route: routeOf(t, "f", c.fallback...)}}
			}
			for i := range r.Candidates {
				if r.Candidates[i].Target.ID == c.open {
					r.Candidates[i].Target.SetBreaker(ForceOpen, time.Time{})
				}
			}
			asked := 0
			p := Plan{Route: r, Clock: newClock().clock(), Explain: true, Admit: func(cand *Candidate) *schema.Error {
				if asked++; asked <= c.after {
					return nil
				}
				return c.refuse[cand.Target.ID]
			}}
			err := p.Do(t.Context(), s.try)
			var e *schema.Error
			if errors.As(err, &e); (e == nil) != (c.class == "") || e != nil && e.Class != c.class {
				t.Errorf("%v, want %q", err, c.class)
			}
			if !slices.Equal(s.seen, c.want) {
				t.Errorf("attempts %v, want %v", s.seen, c.want)
			}
			refused := ""
			if p.Refused != nil {
				refused = p.Refused.Target.ID
			}
			if refused != c.refused {
				t.Errorf("refused by %q, want %q", refused, c.refused)
			}
			for _, w := range p.Explanation().Candidates {
				if (w.State == "limited") != (c.refuse[w.Target] != nil) {
					t.Errorf("%+v", w)
				}
			}
			for i := range r.Candidates {
				if s := r.Candidates[i].Target.Status(time.Time{}); s.InFlight != 0 || s.Failures > 0 && c.errors == nil {
					t.Errorf("%+v", s)
				}
			}
		})
	}
}

// A probe that is refused leaves its place to the next.
func TestAdmitGivesProbesBack(t *testing.T) {
	clock := newClock()
	r := &Route{Name: "r", Candidates: []Candidate{{Target: NewTarget("a", Breaker{Failures: 1, Explicit: true})}}}
	prepared(t, r)
	fails := script{errors: map[string]errs{"a": {failed(schema.ClassServerError), nil}}}
	do := func(refusal *schema.Error) error {
		p := Plan{Route: r, Clock: clock.clock(), Admit: func(*Candidate) *schema.Error { return refusal }}
		return p.Do(t.Context(), fails.try)
	}
	_ = do(nil)
	clock.advance(time.Minute)
	for range 3 {
		if err := do(full(time.Second)); schema.AsError(err).Code != schema.CodeRateLimit {
			t.Fatal(err)
		}
	}
	if err := do(nil); err != nil {
		t.Error(err)
	}
}
