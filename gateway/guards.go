package gateway

import (
	"encoding/json"

	"sluice/gateway/guard"
	"sluice/providers"
	"sluice/providers/schema"
)

// beginGuards notes the guards of the model that was asked for: they stay,
// whatever other model is asked in the end.
func (c *Call) beginGuards() {
	if c.from.guards == nil && c.model.Guards != nil && !c.from.unguarded {
		c.from.guards = guard.NewSession(c.model.Guards, c)
	}
}

// guardIn takes the request past the guards of its model, and has the answer
// come past them.
func (c *Call) guardIn() error {
	c.beginGuards() // a model that was turned to may have some, too
	if c.from.guards == nil {
		return nil
	}
	c.req.Translate = true // what was looked at is what is sent: bytes may say more, or other than it seems
	switch c.req.Op {
	case schema.OpEmbed:
		return guarded(c.req.Embed, func(r *schema.EmbedRequest) (*schema.EmbedRequest, error) { return c.from.guards.Embed(c.ctx, r) }, func(r *schema.EmbedRequest) {
			c.req.ReplaceEmbed(r)
			c.done.masked = true
		})
	case schema.OpRerank:
		return guarded(c.req.Rerank, func(r *schema.RerankRequest) (*schema.RerankRequest, error) { return c.from.guards.Rerank(c.ctx, r) }, c.req.ReplaceRerank)
	}
	err := guarded(c.req.Chat, func(r *schema.ChatRequest) (*schema.ChatRequest, error) { return c.from.guards.Chat(c.ctx, r) }, func(r *schema.ChatRequest) {
		c.req.Replace(r)
		c.done.masked = true
	})
	if err != nil || c.req.Op != schema.OpChat || !c.from.guards.Answers() {
		return err
	}
	c.req.Filter = func() providers.Filter { return c.from.guards.NewStream(c.ctx) }
	return nil
}

// guarded takes a request past the guards and puts another in its place if they
// give one.
func guarded[T any](read func() (*T, error), past func(*T) (*T, error), replace func(*T)) error {
	req, err := read()
	if err != nil {
		return err
	}
	own, err := past(req)
	if err != nil {
		return err
	}
	if own != req {
		replace(own)
	}
	return nil
}

// guardOut takes a whole answer past the guards.
func (c *Call) guardOut(answer *providers.Answer) error {
	if c.from.guards == nil || c.req.Op != schema.OpChat || answer.Chat == nil || !c.from.guards.Answers() {
		return nil
	}
	if err := c.from.guards.Answer(c.ctx, answer.Chat); err != nil {
		return err
	}
	return answer.Encode(&c.req)
}

// guardPassed takes a request that is passed on past the guards: JSON only, for
// of other bodies they cannot know what is text.
func (c *Call) guardPassed() error {
	if c.from.guards == nil || len(c.passed.raw) == 0 {
		return nil
	}
	if !c.passed.json() {
		return errUnguarded(c.model.Name, "takes no uploads")
	}
	raw, err := c.from.guards.JSON(c.ctx, c.passed.raw)
	if err != nil {
		return err
	}
	return c.passed.replace(raw)
}

// guardRecords tells what the guards did, for the ledger.
func (c *Call) guardRecords() string {
	if c.from.guards == nil {
		return ""
	}
	records := c.from.guards.Records()
	if len(records) == 0 {
		return ""
	}
	b, err := json.Marshal(records)
	if err != nil {
		return ""
	}
	return string(b)
}

func errUnguarded(model, what string) *schema.Error {
	return &schema.Error{Code: schema.CodeUnsupported, Status: 400, Origin: schema.OriginPolicy, Param: "model",
		Class: schema.ClassInvalidRequest, Message: "the model '" + model + "' has guards, and " + what}
}
