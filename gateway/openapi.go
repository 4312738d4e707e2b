package gateway

import (
	"sluice/prompts"
)

// serveOpenAPI describes the prompts that the caller may call: those that are
// public, and with a key those that it opens.
func (c *Call) serveOpenAPI() error {
	if err := c.identify(); err != nil {
		return err
	}
	return c.sendJSON(prompts.OpenAPI(c.visible()))
}

// identify is authenticate for what anyone may ask: without a key the caller
// is nobody in particular.
func (c *Call) identify() error {
	if c.credential() == "" && c.snap.Public != nil {
		c.caller = c.snap.Public
		c.entry.Team, c.entry.KeyID, c.entry.Key = c.caller.Key.Team, c.caller.Key.ID, c.caller.Label
		return nil
	}
	return c.authenticate()
}

// visible are the prompts that the caller may call, each in the version that
// serves it.
func (c *Call) visible() []*prompts.Live {
	set := c.g.prompts.Snapshot()
	var list []*prompts.Live
	for _, p := range set.All() {
		if chosen := set.Choose(p, c.sticky(p)); c.sees(p) && c.sees(chosen) {
			list = append(list, chosen)
		}
	}
	return list
}

func (c *Call) sees(p *prompts.Live) bool {
	if c.caller == c.snap.Public {
		return p.Template.Sluice.Access == prompts.AccessPublic
	}
	return c.caller.mayPrompt(p)
}
