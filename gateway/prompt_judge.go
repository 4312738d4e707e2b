package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"time"

	"sluice/prompts"
)

// Bounds of what is asked of judges while nobody waits. An answer that finds no
// room is not judged.
const (
	mostJudged = 16 // at once
	judgeTime  = 2 * time.Minute
)

// judging is an answer of a split's version that a judge is to see.
type judging struct {
	by     *prompts.Judge
	arm    *prompts.Arm
	input  string // as JSON
	output *string
}

// sample decides whether the answer to an input will be judged.
func (c *Call) sample(input map[string]any) {
	a := c.from.arm
	if a == nil || c.from.depth > 0 {
		return
	}
	by := a.Sampled()
	if by == nil {
		return
	}
	text, err := json.Marshal(input) // the request's memory is used again
	if err != nil {
		return // not reached: it was decoded from JSON or a form
	}
	c.done.judging = &judging{by: by, arm: a, input: string(text)}
}

// answeredWith notes the output that a judge is to see.
func (c *Call) answeredWith(out *output) {
	j := c.done.judging
	if j == nil {
		return
	}
	text := out.text
	if out.json != nil {
		text = string(out.json)
	}
	j.output = &text
}

// judgeAnswer has the answer judged, if it is to be, when it has been given.
func (c *Call) judgeAnswer() {
	j, g := c.done.judging, c.g
	if j == nil || j.output == nil || c.err != nil || g.draining.Load() {
		return
	}
	if g.jobs.judged.Add(1) > mostJudged {
		g.jobs.judged.Add(-1)
		g.metrics.Judged(c.prompt.Name, "dropped")
		return
	}
	tags := c.entry.Tags[max(0, len(c.entry.Tags)-maxLabels+1):] // the last may be that of a subscription
	e := errand{snap: c.snap, caller: c.caller, model: j.arm.JudgeModel(j.by), requestID: c.entry.RequestID,
		tags: append([]string{judgeTag}, tags...),
		from: origin{method: "JUDGE", path: c.from.path, ip: c.from.ip, subscription: c.from.subscription}}
	live := *c.prompt
	g.open.Add(1) // while this call is open: nobody waits for none yet
	go func() {
		defer g.open.Done()
		defer g.jobs.judged.Add(-1)
		defer func() {
			if r := recover(); r != nil {
				g.log.Error("panic before a judge is asked", "prompt", live.ID(), "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			}
		}()
		g.askJudge(j, e, live)
	}()
}

// judgeTag is on the ledger's lines of what judges were asked.
const judgeTag = "judge"

// askJudge asks the judge, as a call of the same caller and of the version whose
// answer it is, and counts what it says.
func (g *Gateway) askJudge(j *judging, e errand, live prompts.Live) {
	ctx, stop := context.WithTimeout(g.ctx, judgeTime)
	defer stop()
	q := prompts.Question{Criterion: j.by.Criterion, Input: j.input, Output: *j.output}
	good, _, err := q.Ask(ctx, func(ctx context.Context, t *prompts.Template, input map[string]any) prompts.Answer {
		e.from.within, e.prompt = ctx, &live
		live.Template = t
		o := g.run(e, input)
		return prompts.Answer{Text: string(o.json), Model: o.target, Cost: int64(o.cost), Latency: o.latency, Err: o.err}
	})
	if err != nil {
		g.metrics.Judged(live.Name, "failed")
		g.log.Warn("an answer of a split could not be judged", "prompt", live.ID(), "error", err)
		return
	}
	verdict := "bad"
	if good {
		verdict = "good"
	}
	g.metrics.Judged(live.Name, verdict)
	if err := g.prompts.CountJudged(g.ctx, j.arm, good); err != nil {
		g.log.Warn("a restart will not know what a judge said", "prompt", live.ID(), "error", err)
	}
}
