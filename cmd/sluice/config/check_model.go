package config

import (
	"slices"
	"strconv"
	"strings"

	"sluice/billing"
)

// models checks every model and then that no chain of names comes back to its
// beginning.
func (k *checker) models() {
	edges := map[string][]edge{}
	for _, name := range sortedKeys(k.config.Models) {
		path, m := []string{"models", name}, k.config.Models[name]
		if name == "" || strings.HasPrefix(name, "prompt/") {
			k.fault(path, "a model wants a name that is not empty and not prompt/NAME, which calls a prompt")
		}
		k.model(path, m)
		k.limits(below(path, "limits"), m.Limits)
		k.onDisconnect(below(path, "on_disconnect"), m.OnDisconnect)
		k.cache(below(path, "cache"), m.Cache)
		k.patience(path, m)
		k.shadow(below(path, "shadow"), name, m.Shadow)
		edges[name] = k.edges(path, m)
	}
	k.loops(edges)
}

func (k *checker) model(path []string, m Model) {
	var weight int64
	for _, t := range m.Targets {
		weight += t.Weight
	}
	switch targets := below(path, "targets"); {
	case len(m.Targets) == 0:
		k.fault(targets, "a model wants at least one target")
	case weight == 0: // each is drained, whatever the balance
		k.fault(targets, "every weight is 0: no target would ever be used")
	}
	switch {
	case m.Sticky == nil && m.Balance == "sticky":
		k.fault(below(path, "balance"), "balance sticky wants to know by what: add sticky: {by: user}, or key, session or prefix")
	case m.Sticky != nil && m.Sticky.By == "" && !k.origin.given(append(slices.Clone(path), "sticky", "by")...):
		k.fault(below(path, "sticky"), "want by: user, key, session or prefix")
	}
	if m.Retry.Attempts < 1 {
		k.fault(below(below(path, "retry"), "attempts"), "want at least 1: the first try counts")
	}
	if m.Breaker != nil {
		k.breaker(below(path, "breaker"), m.Breaker)
	}
}

func (k *checker) breaker(breaker []string, b *Breaker) {
	for _, f := range []struct {
		key string
		ok  bool
		say string
	}{
		{"failures", b.Failures > 0, "want at least 1"},
		{"ratio", b.Ratio > 0 && b.Ratio <= 1, "want a share above 0 and at most 1"},
		{"min_calls", b.MinCalls > 0, "want at least 1"},
		{"within", b.Within > 0, "want more than nothing"},
		{"open_for", b.OpenFor > 0, "want more than nothing"},
		{"probes", b.Probes > 0, "want at least 1"},
	} {
		if !f.ok {
			k.fault(below(breaker, f.key), "%s", f.say)
		}
	}
}

// patience checks when a slow call is asked elsewhere too, and how long calls
// wait for room.
func (k *checker) patience(path []string, m Model) {
	if h := m.Hedge; h != nil {
		hedge := below(path, "hedge")
		if h.After == 0 && !k.origin.given(append(slices.Clone(hedge), "after")...) {
			k.fault(hedge, "want after: a duration such as 2s, or p95")
		}
		if !(h.Budget > 0 && h.Budget <= 1) {
			k.fault(below(hedge, "budget"), "want a share of the calls above 0 and at most 1")
		}
	}
	if q := m.Queue; q != nil {
		queue := below(path, "queue")
		if q.Size < 1 || q.Size > mostQueued {
			k.fault(below(queue, "size"), "want between 1 and %d calls", mostQueued)
		}
		if q.Wait <= 0 {
			k.fault(below(queue, "wait"), "want more than nothing, such as 10s")
		}
	}
}

// mostQueued bounds the calls of one model that wait.
const mostQueued = 100_000

func (k *checker) cache(path []string, c *Cache) {
	if c == nil {
		return
	}
	if c.TTL <= 0 {
		k.fault(below(path, "ttl"), "is needed, such as 10m: how long an answer is given again")
	}
	if c.Price > Percent(billing.Whole) {
		k.fault(below(path, "price"), "want at most 100%% of what the answer cost")
	}
	if c.Semantic == nil {
		return
	}
	semantic := below(path, "semantic")
	if t := c.Semantic.Threshold; !(t > 0 && t <= 1) {
		k.fault(below(semantic, "threshold"), "want a cosine above 0 and at most 1")
	}
	if c.Semantic.Model == "" {
		k.fault(below(semantic, "model"), "is needed: the model that makes embeddings, such as openai/text-embedding-3-small")
		return
	}
	k.target(below(semantic, "model"), c.Semantic.Model)
}

func (k *checker) shadow(path []string, of string, s *Shadow) {
	if s == nil {
		return
	}
	if model := below(path, "model"); s.Model == of {
		k.fault(model, "a model cannot be its own shadow")
	} else {
		k.target(model, s.Model)
	}
	if !(s.Share > 0 && s.Share <= 1) {
		k.fault(below(path, "share"), "want a share of the calls above 0 and at most 1, such as 0.1")
	}
	if s.Timeout <= 0 {
		k.fault(below(path, "timeout"), "want more than nothing")
	}
}

// defaults checks that the providers of calls without a model exist.
func (k *checker) defaults() {
	set := k.config.Defaults.ByName()
	for _, name := range sortedKeys(set) {
		path, provider := []string{"defaults", name}, set[name]
		if k.on[provider] {
			continue
		}
		if k.origin.find(path).expanded {
			k.fault(path, "there is no provider of that name under providers:")
			continue
		}
		k.fault(path, "there is no provider %s under providers:%s", strconv.Quote(provider), meant(provider, sortedKeys(k.on)))
	}
}

// edge leads from a model to another one under models:.
type edge struct {
	to   string
	path []string
}

// edges checks what a model's targets and fallbacks name.
func (k *checker) edges(path []string, m Model) []edge {
	var out []edge
	add := func(list string, i int, ref string) {
		at := below(below(below(path, list), strconv.Itoa(i)), "model")
		if !k.origin.given(at[:len(at)-2]...) {
			at = path // the short form
		}
		if alias := k.target(at, ref); alias != "" {
			out = append(out, edge{alias, at})
		}
	}
	for i, t := range m.Targets {
		add("targets", i, t.Model)
	}
	for i, f := range m.Fallback {
		add("fallback", i, f.Model)
	}
	return out
}

// loops follows the edges depth first and reports those that lead back.
func (k *checker) loops(edges map[string][]edge) {
	done := map[string]bool{}
	var trail []string
	var visit func(name string)
	visit = func(name string) {
		trail = append(trail, name)
		for _, e := range edges[name] {
			if i := slices.Index(trail, e.to); i >= 0 {
				k.fault(e.path, "leads back to itself: %s", strings.Join(append(slices.Clone(trail[i:]), e.to), " → "))
			} else if !done[e.to] {
				visit(e.to)
			}
		}
		trail = trail[:len(trail)-1]
		done[name] = true
	}
	for _, name := range sortedKeys(edges) {
		if !done[name] {
			visit(name)
		}
	}
}
