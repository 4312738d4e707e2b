package billing

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// CorrectionRequest asks to mend what the ledger says of a call, by a new entry:
// those that are there never change.
type CorrectionRequest struct {
	Call   string // the call's id, or the request id that its caller knows
	Refund bool   // give back all that is left of its cost; else USD
	USD    Nano   // what is added to its cost; below 0 it is given back
	Reason string
	// Key tells requests apart: one with the same key for the same call is the
	// same request. Empty: those with the same amount and reason are.
	Key string
}

// longestReason bounds what is kept of why.
const longestReason = 500

// Check finds what cannot be asked for: BadQuery, naming the field.
func (r *CorrectionRequest) Check() error {
	switch {
	case r.Call == "":
		return badField("call", "call is needed: the id of the call to correct")
	case r.Refund && r.USD != 0:
		return badField("usd", "usd: give either usd or refund, not both")
	case !r.Refund && r.USD == 0:
		return badField("usd", "usd: want an amount other than 0, below 0 to give money back, or refund for all that is left")
	case strings.TrimSpace(r.Reason) == "":
		return badField("reason", "reason is needed: it stands in the ledger")
	case len(r.Reason) > longestReason:
		return badField("reason", "reason: longer than %d bytes", longestReason)
	case !utf8.ValidString(r.Reason) || strings.ContainsFunc(r.Reason, unicode.IsControl):
		return badField("reason", "reason: want one line of text")
	case len(r.Key) > longestReason:
		return badField("idempotency_key", "idempotency_key: longer than %d bytes", longestReason)
	}
	return nil
}

// CorrectionsOf begins the ids of all corrections of a call.
func CorrectionsOf(call string) string { return call + "." }

// id is the correction's: the same for the same request.
func (r *CorrectionRequest) id(call string) string {
	what := "key\x00" + r.Key
	if r.Key == "" {
		what = "content\x00" + r.Reason
		if !r.Refund {
			what += "\x00" + r.USD.String()
		}
	}
	sum := sha256.Sum256([]byte(what))
	return CorrectionsOf(call) + strings.ToLower(base32.HexEncoding.EncodeToString(sum[:10]))
}

// Account is a call and all that was charged for it.
type Account struct {
	Call        Entry
	Attempts    []Entry // those that failed and were charged as entries of their own
	Corrections []Entry // oldest first
}

// Net is what the call has cost, corrections included.
func (a *Account) Net() Nano {
	sum := a.Call.Cost
	for i := range a.Attempts {
		sum += a.Attempts[i].Cost
	}
	for i := range a.Corrections {
		sum += a.Corrections[i].Cost
	}
	return sum
}

// Correct makes the entry that a request asks for. Where the ledger has it
// already, that one is given, and made is false. What would give back more than
// is left of the call's cost, or asks for something else under a key that was
// used, is ErrConflict.
func (a *Account) Correct(r CorrectionRequest, now time.Time) (e Entry, made bool, err error) {
	if err := r.Check(); err != nil {
		return Entry{}, false, err
	}
	c := &a.Call
	id := r.id(c.Call)
	for i := range a.Corrections {
		was := &a.Corrections[i]
		if was.Call != id {
			continue
		}
		if was.Reason != r.Reason || !r.Refund && was.Cost != r.USD {
			return Entry{}, false, fmt.Errorf("idempotency_key: another correction of call %q has it: %w", c.Call, ErrConflict)
		}
		return *was, false, nil
	}
	net := a.Net()
	if r.Refund {
		r.USD = -net
	}
	switch {
	case r.USD == 0:
		return Entry{}, false, fmt.Errorf("nothing is left to refund of call %q, which cost %v USD: %w", c.Call, c.Cost, ErrConflict)
	case r.USD < -net:
		return Entry{}, false, fmt.Errorf("call %q has cost %v USD so far: cannot give back %v: %w", c.Call, net, -r.USD, ErrConflict)
	case r.USD > 0 && net+r.USD < net:
		return Entry{}, false, badField("usd", "usd: too large an amount")
	}
	return Entry{Call: id, Attempt: Correction, Time: now, RequestID: id, Operation: "correction",
		Team: c.Team, KeyID: c.KeyID, Key: c.Key, User: c.User, Tags: c.Tags,
		Model: c.Model, Provider: c.Provider, Target: c.Target, Prompt: c.Prompt, Version: c.Version,
		Status: c.Status, Cost: r.USD, Delivered: -1, Corrects: c.Call, Reason: r.Reason}, true, nil
}

// Correct books a correction into the budgets that its call was charged to. It
// counts when it is made, as in the ledger and in every report: a budget is the
// sum of the entries of its window. Call it when the ledger has it: where replicas
// share that, all read it there.
func (b *Book) Correct(e *Entry) {
	b.mu.Lock()
	view := b.latest
	b.mu.Unlock()
	o := cmp.Or(view.keys[e.KeyID], view.teams[e.Team])
	if o == nil {
		return
	}
	o = o.For(e.User, e.Tags)
	for i := range o.links {
		a := o.links[i].account
		a.mu.Lock()
		for _, m := range a.meters {
			if m.unit != UnitUSD || !m.counts(calledAs(e.Model, e.Target)) {
				continue
			}
			if m.common() != nil {
				b.common.want(m, a, true)
			} else {
				m.charge(int64(e.Cost), e.Time)
				m.changed()
			}
		}
		a.mu.Unlock()
	}
}
