package gateway

import (
	"context"

	"sluice/prompts"
	"sluice/providers/schema"
)

// TesterID is the ID of the key, and the name of the team, under which the
// gateway makes the calls of a prompt's tests. A team of that name may be
// declared, with limits and a budget.
const TesterID = "tests"

// Ask calls a prompt, published or not, for its tests: it is a prompts.Ask.
// The call passes limits and budgets of the team tests and is recorded in the
// ledger, as version 0 of the prompt.
func (g *Gateway) Ask(ctx context.Context, t *prompts.Template, model string, input map[string]any) prompts.Answer {
	snap := g.snap.Load()
	if snap.Tester == nil {
		return prompts.Answer{Err: &schema.Error{Code: schema.CodeUnavailable, Status: 503, Origin: schema.OriginGateway,
			Message: "this gateway runs no tests"}}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(g.ctx, stop)()
	o := g.run(errand{snap: snap, caller: snap.Tester, prompt: &prompts.Live{Name: t.Name, Template: t}, model: model,
		from: origin{method: "TEST", path: "/prompts/" + t.Name, within: ctx}, tags: []string{"test"}}, input)
	a := prompts.Answer{Text: o.text, Model: o.target, Cost: int64(o.cost), Latency: o.latency, Err: o.err}
	if o.json != nil {
		a.Text = string(o.json)
	}
	return a
}
