package router

import (
	"fmt"
	"maps"
	"sort"
	"strings"
	"sync"
	"time"

	"sluice/providers/schema"
)

// Registry holds the targets, pools and places of one configuration. Pools are
// made while the configuration is built, by one goroutine; targets and places
// may come and go at any time, from any goroutine.
type Registry struct {
	mu      sync.Mutex // of targets and places
	targets map[targetKey]*Target
	pools   map[string]*Pool
	queues  map[string]*Queue
	places  map[string]asked
	early   early // news of targets that are not there yet
	tell    func(Change)

	// Those of the configuration before, whose state is taken over.
	oldTargets map[targetKey]*Target
	oldPools   map[string]*Pool
	oldQueues  map[string]*Queue
	oldPlaces  map[string]asked
}

// targetKey: two routes that set different breakers for a target do not share
// its state.
type targetKey struct {
	id     string
	policy Breaker
}

// NewRegistry is an empty registry that takes over, as they are asked for, the
// states that prev holds under the same names; prev may be nil.
func NewRegistry(prev *Registry) *Registry { return NewWatchedRegistry(prev, nil) }

// NewWatchedRegistry is NewRegistry with one who is told what changes, by the
// goroutine of the call that changed it. Targets that live on keep theirs.
func NewWatchedRegistry(prev *Registry, tell func(Change)) *Registry {
	r := &Registry{targets: map[targetKey]*Target{}, pools: map[string]*Pool{}, queues: map[string]*Queue{}, places: map[string]asked{}, early: early{}, tell: tell}
	if prev != nil {
		prev.mu.Lock()
		r.early = prev.early.clone()
		r.oldTargets, r.oldPools, r.oldQueues, r.oldPlaces = maps.Clone(prev.targets), prev.pools, prev.queues, maps.Clone(prev.places)
		prev.mu.Unlock()
	}
	return r
}

// Target is the target with this ID and breaker, made at its first use.
func (r *Registry) Target(id string, policy Breaker) *Target {
	key := targetKey{id, policy.withDefaults()}
	r.mu.Lock()
	t := r.targets[key]
	if t == nil {
		t = r.oldTargets[key]
	}
	if t == nil {
		t = newTarget(id, policy, r.tell)
	}
	r.targets[key] = t
	early := r.early.take(key)
	r.mu.Unlock()
	for _, c := range early {
		r.Hear(c, time.Now())
	}
	return t
}

// Pool is a new pool of a provider's secrets; those whose value the provider's
// last pool had keep their cool-downs. No secrets: nil.
func (r *Registry) Pool(provider string, secrets ...*Secret) *Pool {
	if len(secrets) == 0 {
		return nil
	}
	p := NewPool(provider, secrets...)
	p.tell = r.tell
	if old := r.oldPools[provider]; old != nil {
		old.mu.Lock()
		for _, s := range secrets {
			for _, o := range old.secrets {
				if o.Value == s.Value {
					s.rest = o.rest
				}
			}
		}
		old.mu.Unlock()
	}
	r.pools[provider] = p
	return p
}

// Queue is the queue of a route, with a new policy if there was one. It is for
// who builds the configuration, as Pool is.
func (r *Registry) Queue(route string, policy QueuePolicy) *Queue {
	q := r.oldQueues[route]
	if q == nil {
		q = NewQueue(route, policy)
	}
	q.policy.Store(&policy)
	r.queues[route] = q
	return q
}

// Health is that of a place, which is checked by asking so once Checks follow
// the registry. One whose check has not changed keeps its state.
func (r *Registry) Health(name string, policy Check, ask Ask) *Health {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.places[name].health
	if h == nil {
		h = r.oldPlaces[name].health
	}
	if h == nil || h.policy != policy {
		h = &Health{Name: name, policy: policy, tell: r.tell}
	}
	r.places[name] = asked{h, ask}
	return h
}

// asked are the places as they are checked.
func (r *Registry) asked() map[string]asked {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.places)
}

// back has the breakers of a target, whose place is its own and has become
// healthy again, let a call through to see, though their time is not over: what
// opened them is over.
func (r *Registry) back(h *Health, now time.Time) {
	if !h.policy.Lone {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, t := range r.targets {
		if key.id == h.Name {
			t.breaker.mayProbe(now)
		}
	}
}

// Forget takes out a target that nothing leads to any more, with the place of
// its name. Its attempts under way end as they do.
func (r *Registry) Forget(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.targets, func(key targetKey, _ *Target) bool { return key.id == id })
	maps.DeleteFunc(r.oldTargets, func(key targetKey, _ *Target) bool { return key.id == id })
	delete(r.places, id)
	delete(r.oldPlaces, id)
}

// SetBreaker takes an operator's word about every target with this ID.
func (r *Registry) SetBreaker(id string, m Mode, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := false
	for key, t := range r.targets {
		if key.id == id {
			t.SetBreaker(m, now)
			found = true
		}
	}
	if !found {
		return fmt.Errorf("no target %q", id)
	}
	return nil
}

// ParseMode reads open, closed or auto.
func ParseMode(s string) (Mode, error) {
	switch s {
	case "open":
		return ForceOpen, nil
	case "closed":
		return ForceClosed, nil
	case "auto":
		return Auto, nil
	}
	return Auto, fmt.Errorf("state %q is none of open, closed, auto", s)
}

// Targets lists all targets as they stand at now, by ID.
func (r *Registry) Targets(now time.Time) []TargetStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]TargetStatus, 0, len(r.targets))
	for _, t := range r.targets {
		out = append(out, t.Status(now))
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}

// Secrets lists the secrets of a provider as they stand at now.
func (r *Registry) Secrets(provider string, now time.Time) []SecretStatus {
	pool := r.pools[provider]
	list := pool.Status(now)
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, t := range r.targets {
		if of, _, _ := strings.Cut(key.id, "/"); of != provider {
			continue
		}
		for i, s := range pool.Secrets() {
			st := &list[i]
			until, heard := t.look(s).cooling(now)
			if until.After(st.Until) && (st.State == "ready" || st.Target != "") {
				st.State, st.Until, st.Why, st.Target, st.Elsewhere = "cooling", until, schema.ClassRateLimited, t.ID, heard
			}
		}
	}
	return list
}
