package gateway

import (
	"fmt"
	"strconv"
	"strings"

	"sluice/providers/anthropic"
)

// Names of the headers that nearly every answer has, as they go out: setting
// them so saves making each name canonical each time.
var (
	headerRequestID = []byte("X-Request-Id")
	headerModel     = []byte("X-Sluice-Model")
	headerAttempts  = []byte("X-Sluice-Attempts")
	headerCost      = []byte("X-Sluice-Cost")
)

// commonHeaders are on every answer: the request's id, and what is known of
// target, attempts and limits by then.
func (c *Call) commonHeaders() {
	h := &c.rc.Response.Header
	var buf [64]byte
	h.SetCanonical(headerRequestID, append(buf[:0], c.entry.RequestID...))
	if c.speaks == &anthropic.Dialect { // the name that its clients read
		h.Set("Request-Id", c.entry.RequestID)
	}
	if c.target != nil {
		h.SetCanonical(headerModel, append(buf[:0], c.target.Name...))
	}
	if n := len(c.trail); n > 0 {
		h.SetCanonical(headerAttempts, strconv.AppendInt(buf[:0], int64(n), 10))
	}
	if c.prompt != nil {
		h.Set("X-Sluice-Prompt", c.prompt.Name+"@"+strconv.Itoa(c.prompt.Version))
		c.promptHeaders()
	}
	if c.caller != nil || c.money.owner != nil {
		c.limitHeaders()
	}
	if x := c.from.route; x != nil {
		if x.Limit.Set {
			c.routeLimitHeaders(x)
		}
		for i := range x.Told {
			h.Add(x.Told[i].Name, x.Told[i].Value)
		}
	}
	if c.from.explain && c.plan.Route != nil && c.from.route == nil { // callers need not know where services are
		h.Set("X-Sluice-Explain", c.explanation())
	}
}

// costHeader tells what the call has cost, if that is known: what has no price
// is not free.
func (c *Call) costHeader() {
	if !c.costKnown() {
		return
	}
	var buf [32]byte
	c.rc.Response.Header.SetCanonical(headerCost, c.totalCost().AppendTo(buf[:0]))
}

// answerHeaders are those of an answer that a target gave.
func (c *Call) answerHeaders(dropped []string) {
	c.commonHeaders()
	if c.done.reuse != nil {
		c.reuseHeaders()
	}
	h := &c.rc.Response.Header
	if c.money.warned {
		h.Set("X-Sluice-Budget-Warning", c.budgetWarning())
	}
	if n := max(c.money.lowered, c.money.clamped); n > 0 && !c.reused() {
		h.Set("X-Sluice-Clamped", "max_tokens="+strconv.FormatInt(n, 10))
	}
	if len(dropped) > 0 {
		h.Set("X-Sluice-Dropped", nameList(dropped))
	}
}

// budgetWarning tells which budgets of the caller have reached a level to warn
// at: team research 0.8 of 500 USD per month.
func (c *Call) budgetWarning() string {
	var told []string
	for _, s := range c.owner().Budgets(c.now) {
		if s.Warned == 0 {
			continue
		}
		what := "team " + s.Owner.Team
		if s.Owner.Key != "" {
			what = "key " + s.Owner.Key
		}
		told = append(told, fmt.Sprintf("%s %v of %s per %s", what, s.Warned, s.Budget.Unit().Text(s.Limit), s.Budget.Per))
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f {
			return '?'
		}
		return r
	}, strings.Join(told, ", "))
}

// maxNames bounds, in bytes, the names of parameters in a header.
const maxNames = 1 << 10

// nameList is names that callers may have chosen as a header's value: what
// cannot stand there is told as a question mark, and what is too much is cut off.
func nameList(names []string) string {
	var b strings.Builder
	for i, name := range names {
		if b.Len()+len(name) >= maxNames {
			b.WriteString("...")
			break
		}
		if i > 0 {
			b.WriteByte(',')
		}
		for _, c := range name {
			if c <= ' ' || c >= 0x7f || c == ',' {
				c = '?'
			}
			b.WriteRune(c)
		}
	}
	return b.String()
}
