package router

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/providers/schema"
)

// newsText is a change as JSON. It names no times but how long things last: clocks
// of replicas differ.
type newsText struct {
	Target   string        `json:"target,omitempty"`
	Policy   Breaker       `json:"policy,omitzero"`
	Provider string        `json:"provider,omitempty"`
	Secret   string        `json:"secret,omitempty"` // its digest
	To       string        `json:"to"`
	Why      schema.Class  `json:"why,omitempty"`
	Failing  time.Duration `json:"failing,omitempty"`
}

// News is what other replicas are to be told of a change, for as long as Left says,
// and a name for what it is of, of which the latest news counts; false: it is not
// for them.
func (c *Change) News() (name, text string, ok bool) {
	if c.By != Found || c.To == HalfOpen.String() {
		return "", "", false
	}
	kind := c.To // a rest, which is beside a breaker's state
	switch c.To {
	case Open.String(), Closed.String():
		kind = "breaker"
	case healthy, unhealthy:
		kind = "health"
	}
	t := newsText{c.Target, c.Policy, c.Provider, c.Secret, c.To, c.Why, c.Failing}
	b, err := json.Marshal(&t)
	return fmt.Sprintln(kind, c.Target, c.Policy, c.Provider, c.Secret), string(b), err == nil
}

// ParseNews reads what another replica has told so long ago, of which so much is
// left; false: it is not understood, and of a later version maybe.
func ParseNews(text string, left, ago time.Duration) (c Change, ok bool) {
	var t newsText
	if json.Unmarshal([]byte(text), &t) != nil || t.To == "" {
		return c, false
	}
	return Change{Target: t.Target, Policy: t.Policy, Provider: t.Provider, Secret: t.Secret, To: t.To, Why: t.Why,
		Failing: max(t.Failing, 0) + max(ago, 0), Left: max(left, 0), By: Heard}, true
}

// Hear takes in a Change that another replica has found, of whose fields those
// count that name what has changed, and To, Why, Failing and Left. It is news
// only: a rest lasts no longer than one that was found here could, an open
// breaker is probed when its own time is over, and what calls and checks of this
// replica have shown since the other's began to fail counts for more. So a
// replica that is wrong takes nothing away for good.
func (r *Registry) Hear(c Change, now time.Time) {
	switch c.To {
	case healthy, unhealthy:
		name := c.Provider
		if name == "" {
			name = c.Target
		}
		r.mu.Lock()
		h := r.places[name].health
		r.mu.Unlock()
		if h != nil {
			h.hear(c.Left, c.Failing, now)
		}
		return
	}
	if c.Target == "" {
		r.pools[c.Provider].hear(c, now)
		return
	}
	r.mu.Lock()
	t := r.targets[targetKey{c.Target, c.Policy}]
	if t == nil {
		r.early.put(c, now)
	}
	r.mu.Unlock()
	if t == nil {
		return
	}
	if c.Secret != "" {
		provider, _, _ := strings.Cut(c.Target, "/")
		if s := r.pools[provider].find(c.Secret); s != nil {
			t.lane(s).hear(t, c, now)
		}
		return
	}
	t.hear(c, now)
}

// early is news of targets that are not there yet: nobody here has asked for them,
// or the configuration that has them is still to come.
type early map[targetKey][]Change

// mostEarly bounds it.
const mostEarly = 1000

// put keeps a change until its target is there, in the place of what was known.
func (e early) put(c Change, now time.Time) {
	key := targetKey{c.Target, c.Policy}
	c.Until = now.Add(c.Left)
	list := slices.DeleteFunc(e[key], func(was Change) bool {
		return was.Until.Before(now) || was.Secret == c.Secret && (was.To == "cooling") == (c.To == "cooling")
	})
	if c.Left > 0 && (len(e) < mostEarly || len(list) > 0) {
		list = append(list, c)
	}
	if e[key] = list; len(list) == 0 {
		delete(e, key)
	}
}

// take gives what is left of a target's news.
func (e early) take(key targetKey) (list []Change) {
	for _, c := range e[key] {
		left := time.Until(c.Until)
		if c.Failing, c.Left = c.Failing+c.Left-left, left; c.Left > 0 {
			list = append(list, c)
		}
	}
	delete(e, key)
	return list
}

func (e early) clone() early {
	n := early{}
	for key, list := range e {
		n[key] = slices.Clone(list)
	}
	return n
}

// rested is the rest of a Change that was heard.
func (c *Change) rested(now time.Time) func(*rest) bool {
	return func(r *rest) bool { return r.hear(c.Left, c.Why, now) }
}

func (t *Target) hear(c Change, now time.Time) {
	switch c.To {
	case "cooling":
		if !t.breaker.wellSince(now.Add(-c.Failing)) {
			t.rests(c.rested(now), now)
		}
	case Open.String(), Closed.String():
		t.breaker.hear(c.Left, c.Failing, now)
	}
}

func (l *lane) hear(t *Target, c Change, now time.Time) {
	switch c.To {
	case "cooling":
		if !l.breaker.wellSince(now.Add(-c.Failing)) {
			l.rests(t, c.rested(now), now)
		}
	case Open.String(), Closed.String():
		l.breaker.hear(c.Left, c.Failing, now)
	}
}

// find finds a secret by its digest; nil: there is none, or it is the only one,
// which never rests.
func (p *Pool) find(digest string) *Secret {
	if p == nil || len(p.secrets) < 2 {
		return nil
	}
	for _, s := range p.secrets {
		if s.digest() == digest {
			return s
		}
	}
	return nil
}

func (p *Pool) hear(c Change, now time.Time) {
	s := p.find(c.Secret)
	if s == nil || c.To != "cooling" || !aboutKey(c.Why) {
		return
	}
	var news *Change
	p.mu.Lock()
	if !s.rest.okAt.After(now.Add(-c.Failing)) {
		s.rest.hear(c.Left, c.Why, now)
		news = s.rest.news(now)
	}
	p.mu.Unlock()
	p.told(s, news)
}
