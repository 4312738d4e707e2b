package router

import (
	"crypto/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/providers/schema"
)

// member is a replica: a route of two targets, and two keys of each.
type member struct {
	*Registry
	route *Route
	script
	told []Change // what was found here
}

// members are replicas that hear of each other at once.
type members struct {
	clock *fakeClock
	all   []*member
}

func newMembers(t *testing.T, n int, keys ...string) *members {
	t.Helper()
	m := &members{clock: newClock()}
	for range n {
		one := &member{}
		one.Registry = NewWatchedRegistry(nil, func(c Change) {
			_, text, ok := c.News()
			if !ok {
				return
			}
			one.told = append(one.told, c)
			heard, _ := ParseNews(text, c.Left, 0)
			for _, other := range m.all {
				if other != one {
					other.Hear(heard, m.clock.Now())
				}
			}
		})
		var secrets []*Secret
		for _, k := range keys {
			secrets = append(secrets, NewSecret("value "+k, k, 1, nil))
		}
		pool := one.Pool("p", secrets...)
		one.route = &Route{Name: "r", Retry: Retry{Attempts: 1}, Candidates: []Candidate{{Target: one.Target("p/a", Breaker{}), Pool: pool}, {Target: one.Target("p/b", Breaker{}), Pool: pool}}}
		prepared(t, one.route)
		m.all = append(m.all, one)
	}
	return m
}

// want makes calls at a replica, and tells by which targets and keys they went.
func (m *members) want(t *testing.T, who int, calls int, want string) {
	t.Helper()
	if got := m.all[who].took(m.all[who].route, m.clock, calls); got != want {
		t.Errorf("replica %d: %s, want %s", who, got, want)
	}
}

// A rest that one replica has found is one in all of them, until it is over.
func TestHearRests(t *testing.T) {
	limited := func(after time.Duration) *schema.Error {
		e := failed(schema.ClassRateLimited)
		e.RetryAfter = after
		return e
	}
	for name, c := range map[string]struct {
		keys    []string
		at      string
		err     *schema.Error
		found   string // the first call of the one that finds it
		heard   string // two calls of the other
		back    string // and after a minute
		cooling string // what is shown there
	}{
		"a key at one target":   {[]string{"1", "2"}, "p/a/1", limited(time.Minute), "p/a/1 p/a/2", "p/a/2 p/a/2", "p/a/1 p/a/2", "1 p/a"},
		"a key that is refused": {[]string{"1", "2"}, "p/a/1", failed(schema.ClassAuth), "p/a/1 p/a/2", "p/a/2 p/a/2", "p/a/2 p/a/2", "1 "},
		"a target, of one key":  {[]string{"1"}, "p/a/1", limited(time.Minute), "p/a/1 p/b/1", "p/b/1 p/b/1", "p/a/1 p/a/1", "target"},
		"one that is busy": {nil, "p/a", func() *schema.Error {
			e := failed(schema.ClassOverloaded)
			e.RetryAfter = time.Minute
			return e
		}(), "p/a p/b", "p/b p/b", "p/a p/a", "target"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMembers(t, 2, c.keys...)
			a, b := m.all[0], m.all[1]
			a.errors = map[string]errs{c.at: {c.err, nil}}
			m.want(t, 0, 1, c.found)
			m.want(t, 1, 2, c.heard)
			shown := ""
			if s := b.Targets(m.clock.Now())[0]; s.Elsewhere && !s.Cooling.IsZero() {
				shown = "target"
			}
			for _, s := range b.Secrets("p", m.clock.Now()) {
				if s.Elsewhere {
					shown += s.Label + " " + s.Target
				}
			}
			if shown != c.cooling {
				t.Errorf("shown: %q", shown)
			}
			if own := a.Targets(m.clock.Now())[0]; own.Elsewhere || len(a.told) != 1 || len(b.told) != 0 {
				t.Errorf("told %+v and %+v", a.told, b.told)
			}
			m.clock.advance(time.Minute)
			m.want(t, 1, 2, c.back)
		})
	}
}

// However long another replica says, a rest is no longer than one can be.
func TestHearIsBounded(t *testing.T) {
	m := newMembers(t, 1, "1", "2")
	one := m.all[0]
	digest := NewSecret("value 1", "1", 1, nil).digest()
	for _, c := range []Change{
		{Provider: "p", Secret: digest, To: "cooling", Why: schema.ClassAuth, Left: 1000 * time.Hour},
		{Provider: "p", Secret: "other", To: "cooling", Why: schema.ClassAuth, Left: time.Hour},
		{Provider: "q", Secret: digest, To: "cooling", Why: schema.ClassAuth, Left: time.Hour},
		{Provider: "p", Secret: digest, To: "cooling", Why: schema.ClassTimeout, Left: 2000 * time.Hour},
		{Target: "p/c", To: "open", Left: time.Hour},
		{Target: "p/a", Policy: Breaker{Failures: 9}.withDefaults(), To: "open", Left: time.Hour},
		{Target: "p/a", To: "unhealthy", Left: time.Hour},
		{Target: "p/a", Policy: Breaker{}.withDefaults(), To: "strange", Left: time.Hour},
	} {
		one.Hear(c, m.clock.Now())
	}
	m.want(t, 0, 2, "p/a/2 p/a/2")
	if s := one.Secrets("p", m.clock.Now())[0]; s.Until.Sub(m.clock.Now()) != restBound {
		t.Errorf("%+v", s)
	}
}

// A breaker that opens in one replica is open in all, which probe the target by
// themselves, and closes in all where one has.
func TestHearBreaker(t *testing.T) {
	m := newMembers(t, 3)
	a, b, c := m.all[0], m.all[1], m.all[2]
	bad := map[string]errs{"p/a": {failed(schema.ClassServerError)}}
	a.errors, b.errors, c.errors = bad, bad, bad
	m.want(t, 0, 5, strings.TrimSpace(strings.Repeat("p/a p/b ", 5)))
	m.want(t, 1, 3, "p/b p/b p/b")
	if s := b.Targets(m.clock.Now())[0]; s.State != "open" || !s.Elsewhere {
		t.Errorf("%+v", s)
	}
	p := &Plan{Route: b.route, Clock: m.clock.clock()}
	if w := p.Preview().Candidates[0]; w.State != "open" || !strings.Contains(w.Why, "another replica") {
		t.Errorf("%+v", w)
	}
	m.clock.advance(15 * time.Second)
	m.want(t, 1, 2, "p/a p/b p/b") // its own probe
	m.want(t, 2, 2, "p/a p/b p/b")
	m.clock.advance(15 * time.Second)
	a.errors = nil
	m.want(t, 0, 2, "p/a p/a")
	b.errors, c.errors = nil, nil
	m.want(t, 1, 2, "p/a p/a")
	m.want(t, 2, 2, "p/a p/a")
	for _, one := range m.all {
		if s := one.Targets(m.clock.Now())[0]; s.State != "closed" || s.Elsewhere {
			t.Errorf("%+v", s)
		}
	}
}

// What another says of a target that has answered here since counts for nothing:
// a replica that is wrong for ever takes a target from others once at most.
func TestHearWrong(t *testing.T) {
	m := newMembers(t, 2)
	m.all[0].errors = map[string]errs{"p/a": {failed(schema.ClassConnection)}}
	m.want(t, 0, 4, strings.TrimSpace(strings.Repeat("p/a p/b ", 4)))
	m.clock.advance(time.Second)
	m.want(t, 1, 1, "p/a")
	m.want(t, 0, 1, "p/a p/b") // it opens, after a second of failures
	m.want(t, 1, 1, "p/a")

	m = newMembers(t, 2) // who has not called it believes that
	wrong, right := m.all[0], m.all[1]
	wrong.errors = map[string]errs{"p/a": {failed(schema.ClassConnection)}}
	away := 0
	for range 600 {
		wrong.took(wrong.route, m.clock, 2)
		if right.took(right.route, m.clock, 1) != "p/a" {
			away++
		}
		m.clock.advance(time.Second)
	}
	if opened := slices.IndexFunc(wrong.told, func(c Change) bool { return c.To == "open" }); opened < 0 || away > 16 {
		t.Errorf("of 600 seconds the target was away for %d", away)
	}
}

// Nor does one whose calls are refused for ever, with whatever words, take a key
// or a target from others more than once.
func TestHearWrongRests(t *testing.T) {
	busy := failed(schema.ClassOverloaded)
	busy.RetryAfter = 10 * time.Second
	for name, c := range map[string]struct {
		keys []string
		at   string
		err  *schema.Error
		most int // seconds
	}{
		"a key is refused":    {[]string{"1", "2"}, "p/a/1", failed(schema.ClassAuth), 310},
		"a key is limited":    {[]string{"1", "2"}, "p/a/1", failed(schema.ClassRateLimited), 10},
		"a target is limited": {[]string{"1"}, "p/a/1", failed(schema.ClassRateLimited), 10},
		"a target is busy":    {nil, "p/a", busy, 20},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMembers(t, 2, c.keys...)
			wrong, right := m.all[0], m.all[1]
			wrong.errors = map[string]errs{c.at: {c.err}}
			away := 0
			for range 1200 {
				wrong.took(wrong.route, m.clock, 2)
				if !slices.Contains(strings.Fields(right.took(right.route, m.clock, 2)), c.at) {
					away++
				}
				m.clock.advance(time.Second)
			}
			if len(wrong.told) < 2 || away == 0 || away > c.most {
				t.Errorf("of 1,200 seconds it was away for %d; told %d times", away, len(wrong.told))
			}
		})
	}
}

// A call that was under way and ends well closes what was opened for news.
func TestHearDuringCall(t *testing.T) {
	now := newClock().Now()
	b := &breaker{policy: Breaker{}.withDefaults()}
	under, _ := b.admit(now, false)
	b.hear(15*time.Second, time.Second, now)
	if state, _, _ := b.look(now); state != Open || !b.elsewhere() {
		t.Error("it is not open")
	}
	b.report(under, success, now.Add(time.Second))
	if state, _, _ := b.look(now); state != Closed || b.elsewhere() {
		t.Error("it is not closed")
	}
	b.set(ForceClosed, now)
	b.hear(15*time.Second, time.Hour, now)
	if state, _, _ := b.look(now); state != Closed {
		t.Error("an operator's word counts for less than another replica's")
	}
}

// The word of another replica about a place counts until a check here; one that
// has gone well since counts for more.
func TestHearHealth(t *testing.T) {
	var told []Change
	h := &Health{Name: "p", policy: usual, tell: func(c Change) { told = append(told, c) }}
	at := func(n int64) time.Time { return time.Unix(n, 0) }
	h.hear(time.Minute, 10*time.Second, at(20))
	if s := h.Status(); s.State != "unhealthy" || !s.Elsewhere || !strings.Contains(h.why(), "another replica") {
		t.Errorf("%+v", s)
	}
	h.note(nil, at(21), at(21))
	if h.Down() || h.Status().Elsewhere {
		t.Error("a check that goes well does not count for more")
	}
	h.hear(time.Minute, 10*time.Second, at(22))
	if h.Down() {
		t.Error("news counts for more than a check since")
	}
	h.note(errDown, at(23), at(23))
	h.hear(time.Minute, 10*time.Second, at(40))
	h.note(errDown, at(41), at(41)) // it is so
	h.note(nil, at(42), at(42))
	if !h.Down() || h.Status().Elsewhere {
		t.Error("what was found here too ends by one check")
	}
	h.hear(0, 0, at(43))
	if h.Down() {
		t.Error("it passes again elsewhere")
	}
	by := []Source{}
	for _, c := range told {
		by = append(by, c.By)
	}
	if !slices.Equal(by, []Source{Heard, Found, Heard, Heard}) {
		t.Errorf("%+v", told)
	}
}

// What is heard of a target before anybody here has asked for it counts once
// somebody does, after a reload too.
func TestHearEarly(t *testing.T) {
	r := NewRegistry(nil)
	r.Pool("p", NewSecret("one", "1", 1, nil), NewSecret("two", "2", 1, nil))
	policy := Breaker{}.withDefaults()
	now := time.Now()
	for _, c := range []Change{
		{Target: "p/a", Policy: policy, To: "open", Left: time.Minute},
		{Target: "p/a", Policy: policy, To: "cooling", Why: schema.ClassRateLimited, Left: time.Hour, Secret: NewSecret("two", "", 1, nil).digest()},
		{Target: "p/b", Policy: policy, To: "open", Left: time.Minute},
		{Target: "p/b", Policy: policy, To: "closed"},
		{Target: "p/c", Policy: policy, To: "open", Left: -time.Minute},
	} {
		r.Hear(c, now)
	}
	next := NewRegistry(r)
	next.Pool("p", NewSecret("one", "1", 1, nil), NewSecret("two", "2", 1, nil))
	for _, registry := range []*Registry{r, next} {
		for id, want := range map[string]string{"p/a": "open", "p/b": "closed", "p/c": "closed"} {
			if s := registry.Target(id, Breaker{}).Status(now); s.State != want || s.Elsewhere != (want == "open") {
				t.Errorf("%+v", s)
			}
		}
		if s := registry.Secrets("p", now)[1]; s.State != "cooling" || !s.Elsewhere || s.Target != "p/a" {
			t.Errorf("%+v", s)
		}
		if len(registry.early) != 0 {
			t.Errorf("kept on: %v", registry.early)
		}
	}
	for range 2 * mostEarly {
		r.Hear(Change{Target: rand.Text(), Policy: policy, To: "open", Left: time.Minute}, now)
	}
	if len(r.early) != mostEarly {
		t.Errorf("%d are kept", len(r.early))
	}
}

// What is told is read as it was; what is not found here, and half open breakers,
// are told to nobody.
func TestNews(t *testing.T) {
	c := Change{Target: "p/a", Policy: Breaker{Failures: 2, Ratio: 0.25}, Key: "k", Secret: "digest", From: "closed", To: "open", Failing: time.Second, Left: time.Minute}
	name, text, ok := c.News()
	got, read := ParseNews(text, c.Left, 0)
	later, _ := ParseNews(text, c.Left, time.Hour)
	want := c
	want.Key, want.From, want.By = "", "", Heard
	if !ok || !read || got != want || later.Failing != c.Failing+time.Hour {
		t.Errorf("%s is read as %+v", text, got)
	}
	c.To, c.Left = "closed", 0
	if closed, _, _ := c.News(); closed != name {
		t.Errorf("%q and %q are of one breaker", closed, name)
	}
	for _, other := range []Change{{Target: "p/a", To: "cooling"}, {Target: "p/a", To: "unhealthy"}, {Target: "p/b", Policy: c.Policy, Secret: "digest", To: "open"}} {
		if n, _, ok := other.News(); !ok || n == name {
			t.Errorf("%q", n)
		}
	}
	for _, none := range []Change{{To: "half_open"}, {To: "closed", By: Said}, {To: "open", By: Heard}} {
		if _, _, ok := none.News(); ok {
			t.Errorf("%+v is told", none)
		}
	}
	for _, text := range []string{"", "{}", "[]", `{"target":1,"to":"open"}`} {
		if c, ok := ParseNews(text, time.Second, 0); ok {
			t.Errorf("%s is read as %+v", text, c)
		}
	}
}
