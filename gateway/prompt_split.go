package gateway

// namesVersion tells whether the caller says itself, by header, which version
// it wants.
func (c *Call) namesVersion() bool {
	h := &c.rc.Request.Header
	return len(h.Peek("X-Prompt-Version")) > 0 || len(h.Peek("X-Prompt-Label")) > 0
}

// takePart gives a call of the bare path to one of the versions that a split
// names. Who may call that version may be other than who may call production.
func (c *Call) takePart() error {
	if c.from.path != c.prompt.Path || c.namesVersion() {
		return nil
	}
	chosen := c.g.prompts.Snapshot().Choose(c.prompt, c.sticky())
	if chosen == c.prompt {
		return nil
	}
	other := chosen.Template.Sluice.Access != c.prompt.Template.Sluice.Access
	c.prompt = chosen
	c.notePrompt()
	if other {
		return c.authenticatePrompt()
	}
	return nil
}

// sticky is what a split keeps together: the key, also when it was rotated, or
// the address of a caller without one.
func (c *Call) sticky() string {
	if c.caller == c.snap.Public {
		return c.from.ip
	}
	if a := c.caller.Key.Account; a != "" {
		return a
	}
	return c.caller.Key.ID
}
