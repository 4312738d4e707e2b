package gateway

import (
	"slices"
	"strings"

	"sluice/prompts"
	"sluice/providers"
	"sluice/providers/schema"
	"sluice/router"
)

// askAgain adds the turn that shows the model its fault, and holds for it.
func (c *Call) askAgain(said string, faults []prompts.Problem) error {
	req := *c.req.Unified
	req.Stream = false
	req.Messages = append(slices.Clip(req.Messages),
		schema.Message{Role: schema.RoleAssistant, Parts: schema.TextParts(said)},
		schema.Message{Role: schema.RoleUser, Parts: schema.TextParts(c.prompt.Template.RepairMessage(faults))})
	return c.ask(&req)
}

// askFallback puts what was asked to the fallback that serves an error, or
// gives the error back if there is none.
func (c *Call) askFallback(asked *schema.ChatRequest, e *schema.Error) error {
	var next *router.Route
	if !c.plan.NoFallback {
		next = c.model.Route.FallbackFor(e.Class, func(r *router.Route) bool {
			return slices.ContainsFunc(r.Candidates, func(to router.Candidate) bool { return to.Payload == c.target }) // it is that which failed
		})
	}
	if next == nil {
		return e
	}
	m := *c.model
	m.Route = next
	c.model = &m
	req := *asked
	req.Stream = false
	return c.ask(&req)
}

// ask makes a request the call's, holds for it and takes it past the guards.
func (c *Call) ask(req *schema.ChatRequest) error {
	c.req = providers.Request{Op: schema.OpChat, Unified: req, Head: headOf(req)}
	c.money.counted, c.money.clamped = 0, 0
	if err := c.reserve(); err != nil {
		return err
	}
	return c.guardIn()
}

func errOutput(faults []prompts.Problem) *schema.Error {
	var b strings.Builder
	b.WriteString("the model's output breaks the prompt's schema")
	for _, f := range faults {
		b.WriteString("; ")
		b.WriteString(strings.TrimSpace(f.Pointer + " " + f.Message))
	}
	return &schema.Error{Code: schema.CodeInvalidOutput, Status: 502, Origin: schema.OriginProvider,
		Class: schema.ClassInvalidOutput, Message: b.String()}
}
