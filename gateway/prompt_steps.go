package gateway

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/valyala/fasthttp"

	"sluice/billing"
	"sluice/prompts"
	"sluice/providers/schema"
)

// spent is what the steps of a prompt have cost.
type spent struct {
	cost  billing.Nano
	usage schema.Usage
}

// costKnown tells whether all that the call has asked for has a price.
func (c *Call) costKnown() bool { return !c.money.unpriced }

// totalCost is the call's own cost and that of its steps.
func (c *Call) totalCost() billing.Nano { return c.entry.Cost + c.money.tried + c.money.steps.cost }

// runSteps makes the calls of sluice.steps and gives the input with what they
// brought: stage after stage, the steps of one stage at once. Each is a call
// of its own, for the same caller and under the same request id; a prompt's
// steps need no grant but the prompt's. The first that fails ends all.
func (c *Call) runSteps(input map[string]any) (map[string]any, error) {
	stages := c.prompt.Template.Sluice.Steps
	if len(stages) == 0 {
		return input, nil
	}
	if c.from.depth >= prompts.MaxStepDepth {
		return nil, &schema.Error{Code: schema.CodeInvalidRequest, Status: fasthttp.StatusLoopDetected, Origin: schema.OriginGateway,
			Message: fmt.Sprintf("steps call prompts with steps more than %d deep: do they go in a circle?", prompts.MaxStepDepth)}
	}
	set := c.g.prompts.Snapshot() // one for all steps
	values := c.prompt.Template.Filled(input)
	for _, stage := range stages {
		results, err := c.runStage(set, stage, values)
		if err != nil {
			return nil, err
		}
		for i, s := range stage {
			values[s.As] = results[i]
		}
	}
	return values, nil
}

// runStage makes the calls of one stage.
func (c *Call) runStage(set *prompts.Set, stage prompts.Stage, values map[string]any) ([]any, error) {
	ctx, stop := context.WithCancelCause(c.ctx)
	defer stop(nil)
	results := make([]any, len(stage))
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		first error
	)
	fail := func(s prompts.Step, err error) {
		mu.Lock()
		defer mu.Unlock()
		if first == nil {
			e := *schema.AsError(err)
			e.Message = "step " + s.As + ": " + e.Message
			first = &e
			stop(errCallerLeft) // nobody waits for the others any more
		}
	}
	e := c.errand(ctx)
	e.from.depth++
	for i, s := range stage {
		if s.Given != nil {
			results[i] = *s.Given
			continue
		}
		wg.Go(func() {
			o, err := c.g.runStep(set, e, s, values)
			mu.Lock()
			c.money.steps.cost += o.cost
			addUsage(&c.money.steps.usage, o.usage)
			c.money.unpriced = c.money.unpriced || o.unpriced
			mu.Unlock()
			if err == nil {
				results[i], err = o.decoded()
			}
			if err != nil {
				fail(s, err)
			}
		})
	}
	wg.Wait()
	return results, first
}

// runStep makes a step's call.
func (g *Gateway) runStep(set *prompts.Set, e errand, s prompts.Step, values map[string]any) (outcome, error) {
	if s.Prompt == "" {
		return g.runRoute(e, s, values)
	}
	name, version := s.Prompt, 0
	if _, ok := set.ByName(name); !ok {
		name, version = prompts.SplitVersion(name)
	}
	live, err := set.Resolve(e.from.within, name, version, "")
	if err != nil {
		return outcome{}, &schema.Error{Code: schema.CodeUnavailable, Status: 503, Origin: schema.OriginGateway,
			Message: "the prompt " + s.Prompt + " is not served", Cause: err}
	}
	if version == 0 {
		live = set.Choose(live, e.caller.Key.ID)
	}
	input, err := s.Inputs(values)
	if err != nil {
		return outcome{}, schema.Invalid("", "%v", err)
	}
	if faults := live.Template.CheckInput(input); len(faults) > 0 {
		return outcome{}, &schema.Error{Code: schema.CodeInvalidRequest, Status: 422, Origin: schema.OriginGateway, Class: schema.ClassInvalidRequest,
			Message: "its input does not fit the schema of " + s.Prompt + ": " + strings.TrimSpace(faults[0].Pointer+" "+faults[0].Message)}
	}
	e.prompt = live
	o := g.run(e, input)
	return o, o.err
}

// decoded is the output as a value for templates.
func (o *outcome) decoded() (any, error) {
	if o.json == nil {
		return o.text, nil
	}
	return prompts.DecodeValue(o.json)
}
