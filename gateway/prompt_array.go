package gateway

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"sluice/billing"
	"sluice/prompts"
	"sluice/providers/schema"
)

// Bounds of an array of inputs.
const (
	maxInputs    = 1000
	inputsAtOnce = 8
)

// hasInputs tells whether the body is an array of inputs.
func (c *Call) hasInputs() bool {
	if c.from.method != "POST" || strings.HasPrefix(string(c.rc.Request.Header.ContentType()), "multipart/form-data") {
		return false
	}
	return bytes.HasPrefix(bytes.TrimLeft(c.rc.PostBody(), " \t\r\n"), []byte("["))
}

// serveInputs answers an array of inputs with the array of their outputs, in
// the same order. All inputs are checked before the first model is asked.
// Each is a call of its own: it counts against limits and budgets, and is a
// line of the ledger. The array itself is none.
//
// The first element that fails ends it: elements under way are given up, those
// that wait do not begin, and the answer is that element's error, whose message
// names it. What the others have cost is charged.
func (c *Call) serveInputs() error {
	inputs, err := c.readInputs()
	if err != nil {
		return err
	}
	if c.ctx == nil {
		if err := c.deadline(); err != nil {
			return err
		}
	}
	c.entry.Operation = "" // nothing of its own is charged
	outcomes, err := c.runAll(inputs)
	if err != nil {
		return err
	}
	return c.sendOutcomes(outcomes)
}

// readInputs reads and checks all elements; faults are told of all at once,
// with pointers that begin with the element's place.
func (c *Call) readInputs() ([]map[string]any, error) {
	if c.wantsEvents() {
		return nil, schema.Invalid("", "an array of inputs cannot be streamed: send one input, or do not ask for text/event-stream")
	}
	inputs, err := prompts.DecodeInputs(c.rc.PostBody())
	if err != nil {
		return nil, &schema.Error{Code: schema.CodeInvalidJSON, Status: 400, Origin: schema.OriginGateway,
			Message: err.Error(), Class: schema.ClassInvalidRequest}
	}
	if len(inputs) > maxInputs {
		return nil, schema.Invalid("", "the array has %d inputs; at most %d are taken at once", len(inputs), maxInputs)
	}
	var problems []Problem
	checked := make([]map[string]any, len(inputs))
	for i, v := range inputs {
		where := "/" + strconv.Itoa(i)
		in, ok := v.(map[string]any)
		if !ok {
			problems = append(problems, Problem{Pointer: where, Message: "must be an object, an input of the prompt"})
			continue
		}
		checked[i] = in
		problems = append(problems, problemsOf(c.prompt.Template, in, where)...)
	}
	if len(problems) > 0 {
		return nil, errInput(problems[:min(len(problems), maxInputs)])
	}
	return checked, nil
}

// runAll runs every input, a few at once; the error is the first's that failed.
func (c *Call) runAll(inputs []map[string]any) ([]outcome, error) {
	ctx, stop := context.WithCancelCause(c.ctx)
	defer stop(nil)
	outcomes := make([]outcome, len(inputs))
	e := c.errand(ctx)
	var (
		next  atomic.Int64
		wg    sync.WaitGroup
		once  sync.Once
		first error
	)
	for range min(inputsAtOnce, len(inputs)) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(inputs) {
					return
				}
				outcomes[i] = c.g.run(e, inputs[i])
				if err := outcomes[i].err; err != nil {
					once.Do(func() {
						first = elementError(i, err)
						stop(errCallerLeft) // nobody waits for the others any more
					})
					return
				}
			}
		})
	}
	wg.Wait()
	if first == nil && ctx.Err() != nil {
		first = c.ended(ctx.Err())
	}
	return outcomes, first
}

// elementError is an element's error as the whole array's.
func elementError(i int, err error) error {
	e := *schema.AsError(err)
	e.Message = "input " + strconv.Itoa(i) + " of the array: " + e.Message
	return &e
}

// sendOutcomes answers with the outputs, or with their envelopes.
func (c *Call) sendOutcomes(outcomes []outcome) error {
	enveloped := c.wantsEnvelope()
	body := []byte{'['}
	var cost billing.Nano
	for i := range outcomes {
		o := &outcomes[i]
		cost += o.cost
		if i > 0 {
			body = append(body, ',')
		}
		if enveloped {
			body = append(body, o.envelope...)
		} else {
			body = append(body, o.value()...)
		}
	}
	c.commonHeaders()
	h := &c.rc.Response.Header
	h.Set("X-Sluice-Cost", cost.String())
	if enveloped {
		h.Set("Preference-Applied", "return=envelope")
	}
	h.SetContentType("application/json")
	c.rc.Response.SetBodyRaw(append(body, ']'))
	return nil
}
