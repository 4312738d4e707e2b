package router

import (
	"context"
	"slices"
	"testing"

	"sluice/providers/schema"
)

// A call whose attempt failed in the middle goes on with what was not tried:
// the targets of the route, its fallbacks, and those of the routes before.
func TestResume(t *testing.T) {
	broke := func(class schema.Class) *schema.Error { return &schema.Error{Code: schema.CodeUpstream, Class: class} }
	for name, test := range map[string]struct {
		fails []string // at once
		class schema.Class
		off   bool
		want  []string // in order, each breaking in the middle but the failed
	}{
		"all in order":       {nil, schema.ClassConnection, false, []string{"a", "b", "c", "e"}},
		"from a fallback":    {[]string{"a", "b"}, schema.ClassTimeout, false, []string{"a", "b", "c", "e"}},
		"one fails at once":  {[]string{"b"}, schema.ClassServerError, false, []string{"a", "b", "c", "e"}},
		"fallbacks are off":  {nil, schema.ClassConnection, true, []string{"a", "b"}},
		"not tried again":    {nil, schema.ClassContentFilter, false, []string{"a", "d"}},
		"the next may it be": {nil, schema.ClassInvalidOutput, false, []string{"a", "c", "e"}},
	} {
		t.Run(name, func(t *testing.T) {
			target := func(name string) Candidate { return Candidate{Target: NewTarget(name, Breaker{})} }
			a, b, c, d, e := target("a"), target("b"), target("c"), target("d"), target("e")
			route := func(name string, list ...Candidate) *Route {
				r := &Route{Name: name, Candidates: list, Retry: Retry{Attempts: 1, Backoff: 1}}
				if err := r.Prepare(); err != nil {
					t.Fatal(err)
				}
				return r
			}
			last := route("last", e, a)
			filtered := route("filtered", d)
			second := route("second", c, b)
			second.Fallback = []Fallback{{Route: last}}
			first := route("first", a, b)
			first.Fallback = []Fallback{{Route: second}, {Route: filtered, On: []schema.Class{schema.ClassContentFilter}}}
			p := &Plan{Route: first, NoFallback: test.off, Late: true}
			defer p.Reset()
			var tried []string
			var live *Attempt
			try := func(at *Attempt) error {
				tried = append(tried, at.Candidate.Target.ID)
				if slices.Contains(test.fails, at.Candidate.Target.ID) {
					return broke(schema.ClassServerError)
				}
				at.Late()
				live = at
				return nil
			}
			err := p.Do(context.Background(), try)
			for n := 0; err == nil && n < 10; n++ {
				why := broke(test.class)
				live.Done(why)
				if err = p.Resume(context.Background(), why, try); err != nil && err != error(why) {
					t.Errorf("the error is %v, not why it broke", err)
				}
			}
			if !slices.Equal(tried, test.want) {
				t.Errorf("tried %v, want %v", tried, test.want)
			}
			for _, c := range []Candidate{a, b, c, d, e} {
				if n := c.Target.inFlight.Load(); n != 0 {
					t.Errorf("%s: %d in flight", c.Target.ID, n)
				}
			}
		})
	}
}
