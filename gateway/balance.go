package gateway

import (
	"log/slog"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/router"
)

// What a call is expected to hold where it does not say and nothing was learnt.
const (
	usualOutput   = 256 // tokens
	bytesPerToken = 4
)

// Cost is what the provider of a candidate is expected to charge for the call,
// in nano-dollars; negative: its price is not known.
func (c *Call) Cost(cand *router.Candidate) int64 {
	t := cand.Payload.(*Target)
	p := t.listed(c)
	if p == nil {
		return -1
	}
	u := schema.Usage{Input: c.expectedInput(), Output: c.expectedOutput(cand.Target, t), Tier: schema.Tier(c.req.Head.ServiceTier)}
	if c.passed != nil {
		n := c.passBounds()
		u.Input, u.Output, u.Images = n.in, n.out, n.pictures
	}
	return int64(p.Cost(u))
}

// expectedInput is the input in tokens, roughly, unless they were counted.
func (c *Call) expectedInput() int64 {
	if c.money.counted > 0 {
		return c.money.counted
	}
	return int64(c.req.Head.PromptSize)/bytesPerToken + 1
}

// expectedOutput is the output in tokens, over all choices: as much as the
// caller allows and the model can write, else as much as its answers have held
// so far.
func (c *Call) expectedOutput(learnt *router.Target, t *Target) int64 {
	if c.req.Op != schema.OpChat {
		return 0
	}
	if n := c.maxTokens(); n > 0 {
		if t.Max > 0 {
			n = min(n, t.Max)
		}
		return n * c.choices()
	}
	if mean := learnt.Size(); mean > 0 {
		return int64(mean + 0.5)
	}
	return usualOutput * c.choices()
}

// What calls of a sticky model stay together by.
const (
	byUser    = "user"
	byKey     = "key"
	bySession = "session"
	byPrefix  = "prefix"
)

// Key is the hash of what the call stays with its target by; 0: it has nothing
// of the kind. It is the same in every replica.
func (c *Call) Key(by string) uint64 {
	var h uint64
	switch by {
	case byUser:
		h = hashOf(c.entry.User)
	case byKey:
		h = hashOf(c.entry.KeyID)
	case bySession:
		id := c.rc.Request.Header.Peek("X-Session-Id")
		if len(id) == 0 {
			return 0
		}
		h = xxhash.Sum64(id)
	case byPrefix:
		h = c.prefix()
	}
	if h == 0 {
		return 0
	}
	// Two callers' users and sessions of one name are not the same.
	return h ^ xxhash.Sum64String(c.entry.Team)
}

// hashOf is the hash of a text; that of an empty one is 0.
func hashOf(s string) uint64 {
	if s == "" {
		return 0
	}
	return xxhash.Sum64String(s)
}

// prefix is a hash of how the conversation begins: the instructions, and what
// the user said first. It stays the same while the conversation grows, and
// with it the prompt cache that a provider keeps of it is found again.
func (c *Call) prefix() uint64 {
	h := prefixHash{d: xxhash.New()}
	switch {
	case c.req.Unified != nil:
		h.unified(c.req.Unified)
	case c.passed == nil && len(c.req.Raw) > 0:
		h.body(c.req.Raw)
	}
	if h.n == 0 {
		return 0
	}
	return h.d.Sum64()
}

// mostPrefix bounds the bytes of text that are hashed.
const mostPrefix = 32 << 10

type prefixHash struct {
	d *xxhash.Digest
	n int // bytes so far
}

func (h *prefixHash) text(s string) {
	s = s[:min(len(s), mostPrefix-h.n)]
	_, _ = h.d.WriteString(s)
	h.n += len(s)
}

func (h *prefixHash) unified(r *schema.ChatRequest) {
	for i := range r.Messages {
		m := &r.Messages[i]
		for j := range m.Parts {
			h.text(m.Parts[j].Text)
		}
		if m.Role == schema.RoleUser {
			return
		}
	}
}

// Where the dialects have their instructions, and then the conversation.
var (
	instructionFields  = [...]string{"system", "systemInstruction", "system_instruction", "instructions"}
	conversationFields = [...]string{"messages", "contents", "input", "prompt"}
)

// body hashes the beginning of a request as it came, of any dialect: texts
// only, for the marks around them move while a conversation grows.
func (h *prefixHash) body(raw []byte) {
	for _, name := range instructionFields {
		h.texts(gjson.GetBytes(raw, name))
	}
	for _, name := range conversationFields {
		list := gjson.GetBytes(raw, name)
		if !list.IsArray() {
			h.texts(list)
			continue
		}
		list.ForEach(func(_, m gjson.Result) bool {
			h.texts(m)
			role := m.Get("role").Str
			return role == "system" || role == "developer"
		})
	}
}

// texts hashes a text, or those in a message's or a part's content.
func (h *prefixHash) texts(v gjson.Result) {
	switch {
	case v.Type == gjson.String:
		h.text(v.Str)
	case v.IsArray():
		v.ForEach(func(_, part gjson.Result) bool { h.texts(part); return h.n < mostPrefix })
	case v.IsObject():
		v.ForEach(func(name, inner gjson.Result) bool {
			switch name.Str {
			case "text", "content", "parts":
				h.texts(inner)
			}
			return true
		})
	}
}

// learn tells the router how much an answer held.
func (c *Call) learn(output int64) {
	if c.err == nil && c.session == nil {
		c.plan.Came(output)
	}
}

// explains tells whether it is kept how the call's target was chosen: if its
// caller wants to know, or the log tells all that goes on.
func (c *Call) explains() bool { return c.from.explain || c.logsChoice() }

func (c *Call) logsChoice() bool {
	return len(c.model.Targets) > 1 && c.g.log.Enabled(c.ctx, slog.LevelDebug)
}

// logChoice tells how the call's target was chosen: with Route.Replay each
// decision can be made again from it.
func (c *Call) logChoice() {
	if c.logsChoice() {
		c.g.log.Debug("routed", "call", c.entry.Call, "model", c.model.Name, "balance", c.model.Route.Balance, "explain", c.explanation())
	}
}

// Explain tells what a call for the model would choose among at a time, of
// usual length and from nobody in particular.
func (s *Snapshot) Explain(m *Model, now time.Time) router.Explanation {
	c := &usualCall{snap: s, now: now}
	p := router.Plan{Route: m.Route, Subject: c}
	return p.Preview()
}

// usualCall is a call of which nothing is known.
type usualCall struct {
	snap *Snapshot
	now  time.Time
}

// Cost is that of a thousand tokens of input, and a usual answer.
func (u *usualCall) Cost(cand *router.Candidate) int64 {
	c := Call{snap: u.snap, now: u.now}
	c.req.Op, c.req.Head.PromptSize = schema.OpChat, 1000*bytesPerToken
	return c.Cost(cand)
}

// Key is none.
func (u *usualCall) Key(string) uint64 { return 0 }
