package gateway

import (
	"bytes"
	"time"

	"sluice/billing"
	"sluice/gateway/cache"
	"sluice/gateway/shared"
	"sluice/providers/dialect"
	"sluice/providers/openai"
	"sluice/providers/responses"
	"sluice/providers/schema"
)

// Caching is what a name under models: says of its answers.
type Caching struct {
	TTL   time.Duration
	Scope cache.Scope
	// Price is what a kept answer costs, as a share of what it cost to make.
	Price billing.PPM
	// Near is for questions that mean nearly the same; nil: the same only.
	Near *Near
}

// Near is how questions are compared by what they mean.
type Near struct {
	Threshold float64 // the least cosine between two questions
	Model     string  // that makes embeddings
}

// cacheBytes bounds all answers that are kept, maxReused one of them.
const (
	cacheBytes = 256 << 20
	maxReused  = 2 << 20
)

// reuse is what a call has to do with the cache: it looks for an answer, and
// what it then has to ask a target for is kept for others.
type reuse struct {
	policy *Caching
	key    cache.Key
	whose  string // what replicas must have in common to share it, beside the key
	purges int64  // when it began to ask
	mark   shared.Mark
	flight *cache.Flight // that it leads; nil: nobody waits for it
	point  *cache.Point
	body   []byte // of a whole answer
	frames []byte // of a streamed one, as far as it has come
	lost   bool   // there is too much of it
	output []byte // of a prompt, which was checked, in OpenAI's words
}

var (
	headerCache    = []byte("X-Sluice-Cache")
	headerCacheKey = []byte("X-Sluice-Cache-Key")
)

// reuseHeaders tell what the cache had.
func (c *Call) reuseHeaders() {
	h := &c.rc.Response.Header
	h.SetCanonical(headerCache, []byte(c.entry.Cache))
	h.SetCanonical(headerCacheKey, []byte(c.done.reuse.key.Name))
	if c.reused() {
		h.SetCanonical(headerModel, []byte(c.entry.Target))
		if len(c.trail) == 0 { // no target was asked
			h.SetCanonical(headerAttempts, []byte("0"))
		}
	}
}

// fromCache answers from the cache, if it has the answer. Of calls that ask for
// the same at once the first goes on, and the others wait for its answer.
func (c *Call) fromCache(array bool) (answered bool, err error) {
	a, err := c.lookUp(c.model.Caching, !array)
	if a == nil || err != nil {
		return false, err
	}
	return c.answerKept(a, array)
}

// cacheWish is what the caller says of the cache: skip, refresh or nothing.
func (c *Call) cacheWish() string {
	if c.from.cache != "" {
		return c.from.cache
	}
	return string(c.rc.Request.Header.Peek("X-Sluice-Cache"))
}

// lookUp finds the call's answer; nil: a target is to be asked, and what it
// says is kept if the call has a reuse then. lead says that others may wait for
// it.
func (c *Call) lookUp(policy *Caching, lead bool) (*cache.Answer, error) {
	wish := c.cacheWish()
	switch wish {
	case "", "refresh":
	case "skip":
		return nil, nil
	default:
		return nil, schema.Invalid("x-sluice-cache", "x-sluice-cache must be skip or refresh, not %q", label(wish))
	}
	if c.done.masked { // others' requests look the same, and their answers hold what was masked
		return nil, nil
	}
	ask := c.asks(policy.Scope)
	key, ok := c.reuseKey(&ask)
	if !ok {
		return nil, nil
	}
	c.done.reuse = &reuse{policy: policy, key: key, whose: c.whose(policy.Scope), purges: c.g.cache.Purges(), mark: c.g.cache.Mark()}
	c.entry.Cache = cache.Miss
	if wish == "refresh" {
		return nil, c.locate(&ask)
	}
	a, err := c.findKept(lead)
	if a != nil || err != nil {
		return a, err
	}
	if err := c.locate(&ask); err != nil {
		return nil, err
	}
	return c.findNear(), nil
}

// findKept is the answer to exactly this, which another call may be making: nil
// if there is none. lead says that others may then wait for this call's.
func (c *Call) findKept(lead bool) (*cache.Answer, error) {
	store, r := c.g.cache, c.done.reuse
	ttl := r.policy.TTL
	for {
		if a := store.Get(r.key.Name, ttl, c.now); a != nil {
			return a, nil
		}
		if !lead {
			return store.Further(r.key, r.whose, ttl, c.now, r.purges), nil
		}
		flight, leads := store.Join(r.key.Name)
		if leads {
			r.flight = flight
			if a := store.Get(r.key.Name, ttl, c.now); a != nil { // the flight before may have ended just now
				return a, nil
			}
			return store.Further(r.key, r.whose, ttl, c.now, r.purges), nil
		}
		select {
		case <-flight.Done():
		case <-c.ctx.Done():
			return nil, c.ended(c.ctx.Err())
		}
		if a, again := flight.Outcome(); a != nil || !again {
			return a, nil
		}
	}
}

// asks is what the call asks for, in a scope.
func (c *Call) asks(scope cache.Scope) cache.Ask {
	a := cache.Ask{Op: c.req.Op, Model: c.model.Name, Scope: scope}
	switch scope {
	case cache.ScopeAll:
		a.Owner = cache.Everybody
	case cache.ScopeTeam:
		a.Owner = c.entry.Team
	default:
		a.Owner = c.entry.Key
	}
	for _, t := range c.model.Targets {
		a.Context = append(a.Context, t.Name)
	}
	for _, f := range c.forwarded() {
		if f.Name == "anthropic-version" { // every client of that API sends it, whatever it asks
			continue
		}
		a.Context = append(a.Context, f.Name, f.Value)
	}
	return a
}

// whose stands for what replicas must have in common to share an answer: all of
// the configuration that it came by, and the key, if it belongs to one, for those
// of two stores may have the same name.
func (c *Call) whose(scope cache.Scope) string {
	if scope == cache.ScopeKey {
		return c.snap.Settings.Answers + c.entry.KeyID
	}
	return c.snap.Settings.Answers
}

// reuseKey is what the call's answer is kept under; ok is false where it must
// not be kept.
func (c *Call) reuseKey(ask *cache.Ask) (key cache.Key, ok bool) {
	if c.req.Unified != nil {
		return ask.Chat(c.req.Unified)
	}
	d := c.speaks
	if c.req.Op == schema.OpEmbed {
		req, err := c.req.Embed()
		if err != nil {
			return key, false // whoever it is for tells
		}
		return ask.Embed(req, d.Name)
	}
	if c.req.Op != schema.OpChat || c.keeps() || c.from.continues != "" {
		return key, false
	}
	if d == &openai.Dialect && bytes.Contains(c.req.Raw, functionsField) {
		return key, false // answers to functions, the older form of tools, have another form too
	}
	if d == &responses.Dialect && (!responses.NotStored(c.req.Raw) || responses.PreviousOf(c.req.Raw) != "") {
		return key, false // the provider keeps it
	}
	if d.Chat.Decode == nil { // its answers are of use in its own words alone
		if c.req.Head.Stream {
			return key, false
		}
		ask.Context = append(ask.Context, d.Name)
	}
	req, err := c.req.Chat()
	if err != nil {
		return key, false
	}
	return ask.Chat(req)
}

var functionsField = []byte(`"functions"`)

// answerKept answers with what was kept; false where that cannot be told in the
// form that was asked for.
func (c *Call) answerKept(a *cache.Answer, array bool) (answered bool, err error) {
	body, ok := c.inForm(a, array)
	if !ok {
		return false, nil
	}
	if err := c.takeKept(a); err != nil {
		return false, err
	}
	c.answerHeaders(nil)
	c.costHeader()
	h := &c.rc.Response.Header
	h.SetContentType("application/json")
	if c.req.Head.Stream && !array {
		h.SetContentType("text/event-stream")
		h.Set("Cache-Control", "no-cache")
	}
	c.rc.Response.SetBodyRaw(body)
	return true, nil
}

// takeKept makes a kept answer the call's, and that of those who wait for it,
// and charges for it. The error says that a budget has not got what it costs.
func (c *Call) takeKept(a *cache.Answer) error {
	r, e := c.done.reuse, &c.entry
	price := r.policy.Price.Of(a.Cost)
	if err := c.chargeKept(price); err != nil {
		return err
	}
	e.Cache = cache.Hit
	if a.Key != r.key {
		e.Cache = cache.Semantic
	}
	e.Saved, e.Target, e.TTFT = a.Cost-price, a.Target, time.Since(c.now)
	e.Provider, _, _ = splitTarget(a.Target)
	if r.flight != nil {
		c.g.cache.End(r.flight, a, false)
		r.flight = nil
	}
	return nil
}

// chargeKept settles the call's hold with the price of a kept answer, none of
// which goes to a provider. What is held is for another answer and may be less.
func (c *Call) chargeKept(price billing.Nano) error {
	if price == 0 {
		return nil
	}
	m, e := &c.money, &c.entry
	if more := price - m.hold.USD(); more > 0 {
		if short := m.hold.Grow(billing.Need{USD: more}); short != nil {
			return short
		}
	}
	e.Excess += m.hold.Settle(m.with(billing.Charge{USD: price}), c.now)
	m.warned = m.hold.Warned()
	m.hold = billing.Hold{}
	e.Cost += price
	e.Markup += price
	return nil
}

// reused tells whether the call's answer is a kept one.
func (c *Call) reused() bool { return c.entry.Cache == cache.Hit || c.entry.Cache == cache.Semantic }

// inForm is a kept answer in the caller's dialect, whole or as a stream.
func (c *Call) inForm(a *cache.Answer, array bool) (body []byte, ok bool) {
	if !c.req.Head.Stream && a.Dialect == c.speaks {
		return a.Body, true
	}
	if a.Dialect.Chat.Decode == nil || c.req.Op != schema.OpChat {
		return nil, false
	}
	resp, err := a.Dialect.Chat.Decode(a.Body)
	if err != nil {
		return nil, false
	}
	req, err := c.req.Chat()
	if err != nil {
		return nil, false
	}
	client := c.speaks.Client
	switch {
	case c.req.Head.Stream:
		return c.replayed(resp, req, array)
	case client.EncodeFor != nil:
		return client.EncodeFor(nil, req, resp), true
	}
	return client.EncodeChat(nil, resp), true
}

// replayed is a whole answer as a stream.
func (c *Call) replayed(resp *schema.ChatResponse, req *schema.ChatRequest, array bool) (body []byte, ok bool) {
	enc := c.speaks.Client.Stream(dialect.StreamOptions{ID: resp.ID, Model: resp.Model, Created: resp.Created,
		WantsUsage: c.req.Head.WantsUsage, Request: req})
	if !cache.Replay(resp, func(chunk *schema.Chunk) { body = enc.Chunk(body, chunk) }) {
		return nil, false
	}
	body = enc.End(body, &resp.Usage)
	if array {
		return asArray(body), true
	}
	return body, true
}

// PurgeCache takes kept answers out and tells how many.
func (g *Gateway) PurgeCache(q cache.Selection) int64 { return g.cache.Purge(q) }

// CacheFigures tell how the cache stands.
func (g *Gateway) CacheFigures() cache.Figures { return g.cache.Figures(time.Now()) }

// CacheSize is the answers that are kept and their bytes.
func (g *Gateway) CacheSize() (entries, bytes int64) { return g.cache.Size() }
