package gateway

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/valyala/fasthttp"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// jobPath is where the answers to arrays are asked for whose callers did not
// wait.
const jobPath = "/v1/jobs/"

// maxJobs bounds the arrays that are run at once while nobody waits.
const maxJobs = 64

// jobs are what is run while nobody waits: arrays, and questions to judges.
type jobs struct {
	n      atomic.Int64 // arrays
	open   sync.WaitGroup
	judged atomic.Int64
}

// enter tells whether there is room for one more array.
func (j *jobs) enter() bool {
	if j.n.Add(1) > maxJobs {
		j.n.Add(-1)
		return false
	}
	j.open.Add(1)
	return true
}

func (j *jobs) leave() {
	j.n.Add(-1)
	j.open.Done()
}

// wantsJob tells whether the caller would rather come back for the answer (RFC
// 7240, section 4.1).
func (c *Call) wantsJob() bool {
	return strings.Contains(string(c.rc.Request.Header.Peek("Prefer")), "respond-async")
}

// jobName is under what a job is kept: for the key that began it, rotated or
// not.
func (c *Call) jobName(id string) string {
	who := c.caller.Key.ID
	if a := c.caller.Key.Account; a != "" {
		who = a
	}
	return "job\n" + who + "\n" + id
}

// beginJob answers 202 with where the outputs of an array will be, and runs it
// while the caller is away. What became of it is kept, like answers to calls
// with an Idempotency-Key. Until it is done, what is kept says that the process
// ended before: that is found if it does.
func (c *Call) beginJob(inputs []map[string]any) error {
	g := c.g
	if !g.jobs.enter() {
		return &schema.Error{Code: schema.CodeUnavailable, Status: 503, Origin: schema.OriginGateway, RetryAfter: retryJob,
			Message: "too many arrays are run while nobody waits for them"}
	}
	id := "job_" + strings.ToLower(rand.Text())
	p, _ := g.replays.begin(c.jobName(id), [32]byte{}, c.now)
	p.all = len(inputs)
	ctx, stop := context.WithCancel(g.ctx)
	e := c.errand(ctx)
	e.from.life = nil
	enveloped := c.wantsEnvelope()
	g.keepReplay(c.ctx, p, failedAnswer(errJobCut(), e))
	g.open.Add(1)
	go func() {
		defer g.open.Done()
		defer g.jobs.leave()
		defer stop()
		answer := g.runJob(ctx, e, inputs, enveloped, &p.ready)
		if answer.size() > mostReplay {
			answer = failedAnswer(errLongJob, e)
		}
		g.keepReplay(g.ctx, p, answer)
		g.replays.end(p, answer)
	}()
	c.commonHeaders()
	h := &c.rc.Response.Header
	h.Set("Location", jobPath+id)
	h.Set("Preference-Applied", "respond-async")
	c.rc.SetStatusCode(fasthttp.StatusAccepted)
	c.sendProgress(id, 0, len(inputs))
	return nil
}

// runJob runs an array to its end, whose answer may be an error.
func (g *Gateway) runJob(ctx context.Context, e errand, inputs []map[string]any, enveloped bool, ready *atomic.Int64) (a *savedAnswer) {
	defer func() {
		if r := recover(); r != nil {
			g.log.Error("panic in a job", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			a = failedAnswer(errInternal(), e)
		}
	}()
	outcomes, err := g.runAll(ctx, e, inputs, ready)
	if err == nil && ctx.Err() != nil {
		err = errJobCut()
	}
	if err != nil {
		return failedAnswer(err, e)
	}
	return &savedAnswer{contentType: "application/json", body: joined(outcomes, enveloped),
		header: append(arrayHeaders(outcomes), [2]string{"X-Sluice-Prompt", e.prompt.ID()})}
}

// errJobCut is what became of a job whose process ended before it.
func errJobCut() *schema.Error {
	return &schema.Error{Code: schema.CodeUnavailable, Status: 503, Origin: schema.OriginGateway,
		Message: "the gateway stopped before the array was done: what was answered until then is charged; send the array again"}
}

var errLongJob = &schema.Error{Code: schema.CodeTooLarge, Status: 413, Origin: schema.OriginGateway,
	Message: "the outputs of the array are too long to be kept: send fewer inputs at once"}

func failedAnswer(err error, e errand) *savedAnswer {
	fault := schema.AsError(err)
	return &savedAnswer{status: fault.Status, contentType: "application/problem+json", body: problem(fault, e.from.path, e.requestID, nil)}
}

// retryJob is when a caller may ask for a job again.
const retryJob = 1e9

// sendProgress tells how far a job is.
func (c *Call) sendProgress(id string, ready, all int) {
	b := wire.AppendString([]byte(`{"id":`), id)
	b = strconv.AppendInt(append(b, `,"status":"running","ready":`...), int64(ready), 10)
	b = strconv.AppendInt(append(b, `,"total":`...), int64(all), 10)
	h := &c.rc.Response.Header
	h.Set("Retry-After", "1")
	h.SetContentType("application/json")
	c.rc.Response.SetBodyRaw(append(b, '}'))
}

var errNoJob = errors.New("there is no such job of this key: it is kept for a day")

// serveJob gives the answer to an array that was not waited for: 202 as long as
// it is not there.
func (c *Call) serveJob(id string) error {
	if err := c.authenticateJob(); err != nil {
		return err
	}
	name := c.jobName(id)
	c.g.recall(name, c.now)
	p, answer := c.g.replays.find(name, c.now)
	switch {
	case p == nil:
		return &schema.Error{Code: schema.CodeNotFound, Status: 404, Origin: schema.OriginGateway, Message: errNoJob.Error()}
	case answer == nil:
		c.commonHeaders()
		c.rc.SetStatusCode(fasthttp.StatusAccepted)
		c.sendProgress(id, int(p.ready.Load()), p.all)
		return nil
	}
	c.sendAgain(answer)
	return nil
}

// authenticateJob takes the key, or, of who began a job of a public prompt, its
// absence: the job's id is not to be guessed.
func (c *Call) authenticateJob() error {
	if c.credential() == "" {
		c.caller = c.snap.Public
		return nil
	}
	return c.authenticate()
}
