package gateway

import (
	"slices"
	"strconv"
	"time"

	"sluice/billing"
	"sluice/providers/schema"
	"sluice/router"
)

// The names under which limits are kept that are not of a team or key: those of
// teams which no file and no call can name, for a space is in them.

// PromptOwner is the name of a prompt's own limits.
func PromptOwner(prompt string) string { return "prompt " + prompt }

// ModelOwner is the name of the limits of a name under models:.
func ModelOwner(model string) string { return "model " + model }

// ProviderOwner is the name of a provider's limits.
func ProviderOwner(provider string) string { return "provider " + provider }

// SecretOwner is the name of the limits of one of a provider's keys, which id
// tells from its others.
func SecretOwner(provider, id string) string { return "provider-key " + provider + " " + id }

// tickets are what a call counts as in the limits that it has passed.
type tickets struct {
	key, prompt, model billing.Ticket
	provider, secret   billing.Ticket // of the attempt that is under way
	second             *second        // of one that is made beside it; nil: none was
	refused            *billing.Owner // whose limit has refused the call; nil: none has
}

// takeTickets takes the call past the limits of its key, its prompt and its
// model: all of them, or it counts in none.
func (c *Call) takeTickets() error {
	now := c.now
	if c.prompt != nil { // its steps have taken their time
		now = time.Now()
	}
	t := &c.tickets
	for _, l := range [...]struct {
		owner *billing.Owner
		into  *billing.Ticket
	}{{c.owner(), &t.key}, {c.promptLimits(), &t.prompt}, {c.model.Limits, &t.model}} {
		if l.owner == nil || c.from.unguarded && l.into == &t.key { // the caller has not asked for a guard's call
			continue
		}
		ticket, err := l.owner.Admit(now, c.tokensNeeded(l.owner))
		if err != nil {
			t.cancel()
			t.refused = l.owner
			return err
		}
		*l.into = ticket
	}
	return nil
}

// promptLimits are the prompt's own; nil: it has none.
func (c *Call) promptLimits() *billing.Owner {
	if c.prompt == nil {
		return nil
	}
	return c.snap.owners.Team(PromptOwner(c.prompt.Name))
}

// cancel takes back what was counted for a call that is refused.
func (t *tickets) cancel() {
	t.key.Cancel()
	t.prompt.Cancel()
	t.model.Cancel()
}

// done ends all tickets of a call that used so much.
func (t *tickets) done(u *schema.Usage) {
	used := billing.Ask{Input: u.Input, Output: u.Output}
	t.key.Done(used)
	t.prompt.Done(used)
	t.model.Done(used)
	t.provider.Done(used)
	t.secret.Done(used)
	if t.second != nil {
		t.second.end()
	}
}

// limited tells whether the provider of a target has limits.
func limited(t *Target) bool { return t.Provider.Limits != nil }

// keysLimited tells whether one of its keys has.
func keysLimited(t *Target) bool {
	return slices.ContainsFunc(t.Provider.Pool.Secrets(), func(s *router.Secret) bool { return s.Payload != nil })
}

// admitKey is asked before each attempt, where a provider's keys have limits.
func (c *Call) admitKey(a *router.Candidate, s *router.Secret) *schema.Error {
	_, ticket := c.attemptTickets()
	ticket.Done(billing.Ask{}) // of the attempt before, which failed
	*ticket = billing.Ticket{}
	owner, _ := s.Payload.(*billing.Owner)
	if owner == nil {
		return nil
	}
	counted, err := owner.Admit(time.Now(), c.tokensNeeded(owner))
	if err != nil {
		err.Class = schema.ClassRateLimited // for what fallbacks serve
		err.Message = "the limit of a key of provider " + strconv.Quote(a.Payload.(*Target).Provider.Name) + " is reached"
		if err.RetryAfter > 0 {
			err.Message += "; try again in " + strconv.Itoa(int(err.RetryAfter/time.Second)) + " s"
		}
		return err
	}
	*ticket = counted
	return nil
}

// attemptTickets are those of the attempt that is to be made.
func (c *Call) attemptTickets() (provider, secret *billing.Ticket) {
	if c.plan.Hedging {
		s := c.beside()
		return &s.provider, &s.secret
	}
	return &c.tickets.provider, &c.tickets.secret
}

// admitAt is asked before each attempt, where a provider has limits.
func (c *Call) admitAt(a *router.Candidate) *schema.Error {
	ticket, secret := c.attemptTickets()
	ticket.Done(billing.Ask{}) // of the attempt before, which failed
	*ticket = billing.Ticket{}
	owner := a.Payload.(*Target).Provider.Limits
	if owner == nil {
		return nil
	}
	counted, err := owner.AdmitFor(c.owner(), time.Now(), c.tokensNeeded(owner))
	if err != nil {
		secret.Cancel()
		*secret = billing.Ticket{}
		err.Class = schema.ClassRateLimited // for what fallbacks serve
		return err
	}
	*ticket = counted
	return nil
}

// routed ends what an attempt that failed was counted as. A call that no
// provider's limit let out is refused, and counts nowhere.
func (c *Call) routed() {
	c.tickets.provider.Done(billing.Ask{})
	c.tickets.secret.Done(billing.Ask{})
	a := c.plan.Refused
	if len(c.trail) > 0 || a == nil && !c.plan.Turned {
		return
	}
	c.done.admitted = false
	c.tickets.cancel()
	if a != nil {
		c.tickets.refused = a.Payload.(*Target).Provider.Limits
		if s := c.plan.RefusedKey; s != nil {
			c.tickets.refused = s.Payload.(*billing.Owner)
		}
	}
}

// planLimits asks for the limits of the providers that the call may reach, and
// of their keys.
func (c *Call) planLimits() {
	c.plan.Admit, c.plan.AdmitKey = nil, nil
	if c.model.Route.Queue != nil {
		c.plan.Party, c.plan.Share = c.entry.Team, int(c.owner().Weight())
	}
	if slices.ContainsFunc(c.model.Targets, keysLimited) {
		c.plan.AdmitKey = c.admitKey
	}
	if slices.ContainsFunc(c.model.Targets, limited) {
		c.plan.Admit = c.admitAt
	}
}

var (
	requestLimits = limitNames{[]byte("X-Ratelimit-Limit-Requests"), []byte("X-Ratelimit-Remaining-Requests"),
		[]byte("X-Ratelimit-Reset-Requests")}
	tokenLimits = limitNames{[]byte("X-Ratelimit-Limit-Tokens"), []byte("X-Ratelimit-Remaining-Tokens"),
		[]byte("X-Ratelimit-Reset-Tokens")}
)

// limitNames are the three headers of one kind of limit.
type limitNames struct{ limit, remaining, reset []byte }

// limitHeaders are OpenAI's rate-limit headers, for the limit that is nearest,
// or that has refused the call.
func (c *Call) limitHeaders() {
	now := time.Now()
	if by := c.tickets.refused; by != nil {
		requests, tokens, hasRequests, hasTokens := by.LimitState(now)
		c.showLimits(requests, tokens, hasRequests, hasTokens)
		return
	}
	requests, tokens, hasRequests, hasTokens := c.owner().LimitState(now)
	for _, t := range [...]*billing.Ticket{&c.tickets.prompt, &c.tickets.model} {
		r, n, hasR, hasN := t.State(now)
		if hasR && (!hasRequests || r.Remaining < requests.Remaining) {
			requests, hasRequests = r, true
		}
		if hasN && (!hasTokens || n.Remaining < tokens.Remaining) {
			tokens, hasTokens = n, true
		}
	}
	c.showLimits(requests, tokens, hasRequests, hasTokens)
}

func (c *Call) showLimits(requests, tokens billing.LimitState, hasRequests, hasTokens bool) {
	if hasRequests {
		c.limitHeader(requestLimits, requests)
	}
	if hasTokens {
		c.limitHeader(tokenLimits, tokens)
	}
}

func (c *Call) limitHeader(names limitNames, state billing.LimitState) {
	h := &c.rc.Response.Header
	var buf [32]byte
	h.SetCanonical(names.limit, strconv.AppendInt(buf[:0], state.Limit, 10))
	h.SetCanonical(names.remaining, strconv.AppendInt(buf[:0], max(state.Remaining, 0), 10))
	h.SetCanonical(names.reset, append(buf[:0], state.Reset.Round(time.Millisecond).String()...))
}
