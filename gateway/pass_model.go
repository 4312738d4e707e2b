package gateway

import (
	"strings"

	"sluice/billing"
	"sluice/providers/openai"
	"sluice/providers/schema"
	"sluice/router"
)

// defaultNames are the keys of defaults: that name the provider of calls
// without a model.
var defaultNames = map[schema.Operation]string{
	schema.OpModerate: "moderations", schema.OpImage: "images", schema.OpFile: "files", schema.OpBatch: "batches",
}

// free are the prices of what costs nothing itself: a file that is kept, a
// list that is read.
var free, _ = billing.ParsePrices(billing.PriceSpec{Request: "0"})

// chooseFor resolves the model of a request that is passed on, or the provider
// of one that names none.
func (c *Call) chooseFor(p passing) error {
	if c.passed.head.Model != "" {
		return c.choose(c.passed.head.Model)
	}
	provider, err := c.snap.provides(p.op)
	if err != nil {
		return err
	}
	// What the request reaches may be any of the provider's models, or made
	// with one: the key must be granted them all.
	if all := provider.Name + "/*"; !c.caller.may(all) {
		return &schema.Error{Code: schema.CodeModelNotAllowed, Status: 403, Origin: schema.OriginPolicy,
			Message: "this key may not use all models of " + provider.Name + ", which a request without a model needs"}
	}
	t := &Target{Name: provider.Name, Provider: provider}
	if p.op == schema.OpModerate || p.op == schema.OpFile || c.from.method == "GET" || strings.HasSuffix(c.from.path, "/cancel") {
		t.Prices = free // of pictures and of new batches no price is known
	}
	r := &router.Route{Name: t.Name, Candidates: []router.Candidate{{
		Target: router.NewTarget(t.Name, router.Breaker{}), Pool: provider.Pool, Payload: t}}}
	if p.once {
		r.Retry.Attempts = 1
	}
	if err := r.Prepare(); err != nil {
		return err
	}
	c.model = &Model{Name: t.Name, Route: r, Targets: []*Target{t}, Direct: true}
	return nil
}

// provides is the provider of calls without a model: the one that is set, else
// the only one that serves them, the only one that is OpenAI itself, or the one
// within the process.
func (s *Snapshot) provides(op schema.Operation) (*Provider, error) {
	name := defaultNames[op]
	if p := s.providers[s.Settings.Defaults[name]]; p != nil {
		return p, nil
	}
	var all, own, local []*Provider
	for _, p := range s.providers {
		switch {
		case !p.Client.Passes(op):
		case p.Client.Local():
			local = append(local, p)
		default:
			if all = append(all, p); p.Kind == openai.Name {
				own = append(own, p)
			}
		}
	}
	if len(all) == 0 {
		all = local
	}
	for _, list := range [][]*Provider{all, own} {
		if len(list) == 1 {
			return list[0], nil
		}
	}
	if len(all) > 0 {
		return nil, schema.Invalid("model", "several providers serve this: name a model, or set defaults.%s in the configuration", name)
	}
	return nil, &schema.Error{Code: schema.CodeUnsupported, Status: 400, Origin: schema.OriginGateway,
		Class: schema.ClassInvalidRequest, Message: "no provider that is enabled serves " + name}
}
