package gateway

import (
	"sluice/gateway/limit"
	"sluice/gateway/proxy"
	"sluice/providers/schema"
)

// wrong counts wrong credentials, and refuses one who has been wrong too often.
// It is asked only when a caller was refused, so that right ones always pass.
func (c *Call) wrong(e *schema.Error) *schema.Error {
	g := c.snap.Settings.Guesses
	if g == nil || e.Status != 401 || e.Origin == schema.OriginProvider || !c.signsIn() {
		return e
	}
	if wait := g.Failed(limit.Attempt{IP: c.from.ip, Account: proxy.Account(&c.rc.Request.Header)}, c.now); wait > 0 {
		return proxy.TooManyGuesses(wait)
	}
	return e
}

// signsIn tells whether the request has credentials at all. One without is a
// question, not a guess.
func (c *Call) signsIn() bool {
	h := &c.rc.Request.Header
	return len(h.Peek("Authorization")) > 0 || len(h.Peek("Signature")) > 0 || c.credential() != ""
}
