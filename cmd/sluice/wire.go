package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"sluice/billing"
	"sluice/billing/lease"
	"sluice/cmd/sluice/config"
	"sluice/gateway"
	"sluice/gateway/cache"
	"sluice/gateway/guard"
	"sluice/gateway/httpcache"
	"sluice/gateway/proxy"
	"sluice/gateway/purge"
	"sluice/gateway/shared"
	"sluice/prompts"
	"sluice/router"
)

// builder turns a configuration into what the gateway serves from. It keeps,
// over reloads, what must outlive one: upstream connections, breakers,
// cool-downs.
type builder struct {
	lastUsed lastUsed // of keys
	clients  map[string]cachedClient
	registry *router.Registry
	checks   router.Checks
	figures  map[string]*guard.Figures // of guards, by name
	standing standingRoutes
	kept     *httpcache.Store     // answers of routes
	uses     *billing.VersionUses // of routes
	purges   *purge.Listener      // nil: no other system is listened to
	shared   *shared.Level        // of all kept answers; nil: replicas share none
	news     *shared.News         // of what is out; nil: replicas tell each other nothing
	lender   *shared.Lender       // and of what follows
	leases   *lease.Broker        // of limits and hard budgets; nil: replicas share none
	current  atomic.Pointer[view]
}

// view is the configuration in force; before the first snapshot it is empty.
func (b *builder) view() *view {
	if v := b.current.Load(); v != nil {
		return v
	}
	return &view{}
}

// view is what the admin plane shows of the configuration in force.
type view struct {
	cfg           *config.Config
	teams         []billing.Team
	keys          []billing.Key
	owners        *billing.Owners
	subscriptions []prompts.Subscription
	providers     []*gateway.Provider
	models        []*gateway.Model
	guards        map[string]*guard.Guard
	registry      *router.Registry
	routes        *proxy.Tree
	discovered    map[string]*discovered  // by route
	drifting      map[string]*proxy.Drift // by route
	set           int                     // prices that were set so far: none is ever changed
	revision      string                  // digest of the configuration and of what the store adds
}

// snapshot builds everything new and changes nothing that is in force; what
// it returns is put in force by the caller.
func (b *builder) snapshot(ctx context.Context, s *server, cfg *config.Config) (*gateway.Snapshot, error) {
	v := &view{cfg: cfg, registry: router.NewWatchedRegistry(b.registry, s.standing)}
	var err error
	if v.teams, v.keys, err = tenants(ctx, s, cfg); err != nil {
		return nil, err
	}
	set, err := s.store.Prices().SetPrices(ctx)
	if err != nil {
		return nil, err
	}
	v.set = len(set)
	if v.providers, err = b.providers(s, cfg, v.registry, set); err != nil {
		return nil, err
	}
	if v.models, err = buildModels(cfg, v.providers, v.registry); err != nil {
		return nil, err
	}
	if v.subscriptions, err = s.store.Prompts().Subscriptions(ctx); err != nil {
		return nil, err
	}
	if v.owners, err = s.book.Rebuild(withPlans(cfg, v.teams, v.subscriptions), v.keys); err != nil {
		return nil, err
	}
	if err := s.restore(ctx); err != nil {
		return nil, err
	}
	s.warnings.SetWebhook(webhookOf(cfg.Billing.Webhook))
	giveLimits(v)
	if err := b.giveGuards(v); err != nil {
		return nil, err
	}
	callers, err := callersOf(cfg, v)
	if err != nil {
		return nil, err
	}
	var keep standingRoutes
	if v.routes, keep, err = b.routes(s, cfg, v.registry); err != nil {
		return nil, err
	}
	v.discovered, v.drifting = keep.discovered, keep.drifting
	v.revision = revisionOf(v)
	b.registry = v.registry
	b.keepFigures(v)
	b.keepRoutes(keep)
	b.current.Store(v)
	b.checks.Follow(v.registry)
	return gateway.NewSnapshot(gateway.Parts{
		Salt: s.store.Tenants().Salt(),
		Settings: gateway.Settings{
			BodyLimit: int64(cfg.Server.BodyLimit), TrustedProxies: cfg.Server.Trusted,
			HoldTokens: cfg.Billing.HoldTokens, Unpriced: billing.UnpricedPolicy(cfg.Billing.Unpriced),
			Leaving: *leavingOf(cfg.Billing.OnDisconnect), WhenSpent: *whenSpentOf(cfg.Billing.WhenSpent), Location: s.started.Billing.TimeZone, // the budgets' too
			Defaults: cfg.Defaults.ByName(), PeerConnections: cfg.Server.Connections, BodyRate: int64(cfg.Server.BodyRate),
			Guesses: keep.guesses[guessesKey("", cfg.Server.Failures)], Capture: captureOf(cfg), Answers: answersOf(cfg),
		},
		Owners: v.owners, Callers: callers, Models: v.models, Providers: v.providers,
		Bare: bareNames(v.providers), List: listModels(v.models, v.providers), Registry: v.registry, Routes: v.routes,
	}), nil
}

func webhookOf(h *config.Webhook) *billing.Webhook {
	if h == nil {
		return nil
	}
	return &billing.Webhook{URL: h.URL, Secret: h.Secret.Reveal()}
}

// restore fills the budgets, and the limits of a day, that are new with what
// the ledger says, once all of it is there. Without a new one the ledger may be
// down: a change must not wait for it.
func (s *server) restore(ctx context.Context) error {
	if s.book.Restored() && s.book.LimitsRestored() {
		return nil
	}
	told := time.AfterFunc(2*time.Second, func() {
		s.log.Warn("budgets wait for the store to take what is in the usage spool, and with them what is new in the configuration, or the start",
			"records", s.spool.Pending())
	})
	defer told.Stop()
	if err := s.spool.Flush(ctx); err != nil {
		return fmt.Errorf("cannot bring the usage spool into the store: %w", err)
	}
	if err := s.book.Restore(ctx, s.store.Ledger()); err != nil {
		return fmt.Errorf("cannot read what was spent: %w", err)
	}
	if err := s.book.RestoreLimits(ctx, s.store.Ledger()); err != nil {
		return fmt.Errorf("cannot read what was used of limits: %w", err)
	}
	return nil
}

// publicName is the team, and the key, of those who call public prompts
// without a key. A team of that name may be declared, with limits and a budget.
const publicName = "public"

// sourceBuiltIn marks the team and key that nobody declared.
const sourceBuiltIn = "built-in"

// revisionOf tells two states of the configuration apart.
func revisionOf(v *view) string {
	h := sha256.New()
	fmt.Fprintln(h, v.cfg, v.set, v.subscriptions)
	for _, t := range v.teams {
		fmt.Fprintf(h, "%+v %s\n", t, budgetsJSON(t.Budgets))
	}
	for _, k := range v.keys {
		k.LastUsed = time.Time{}
		fmt.Fprintf(h, "%+v %s\n", k, budgetsJSON(k.Budgets))
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// budgetsJSON tells all of the budgets, whatever they point to.
func budgetsJSON(l billing.Budgets) []byte {
	b, _ := json.Marshal(l) // nothing in it can fail
	return b
}

// tenants are the teams and keys of the file and of the store; a name that
// both have is the file's.
func tenants(ctx context.Context, s *server, cfg *config.Config) ([]billing.Team, []billing.Key, error) {
	var teams []billing.Team
	var keys []billing.Key
	for _, name := range sortedKeys(cfg.Teams) {
		t := cfg.Teams[name]
		teams = append(teams, billing.Team{Name: name, Parent: t.Parent, Models: t.Models, Limits: t.Limits, Weight: t.Weight,
			Budgets: t.Budget, Users: t.Users, Tags: t.Tags, Source: "file"})
		for _, k := range t.Keys {
			keys = append(keys, fileKey(name, k))
		}
	}
	stored, err := s.store.Tenants().Teams(ctx)
	if err != nil {
		return nil, nil, err
	}
	names := make(map[string]string, len(teams)) // each is kept once, not with each key
	for _, t := range teams {
		names[t.Name] = t.Name
	}
	for _, t := range stored {
		if names[t.Name] == "" {
			teams = append(teams, t)
			names[t.Name] = t.Name
		}
	}
	storedKeys, err := s.store.Tenants().Keys(ctx)
	if err != nil {
		return nil, nil, err
	}
	keys = slices.Grow(keys, len(storedKeys)+3) // there may be many, which stay
	for _, k := range storedKeys {
		team := names[k.Team]
		if team == "" {
			s.log.Warn("a stored key's team is gone: the key is not in force", "key", k.ID, "team", k.Team)
			continue
		}
		k.Team = team
		keys = append(keys, k)
	}
	for _, k := range builtInKeys(cfg) {
		keys = append(keys, k)
		if names[k.Team] == "" {
			teams = append(teams, billing.Team{Name: k.Team, Source: sourceBuiltIn})
		}
	}
	for _, p := range s.prompts.Snapshot().All() {
		if l := p.Template.Sluice.Limits; l != (prompts.Limits{}) {
			teams = append(teams, billing.Team{Name: gateway.PromptOwner(p.Name), Source: sourceBuiltIn,
				Limits: billing.Limits(l)})
		}
	}
	teams = append(teams, limitedTeams(cfg)...)
	return teams, keys, nil
}

// builtInKeys are those of calls that nobody makes with a key: each has a team
// of its own, which may be declared, with limits and a budget.
func builtInKeys(cfg *config.Config) []billing.Key {
	keys := []billing.Key{{ID: publicName, Team: publicName, Name: "anonymous", Source: sourceBuiltIn},
		{ID: gateway.TesterID, Team: gateway.TesterID, Name: "prompts", Source: sourceBuiltIn}}
	for _, m := range cfg.Models {
		if m.Shadow != nil {
			return append(keys, billing.Key{ID: billing.ShadowTeam, Team: billing.ShadowTeam, Name: "mirror", Source: sourceBuiltIn})
		}
	}
	return keys
}

// fileKey is a key that the file declares. Its id comes from its name, so that
// what it spent stays with it when its value is changed.
func fileKey(team string, k config.Key) billing.Key {
	sum := sha256.Sum256([]byte(team + "/" + k.Name))
	ips := make([]string, len(k.IPs))
	for i, p := range k.IPs {
		ips[i] = p.String()
	}
	hash, prefix := billing.HashKey(k.Value.Reveal()), billing.ShownPrefix(k.Value.Reveal())
	if k.Hash != "" {
		hash, _ = billing.ParseHash(k.Hash) // checked when the file was read
		prefix = billing.HashPrefix(hash)
	}
	return billing.Key{ID: "key_" + hex.EncodeToString(sum[:8]), Hash: hash,
		Prefix: prefix, Team: team, Name: k.Name, Models: k.Models, Prompts: k.Prompts,
		User: k.User, Roles: k.Roles, IPs: ips, Limits: k.Limits, Budgets: k.Budget, Expires: k.Expires, Source: "file"}
}

// buildModels makes the models under models:, their targets and fallbacks.
func buildModels(cfg *config.Config, list []*gateway.Provider, reg *router.Registry) ([]*gateway.Model, error) {
	m := modelBuilder{cfg: cfg, reg: reg, made: map[string]*gateway.Model{}, providers: map[string]*gateway.Provider{}}
	for _, p := range list {
		m.providers[p.Name] = p
	}
	names := sortedKeys(cfg.Models)
	models := make([]*gateway.Model, 0, len(names))
	for _, name := range names {
		model, err := m.model(name)
		if err != nil {
			return nil, fmt.Errorf("models.%s: %w", name, err)
		}
		models = append(models, model)
	}
	return models, nil
}

type modelBuilder struct {
	cfg       *config.Config
	reg       *router.Registry
	providers map[string]*gateway.Provider
	made      map[string]*gateway.Model
}

// model is the model of a name under models:, or of provider/model. Names do
// not go in circles: the configuration is checked for that.
func (m *modelBuilder) model(name string) (*gateway.Model, error) {
	if made := m.made[name]; made != nil {
		return made, nil
	}
	c, declared := m.cfg.Models[name]
	if !declared {
		t, err := m.target(name)
		if err != nil {
			return nil, err
		}
		made := gateway.NewDirectModel(name, t, m.reg)
		m.made[name] = made
		return made, nil
	}
	made := &gateway.Model{Name: name, Refuse: c.Unsupported == "error", Leaving: leavingOf(c.OnDisconnect), Caching: cachingOf(c.Cache), Resume: c.Resume, Route: &router.Route{
		Name: name, Balance: router.Balance(c.Balance),
		Retry: router.Retry{Attempts: int(c.Retry.Attempts), Backoff: c.Retry.Backoff, On: c.Retry.On, Budget: c.Retry.Budget},
	}}
	if s := c.Shadow; s != nil {
		made.Shadow = &gateway.Shadow{Model: s.Model, Share: s.Share, Timeout: s.Timeout}
	}
	if c.Sticky != nil {
		made.Route.Sticky = c.Sticky.By
	}
	if h := c.Hedge; h != nil {
		made.Route.Hedge = router.Hedge{Learned: h.After == config.P95, After: max(time.Duration(h.After), 0), Budget: h.Budget}
	}
	if q := c.Queue; q != nil {
		made.Route.Queue = m.reg.Queue(name, router.QueuePolicy{Size: int(q.Size), Wait: q.Wait})
	}
	for _, t := range c.Targets {
		if err := m.addTarget(made, t, c.Breaker); err != nil {
			return nil, err
		}
	}
	for _, f := range c.Fallback {
		to, err := m.model(f.Model)
		if err != nil {
			return nil, err
		}
		made.Route.Fallback = append(made.Route.Fallback, router.Fallback{Route: to.Route, On: f.On})
		made.Targets = append(made.Targets, to.Targets...)
	}
	if err := made.Route.Prepare(); err != nil {
		return nil, err
	}
	m.made[name] = made
	return made, nil
}

func cachingOf(c *config.Cache) *gateway.Caching {
	if c == nil {
		return nil
	}
	made := &gateway.Caching{TTL: c.TTL, Scope: cache.Scope(c.Scope), Price: billing.PPM(c.Price)}
	if s := c.Semantic; s != nil {
		made.Near = &gateway.Near{Threshold: s.Threshold, Model: s.Model}
	}
	return made
}

// addTarget adds one of a model's targets; a name under models: stands for all
// of that model's own.
func (m *modelBuilder) addTarget(to *gateway.Model, t config.Target, breaker *config.Breaker) error {
	if inner, ok := m.cfg.Models[t.Model]; ok {
		for _, it := range inner.Targets {
			it.Weight *= t.Weight
			if err := m.addTarget(to, it, breaker); err != nil {
				return err
			}
		}
		return nil
	}
	target, err := m.target(t.Model)
	if err != nil {
		return err
	}
	if t.Weight == 0 {
		return nil // drained
	}
	to.Targets = append(to.Targets, target)
	to.Route.Candidates = append(to.Route.Candidates, router.Candidate{
		Target: m.reg.Target(target.Name, breakerOf(breaker)), Weight: int(t.Weight),
		Pool: target.Provider.Pool, Health: target.Provider.Health, Model: target.Model, Payload: target,
	})
	return nil
}

func (m *modelBuilder) target(name string) (*gateway.Target, error) {
	provider, model, _ := strings.Cut(name, "/")
	p := m.providers[provider]
	if p == nil || model == "" {
		return nil, fmt.Errorf("%q is neither a name under models: nor provider/model of an enabled provider", name)
	}
	return gateway.NewTarget(p, model), nil
}

func breakerOf(b *config.Breaker) router.Breaker {
	if b == nil {
		return router.Breaker{}
	}
	return router.Breaker{Failures: int(b.Failures), Ratio: b.Ratio, MinCalls: int(b.MinCalls),
		Within: b.Within, OpenFor: b.OpenFor, Probes: int(b.Probes), Explicit: true}
}

// listModels is what GET /v1/models shows: the names under models:, then what
// each provider is known to have.
func listModels(models []*gateway.Model, list []*gateway.Provider) []gateway.ModelInfo {
	var out []gateway.ModelInfo
	for _, m := range models {
		out = append(out, gateway.ModelInfo{ID: m.Name, OwnedBy: "sluice"})
	}
	for _, p := range list {
		for _, id := range p.Models {
			d := p.Describe(id)
			out = append(out, gateway.ModelInfo{ID: p.Name + "/" + id, OwnedBy: p.Name, Created: d.Created,
				Context: d.Context, MaxOutput: d.MaxOutput})
		}
	}
	return out
}

// bareNames are the model ids that exactly one provider has.
func bareNames(list []*gateway.Provider) map[string]string {
	bare := map[string]string{}
	for _, p := range list {
		for _, id := range p.Models {
			if _, twice := bare[id]; twice {
				bare[id] = ""
				continue
			}
			bare[id] = p.Name + "/" + id
		}
	}
	for id, full := range bare {
		if full == "" {
			delete(bare, id)
		}
	}
	return bare
}

func sortedKeys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
