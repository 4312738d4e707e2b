package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"sluice/billing"
	"sluice/providers/schema"
)

// termsIn is a key as it is sent to change it: its terms, whole. What makes it
// this key may be sent back as it was read, and is ignored.
type termsIn struct {
	Team    string         `json:"team"` // if given, what it is
	Name    string         `json:"name"` // likewise
	Budget  budgetsIn      `json:"budget"`
	Limits  billing.Limits `json:"limits"`
	User    string         `json:"user"`
	Models  []string       `json:"models"`
	Prompts []string       `json:"prompts"`
	IPs     []string       `json:"ips"`
	Expires string         `json:"expires"` // empty or null: never

	ID       json.RawMessage `json:"id"`
	Prefix   json.RawMessage `json:"prefix"`
	Created  json.RawMessage `json:"created"`
	LastUsed json.RawMessage `json:"last_used"`
	Revoked  json.RawMessage `json:"revoked"`
	Source   json.RawMessage `json:"source"`
}

// putKey replaces the terms of a key: what it may do and spend. The secret, the
// id and what it has spent stay.
func (a *api) putKey(q *request) error {
	var in termsIn
	if err := q.read(&in); err != nil {
		return err
	}
	a.changes.Lock()
	defer a.changes.Unlock()
	view := a.View()
	found, err := a.ownKey(q, &view)
	if err != nil {
		return err
	}
	if err := a.mayEnd(found); err != nil {
		return err
	}
	k, err := in.applied(*found, a)
	if err != nil {
		return err
	}
	added := slices.DeleteFunc(slices.Clone(k.Prompts), func(name string) bool { return slices.Contains(found.Prompts, name) })
	if err := a.ownPrompts(q, k.Team, added); err != nil {
		return err
	}
	keys := slices.Clone(view.Keys)
	keys[slices.IndexFunc(keys, func(other billing.Key) bool { return other.ID == k.ID })] = k
	if err := check(view.Teams, keys); err != nil {
		return err
	}
	ctx := context.WithoutCancel(q.Context()) // half a change must not be
	if err := a.Tenants.PutKey(ctx, k); err != nil {
		return err
	}
	if err := a.apply(ctx); err != nil {
		return err
	}
	return q.answer(http.StatusOK, showKeyOf(&k, ""))
}

// applied is the key with these terms.
func (in *termsIn) applied(k billing.Key, a *api) (billing.Key, error) {
	for _, fixed := range []struct{ field, sent, is string }{{"team", in.Team, k.Team}, {"name", in.Name, k.Name}} {
		if fixed.sent != "" && fixed.sent != fixed.is {
			return k, schema.Invalid(fixed.field, "%s %.80q is not the key's: a key stays what it is called and in its team", fixed.field, fixed.sent)
		}
	}
	if r := strings.TrimSpace(string(in.Revoked)); r != "" && r != "null" { // who changes it has seen that it was not
		return k, schema.Invalid("revoked", "revoked is only read; DELETE revokes the key")
	}
	sent := keyIn{Team: k.Team, User: in.User, Models: in.Models, Prompts: in.Prompts, IPs: in.IPs}
	err := sent.check()
	if err != nil {
		return k, err
	}
	k.User, k.Models, k.Prompts, k.IPs, k.Limits = in.User, in.Models, in.Prompts, in.IPs, in.Limits
	if k.Budgets, err = in.Budget.budgets("budget"); err != nil {
		return k, err
	}
	k.Expires, err = expiry(in.Expires, a.Now(), a.Location())
	return k, err
}
