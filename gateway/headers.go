package gateway

import (
	"strconv"
	"strings"
	"time"

	"sluice/providers/anthropic"
)

// commonHeaders are on every answer: the request's id, and what is known of
// target, attempts and limits by then.
func (c *Call) commonHeaders() {
	h := &c.rc.Response.Header
	h.Set("X-Request-Id", c.entry.RequestID)
	if c.speaks == &anthropic.Dialect { // the name that its clients read
		h.Set("Request-Id", c.entry.RequestID)
	}
	if c.target != nil {
		h.Set("X-Sluice-Model", c.target.Name)
	}
	if n := len(c.trail); n > 0 {
		h.Set("X-Sluice-Attempts", strconv.Itoa(n))
	}
	if c.prompt != nil {
		h.Set("X-Sluice-Prompt", c.prompt.Name+"@"+strconv.Itoa(c.prompt.Version))
	}
	if c.caller != nil {
		c.limitHeaders()
	}
	if c.from.explain && c.plan.Route != nil {
		h.Set("X-Sluice-Explain", c.explanation())
	}
}

// limitHeaders are OpenAI's rate-limit headers, for the limit that is nearest.
func (c *Call) limitHeaders() {
	state := c.tickets[0].State
	if !c.done.admitted {
		state = c.caller.Owner.LimitState
	}
	requests, tokens, hasRequests, hasTokens := state(c.now)
	if hasRequests {
		c.limitHeader("Requests", requests.Limit, requests.Remaining, requests.Reset)
	}
	if hasTokens {
		c.limitHeader("Tokens", tokens.Limit, tokens.Remaining, tokens.Reset)
	}
}

func (c *Call) limitHeader(kind string, limit, remaining int64, reset time.Duration) {
	h := &c.rc.Response.Header
	h.Set("X-Ratelimit-Limit-"+kind, strconv.FormatInt(limit, 10))
	h.Set("X-Ratelimit-Remaining-"+kind, strconv.FormatInt(max(remaining, 0), 10))
	h.Set("X-Ratelimit-Reset-"+kind, reset.Round(time.Millisecond).String())
}

// answerHeaders are those of an answer that a target gave.
func (c *Call) answerHeaders(dropped []string) {
	c.commonHeaders()
	h := &c.rc.Response.Header
	if n := max(c.money.lowered, c.money.clamped); n > 0 {
		h.Set("X-Sluice-Clamped", "max_tokens="+strconv.FormatInt(n, 10))
	}
	if len(dropped) > 0 {
		h.Set("X-Sluice-Dropped", strings.Join(dropped, ","))
	}
}
