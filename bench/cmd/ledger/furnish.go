package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"sluice/billing"
	"sluice/gateway/audit"
	"sluice/prompts"
	"sluice/store"
)

const (
	promptCount = 12
	versions    = 5
	plansAsked  = 20 // teams that apply for what needs a subscription
	rotations   = 12 // of every key so far
)

// furnish gives a company what it has beside its calls: prompts with their
// versions, subscriptions, keys that were rotated away, and an audit trail. A
// database that has them stays as it is.
func furnish(ctx context.Context, s *store.Store, w *world, records int) error {
	if names, err := s.Prompts().Names(ctx); err != nil || len(names) > 0 {
		return err
	}
	for _, make := range []func(context.Context, *store.Store) error{w.rotated, w.published, w.subscribed} {
		if err := make(ctx, s); err != nil {
			return err
		}
	}
	return w.trail(ctx, s, max(records/500, 50))
}

// rotated makes the keys that came before those in force.
func (w *world) rotated(ctx context.Context, s *store.Store) error {
	for i, c := range w.keys {
		for n := range rotations {
			end := w.start.AddDate(0, 0, w.days*n/rotations)
			id := fmt.Sprintf("key_%06d%06d", n+1, i)
			k := billing.Key{ID: id, Hash: billing.HashKey("sk-ledger-" + id), Prefix: "sk-led…", Team: c.team, Name: fmt.Sprintf("%s-%d", c.name, n), Created: w.start, Revoked: end, Source: "store"}
			if err := s.Tenants().PutKey(ctx, k); err != nil {
				return err
			}
		}
	}
	return nil
}

const promptText = `---
model: mock/echo
input:
  schema:
    text: string, what is to be %[1]s
    tone?(enum): [plain, friendly, formal]
    limit?: integer
output: {schema: {answer: string, sure: number}}
sluice.summary: Version %[2]d of what makes a text %[1]s
sluice.tags: [text, %[1]s]
sluice.access: %[3]s
---
{{role "system"}}You are careful. %[4]s
{{role "user"}}{{text}}
`

// published makes the prompts that calls name, in versions over the time.
func (w *world) published(ctx context.Context, s *store.Store) error {
	for i := range promptCount {
		what := []string{"short", "polite", "clear", "German"}[i%4]
		access := "any-key"
		if i%6 == 0 {
			access = "subscribed"
		}
		for n := range versions {
			source := fmt.Appendf(nil, promptText, what, n+1, access, strings.Repeat("Say what is known, and what is not. ", 20+n))
			sum := sha256.Sum256(source)
			v := prompts.Version{Name: fmt.Sprintf("prompt-%d", i), Digest: hex.EncodeToString(sum[:]), Source: source, Message: fmt.Sprintf("The %d. try", n+1),
				Author: "ada", Created: w.start.AddDate(0, 0, w.days*n/versions)}
			if _, _, err := s.Prompts().Publish(ctx, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// subscribed has teams apply for the prompts that need it; the last ones wait.
func (w *world) subscribed(ctx context.Context, s *store.Store) error {
	for i := range plansAsked * promptCount / 6 {
		asked := w.start.Add(time.Duration(i) * time.Hour)
		sub := prompts.Subscription{ID: fmt.Sprintf("sub_%012d", i), Prompt: fmt.Sprintf("prompt-%d", i%2*6), Team: fmt.Sprintf("team-%02d", 2+i/2), Status: prompts.SubscriptionPending,
			History: []prompts.SubscriptionStep{{At: asked, By: fmt.Sprintf("key team-%02d/app-0", 2+i/2), Status: prompts.SubscriptionPending, Note: "We would like to write to our customers."}}}
		if i%10 < 8 {
			sub.Status = prompts.SubscriptionApproved
			sub.History = append(sub.History, prompts.SubscriptionStep{At: asked.Add(time.Hour), By: "ada", Status: sub.Status, Note: "Welcome."})
		}
		if err := s.Prompts().Subscribe(ctx, sub); err != nil {
			return err
		}
	}
	return nil
}

// trail makes the records of what was changed, by four people and the file.
func (w *world) trail(ctx context.Context, s *store.Store, n int) error {
	for i := range n {
		r := audit.Record{Time: w.start.Add(time.Duration(float64(i) / float64(n) * float64(w.days) * 24 * float64(time.Hour))),
			Actor: []string{"ada", "grace", "alan", "edsger", "file"}[i%5], Role: "admin", IP: "10.1.2.3", Status: 200, RequestID: callID(i),
			Action: []string{"key.rotate", "team.update", "prompt.publish", "key.create", "sign-in"}[i/3%5]}
		team := fmt.Sprintf("team-%02d", i*13%teams)
		r.Resource = map[string]string{"team.update": "teams/" + team, "prompt.publish": fmt.Sprintf("prompts/prompt-%d", i%promptCount), "sign-in": "console"}[r.Action]
		r.Resource = cmp.Or(r.Resource, "keys/"+w.keys[i*31%keyCount].id)
		if r.Action != "sign-in" {
			r.Before, r.After = state(team, i), state(team, i+1)
		}
		open, err := s.Audit().Open(ctx, r)
		if err != nil {
			return err
		}
		if _, err := s.Audit().Append(ctx, open, r); err != nil {
			return err
		}
	}
	return nil
}

// state is what a record keeps of before and after.
func state(team string, i int) json.RawMessage {
	return fmt.Appendf(nil, `{"name":%q,"models":["model-%02d","model-%02d"],"limits":{"rpm":%d,"tpm":%d},"budget":[{"usd":%d,"per":"month","hard":true}]}`,
		team, i%models, (i+1)%models, 60*(1+i%10), 10_000*(1+i%10), 100*(1+i%50))
}

// company is what the configuration of a company has beside its teams, so that
// every page has something to show.
func company() string {
	var b strings.Builder
	b.WriteString("providers:\n")
	for _, name := range providers {
		fmt.Fprintf(&b, "  %s: {kind: mock, prices: {\"*\": {input: 1, output: 2}}}\n", name)
	}
	b.WriteString("guards:\n  pii: {on: [request, response], mask: [email, phone]}\n  secrets: {on: [request], deny: [secret], dry_run: true}\nmodels:\n")
	for i := range models {
		fmt.Fprintf(&b, "  model-%02d: {targets: [{model: %s/lorem-%d}, {model: %s/lorem-%d}], cache: {ttl: 10m}, guard: [pii]}\n",
			i, providers[i%5], i+1, providers[(i+1)%5], i+1)
	}
	b.WriteString("alerts:\n  rules:\n    failing: {threshold: {figure: failure_share, above: 0.05, over: 5m}, each: model}\n    slo: {burn_rate: {objective: 0.999}}\n    budgets: {budget: {used: 0.9}}\nroutes:\n")
	for i := range 40 {
		fmt.Fprintf(&b, "  - {name: api-%d, match: {path: \"/api-%d/**\"}, auth: {require: [key]}, limits: {rate: 100/1m}, backend: {static: {status: 200, body: hello}}}\n", i, i)
	}
	return b.String()
}
