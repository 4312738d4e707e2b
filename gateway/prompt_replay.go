package gateway

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/providers/schema"
)

// Bounds of what is kept to be given again.
const (
	replayFor   = 24 * time.Hour
	replayBytes = 64 << 20
	mostReplay  = replayBytes / 4 // of one; a longer one is not kept
	replayCount = 50_000
	maxReplayID = 255
)

// replays are the first answers to calls with an Idempotency-Key, for a day or
// until newer ones need the room; the store has them too. Only good answers are
// kept: a call that failed may be tried again.
type replays struct {
	kept  *replayKeeper // nil: they end with the process
	mu    sync.Mutex
	byID  map[string]*replay
	order list.List // of *replay, oldest first
	bytes int
}

// replay is one call with an Idempotency-Key.
type replay struct {
	id      string
	request [32]byte // the request's digest
	expires time.Time
	at      *list.Element
	done    chan struct{} // closed when answer is there, or never will be
	answer  *savedAnswer  // nil: under way, or failed

	all   int          // inputs of a job
	ready atomic.Int64 // of them, those that are done
}

// savedAnswer is an answer as it was sent.
type savedAnswer struct {
	status      int // 0: 200
	contentType string
	header      [][2]string
	body        []byte
}

func (a *savedAnswer) size() int { return len(a.body) + 512 }

// begin finds the call that came first with an id; mine tells that it is this
// one, whose end must be told. A nil replay says that the first request was
// another.
func (r *replays) begin(id string, request [32]byte, now time.Time) (p *replay, mine bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.byID[id]; p != nil && (p.answer == nil || now.Before(p.expires)) {
		if p.request != request {
			return nil, false
		}
		return p, false
	} else if p != nil {
		r.drop(p)
	}
	p = r.add(id, request, now.Add(replayFor))
	r.shrink()
	return p, true
}

// end keeps the answer of the first call; nil: it failed, and the next one with
// its id is the first.
func (r *replays) end(p *replay, answer *savedAnswer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer close(p.done)
	if answer == nil || answer.size() > mostReplay {
		r.drop(p)
		return
	}
	p.answer = answer
	r.bytes += answer.size()
	r.shrink()
}

// has tells whether there is something under an id, over or not.
func (r *replays) has(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byID[id] != nil
}

// bringBack adds an answer that was given before, unless there is one, or a
// call for it, meanwhile.
func (r *replays) bringBack(id string, request [32]byte, expires time.Time, answer *savedAnswer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byID[id] != nil {
		return
	}
	p := r.add(id, request, expires)
	p.answer = answer
	close(p.done)
	r.bytes += answer.size()
	r.shrink()
}

// add adds a call whose answer is not there yet.
func (r *replays) add(id string, request [32]byte, expires time.Time) *replay {
	if r.byID == nil {
		r.byID = map[string]*replay{}
	}
	p := &replay{id: id, request: request, expires: expires, done: make(chan struct{})}
	p.at = r.order.PushBack(p)
	r.byID[id] = p
	return p
}

// shrink drops the oldest that are finished until the rest has room.
func (r *replays) shrink() {
	for e := r.order.Front(); e != nil && (r.bytes > replayBytes || r.order.Len() > replayCount); {
		next := e.Next()
		if p := e.Value.(*replay); p.answer != nil {
			r.drop(p)
		}
		e = next
	}
}

func (r *replays) drop(p *replay) {
	if p.answer != nil {
		r.bytes -= p.answer.size()
	}
	r.order.Remove(p.at)
	delete(r.byID, p.id)
}

// saved reads what the first call answered; nil: it failed.
func (r *replays) saved(p *replay) *savedAnswer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return p.answer
}

// find is what is kept under an id, and the answer if it is there; nil: nothing
// is.
func (r *replays) find(id string, now time.Time) (*replay, *savedAnswer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.byID[id]
	if p == nil || p.answer != nil && !now.Before(p.expires) {
		return nil, nil
	}
	return p, p.answer
}

// replayHeaders are the headers that are given again with an answer.
var replayHeaders = []string{"X-Sluice-Prompt", "X-Sluice-Model", "X-Sluice-Attempts", "X-Sluice-Cost", "X-Sluice-Clamped", "Preference-Applied", "Location", "Retry-After"}

// serveOnce serves a call with an Idempotency-Key: the first with it is
// served, others with the same request wait for it and get its answer, which
// costs nothing and is no line of the ledger; one with another request is a
// conflict.
func (c *Call) serveOnce(key string, serve func(*Call) error) error {
	if len(key) > maxReplayID {
		return schema.Invalid("idempotency-key", "the idempotency key is longer than %d bytes", maxReplayID)
	}
	if c.wantsEvents() {
		return schema.Invalid("idempotency-key", "a stream cannot be given again: leave out the idempotency key, or do not ask for text/event-stream")
	}
	if err := c.deadline(); err != nil {
		return err
	}
	who := c.caller.Key.ID
	if c.caller == c.snap.Public { // nobody in particular: do not mix them up
		who += " " + c.from.ip
	}
	id := who + "\n" + c.from.path + "\n" + key
	c.g.recall(id, c.now)
	for {
		p, mine := c.g.replays.begin(id, c.requestDigest(), c.now)
		if p == nil {
			return &schema.Error{Code: schema.CodeConflict, Status: fasthttp.StatusConflict, Origin: schema.OriginGateway,
				Class: schema.ClassInvalidRequest, Message: "this idempotency key was used with another request"}
		}
		if mine {
			return c.serveFirst(p, serve)
		}
		select {
		case <-p.done:
		case <-c.ctx.Done():
			return c.ended(c.ctx.Err())
		}
		if a := c.g.replays.saved(p); a != nil {
			c.sendAgain(a)
			return nil
		}
	}
}

// serveFirst serves the first call and keeps its answer if it is a good one.
func (c *Call) serveFirst(p *replay, serve func(*Call) error) error {
	var answer *savedAnswer
	defer func() { c.g.replays.end(p, answer) }() // whatever happens, others wait for it
	if err := serve(c); err != nil {
		return err
	}
	answer = &savedAnswer{status: c.rc.Response.StatusCode(), contentType: string(c.rc.Response.Header.ContentType()), body: append([]byte(nil), c.rc.Response.Body()...)}
	for _, name := range replayHeaders {
		if v := c.rc.Response.Header.Peek(name); len(v) > 0 {
			answer.header = append(answer.header, [2]string{name, string(v)})
		}
	}
	c.g.keepReplay(c.ctx, p, answer) // before it goes out: who has it may rely on it
	return nil
}

// sendAgain gives an answer that was given before.
func (c *Call) sendAgain(a *savedAnswer) {
	c.entry.Operation = "" // it is no call of a model
	c.commonHeaders()
	h := &c.rc.Response.Header
	for _, f := range a.header {
		h.Set(f[0], f[1])
	}
	if c.prompt != nil {
		h.Set("Idempotency-Replayed", "true")
	}
	if a.status > 0 {
		c.rc.SetStatusCode(a.status)
	}
	h.SetContentType(a.contentType)
	c.rc.Response.SetBodyRaw(a.body)
}

// requestDigest tells requests apart by what decides the answer.
func (c *Call) requestDigest() [32]byte {
	h := sha256.New()
	r := &c.rc.Request
	for _, part := range [][]byte{[]byte(c.from.method), c.rc.QueryArgs().QueryString(), r.Header.ContentType(), r.Header.Peek("Prefer"), c.rc.PostBody()} {
		var n [8]byte
		for i, l := 0, len(part); i < 8; i, l = i+1, l>>8 {
			n[i] = byte(l)
		}
		h.Write(n[:])
		h.Write(part)
	}
	var sum [32]byte
	h.Sum(sum[:0])
	return sum
}
