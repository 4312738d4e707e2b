package gateway

import (
	"sluice/billing"
	"sluice/prompts"
	"sluice/providers/schema"
)

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
	arm := c.g.prompts.Snapshot().Arm(c.prompt, c.sticky(c.prompt))
	if arm == nil {
		return nil
	}
	chosen := arm.Live
	if c.from.arm = arm; chosen == c.prompt {
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

// sticky is what the split of a prompt keeps together: a header's value or a
// user, if it says so and there is one; else the key, also when it was rotated,
// or the address of a caller without one.
func (c *Call) sticky(p *prompts.Live) string {
	by := &p.Template.Sluice.Split
	if by.Header != "" {
		if v := c.rc.Request.Header.Peek(by.Header); len(v) > 0 {
			return by.Header + "\x00" + string(v)
		}
	}
	if by.User && c.entry.User != "" {
		return c.entry.Team + "\x00" + c.entry.User
	}
	if c.caller == c.snap.Public {
		return c.from.ip
	}
	if a := c.caller.Key.Account; a != "" {
		return a
	}
	return c.caller.Key.ID
}

// countArm notes how the call went for the version of a split that served it:
// at once for the split, and with its entry for those that come after this
// process.
func (c *Call) countArm() {
	a := c.from.arm
	if a == nil || c.from.depth > 0 || !c.done.admitted {
		return
	}
	e := c.err
	m := billing.SplitMark{Since: a.Since(), Failed: e != nil && e.Status >= 500 && e.Origin != schema.OriginPolicy, Cost: c.totalCost()}
	c.entry.Split = m
	a.Count(m.Failed, int64(m.Cost))
	c.judgeAnswer()
}
