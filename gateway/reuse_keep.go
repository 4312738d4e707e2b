package gateway

import (
	"bytes"
	"strings"
	"time"

	"sluice/gateway/cache"
	"sluice/providers"
	"sluice/providers/dialect"
	"sluice/providers/openai"
	"sluice/providers/schema"
	"sluice/providers/sse"
)

// reusable notes a whole answer that is to be kept.
func (c *Call) reusable(answer *providers.Answer) {
	if len(answer.Body) <= maxReused {
		c.done.reuse.body = bytes.Clone(answer.Body)
	}
}

// reusedFrames notes a stream that is to be kept.
type reusedFrames struct {
	*providers.Stream
	r *reuse
}

// Read gives the next frames.
func (f *reusedFrames) Read(p []byte) (int, error) {
	n, err := f.Stream.Read(p)
	if r := f.r; n > 0 && !r.lost {
		if r.lost = len(r.frames)+n > 2*maxReused; r.lost { // frames say more than the answer
			r.frames = nil
		} else {
			r.frames = append(r.frames, p[:n]...)
		}
	}
	return n, err
}

// endReuse keeps the answer that the call has made, if others may be given it,
// and lets go on who waits for it.
func (c *Call) endReuse() {
	r, store := c.done.reuse, c.g.cache
	var a *cache.Answer
	defer func() {
		if r.flight != nil {
			store.End(r.flight, a, a == nil && c.gaveUp())
			r.flight = nil
		}
	}()
	e := &c.entry
	c.g.cache.Counts.Of(c.model.Name).Count(e.Cache, e.Saved)
	if e.Cache != cache.Miss || c.err != nil && !e.Disconnect {
		return
	}
	body := c.wholeBody()
	if body == nil || len(body) > maxReused {
		return
	}
	now := time.Now()
	a = &cache.Answer{Key: r.key, Dialect: c.speaks, Body: body, Target: c.target.Name, Cost: e.Cost, Tags: cloned(e.Tags),
		Made: now, Until: now.Add(r.policy.TTL), Point: r.point}
	if r.output != nil {
		a.Dialect = &openai.Dialect
	}
	if store.Put(a, r.purges) {
		store.PutFurther(a, r.whose, r.mark)
	}
}

// gaveUp tells whether the call ended for a reason of its own, which says
// nothing of others.
func (c *Call) gaveUp() bool {
	return c.err != nil && (c.err.Code == schema.CodeClientClosed || c.err.Code == schema.CodeInsufficientQuota || c.ctx.Err() != nil)
}

// wholeBody is the answer that the call has made, as it is kept; nil: others may
// not be given it.
func (c *Call) wholeBody() []byte {
	r := c.done.reuse
	if c.done.resume != nil && c.done.resume.mended { // no model has said it so
		return nil
	}
	if c.req.Unified != nil {
		return r.output
	}
	if c.req.Op == schema.OpEmbed || c.speaks.Chat.Decode == nil && r.body != nil {
		return r.body
	}
	own := c.outputLimit(c.target) == 0
	if r.body != nil {
		resp, err := c.speaks.Chat.Decode(r.body)
		if err != nil || !cache.Complete(resp, own) {
			return nil
		}
		return r.body
	}
	if len(r.frames) == 0 || c.stream == nil || !c.stream.from.Tally().Done {
		return nil
	}
	resp := gathered(c.speaks.Chat.Stream(), r.frames)
	if resp == nil || !cache.Complete(resp, own) {
		return nil
	}
	if resp.Usage.IsZero() { // the caller did not want to know
		resp.Usage = c.entry.Usage
	}
	client := c.speaks.Client
	if client.EncodeFor == nil {
		return client.EncodeChat(nil, resp)
	}
	req, err := c.req.Chat()
	if err != nil {
		return nil
	}
	return client.EncodeFor(nil, req, resp)
}

// gathered is the whole answer that frames of a stream tell; nil: there is none.
func gathered(decode dialect.StreamDecoder, frames []byte) *schema.ChatResponse {
	var (
		g      cache.Gather
		chunks []schema.Chunk
	)
	err := sse.Events(frames, func(f dialect.Frame) (err error) {
		chunks, err = decode.Decode(f, chunks[:0])
		for i := range chunks {
			g.Add(&chunks[i])
		}
		return err
	})
	if err != nil {
		return nil
	}
	return g.Whole()
}

// cloned are tags that may be views of a request.
func cloned(tags []string) []string {
	out := make([]string, len(tags))
	for i, t := range tags {
		out[i] = strings.Clone(t)
	}
	return out
}
