package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"sluice/billing"
	"sluice/gateway"
	"sluice/gateway/admin"
	"sluice/gateway/audit"
	"sluice/gateway/cache"
	"sluice/gateway/console"
	"sluice/providers/schema"
	"sluice/router"
)

// adminPlane makes the server of the admin listener, and the link that opens
// the console once without a token.
func (s *server) adminPlane(addr string) (*http.Server, string, error) {
	token, err := s.adminToken()
	if err != nil {
		return nil, "", err
	}
	tokens := func() []admin.Token {
		first := admin.NewToken(token, admin.RoleAdmin, "")
		first.Name = "admin.token"
		list := []admin.Token{first}
		for i, t := range s.build.view().cfg.Admin.Tokens {
			one := admin.NewToken(t.Value.Reveal(), admin.Role(t.Role), t.Team)
			one.Name = cmp.Or(t.Name, fmt.Sprintf("admin.tokens[%d]", i))
			list = append(list, one)
		}
		return list
	}
	var pages *console.Console
	o := admin.Options{
		Tokens: tokens, View: s.adminView,
		Tenants: s.store.Tenants(), Ledger: s.store.Ledger(), Prices: s.store.Prices(),
		PromptOptions: admin.PromptOptions{Prompts: s.store.Prompts(), Splits: s.store.Prompts(), SplitReport: s.prompts.SplitReport, Subscriptions: s.store.Prompts(), LabelMoves: s.store.Prompts().Moves,
			Publish: s.publish, Review: s.review, Test: s.testPrompt, Live: s.livePrompt},
		Changed: s.changed, Reload: s.reload, Flush: s.flush, Correct: s.correct, Erase: s.erase,
		SetBreaker: s.setBreaker, Explain: admin.Explain{Model: s.explain, Path: s.explainRoute}, Health: s.health,
		RouteOptions: admin.RouteOptions{Recent: func(id string) []byte { return s.gateway.Recent(id) }, RouteVersions: s.build.uses.Sum},
		Alerts:       s.alerts, Configuration: s.configuration(),
		Cache: admin.Cache{Figures: func() cache.Figures { return s.gateway.CacheFigures() }, Purge: s.purge, Routes: s.build.kept, Shared: s.build.shared, Events: s.build.purges},
		Console: func(api http.Handler) http.Handler {
			s.openPortal(api)
			pages = console.New(console.Options{Tokens: tokens, DataURL: s.dataURL(s.started.Server.Listen), DataTLS: s.encryption.trust(),
				Face: console.Face{API: api, OIDC: s.signOn, Version: version, Trail: s.trail, ClientIP: s.adminClient, Location: s.location, Log: s.log}})
			return pages
		},
		Trail: s.trail, ClientIP: s.adminClient, Location: s.location, Log: s.log,
	}
	if s.started.Telemetry.Metrics {
		o.Metrics = s.metrics.Handler()
	}
	plane := &http.Server{Handler: admin.New(o), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	return plane, schemeOf(s.started.Admin.TLS) + addr + pages.OneTimeLink(), nil
}

// adminClient is where a request to the admin plane comes from.
func (s *server) adminClient(r *http.Request) string {
	return audit.ClientIP(r, s.build.view().cfg.Server.Trusted)
}

// signOn is whom people sign in to the console with; nil: nobody.
func (s *server) signOn() *console.OIDC {
	c := s.build.view().cfg.Admin.OIDC
	if c == nil || c.Issuer == "" {
		return nil
	}
	o := signOnOf(&c.OIDC)
	o.GroupsClaim, o.Roles = c.RolesClaim, map[admin.Role][]string{}
	for role, groups := range c.Roles {
		o.Roles[admin.Role(role)] = groups
	}
	return o
}

// flushTime is how long a page waits for usage that is on its way to the store,
// downTime where that is known to take none.
const (
	flushTime = 5 * time.Second
	downTime  = 250 * time.Millisecond
)

// flush brings the spool into the store, so that figures hold every call that
// has ended; a store that takes nothing makes no page wait for ever.
func (s *server) flush(ctx context.Context) error {
	limit := flushTime
	if s.spool.StoreTrouble() != nil {
		limit = downTime
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return s.spool.Flush(ctx)
}

func (s *server) location() *time.Location { return s.started.Billing.TimeZone }

// adminView is what the admin plane shows: the configuration in force and how
// its parts stand now.
func (s *server) adminView() admin.View {
	v, now := s.build.view(), time.Now()
	out := admin.View{Keys: make([]billing.Key, 0, len(v.keys))}
	for _, t := range v.teams {
		if t.Source != sourceBuiltIn {
			out.Teams = append(out.Teams, t)
		}
	}
	for _, k := range v.keys {
		if k.Source != sourceBuiltIn {
			out.Keys = append(out.Keys, k)
		}
	}
	s.build.lastUsed.show(out.Keys)
	out.Budgets = budgetsOf(v, now)
	targets := v.registry.Targets(now)
	for _, p := range v.providers {
		out.Providers = append(out.Providers, v.providerShown(p, targets, now))
	}
	out.Models = modelsShown(v, now)
	out.Guards, out.Plans, out.ProtectedLabels = guardsShown(v), sortedKeys(v.cfg.Plans), v.cfg.Prompts.Protected
	out.Routes = routesShown(v, now)
	out.Prompts = s.promptsShown()
	return out
}

// providerShown is a provider with its keys and those of all targets that are
// its own, as they stand now.
func (v *view) providerShown(p *gateway.Provider, all []router.TargetStatus, now time.Time) admin.Provider {
	out := admin.Provider{Name: p.Name, Kind: p.Kind, BaseURL: p.BaseURL, Health: p.Health.Status(),
		Keys: v.registry.Secrets(p.Name, now), Limits: p.Limits.OwnLimits()}
	for i, k := range p.Pool.Secrets() {
		if o, ok := k.Payload.(*billing.Owner); ok {
			out.Keys[i].Limits = o.OwnLimits()
		}
	}
	for _, t := range all {
		if provider, _, _ := strings.Cut(t.ID, "/"); provider == p.Name {
			if out.Health != nil {
				t.Health = out.Health.State
			}
			out.Targets = append(out.Targets, t)
		}
	}
	return out
}

// promptsShown are the prompts that are served.
func (s *server) promptsShown() (out []admin.Prompt) {
	set := s.prompts.Snapshot()
	for _, p := range set.All() {
		source := "store"
		if p.FromFile {
			source = "file"
		}
		out = append(out, admin.Prompt{Name: p.Name, Path: p.Path, Summary: p.Template.Sluice.Summary,
			Model: p.Template.Model, Access: string(p.Template.Sluice.Access), Team: p.Template.Sluice.Team, Version: p.Version,
			Labels: set.Labels(p.Name), Split: set.Split(p.Name), Source: source})
	}
	return out
}

// modelsShown are the models under models:.
func modelsShown(v *view, now time.Time) []admin.Model {
	out := make([]admin.Model, 0, len(v.models))
	for _, m := range v.models {
		am := admin.Model{ID: m.Name, OwnedBy: "sluice", Balance: string(m.Route.Balance), Limits: m.Limits.OwnLimits(), Queue: m.Route.Queue.Status()}
		if m.Shadow != nil {
			am.Shadow = &admin.Shadow{Model: m.Shadow.Model, Share: m.Shadow.Share}
		}
		for _, t := range m.Targets {
			am.Targets = append(am.Targets, t.Name)
			p := t.PricesAt(now)
			if p == nil {
				am.Unpriced = true
				continue
			}
			am.Prices = append(am.Prices, admin.Priced{Target: t.Name, Input: p.Cost(schema.Usage{Input: 1000}) * 1000,
				Output: p.Cost(schema.Usage{Output: 1000}) * 1000, Source: p.Source, Version: p.Version})
		}
		out = append(out, am)
	}
	return out
}

func (s *server) setBreaker(target string, mode router.Mode) error {
	return s.build.view().registry.SetBreaker(target, mode, time.Now())
}

func (s *server) explain(model string) (router.Explanation, error) {
	snap := s.gateway.Snapshot()
	m, err := snap.Resolve(model)
	if err != nil {
		return router.Explanation{}, err
	}
	return snap.Explain(m, time.Now()), nil
}

func (s *server) health() admin.Health {
	host, _ := os.Hostname()
	h := admin.Health{Status: "ok", Replicas: []admin.Replica{{Name: host, Version: version, Revision: s.build.view().revision,
		Started: s.begun, SpoolRecords: s.spool.Pending(), Reasons: s.gateway.NotReady(), Warnings: s.gateway.Warnings()}}}
	if s.build.news != nil {
		f := s.build.news.Figures()
		h.Replicas[0].News = &f
	}
	if r := &h.Replicas[0]; len(r.Reasons)+len(r.Warnings) > 0 {
		h.Status = "degraded"
	}
	return h
}
