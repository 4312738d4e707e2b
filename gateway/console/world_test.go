package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"sluice/billing"
	"sluice/gateway/admin"
	"sluice/gateway/alert"
	"sluice/gateway/audit"
	"sluice/gateway/cache"
	"sluice/gateway/httpcache"
	"sluice/gateway/purge"
	"sluice/gateway/shared"
	"sluice/prompts"
	"sluice/router"
)

// world is what the console looks at.
type world struct {
	versionUses     []billing.VersionUse
	versionsSince   time.Time
	billing.Ledger  // what is not written here is not asked
	billing.Tenants // likewise
	prices          []billing.SetPrice
	purged          []shared.Purge
	breaker         string
	labels          map[string]int
	split           map[int]int
	published       admin.Publication
	dataURL         string
	now             time.Time
	tokens          []admin.Token
	view            admin.View
	rows            map[string][]billing.Row // by the dimension asked for
	total           billing.Sums
	health          admin.Health
	reloadErr       error
	err             error
	asked           []billing.Query
	entries         []billing.Entry
	listed          billing.RequestQuery
	applied         []admin.ConfigEdit
	late            []string // keys that only a start takes in
	lead            string   // of the configuration; empty: store
	trail           trailStore
	subs            subscriptions
	next            string // cursor of lists; empty: as there are entries
}

func (w *world) Usage(_ context.Context, q billing.Query) (*billing.Report, error) {
	w.asked = append(w.asked, q)
	r := &billing.Report{GroupBy: q.GroupBy, Total: w.total}
	if len(q.GroupBy) > 0 {
		for _, row := range w.rows[strings.Join(q.GroupBy, ",")] {
			if q.Teams == nil || slices.Contains(q.Teams, row.Values[slices.Index(q.GroupBy, "team")]) {
				r.Rows = append(r.Rows, row)
			}
		}
	}
	if len(q.GroupBy) == 0 && !q.To.IsZero() && w.total.Calls > 0 { // the span before
		r.Total = billing.Sums{Calls: w.total.Calls / 50, USD: w.total.USD}
	}
	return r, w.err
}

func (w *world) Requests(_ context.Context, q billing.RequestQuery) ([]billing.Entry, string, error) {
	w.listed = q
	next := ""
	if q.After == "" && len(w.entries) > 0 {
		next = "cursor"
	}
	next = cmp.Or(w.next, next)
	return w.entries, next, w.err
}

func (w *world) Request(_ context.Context, id string) (*billing.Entry, error) {
	for i := range w.entries {
		if w.entries[i].Call == id {
			return &w.entries[i], nil
		}
	}
	return nil, billing.ErrNotFound
}

func (w *world) Account(ctx context.Context, id string) (*billing.Account, error) {
	e, err := w.Request(ctx, id)
	if err != nil {
		return nil, err
	}
	return &billing.Account{Call: *e}, nil
}

func (w *world) CorrectionsIn(context.Context, billing.Query) ([]billing.Entry, error) {
	return nil, w.err
}

func (w *world) Verify(context.Context) (int64, []string, error) { return 1230, nil, w.err }

func (w *world) PutTeam(_ context.Context, t billing.Team) error {
	_ = w.DeleteTeam(context.Background(), t.Name)
	w.view.Teams = append(w.view.Teams, t)
	return w.err
}

func (w *world) DeleteTeam(_ context.Context, name string) error {
	w.view.Teams = slices.DeleteFunc(slices.Clone(w.view.Teams), func(t billing.Team) bool { return t.Name == name })
	return w.err
}

func (w *world) PutKey(_ context.Context, k billing.Key) error {
	w.view.Keys = append(slices.DeleteFunc(slices.Clone(w.view.Keys), func(other billing.Key) bool { return other.ID == k.ID }), k)
	return w.err
}

func newWorld() *world {
	row := func(name string, calls int64, usd billing.Nano) billing.Row {
		return billing.Row{Values: []string{name}, Sums: billing.Sums{Calls: calls, USD: usd}}
	}
	now := time.Date(2026, 11, 24, 13, 45, 30, 0, time.UTC)
	runsOut := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	failed := billing.Row{Values: []string{"fast", "502"}, Sums: billing.Sums{Calls: 4, Errors: 4}}
	return &world{
		labels: map[string]int{"production": 3},
		health: admin.Health{Status: "degraded", Replicas: []admin.Replica{{Name: "a", Warnings: []string{"disk is nearly full"}}}},
		now:    now,
		tokens: []admin.Token{admin.NewToken("secret", admin.RoleAdmin, ""), admin.NewToken("mine", admin.RoleTeamOwner, "research")},
		entries: []billing.Entry{
			{Call: "c1", RequestID: "c1", Time: now.Add(-time.Minute), Team: "research", KeyID: "key_r", Key: "research/ci", Model: "fast", Target: "openai/o3", Status: 502,
				Code: "upstream_error", Origin: "provider", Latency: 900 * time.Millisecond, Delivered: -1, Tags: []string{"nightly"},
				Attempts: []billing.AttemptLog{{Target: "openai/gpt-4o", Status: 503, Code: "overloaded", LatencyMS: 300}, {Target: "openai/o3", Status: 500, Code: "upstream_error", LatencyMS: 500}}},
			{Call: "c2", RequestID: "c2", Time: now.Add(-time.Hour), Team: "sales", KeyID: "key_s", Key: "sales/crm", Model: "fast", Target: "openai/gpt-4o", Status: 200,
				Latency: 400 * time.Millisecond, TTFT: 100 * time.Millisecond, Stream: true, Cost: billing.Dollar / 4, Delivered: -1,
				Guards:   `[{"guard":"pii","stage":"request","action":"mask","kinds":"email","count":2,"dry_run":true}]`,
				Attempts: []billing.AttemptLog{{Target: "openai/gpt-4o", Status: 200, LatencyMS: 390}}},
		},
		view: admin.View{
			Teams: []billing.Team{
				{Name: "engineering", Source: "file"},
				{Name: "research", Parent: "engineering", Source: "store", Models: []string{"fast"}, Limits: billing.Limits{RPM: 60, TPD: 5000},
					Budgets: billing.Budgets{{USD: 100 * billing.Dollar, Per: "month", Hard: true}, {Tokens: 1000, Per: "day"}}},
				{Name: "sales", Source: "store"},
			},
			Keys: []billing.Key{
				{ID: "key_r", Team: "research", Name: "ci", Prefix: "sk-sl-research", Hash: billing.HashKey("r"), Source: "store"},
				{ID: "key_s", Team: "sales", Name: "crm", Prefix: "sk-sl-sales", Hash: billing.HashKey("s"), Source: "file"},
			},
			Budgets: []billing.BudgetStatus{
				{Owner: billing.OwnerName{Team: "research"}, Budget: billing.Budget{USD: 100 * billing.Dollar, Per: "month", Hard: true}, Limit: int64(100 * billing.Dollar), Spent: int64(83 * billing.Dollar), Resets: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), RunsOut: &runsOut},
				{Owner: billing.OwnerName{Key: "sales/crm"}, Budget: billing.Budget{USD: billing.Dollar, Per: "total"}, Limit: int64(billing.Dollar), Spent: int64(2 * billing.Dollar)},
			},
			Providers: []admin.Provider{
				{Name: "openai", Kind: "openai", Targets: []router.TargetStatus{{ID: "openai/gpt-4o", State: "closed"}, {ID: "openai/o3", State: "open", Elsewhere: true}}, Keys: []router.SecretStatus{{State: "ready"}}},
				{Name: "mock", Kind: "mock"},
			},
			Prompts: []admin.Prompt{{Name: "sentiment", Path: "/sentiment", Version: 3, Model: "fast", Summary: "Tell how a customer feels"}},
			Models: []admin.Model{{ID: "fast", Balance: "ordered", Targets: []string{"openai/gpt-4o"}, Prices: []admin.Priced{{Target: "openai/gpt-4o", Input: 2 * billing.Dollar, Output: 8 * billing.Dollar, Source: "catalogue"}}},
				{ID: "odd", Targets: []string{"lab/x"}, Unpriced: true}},
			Routes: []admin.Route{{Name: "orders", Order: 1, Match: admin.RouteMatch{Path: "/orders/**", Methods: []string{"GET"}}, Backend: "http", Targets: []admin.RouteTarget{{URL: "http://10.0.0.1:9001", Weight: 2}}, Limits: &admin.RouteLimits{Rate: "100/1m", Per: "key"}}},
			Guards: []admin.Guard{{Name: "pii", On: []string{"request"}, Mask: []string{"email"}, DryRun: true, Models: []string{"fast"}, Checked: 90, Masked: 7}},
		},
		rows: map[string][]billing.Row{
			"team":    {row("research", 1200, 83*billing.Dollar), row("sales", 30, 2*billing.Dollar)},
			"model":   {row("fast", 900, 40*billing.Dollar), row("", 3, 0)},
			"prompt":  {row("sentiment", 77, billing.Dollar/2)},
			"key":     {row("research/ci", 1200, 83*billing.Dollar)},
			"hour":    {row("2026-11-24T13:00:00Z", 50, billing.Dollar), row("2026-11-24T02:00:00Z", 25, billing.Dollar/4), row("2026-11-23T12:00:00Z", 1, billing.Dollar/100)},
			"target":  {row("openai/gpt-4o", 900, 40*billing.Dollar)},
			"version": {row("3", 70, billing.Dollar/2)},
			"team,model": {{Values: []string{"research", "fast"}, Sums: billing.Sums{Calls: 5, USD: 3 * billing.Dollar}},
				{Values: []string{"research", "smart"}, Sums: billing.Sums{Calls: 1, USD: billing.Dollar}}, {Values: []string{"sales", "fast"}, Sums: billing.Sums{Calls: 2, USD: 81 * billing.Dollar}}},
			"model,status": {failed, {Values: []string{"fast", "200"}, Sums: billing.Sums{Calls: 900}}},
		},
		total: billing.Sums{Calls: 1230, Errors: 4, Refused: 9, InputTokens: 1_234_567, OutputTokens: 88_000, USD: 85 * billing.Dollar, LatencyP50MS: 250, LatencyP95MS: 900},
	}
}

func (w *world) console() *Console {
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	var c *Console
	trail := &audit.Trail{Store: &w.trail, Now: func() time.Time { return w.now }, Log: quiet}
	alerts := alert.New(alert.Source{Budgets: func(time.Time) []billing.BudgetStatus { return w.view.Budgets }}, alert.Shelf{}, quiet)
	alerts.Set([]alert.Rule{{Name: "half-spent", Kind: "budget", Severity: "critical", Condition: &alert.Budget{Used: 0.5}}}, nil)
	alerts.Tick(context.Background(), w.now)
	admin.New(admin.Options{Configuration: w.configuration(), Trail: trail, Alerts: alerts, Tokens: func() []admin.Token { return w.tokens }, View: func() admin.View { return w.view }, Ledger: w, Tenants: w,
		Changed: func(context.Context) error { return nil }, Explain: admin.Explain{Model: w.explain}, Prices: priceStore{w}, PromptOptions: admin.PromptOptions{Prompts: promptStore{w}, Subscriptions: &w.subs, Splits: promptStore{w}, Live: w.live, Publish: w.publish, Test: w.test}, SetBreaker: func(target string, m router.Mode) error { w.breaker = target + " " + fmt.Sprint(m); return nil },
		Cache: admin.Cache{Figures: func() cache.Figures {
			return cache.Figures{Entries: 3, Results: cache.Results{Hits: 1, Misses: 2, SavedUSD: billing.Dollar}, Models: []cache.ModelFigures{{Model: "fast", Entries: 3}}}
		}, Purge: func(_ context.Context, p shared.Purge) admin.Purged {
			w.purged = append(w.purged, p)
			return admin.Purged{Purged: 2}
		}, Routes: httpcache.New(1 << 20), Shared: shared.New(shared.Options{}), Events: purge.New(purge.Options{NATS: &purge.NATS{}, Log: quiet})},
		Reload: func(context.Context) error { return w.reloadErr },
		Flush:  func(context.Context) error { return nil }, Now: func() time.Time { return w.now }, Log: quiet,
		Health: func() admin.Health { return w.health },
		RouteOptions: admin.RouteOptions{RouteVersions: func(_ context.Context, q billing.VersionQuery) ([]billing.VersionUse, error) {
			w.versionsSince = q.From
			return w.versionUses, w.err
		}},
		Console: func(api http.Handler) http.Handler {
			c = New(Options{Face: Face{API: api, Trail: trail, Version: "1.2.3", Now: func() time.Time { return w.now }, Log: quiet},
				Tokens: func() []admin.Token { return w.tokens }, DataURL: cmp.Or(w.dataURL, "http://127.0.0.1:8080")})
			return c
		}})
	return c
}

func (w *world) explain(model string) (router.Explanation, error) {
	return router.Explanation{Candidates: []router.Weighed{{Target: "openai/" + model, Score: 1, State: "ready", Why: "first in order"}}}, nil
}

// priceStore is the world's prices.
type priceStore struct{ w *world }

func (p priceStore) SetPrice(_ context.Context, one billing.SetPrice) (int64, error) {
	p.w.prices = append(p.w.prices, one)
	return int64(len(p.w.prices)), p.w.err
}

func (p priceStore) SetPrices(context.Context) ([]billing.SetPrice, error) {
	return p.w.prices, p.w.err
}

// promptStore is the world's versions of prompts: three of sentiment.
type promptStore struct{ w *world }

const promptText = "---\nmodel: fast\ninput: {schema: {text: string}}\n---\n%s {{text}}\n"

func (p promptStore) Publish(context.Context, prompts.Version) (int, bool, error) {
	return 0, false, p.w.err
}

func (p promptStore) Versions(_ context.Context, name string) ([]prompts.Version, error) {
	if name != "sentiment" {
		return nil, nil
	}
	var out []prompts.Version
	for n := 1; n <= 3; n++ {
		out = append(out, prompts.Version{Name: name, N: n, Source: fmt.Appendf(nil, promptText, "version "+fmt.Sprint(n)), Created: p.w.now, Message: "message " + fmt.Sprint(n)})
	}
	return out, p.w.err
}

func (p promptStore) Labels(context.Context, string) (map[string]int, error) {
	return p.w.labels, p.w.err
}

func (p promptStore) MoveLabel(_ context.Context, _ string, m prompts.LabelMove) error {
	p.w.labels[m.Label] = m.To
	return p.w.err
}

func (p promptStore) Names(context.Context) ([]string, error) { return []string{"sentiment"}, p.w.err }

func (p promptStore) SetSplit(_ context.Context, _ string, shares map[int]int) error {
	p.w.split = shares
	return p.w.err
}

func (w *world) live(ctx context.Context, name string, n int, _ string) (*prompts.Live, error) {
	all, err := promptStore{w}.Versions(ctx, name)
	n = cmp.Or(n, 3)
	if err != nil || n > len(all) {
		return nil, prompts.ErrNoVersion
	}
	t, faults := prompts.Parse(name, all[n-1].Source, prompts.ParseOptions{})
	if len(faults) > 0 {
		return nil, faults
	}
	return &prompts.Live{Name: name, Version: n, Template: t, Source: all[n-1].Source}, nil
}

func (w *world) publish(_ context.Context, p admin.Publication) (int, bool, error) {
	w.published = p
	_, faults := prompts.Parse(p.Name, p.Source, prompts.ParseOptions{})
	if len(faults) > 0 {
		return 0, false, faults
	}
	return 4, true, nil
}

func (w *world) test(_ context.Context, p admin.Publication, model string) ([]prompts.TestResult, error) {
	_, faults := prompts.Parse(p.Name, p.Source, prompts.ParseOptions{})
	if len(faults) > 0 {
		return nil, faults
	}
	if model == "gone" {
		return nil, errors.New("no such model")
	}
	return []prompts.TestResult{{Test: "happy", Model: cmp.Or(model, "fast"), Failures: []prompts.Failure{{Expect: "contains", Message: "love is missing"}}}}, nil
}
