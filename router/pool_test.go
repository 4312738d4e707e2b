package router

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/providers/schema"
)

// poolOf is a pool of secrets named by their labels.
func poolOf(labels ...string) *Pool {
	p := NewPool("p")
	for _, l := range labels {
		p.secrets = append(p.secrets, NewSecret("value-of-"+l, l, 1, nil))
	}
	return p
}

func TestPickByWeight(t *testing.T) {
	p := NewPool("p", NewSecret("a", "a", 3, nil), NewSecret("b", "b", 1, nil), NewSecret("c", "c", 0, nil))
	got := map[string]int{}
	for range 5000 {
		s, _ := p.pick(time.Time{}, nil, "m", nil)
		got[s.Label]++
	}
	if got["a"] != 3000 || got["b"] != 1000 || got["c"] != 1000 {
		t.Errorf("picked %v", got)
	}
}

func TestPickByModel(t *testing.T) {
	p := NewPool("p", NewSecret("a", "a", 1, []string{"claude-*"}), NewSecret("b", "b", 1, []string{"gpt-4o", "o1*"}))
	for model, want := range map[string]string{"claude-3": "a", "gpt-4o": "b", "o1-mini": "b", "gpt-4": ""} {
		s, _ := p.pick(time.Time{}, nil, model, nil)
		if got := labelOf(s); got != want {
			t.Errorf("%s has key %q, want %q", model, got, want)
		}
		if ok, _ := p.ready(time.Time{}, nil, model); ok != (want != "") {
			t.Errorf("%s is ready: %v", model, ok)
		}
	}
}

func labelOf(s *Secret) string {
	if s == nil {
		return ""
	}
	return s.Label
}

func TestCoolDown(t *testing.T) {
	for name, c := range map[string]struct {
		errors []*schema.Error
		want   time.Duration
	}{
		"401":                  {errs{failed(schema.ClassAuth)}, 5 * time.Minute},
		"no quota":             {errs{failed(schema.ClassQuota)}, 5 * time.Minute},
		"429":                  {errs{failed(schema.ClassRateLimited)}, time.Second},
		"429 again":            {errs{failed(schema.ClassRateLimited), failed(schema.ClassRateLimited), failed(schema.ClassRateLimited)}, 4 * time.Second},
		"429 for ever":         {slices.Repeat(errs{failed(schema.ClassRateLimited)}, 50), 30 * time.Second},
		"429 after a success":  {errs{failed(schema.ClassRateLimited), failed(schema.ClassRateLimited), nil, failed(schema.ClassRateLimited)}, 2 * time.Second},
		"retry-after":          {errs{later(schema.ClassRateLimited, 7*time.Second)}, 7 * time.Second},
		"an absurd one":        {errs{later(schema.ClassRateLimited, 1000*time.Hour)}, time.Hour},
		"a server error":       {errs{failed(schema.ClassServerError)}, 0},
		"a shorter one after":  {errs{failed(schema.ClassAuth), failed(schema.ClassRateLimited)}, 5 * time.Minute},
		"the request's own":    {errs{failed(schema.ClassInvalidRequest)}, 0},
		"only a success":       {errs{nil}, 0},
		"timeout with a retry": {errs{later(schema.ClassTimeout, time.Minute)}, 0},
	} {
		now := newClock().Now()
		p := poolOf("a", "b")
		for _, e := range c.errors {
			p.note(p.secrets[0], e, now)
		}
		if got := max(p.secrets[0].until.Sub(now), 0); got != c.want {
			t.Errorf("%s: rests %v, want %v", name, got, c.want)
		}
		st := p.Status(now)
		if (st[0].State == "cooling") != (c.want > 0) || st[1].State != "ready" {
			t.Errorf("%s: status %+v", name, st)
		}
		if s, _ := p.pick(now, nil, "m", nil); c.want > 0 && s != p.secrets[1] {
			t.Errorf("%s: picked %v", name, labelOf(s))
		}
	}
}

func TestPoolCoolingWhole(t *testing.T) {
	clock := newClock()
	r := routeOf(t, "r", "a")
	p := poolOf("1", "2")
	r.Candidates[0].Pool = p
	s := &script{errors: map[string]errs{"a/1": {later(schema.ClassRateLimited, 40*time.Second)}, "a/2": {later(schema.ClassRateLimited, 30*time.Second)}}}
	do := func() *schema.Error {
		err := (&Plan{Route: r, Clock: clock.clock()}).Do(context.Background(), s.try)
		if err == nil {
			return nil
		}
		return schema.AsError(err)
	}
	if e := do(); e == nil || e.Class != schema.ClassRateLimited || e.Code == schema.CodeNoTarget {
		t.Errorf("the call that used them up: %v", e)
	}
	clock.advance(10 * time.Second)
	if e := do(); e == nil || e.Code != schema.CodeNoTarget || e.Status != 503 || e.RetryAfter != 20*time.Second || len(s.seen) != 2 {
		t.Errorf("the next call: %+v after %v", e, s.seen)
	}
	clock.advance(20 * time.Second)
	s.errors = nil
	if e := do(); e != nil || s.seen[2] != "a/2" {
		t.Errorf("when one is back: %v after %v", e, s.seen)
	}
}

func TestOnlyKeyNeverRests(t *testing.T) {
	now := newClock().Now()
	lone := poolOf("a")
	lone.note(lone.secrets[0], failed(schema.ClassAuth), now)
	if s, _ := lone.pick(now, nil, "m", nil); s == nil {
		t.Error("a provider's only key rests")
	}
	fits := NewPool("p", NewSecret("a", "a", 1, []string{"x"}), NewSecret("b", "b", 1, []string{"y"}))
	fits.note(fits.secrets[0], failed(schema.ClassAuth), now)
	if ok, _ := fits.ready(now, nil, "x"); !ok {
		t.Error("the only key that fits rests")
	}
	if s, _ := fits.pick(now, nil, "x", fits.secrets[:1]); s != nil {
		t.Error("a key that was refused in this call is used again")
	}
}

func TestNilPool(t *testing.T) {
	var p *Pool
	if ok, _ := p.ready(time.Time{}, nil, "m"); !ok || p.Status(time.Time{}) != nil {
		t.Error("a provider without secrets is not ready")
	}
	p.note(nil, nil, time.Time{})
}

func TestSecretLabels(t *testing.T) {
	for value, want := range map[string]string{"sk-abcdefghijkl": "…ijkl", "short": "…", "": "…"} {
		if got := NewSecret(value, "", 0, nil).Label; got != want {
			t.Errorf("label of %q is %q, want %q", value, got, want)
		}
	}
	if got := NewSecret("sk-abcdefghijkl", "main", 0, nil).Label; got != "main" {
		t.Errorf("a named secret's label is %q", got)
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"*", "", true}, {"*", "a/b", true}, {"a*", "a", true}, {"a*", "ba", false}, {"*a", "ba", true}, {"a*c", "abc", true},
		{"a*c", "ac", true}, {"a*a", "a", false}, {"a*b*c", "a-b-b-c", true}, {"a**c", "ac", true}, {"a*bc*c", "abc", false}, {"abc", "abc", true}, {"abc", "abcd", false}, {"", "", true}, {"", "a", false},
	} {
		if got := match(c.pattern, c.s); got != c.want {
			t.Errorf("match(%q, %q) = %v", c.pattern, c.s, got)
		}
	}
}

// A pattern made by cutting pieces out of a string fits it.
func TestMatchFitsItsOwn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.StringMatching("[ab]{0,3}"), 1, 5).Draw(t, "parts")
		pattern, s := parts[0], parts[0]
		for _, p := range parts[1:] {
			s += rapid.StringMatching("[ab]{0,3}").Draw(t, "gap") + p
			pattern += "*" + p
		}
		if !match(pattern, s) {
			t.Fatalf("match(%q, %q) = false", pattern, s)
		}
	})
}

func TestRegistryKeepsState(t *testing.T) {
	now := newClock().Now()
	old := NewRegistry(nil)
	target, strict := old.Target("p/m", Breaker{}), old.Target("p/m", Breaker{Failures: 1, Explicit: true})
	if target == strict || old.Target("p/m", Breaker{Failures: 5}) != target {
		t.Error("a target is told apart by its breaker, defaults filled in")
	}
	gone := old.Target("p/gone", Breaker{})
	pool := old.Pool("p", NewSecret("a", "a", 1, nil), NewSecret("b", "b", 1, nil))
	pool.note(pool.secrets[0], failed(schema.ClassAuth), now)

	next := NewRegistry(old)
	if next.Target("p/m", Breaker{}) != target {
		t.Error("the target is another after a reload")
	}
	next.Pool("p", NewSecret("c", "c", 1, nil), NewSecret("a", "renamed", 1, nil))
	if st := next.Secrets("p", now); st[0].State != "ready" || st[1].State != "cooling" || st[1].Label != "renamed" {
		t.Errorf("secrets after a reload: %+v", st)
	}
	if list := next.Targets(now); len(list) != 1 || list[0].ID != "p/m" {
		t.Errorf("targets after a reload: %+v", list)
	}
	if NewRegistry(next).Target("p/gone", Breaker{}) == gone {
		t.Error("a target that a configuration left out came back")
	}
	if next.Pool("none") != nil || next.Secrets("none", now) != nil {
		t.Error("a provider without secrets has a pool")
	}
}

// Callers see a key's name or number, and no character of it.
func TestKeysAsCallersSeeThem(t *testing.T) {
	secrets := []*Secret{NewSecret("sk-0123456789-last", "", 1, nil), NewSecret("sk-0123456789-last", "main", 1, nil), NewSecret("short", "", 1, nil)}
	NewPool("p", secrets...)
	for i, want := range []string{`"#1"`, `"main"`, `"#3"`} {
		raw, err := json.Marshal(Result{Target: &Target{ID: "p/m"}, Secret: secrets[i]})
		if err != nil || !strings.Contains(string(raw), `"key":`+want+",") {
			t.Errorf("%s: %s, %v", secrets[i].Label, raw, err)
		}
	}
}
