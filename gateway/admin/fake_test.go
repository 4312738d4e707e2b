package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/billing"
	"sluice/gateway/audit"
	"sluice/gateway/cache"
	"sluice/gateway/shared"
	"sluice/prompts"
	"sluice/router"
)

var testNow = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// world is everything around the admin plane, in memory.
type world struct {
	subs     subscriptions
	teams    map[string]billing.Team
	keys     map[string]billing.Key
	entries  []billing.Entry
	versions map[string][]prompts.Version
	labels   map[string]map[string]int
	targets  []router.TargetStatus
	fileTeam billing.Team
	fileKey  billing.Key
	prices   []billing.SetPrice

	uses          []billing.VersionUse
	askedVersions billing.VersionQuery

	broken    error // what the store answers
	changed   int
	reloadErr error
	asked     billing.Query
	listed    billing.RequestQuery
	accounts  map[string]*billing.Account
	erased    billing.Erasure
	published Publication
	trail     trailStore
	purged    []shared.Purge
	publErr   error
	edit      ConfigEdit
	text      string
	led       error
}

func newWorld() *world {
	return &world{
		teams: map[string]billing.Team{
			"research": {Name: "research", Source: "store", Models: []string{"fast", "claude/*"},
				Budgets: billing.Budgets{{USD: 10 * billing.Dollar, Per: billing.PeriodMonth, Hard: true}}},
			"sales": {Name: "sales", Source: "store"},
		},
		keys: map[string]billing.Key{
			"key_r": {ID: "key_r", Team: "research", Name: "ci", Hash: billing.HashKey("r"), Source: "store"},
			"key_s": {ID: "key_s", Team: "sales", Name: "crm", Hash: billing.HashKey("s"), Source: "store"},
		},
		fileTeam: billing.Team{Name: "ops", Source: "file"},
		fileKey:  billing.Key{ID: "key_f", Team: "ops", Name: "cron", Hash: billing.HashKey("f"), Source: "file"},
		versions: map[string][]prompts.Version{"mood": {
			{Name: "mood", N: 1, Digest: "d1", Source: []byte("one"), Created: testNow},
			{Name: "mood", N: 2, Digest: "d2", Source: []byte("two"), Parent: 1, Created: testNow}}},
		labels:  map[string]map[string]int{"mood": {"production": 2}},
		targets: []router.TargetStatus{{ID: "mock/echo", State: "closed", Mode: "auto"}},
		entries: []billing.Entry{
			{Call: "c1", RequestID: "c1", Time: testNow, Team: "research", KeyID: "key_r", Key: "research/ci", Model: "fast", Status: 200, Delivered: -1, Cost: 250_000_000},
			{Call: "c2", RequestID: "c2", Time: testNow, Team: "sales", KeyID: "key_s", Key: "sales/crm", Model: "fast", Status: 500, Code: "upstream_error", Cost: 0},
		},
	}
}

func (w *world) Teams(context.Context) ([]billing.Team, error) {
	return slices.Collect(maps.Values(w.teams)), w.broken
}

func (w *world) SetPrice(_ context.Context, p billing.SetPrice) (int64, error) {
	p.ID = int64(len(w.prices) + 1)
	w.prices = append(w.prices, p)
	return p.ID, w.broken
}

func (w *world) SetPrices(context.Context) ([]billing.SetPrice, error) { return w.prices, w.broken }

func (w *world) PutTeam(_ context.Context, t billing.Team) error {
	if w.broken == nil {
		w.teams[t.Name] = t
	}
	return w.broken
}

func (w *world) DeleteTeam(_ context.Context, name string) error {
	delete(w.teams, name)
	maps.DeleteFunc(w.keys, func(_ string, k billing.Key) bool { return k.Team == name })
	return w.broken
}

func (w *world) Keys(context.Context) ([]billing.Key, error) {
	return slices.Collect(maps.Values(w.keys)), w.broken
}

func (w *world) PutKey(_ context.Context, k billing.Key) error {
	for _, other := range w.keys {
		if other.ID != k.ID && other.Hash == k.Hash {
			return fmt.Errorf("cannot write key %q: %w", k.ID, billing.ErrConflict)
		}
	}
	if w.broken == nil {
		w.keys[k.ID] = k
	}
	return w.broken
}

func (w *world) TouchKeys(context.Context, map[string]time.Time) error { return nil }

// ledger is the world's ledger: its names would clash with the tenants'.
type ledger struct{ *world }

func (l ledger) Append(context.Context, []billing.Entry) error { return errors.New("not used") }

func (l ledger) Usage(_ context.Context, q billing.Query) (*billing.Report, error) {
	if l.broken != nil {
		return nil, l.broken
	}
	l.asked = q
	r := &billing.Report{From: q.From, To: q.To, GroupBy: q.GroupBy}
	for _, e := range l.entries {
		if q.Team != "" && q.Team != e.Team || q.Teams != nil && !slices.Contains(q.Teams, e.Team) {
			continue
		}
		row := billing.Row{Sums: billing.Sums{Calls: 1, USD: e.Cost}}
		for _, dim := range q.GroupBy {
			row.Values = append(row.Values, map[string]string{"team": e.Team, "key": e.Key, "model": e.Model}[dim])
		}
		r.Rows = append(r.Rows, row)
		r.Total.Calls++
		r.Total.USD += e.Cost
	}
	return r, nil
}

func (l ledger) Each(_ context.Context, _ billing.Query, f func(*billing.Entry) error) error {
	for i := range l.entries {
		if err := f(&l.entries[i]); err != nil {
			return err
		}
	}
	return l.broken
}

func (l ledger) Account(ctx context.Context, call string) (*billing.Account, error) {
	e, err := l.Request(ctx, call)
	if err != nil {
		return nil, err
	}
	return &billing.Account{Call: *e}, nil
}

func (l ledger) CorrectionsIn(context.Context, billing.Query) ([]billing.Entry, error) {
	return nil, l.broken
}

func (l ledger) Requests(_ context.Context, q billing.RequestQuery) ([]billing.Entry, string, error) {
	l.listed = q
	var out []billing.Entry
	for _, e := range l.entries {
		if q.Team == "" || q.Team == e.Team {
			out = append(out, e)
		}
	}
	if len(out) > q.Limit {
		return out[:q.Limit], "more", l.broken
	}
	return out, "", l.broken
}

func (l ledger) Request(_ context.Context, call string) (*billing.Entry, error) {
	for i := range l.entries {
		if l.entries[i].Call == call {
			return &l.entries[i], nil
		}
	}
	return nil, fmt.Errorf("no call %q: %w", call, billing.ErrNotFound)
}

func (l ledger) Verify(context.Context) (int64, []string, error) {
	return int64(len(l.entries)), nil, l.broken
}

// promptStore is the world's prompt store.
type promptStore struct{ *world }

func (p promptStore) Publish(context.Context, prompts.Version) (int, bool, error) {
	return 0, false, errors.New("not used")
}

func (p promptStore) Versions(_ context.Context, name string) ([]prompts.Version, error) {
	return p.versions[name], p.broken
}

func (p promptStore) Labels(_ context.Context, name string) (map[string]int, error) {
	return p.labels[name], p.broken
}

func (p promptStore) MoveLabel(_ context.Context, name string, m prompts.LabelMove) error {
	p.labels[name][m.Label] = m.To
	if m.To == 0 {
		delete(p.labels[name], m.Label)
	}
	return p.broken
}

func (p promptStore) Names(context.Context) ([]string, error) { return []string{"mood"}, nil }

func (w *world) view() View {
	v := View{
		Teams: append(slices.Collect(maps.Values(w.teams)), w.fileTeam),
		Keys:  append(slices.Collect(maps.Values(w.keys)), w.fileKey),
		Budgets: []billing.BudgetStatus{
			{Owner: billing.OwnerName{Team: "research"}, Budget: billing.Budget{USD: 10 * billing.Dollar, Per: billing.PeriodMonth, Hard: true}, Limit: int64(10 * billing.Dollar), Spent: int64(billing.Dollar), Remaining: int64(9 * billing.Dollar)},
			{Owner: billing.OwnerName{Key: "sales/crm"}, Budget: billing.Budget{USD: billing.Dollar, Per: billing.PeriodDay}, Limit: int64(billing.Dollar)},
		},
		Providers: []Provider{{Name: "mock", Kind: "mock", Targets: slices.Clone(w.targets)}},
		Models:    []Model{{ID: "fast", Targets: []string{"mock/echo"}}, {ID: "slow", Targets: []string{"mock/lorem-9"}}},
		Prompts:   []Prompt{{Name: "mood", Path: "/mood", Version: 2, Source: "store"}},
		Routes: []Route{{Name: "z", Order: 1, Backend: "http", Source: "file", Targets: []RouteTarget{{URL: "http://h", Weight: 2}}},
			{Name: "a", Order: 2, Backend: "static", Source: "file"}},
	}
	return v
}

// The tokens of the tests are the names of the roles.
func (w *world) options() Options {
	return Options{
		Tokens: func() []Token {
			return []Token{NewToken("admin", RoleAdmin, ""), NewToken("operator", RoleOperator, ""),
				NewToken("viewer", RoleViewer, ""), NewToken("team-owner", RoleTeamOwner, "research")}
		},
		View: w.view, Tenants: w, Ledger: ledger{w}, Prices: w,
		PromptOptions: PromptOptions{Prompts: promptStore{w}, Subscriptions: &w.subs, LabelMoves: movesOfLabels,
			Publish: func(_ context.Context, p Publication) (int, bool, error) {
				w.published = p
				return 3, w.publErr == nil, w.publErr
			}},
		Changed: func(context.Context) error { w.changed++; return nil },
		Reload:  func(context.Context) error { return w.reloadErr },
		Flush:   func(context.Context) error { return nil },
		Correct: func(_ context.Context, r billing.CorrectionRequest) (billing.Entry, *billing.Account, bool, error) {
			return w.correct(r)
		},
		Erase: func(_ context.Context, e billing.Erasure) (billing.Erased, error) {
			w.erased = e
			return billing.Erased{Entries: 2, USD: billing.Dollar}, w.broken
		},
		SetBreaker: func(target string, m router.Mode) error {
			w.targets[0].State = map[router.Mode]string{router.ForceOpen: "open", router.ForceClosed: "closed", router.Auto: "closed"}[m]
			return nil
		},
		Cache: Cache{Figures: func() cache.Figures {
			return cache.Figures{Entries: 1, Models: []cache.ModelFigures{{Model: "fast", Entries: 1}}}
		}, Purge: func(_ context.Context, p shared.Purge) Purged {
			w.purged = append(w.purged, p)
			return Purged{Purged: 2}
		}},
		RouteOptions: RouteOptions{RouteVersions: func(_ context.Context, q billing.VersionQuery) ([]billing.VersionUse, error) {
			w.askedVersions = q
			return w.uses, w.broken
		}},
		Explain: Explain{Model: func(model string) (router.Explanation, error) {
			return router.Explanation{Chosen: "mock/" + model}, nil
		}, Path: func(q RouteQuery) (RouteExplanation, error) {
			return RouteExplanation{Path: q.Path, Route: q.Method + " " + q.Host, Backend: "http"}, nil
		}},
		Configuration: w.configuration(),
		Health:        func() Health { return Health{Status: "ok", Replicas: []Replica{{Name: "a", Revision: "r1"}}} },
		Metrics:       http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "sluice_calls_total 1") }),
		Console: func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "console") })
		},
		Trail: &audit.Trail{Store: &w.trail, Now: func() time.Time { return testNow }, Log: slog.New(slog.DiscardHandler)},
		Now:   func() time.Time { return testNow },
		Log:   slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
}

// client speaks to the admin plane of a world.
type client struct {
	t       *testing.T
	handler http.Handler
	token   string
}

func newClient(t *testing.T, w *world, token string) client {
	t.Helper()
	return client{t, New(w.options()), token}
}

func (c client) as(token string) client { return client{c.t, c.handler, token} }

// do sends a request and returns the answer.
func (c client) do(method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	c.handler.ServeHTTP(rec, r)
	return rec
}

// object wants a status and a JSON object.
func (c client) object(status int, method, path, body string) map[string]any {
	c.t.Helper()
	rec := c.do(method, path, body)
	if rec.Code != status {
		c.t.Fatalf("%s %s: status %d, want %d: %s", method, path, rec.Code, status, rec.Body)
	}
	var out map[string]any
	if rec.Body.Len() > 0 {
		if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
			c.t.Fatalf("%s %s: %v: %s", method, path, err, rec.Body)
		}
	}
	return out
}

// problem wants a status, a code and a part of the detail.
func (c client) problem(method, path, body string, status int, code, detail string) {
	c.t.Helper()
	rec := c.do(method, path, body)
	var p problem
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil {
		c.t.Fatalf("%s %s: %d %v: %s", method, path, rec.Code, err, rec.Body)
	}
	if got := rec.Header().Get("Content-Type"); got != "application/problem+json" {
		c.t.Errorf("%s %s: content type %q", method, path, got)
	}
	if rec.Code != status || p.Status != status || string(p.Code) != code || !strings.Contains(p.Detail, detail) {
		c.t.Errorf("%s %s %s: got %d %s %q, want %d %s %q", method, path, body, rec.Code, p.Code, p.Detail, status, code, detail)
	}
}

func (w *world) inForce(id string) bool {
	k := w.keys[id]
	return k.InForce(testNow)
}
