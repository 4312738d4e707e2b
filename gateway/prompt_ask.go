package gateway

import (
	"context"

	"github.com/valyala/fasthttp"

	"sluice/prompts"
	"sluice/providers"
	"sluice/providers/openai"
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
		return prompts.Answer{Err: errNoTests()}
	}
	if t.Model == prompts.Verbatim { // what it puts together is not for a model
		model = ""
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

// TestModels are how the tests of prompts reach models.
func (g *Gateway) TestModels() prompts.Models {
	return prompts.Models{Ask: g.Ask, Embed: g.embedForTest}
}

// embedForTest gives the vectors of texts: it is a prompts.Embed. It is a call
// of the team tests, as those of Ask are.
func (g *Gateway) embedForTest(ctx context.Context, model string, texts []string) (vectors [][]float32, err error) {
	snap := g.snap.Load()
	if snap.Tester == nil {
		return nil, errNoTests()
	}
	up, err := openai.Dialect.Embed.Encode(&schema.EmbedRequest{Model: model, Input: texts})
	if err != nil {
		return nil, err
	}
	rc := &fasthttp.RequestCtx{}
	rc.Init(&fasthttp.Request{}, nil, serverLogger{g.log})
	c := g.newCall(rc)
	c.snap, c.caller, c.from = snap, snap.Tester, origin{method: "TEST", path: "/v1/embeddings", within: ctx}
	e := &c.entry
	e.Operation, e.Model, e.Tags = schema.OpEmbed.String(), model, []string{"test"}
	e.Team, e.KeyID, e.Key = c.caller.Key.Team, c.caller.Key.ID, c.caller.Label
	defer func() {
		if err != nil {
			c.err = schema.AsError(err)
			e.Status = c.err.Status
		}
		c.finish()
	}()
	return c.vectors(up.Body)
}

// vectors asks the model of an embeddings request, in OpenAI's form.
func (c *Call) vectors(raw []byte) ([][]float32, error) {
	head, err := openai.Dialect.Client.Head(schema.OpEmbed, raw)
	if err != nil {
		return nil, err
	}
	c.req = providers.Request{Op: schema.OpEmbed, Client: &openai.Dialect, Raw: raw, Head: head}
	if c.model, err = c.snap.Resolve(head.Model); err != nil {
		return nil, err
	}
	if err := c.deadline(); err != nil {
		return nil, err
	}
	if err := c.admit(); err != nil {
		return nil, err
	}
	answer, err := c.whole((*providers.Provider).Embed)
	if err != nil {
		return nil, err
	}
	defer answer.Release()
	c.charge(&answer.Tally)
	resp, err := openai.Dialect.Embed.Decode(answer.Body)
	if err != nil {
		return nil, err
	}
	return resp.Vectors(), nil
}

func errNoTests() *schema.Error {
	return &schema.Error{Code: schema.CodeUnavailable, Status: 503, Origin: schema.OriginGateway, Message: "this gateway runs no tests"}
}
