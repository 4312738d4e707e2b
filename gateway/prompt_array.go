package gateway

import (
	"bytes"
	"context"
	"slices"
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
	if c.wantsJob() {
		return c.beginJob(inputs)
	}
	ctx, stop := context.WithCancel(c.ctx)
	defer stop()
	outcomes, err := c.g.runAll(ctx, c.errand(ctx), inputs, nil)
	if err == nil && c.ctx.Err() != nil {
		err = c.ended(c.ctx.Err())
	}
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
	var problems []prompts.Problem
	checked := make([]map[string]any, len(inputs))
	for i, v := range inputs {
		where := "/" + strconv.Itoa(i)
		in, ok := v.(map[string]any)
		if !ok {
			problems = append(problems, prompts.Problem{Pointer: where, Message: "must be an object, an input of the prompt"})
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
// A context that is done leaves inputs out. ready counts those that are done;
// it may be nil.
func (g *Gateway) runAll(ctx context.Context, e errand, inputs []map[string]any, ready *atomic.Int64) ([]outcome, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	e.from.within = ctx
	outcomes := make([]outcome, len(inputs))
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
				outcomes[i] = g.run(e, inputs[i])
				if err := outcomes[i].err; err != nil {
					once.Do(func() {
						first = elementError(i, err)
						stop(errCallerLeft) // nobody waits for the others any more
					})
					return
				}
				if ready != nil {
					ready.Add(1)
				}
			}
		})
	}
	wg.Wait()
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
	c.commonHeaders()
	h := &c.rc.Response.Header
	for _, f := range arrayHeaders(outcomes) {
		h.Set(f[0], f[1])
	}
	if enveloped {
		h.Set("Preference-Applied", "return=envelope")
	}
	h.SetContentType("application/json")
	c.rc.Response.SetBodyRaw(joined(outcomes, enveloped))
	return nil
}

// arrayHeaders tell which targets answered, after how many attempts, and what
// all elements have cost, if that is known of all.
func arrayHeaders(outcomes []outcome) (h [][2]string) {
	var targets []string
	var cost billing.Nano
	attempts, unpriced := 0, false
	for i := range outcomes {
		o := &outcomes[i]
		cost += o.cost
		attempts += o.attempts
		unpriced = unpriced || o.unpriced
		if o.target != "" && !slices.Contains(targets, o.target) {
			targets = append(targets, o.target)
		}
	}
	if len(targets) > 0 {
		h = append(h, [2]string{"X-Sluice-Model", nameList(targets)})
	}
	h = append(h, [2]string{"X-Sluice-Attempts", strconv.Itoa(attempts)})
	if !unpriced {
		h = append(h, [2]string{"X-Sluice-Cost", cost.String()})
	}
	return h
}

// joined is the array of the outputs, or of their envelopes.
func joined(outcomes []outcome, enveloped bool) []byte {
	body := []byte{'['}
	for i := range outcomes {
		o := &outcomes[i]
		if i > 0 {
			body = append(body, ',')
		}
		if enveloped {
			body = append(body, o.envelope...)
		} else {
			body = append(body, o.value()...)
		}
	}
	return append(body, ']')
}
