package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sluice/providers/catalog"
)

// litellmConfig is a LiteLLM configuration on its way to ours.
type litellmConfig struct {
	file   string
	source litellmSource
	known  *catalog.Catalog

	balance                string
	timeout, streamTimeout string // of all providers; empty: not given
	attempts               int64  // 0: not given
	retry                  string // YAML of what else is said of it
	breaker, cache         string // YAML; empty: none
	strict                 bool   // parameters that a target has not are refused

	deployments []*litellmDeployment
	aliases     [][2]string
	made        []*litellmProvider
	names       []string
	fallbacks   map[string][]litellmFallback
}

// litellmFallback is another name, for one class of errors or (empty) for all.
type litellmFallback struct{ model, on string }

// yaml is the whole configuration.
func (c *litellmConfig) yaml() (string, error) {
	c.known, c.fallbacks = catalog.Load(), map[string][]litellmFallback{}
	router, lib := c.source.at("router_settings"), c.source.at("litellm_settings")
	c.routing(router, lib)
	list := c.source.at("model_list")
	for _, at := range list.list() {
		if d := c.deployment(at); d != nil && !c.wildcard(d) {
			c.add(d)
		}
	}
	for _, e := range router.at("model_group_alias").entries() {
		c.alias(e)
	}
	if len(c.deployments) == 0 {
		return "", errors.New("its model_list has no model that can be carried over")
	}
	c.providers()
	for _, d := range c.deployments {
		if pattern := d.at.at("model_name").text(); strings.Contains(pattern, "*") && pattern != d.provider.name+"/*" {
			d.at.at("model_name").note("a pattern: the models are called " + d.provider.name + "/NAME")
		}
	}
	c.falling(router, lib)
	text := c.text(lib)
	return c.head() + text, nil
}

func (c *litellmConfig) add(d *litellmDeployment) {
	c.deployments = append(c.deployments, d)
	if !slices.Contains(c.names, d.name) {
		c.names = append(c.names, d.name)
	}
}

// wildcard takes an entry for whole families of models: the provider serves
// them by its own name.
func (c *litellmConfig) wildcard(d *litellmDeployment) bool {
	if !strings.Contains(d.name+d.model, "*") {
		return false
	}
	d.model, d.prices = "*", nil
	before, whole := strings.CutSuffix(d.name, "/*")
	if _, known := c.known.Provider(before); whole && !known && before != "" && d.endpoint.kind != "" && !notInName.MatchString(before) {
		d.endpoint.name = before
	}
	c.deployments = append(c.deployments, d)
	return true
}

func (c *litellmConfig) alias(e litellmEntry) {
	to := e.value.text()
	if to == "" {
		to = e.value.at("model").text()
	}
	if !slices.Contains(c.names, to) || slices.Contains(c.names, e.key) || e.key == "" || strings.HasPrefix(e.key, "prompt/") {
		e.value.note("no model of that name is carried over, or there is one under both names")
		return
	}
	c.aliases = append(c.aliases, [2]string{e.key, to})
}

// routing reads what counts for every model.
func (c *litellmConfig) routing(router, lib litellmSource) {
	first := func(key string) litellmSource {
		if s := router.at(key); s.given() {
			return s
		}
		return lib.at(key)
	}
	strategy := router.at("routing_strategy")
	switch name := strategy.text(); name {
	case "", "simple-shuffle":
		c.balance = "weighted"
	case "least-busy":
		c.balance = "least-busy"
	case "latency-based-routing":
		c.balance = "fastest"
	case "cost-based-routing":
		c.balance = "cheapest"
	default:
		c.balance = "least-busy"
		strategy.note("balance: least-busy comes nearest")
	}
	timeout := router.at("timeout")
	if !timeout.given() {
		timeout = lib.at("request_timeout")
	}
	c.timeout, c.streamTimeout = c.seconds(timeout, ""), c.seconds(router.at("stream_timeout"), "")
	if s := first("num_retries"); s.given() {
		c.attempts = s.count() + 1
	}
	if wait := c.seconds(router.at("retry_after"), ""); wait != "" {
		c.retry = ", backoff: " + wait
	}
	c.breaking(first("allowed_fails"), first("cooldown_time"))
	if drop := lib.at("drop_params"); drop.given() {
		c.strict = !drop.yes()
	}
	c.caching(lib)
}

func (c *litellmConfig) breaking(fails, cooldown litellmSource) {
	var parts []string
	if fails.given() {
		parts = append(parts, fmt.Sprintf("failures: %d, within: 1m", fails.count()+1))
	}
	if wait := c.seconds(cooldown, ""); wait != "" {
		parts = append(parts, "open_for: "+wait)
	}
	c.breaker = strings.Join(parts, ", ")
}

func (c *litellmConfig) caching(lib litellmSource) {
	params := lib.at("cache_params")
	if !lib.at("cache").yes() {
		return
	}
	if mode := params.at("mode"); mode.text() == "default_off" {
		mode.note("nothing is cached here: give the models that should be a cache")
		return
	}
	kind := params.at("type")
	ttl := c.seconds(params.at("ttl"), "10m")
	c.cache = "ttl: " + ttl + ", scope: all"
	if strings.HasSuffix(kind.text(), "semantic") {
		threshold, _ := params.at("similarity_threshold").number()
		for _, e := range params.entries() {
			if strings.HasSuffix(e.key, "_embedding_model") && threshold > 0 && threshold <= 1 {
				c.cache += fmt.Sprintf(", semantic: {threshold: %v, model: \x00%s\x00}", threshold, e.value.text())
			}
		}
	}
	if name := kind.text(); name != "" && name != "local" {
		kind.note("answers are kept in the gateway's memory")
	}
}

// falling reads where the calls of a model go when its targets have failed.
func (c *litellmConfig) falling(router, lib litellmSource) {
	for _, class := range [][2]string{{"fallbacks", ""}, {"context_window_fallbacks", "context_length"}, {"content_policy_fallbacks", "content_filter"}} {
		s := router.at(class[0])
		if !s.given() {
			s = lib.at(class[0])
		}
		for _, entry := range s.list() {
			for _, e := range entry.entries() {
				c.fallback(e, class[1])
			}
		}
	}
	for _, s := range []litellmSource{lib.at("default_fallbacks"), router.at("default_fallbacks")} {
		if s.given() {
			c.fallback(litellmEntry{"*", s}, "")
		}
	}
}

func (c *litellmConfig) fallback(e litellmEntry, on string) {
	from := []string{e.key}
	if e.key == "*" {
		from = slices.DeleteFunc(slices.Clone(c.names), func(name string) bool {
			return slices.ContainsFunc(c.fallbacks[name], func(f litellmFallback) bool { return f.on == on })
		})
	} else if !slices.Contains(c.names, e.key) {
		e.value.note("no model of that name is carried over")
		return
	}
	for _, to := range e.value.list() {
		model := to.text()
		if !slices.Contains(c.names, model) {
			to.note("no model of that name is carried over")
			continue
		}
		for _, name := range from {
			c.lead(name, model, on)
		}
	}
}

// lead adds a fallback. One that would come back to where it began goes to the
// targets of the other name instead.
func (c *litellmConfig) lead(from, to, on string) {
	if from == to {
		return
	}
	add := []litellmFallback{{to, on}}
	if c.reaches(to, from, map[string]bool{}) {
		add = nil
		for _, t := range c.targets(to) {
			add = append(add, litellmFallback{t.ref, on})
		}
	}
	for _, f := range add {
		if !slices.Contains(c.fallbacks[from], f) {
			c.fallbacks[from] = append(c.fallbacks[from], f)
		}
	}
}

func (c *litellmConfig) reaches(from, to string, seen map[string]bool) bool {
	if from == to {
		return true
	}
	seen[from] = true
	return slices.ContainsFunc(c.fallbacks[from], func(f litellmFallback) bool { return !seen[f.model] && c.reaches(f.model, to, seen) })
}
