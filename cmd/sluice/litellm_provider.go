package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// litellmProvider is a provider of the configuration that is printed.
type litellmProvider struct {
	name     string
	endpoint litellmEndpoint
	of       []*litellmDeployment
}

// keys are the provider's, in the order in which they came.
func (p *litellmProvider) keys() []string {
	var keys []string
	for _, d := range p.of {
		if d.key != "" && !slices.Contains(keys, d.key) {
			keys = append(keys, d.key)
		}
	}
	return keys
}

// providers puts the deployments of one endpoint together in one provider with
// all their keys, where that does the same: every name that calls a model there
// does so with the same keys, and each key has one weight and, if it has limits,
// one model. Else each key gets a provider of its own.
func (c *litellmConfig) providers() {
	byEndpoint := map[litellmEndpoint][]*litellmDeployment{}
	for _, d := range c.deployments {
		byEndpoint[d.endpoint] = append(byEndpoint[d.endpoint], d)
	}
	known := map[string]*litellmProvider{}
	for _, d := range c.deployments {
		id := fmt.Sprintf("%q", d.endpoint)
		if !c.together(byEndpoint[d.endpoint]) {
			id += d.key
			if d.limits != "" {
				id += "\x00" + d.model + "\x00" + d.limits
			}
		}
		p := known[id]
		if p == nil {
			p = &litellmProvider{endpoint: d.endpoint}
			known[id] = p
			c.made = append(c.made, p)
		}
		p.of, d.provider = append(p.of, d), p
	}
	for _, p := range c.made {
		c.name(p)
	}
}

// together tells whether deployments of one endpoint can share a provider.
func (c *litellmConfig) together(list []*litellmDeployment) bool {
	keys := map[string]bool{}
	callers := map[string]map[string]string{} // of a model: the names, with their keys
	for _, d := range list {
		keys[d.key] = true
		if callers[d.model] == nil {
			callers[d.model] = map[string]string{}
		}
		if with := callers[d.model]; !strings.Contains(with[d.name]+"\x00", d.key+"\x00") {
			with[d.name] = strings.Join(slices.Sorted(slices.Values(append(strings.Split(with[d.name], "\x00"), d.key))), "\x00")
		}
	}
	for _, with := range callers {
		for _, of := range with {
			if of != with[sortedKeys(with)[0]] {
				return false
			}
		}
	}
	for _, d := range list {
		for _, other := range list {
			switch same := d.key == other.key; {
			case same && d.limits != other.limits, same && d.limits != "" && d.model != other.model,
				same && len(keys) > 1 && c.weight(d) != c.weight(other), d.order != other.order:
				return false
			}
		}
	}
	return !keys[""] || len(keys) == 1 && list[0].limits == ""
}

// name gives a provider a name such that no model's is a target at it.
func (c *litellmConfig) name(p *litellmProvider) {
	free := func(name string) bool {
		return name != "prompt" && name != "mock" && !slices.ContainsFunc(c.made, func(o *litellmProvider) bool { return o.name == name }) &&
			!slices.ContainsFunc(p.of, func(d *litellmDeployment) bool { return c.named(name + "/" + d.model) })
	}
	name := cmp.Or(p.endpoint.name, "provider")
	for i := 2; !free(name); i++ {
		name = fmt.Sprint(cmp.Or(p.endpoint.name, "provider"), "-", i)
	}
	p.name = name
	entry, ok := c.known.Provider(p.endpoint.name)
	if !ok || name == p.endpoint.name {
		return
	}
	p.endpoint.kind = entry.Kind // the catalogue does not know this name
	if p.endpoint.base == "" && entry.BaseURL != "" && entry.Kind == "openai-compatible" {
		p.endpoint.base = quoted(entry.BaseURL)
	}
	for _, d := range p.of {
		if len(d.prices) == 0 && entry.Kind == "openai-compatible" {
			d.prices = c.listed(entry.Name, d.model)
		}
	}
}

// named tells whether a model will stand under that name.
func (c *litellmConfig) named(name string) bool {
	return slices.ContainsFunc(c.deployments, func(d *litellmDeployment) bool { return d.name == name && d.model != "*" }) ||
		slices.ContainsFunc(c.aliases, func(a [2]string) bool { return a[0] == name })
}

// weight is a deployment's share of the calls of its name: by weight, rpm or
// tpm, whichever any of them gives.
func (c *litellmConfig) weight(d *litellmDeployment) float64 {
	if c.balance != "weighted" {
		return 1
	}
	for _, by := range []string{"weight", "rpm", "tpm"} {
		if slices.ContainsFunc(c.deployments, func(o *litellmDeployment) bool { _, ok := o.weights[by]; return ok && o.name == d.name }) {
			return d.weights[by]
		}
	}
	return 1
}

// write prints a provider.
func (p *litellmProvider) write(b *strings.Builder, c *litellmConfig) {
	fmt.Fprintf(b, "  %s:\n", quoted(p.name))
	if p.endpoint.kind != "" {
		fmt.Fprintf(b, "    kind: %s\n", p.endpoint.kind)
	}
	if p.endpoint.base != "" {
		fmt.Fprintf(b, "    base_url: %s\n", p.endpoint.base)
	}
	if p.endpoint.fields != "" {
		b.WriteString(p.endpoint.fields[1:] + "\n")
	}
	p.writeKeys(b, c)
	var priced []string
	for _, d := range p.of {
		if len(d.prices) > 0 && !slices.Contains(priced, d.model) {
			if len(priced) == 0 {
				b.WriteString("    prices:\n")
			}
			priced = append(priced, d.model)
			fmt.Fprintf(b, "      %s: {%s}\n", quoted(d.model), strings.Join(d.prices, ", "))
		}
	}
	if p.endpoint.kind == "" && p.endpoint.base == "" && p.endpoint.fields == "" && len(p.keys()) == 0 && len(priced) == 0 {
		b.WriteString("    {}\n")
	}
}

func (p *litellmProvider) writeKeys(b *strings.Builder, c *litellmConfig) {
	keys := p.keys()
	if len(keys) == 0 {
		if limits := p.of[0].limits; limits != "" {
			fmt.Fprintf(b, "    limits: {%s}\n", limits)
		}
		return
	}
	all, shares := map[string]bool{}, make([]float64, len(keys))
	for _, d := range p.of {
		all[d.model] = true
		shares[slices.Index(keys, d.key)] = c.weight(d)
	}
	weights := wholeWeights(shares)
	b.WriteString("    keys:\n")
	for i, key := range keys {
		models, limits := map[string]bool{}, ""
		for _, d := range p.of {
			if d.key == key {
				models[d.model], limits = true, d.limits
			}
		}
		if weights[i] != 1 {
			key += fmt.Sprint(", weight: ", weights[i])
		}
		if len(models) < len(all) && !slices.ContainsFunc(sortedKeys(models), func(m string) bool { return m == "*" }) {
			key += ", models: " + flow(sortedKeys(models))
		}
		if limits != "" {
			key += ", limits: {" + limits + "}"
		}
		fmt.Fprintf(b, "      - {%s}\n", key)
	}
}

// wholeWeights are shares as whole numbers, as small as they can be. Where all
// are 0, none of them counts.
func wholeWeights(shares []float64) []int64 {
	scale, out, divisor := 1.0, make([]int64, len(shares)), int64(0)
	for _, s := range shares {
		if s != math.Trunc(s) {
			scale = 1000
		}
	}
	for i, s := range shares {
		out[i] = int64(math.Round(min(s, 1e9) * scale))
		for a, n := divisor, out[i]; ; a, n = n, a%n {
			if n == 0 {
				divisor = a
				break
			}
		}
	}
	for i := range out {
		if divisor == 0 {
			out[i] = 1
		} else {
			out[i] /= divisor
		}
	}
	return out
}
