package router

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sluice/providers/schema"
)

// reply is how a target answers: after a time, well or not.
type reply struct {
	after time.Duration
	class schema.Class // empty: well
}

// hedged is a call of a route by DoHedged, as its targets reply.
type hedged struct {
	replies   map[string]reply // by target, or target/key
	cancelled []string
	lost      []string
	late      bool
}

func name(a *Attempt) string {
	if a.Secret != nil {
		return a.Candidate.Target.ID + "/" + a.Secret.Label
	}
	return a.Candidate.Target.ID
}

func (h *hedged) do(ctx context.Context, p *Plan) error {
	p.Late = h.late
	return p.DoHedged(ctx, func(a *Attempt) error {
		at := name(a)
		how, ok := h.replies[at]
		if !ok {
			how = h.replies[a.Candidate.Target.ID]
		}
		gone := false
		err := a.Ask(ctx, func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				gone = true
				return ctx.Err()
			case <-time.After(how.after):
			}
			if how.class != "" {
				return failed(how.class)
			}
			return nil
		})
		if gone {
			h.cancelled = append(h.cancelled, at)
		}
		if a.Lost() {
			h.lost = append(h.lost, at)
			return ErrHedgeLost
		}
		if err == nil && h.late {
			a.Late()
		}
		return err
	})
}

const ms = time.Millisecond

// The first attempt to answer wins; the other is cancelled then and there, and
// neither its target nor that of a call that was not hedged is the worse for it.
func TestHedge(t *testing.T) {
	down, slow := schema.ClassServerError, time.Minute
	for label, c := range map[string]struct {
		targets   []string
		keys      int // of every target, if more than none
		hedge     Hedge
		replies   map[string]reply
		took      time.Duration
		chosen    string // empty: the call fails
		class     schema.Class
		attempts  []string // in order, with * for a hedge
		cancelled []string
	}{
		"slow, then fast": {replies: map[string]reply{"a": {after: slow}, "b": {after: 10 * ms}},
			took: 110 * ms, chosen: "b", attempts: []string{"a", "b*"}, cancelled: []string{"a"}},
		"fast": {replies: map[string]reply{"a": {after: 99 * ms}}, took: 99 * ms, chosen: "a", attempts: []string{"a"}},
		"the first after all": {replies: map[string]reply{"a": {after: 150 * ms}, "b": {after: slow}},
			took: 150 * ms, chosen: "a", attempts: []string{"a", "b*"}, cancelled: []string{"b"}},
		"both fail": {replies: map[string]reply{"a": {200 * ms, down}, "b": {10 * ms, down}},
			took: 200 * ms, class: down, attempts: []string{"a", "b*"}},
		"both fail, the hedge last": {replies: map[string]reply{"a": {200 * ms, down}, "b": {300 * ms, down}},
			took: 400 * ms, class: down, attempts: []string{"a", "b*"}},
		"both fail, a third answers": {targets: []string{"a", "b", "c"}, replies: map[string]reply{"a": {200 * ms, down}, "b": {10 * ms, down}},
			took: 200 * ms, chosen: "c", attempts: []string{"a", "b*", "c"}},
		"the first fails, the hedge answers": {replies: map[string]reply{"a": {200 * ms, down}, "b": {300 * ms, ""}},
			took: 400 * ms, chosen: "b", attempts: []string{"a", "b*"}},
		"the hedge fails, the first answers": {replies: map[string]reply{"a": {200 * ms, ""}, "b": {10 * ms, down}},
			took: 200 * ms, chosen: "a", attempts: []string{"a", "b*"}},
		"the first fails at once": {replies: map[string]reply{"a": {10 * ms, down}, "b": {20 * ms, ""}},
			took: 30 * ms, chosen: "b", attempts: []string{"a", "b"}},
		"the second of the walk is slow": {targets: []string{"a", "b", "c"}, replies: map[string]reply{"a": {10 * ms, down}, "b": {after: slow}},
			took: 110 * ms, chosen: "c", attempts: []string{"a", "b", "c*"}, cancelled: []string{"b"}},
		"one hedge a call": {targets: []string{"a", "b", "c"}, replies: map[string]reply{"a": {after: 500 * ms}, "b": {after: slow}},
			took: 500 * ms, chosen: "a", attempts: []string{"a", "b*"}, cancelled: []string{"b"}},
		"what another would say too": {replies: map[string]reply{"a": {200 * ms, schema.ClassInvalidRequest}, "b": {after: slow}},
			took: 200 * ms, class: schema.ClassInvalidRequest, attempts: []string{"a", "b*"}, cancelled: []string{"b"}},
		"no other target": {targets: []string{"a"}, replies: map[string]reply{"a": {after: time.Second}},
			took: time.Second, chosen: "a", attempts: []string{"a"}},
		"another key": {targets: []string{"a"}, keys: 2, replies: map[string]reply{"a/1": {after: slow}, "a/2": {after: ms}},
			took: 101 * ms, chosen: "a", attempts: []string{"a/1", "a/2*"}, cancelled: []string{"a/1"}},
		"nothing learnt": {hedge: Hedge{Learned: true, Budget: 1}, replies: map[string]reply{"a": {after: time.Second}},
			took: time.Second, chosen: "a", attempts: []string{"a"}},
	} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprint(label, " ", late), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					if c.targets == nil {
						c.targets = []string{"a", "b"}
					}
					if c.hedge == (Hedge{}) {
						c.hedge = Hedge{After: 100 * ms, Budget: 1}
					}
					r := routeOf(t, "r", c.targets...)
					r.Hedge, r.Retry.Attempts = c.hedge, 1
					for i := range r.Candidates {
						var secrets []*Secret
						for k := range c.keys {
							secrets = append(secrets, NewSecret(fmt.Sprint("secret", k), fmt.Sprint(k+1), 1, nil))
						}
						if secrets != nil {
							r.Candidates[i].Pool = NewPool("p", secrets...)
						}
					}
					h := hedged{replies: c.replies, late: late}
					p, begin := &Plan{Route: r, Explain: true}, time.Now()
					err := h.do(t.Context(), p)
					if took := time.Since(begin); took != c.took {
						t.Errorf("took %v, want %v", took, c.took)
					}
					var e *schema.Error
					if err != nil {
						e = schema.AsError(err)
					}
					if (e == nil) != (c.class == "") || e != nil && e.Class != c.class {
						t.Errorf("%v, want %q", err, c.class)
					}
					x := p.Explanation()
					var attempts []string
					for _, res := range x.Attempts {
						at := res.Target.ID
						if res.Secret != nil {
							at += "/" + res.Secret.Label
						}
						if res.Hedge {
							at += "*"
						}
						attempts = append(attempts, at)
					}
					if x.Chosen != c.chosen || !slices.Equal(attempts, c.attempts) || !slices.Equal(h.cancelled, c.cancelled) {
						t.Errorf("%q of %v, cancelled %v; want %q of %v, cancelled %v", x.Chosen, attempts, h.cancelled, c.chosen, c.attempts, c.cancelled)
					}
					if late && err == nil {
						p.Came(10)
					}
					p.Reset()
					for i := range r.Candidates {
						s := r.Candidates[i].Target.Status(time.Now())
						if failing := c.replies[s.ID].class == down; s.InFlight != 0 || s.State != "closed" || s.Failures > 0 && !failing {
							t.Errorf("%+v", s)
						}
					}
				})
			})
		}
	}
}

// Of a thousand slow calls no more are hedged than the budget's share; a few are
// at once.
func TestHedgeBudget(t *testing.T) {
	for _, share := range []float64{0.02, 0.1, 0.5, 1} {
		synctest.Test(t, func(t *testing.T) {
			r := routeOf(t, "r", "a", "b")
			r.Hedge = Hedge{After: 100 * ms, Budget: share}
			hedges := 0
			for n := range 1000 {
				h := hedged{replies: map[string]reply{"a": {after: 200 * ms}, "b": {after: 10 * ms}}}
				p := &Plan{Route: r}
				if err := h.do(t.Context(), p); err != nil {
					t.Fatal(err)
				}
				if hedges += len(p.Results) - 1; n == 2 && hedges == 0 {
					t.Error("no hedge of the first calls")
				}
			}
			if most := int(1000 * share); hedges > most || hedges < most-hedgesFree {
				t.Errorf("%d hedges of 1000 calls, want %d", hedges, most)
			}
		})
	}
}

// What is learnt is the time that one answer in twenty exceeds; the answers
// that a hedge cut short do not make it less.
func TestHedgeLearns(t *testing.T) {
	for _, late := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := routeOf(t, "r", "a", "b")
			r.Hedge = Hedge{Learned: true, Budget: 1}
			prepared(t, r)
			hedges := 0
			for n := range 2000 {
				h := hedged{late: late, replies: map[string]reply{"a": {after: 50 * ms}, "b": {after: 10 * ms}}}
				if n%25 == 0 {
					h.replies["a"] = reply{after: 10 * time.Second}
				}
				p := &Plan{Route: r}
				if err := h.do(t.Context(), p); err != nil {
					t.Fatal(err)
				}
				if n < tailLeast && len(p.Results) > 1 {
					t.Fatalf("call %d was hedged", n)
				}
				hedges += len(p.Results) - 1
				p.Reset()
			}
			after, ok := r.Candidates[0].Target.learnt.tailOf(late)
			if !ok || after < 45*ms || after > 65*ms || hedges < 70 || hedges > 80 {
				t.Errorf("a hedge after %v, %d of them, of 80 slow calls", after, hedges)
			}
		})
	}
}

// A call whose caller leaves ends both attempts; a panic in either goes up, when
// the other is over.
func TestHedgeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := routeOf(t, "r", "a", "b")
		r.Hedge = Hedge{After: 100 * ms, Budget: 1}
		ctx, cancel := context.WithTimeout(t.Context(), 150*ms)
		defer cancel()
		h := hedged{replies: map[string]reply{"a": {after: time.Minute}, "b": {after: time.Minute}}}
		begin := time.Now()
		if err := h.do(ctx, &Plan{Route: r}); err == nil || time.Since(begin) != 150*ms || len(h.cancelled) != 2 {
			t.Errorf("%v after %v, cancelled %v", err, time.Since(begin), h.cancelled)
		}
		for _, bad := range []string{"a", "b"} {
			other := false
			broken := func() (v any) {
				defer func() { v = recover() }()
				p := &Plan{Route: r}
				return p.DoHedged(t.Context(), func(a *Attempt) error {
					return a.Ask(t.Context(), func(ctx context.Context) error {
						if a.Candidate.Target.ID == bad {
							time.Sleep(200 * ms)
							panic("bad")
						}
						<-ctx.Done()
						other = true
						return ctx.Err()
					})
				})
			}()
			if broken != "bad" || !other {
				t.Errorf("%s: %v, the other over: %v", bad, broken, other)
			}
		}
		for i := range r.Candidates {
			if n := r.Candidates[i].Target.InFlight(); n != 0 {
				t.Errorf("%d in flight", n)
			}
		}
	})
}

// A hedge that is not admitted is not made, and its target may still be tried.
func TestHedgeRefused(t *testing.T) {
	for label, change := range map[string]func(*Plan, *schema.Error){
		"limits": func(p *Plan, no *schema.Error) {
			p.Admit = func(*Candidate) *schema.Error {
				if p.Hedging {
					return no
				}
				return nil
			}
		},
		"money": func(p *Plan, no *schema.Error) { p.AdmitHedge = func(*Candidate) *schema.Error { return no } },
	} {
		synctest.Test(t, func(t *testing.T) {
			r := routeOf(t, "r", "a", "b")
			r.Hedge, r.Retry.Attempts = Hedge{After: 100 * ms, Budget: 1}, 1
			p := &Plan{Route: r}
			change(p, full(time.Second))
			h := hedged{replies: map[string]reply{"a": {200 * ms, schema.ClassServerError}}}
			if err := h.do(t.Context(), p); err != nil || len(p.Results) != 2 || p.Results[1].Hedge {
				t.Errorf("%s: %v, %+v", label, err, p.Results)
			}
			if saved := r.hedges.saved.Load(); saved != 0 {
				t.Errorf("%s: %d of the budget", label, saved)
			}
		})
	}
}
