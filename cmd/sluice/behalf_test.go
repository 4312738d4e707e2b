package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sluice/billing"
	"sluice/gateway/admin"
	"sluice/gateway/audit"
	"sluice/gateway/console"
	"sluice/prompts"
	"sluice/store"
)

// careless is a ledger whose callers forget whom they ask for: nothing that
// names a team, a key or a user comes through.
type careless struct{ billing.Ledger }

func (c careless) Usage(ctx context.Context, q billing.Query) (*billing.Report, error) {
	return c.Ledger.Usage(ctx, billing.Query{From: q.From, To: q.To, GroupBy: append(q.GroupBy, "team", "user"), Location: q.Location})
}

func (c careless) Requests(ctx context.Context, q billing.RequestQuery) ([]billing.Entry, string, error) {
	return c.Ledger.Requests(ctx, billing.RequestQuery{From: q.From, To: q.To, Limit: 1000})
}

func (c careless) CorrectionsIn(ctx context.Context, q billing.Query) ([]billing.Entry, error) {
	return c.Ledger.CorrectionsIn(ctx, billing.Query{From: q.From, To: q.To})
}

func (c careless) Each(ctx context.Context, q billing.Query, use func(*billing.Entry) error) error {
	return c.Ledger.Each(ctx, billing.Query{From: q.From, To: q.To}, use)
}

// inSchema is a store in a new schema of PostgreSQL.
func inSchema(t *testing.T) *store.Store {
	t.Helper()
	server := os.Getenv("SLUICE_TEST_POSTGRES")
	if server == "" {
		t.Skip("SLUICE_TEST_POSTGRES is not set: where a PostgreSQL is")
	}
	schema := "sluice_main_" + strings.ToLower(rand.Text())
	do := func(text string) {
		conn, err := pgx.Connect(context.Background(), server)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		if _, err := conn.Exec(context.Background(), text); err != nil {
			t.Fatal(err)
		}
	}
	do("CREATE SCHEMA " + schema)
	t.Cleanup(func() { do("DROP SCHEMA " + schema + " CASCADE") })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	s, err := store.Open(t.Context(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := s.Unguarded(); err != nil {
		t.Fatal(err)
	}
	return s
}

// forgetful are the admin API and the portal over a store, with handlers whose
// filters are lost. Teams are red and blue, with a call each.
func forgetful(t *testing.T) (api, portal http.Handler) {
	t.Helper()
	s, now := inSchema(t), time.Now()
	view := admin.View{}
	keys := map[[32]byte]*billing.Key{}
	var tokens []admin.Token
	for _, team := range []string{"red", "blue"} {
		k := billing.Key{ID: "key_" + team, Team: team, Name: "main", Hash: billing.HashKey("sk-of-" + team)}
		keys[k.Hash] = &k
		view.Teams, view.Keys = append(view.Teams, billing.Team{Name: team}), append(view.Keys, k)
		tokens = append(tokens, admin.NewToken("owner-of-"+team, admin.RoleTeamOwner, team))
		err := s.Ledger().Append(t.Context(), []billing.Entry{{Call: "call-" + team, RequestID: "req-" + team, Time: now, Team: team, KeyID: k.ID, Key: team + "/main",
			User: "user-" + team, Tags: []string{"tag-" + team}, Model: "model-" + team, Cost: 1e9, Status: 200, Delivered: -1}})
		if err != nil {
			t.Fatal(err)
		}
	}
	quiet := slog.New(slog.DiscardHandler)
	trail := &audit.Trail{Store: s.Audit(), Log: quiet}
	o := admin.Options{Tokens: func() []admin.Token { return tokens }, View: func() admin.View { return view }, Tenants: s.Tenants(), Ledger: careless{s.Ledger()},
		Changed: func(context.Context) error { return nil }, Flush: func(context.Context) error { return nil }, Trail: trail, Log: quiet,
		PromptOptions: admin.PromptOptions{Subscriptions: s.Prompts()}}
	o.Recent = func(string) []byte { return nil }
	api = admin.New(o)
	return api, console.NewPortal(console.PortalOptions{Cookie: "sluice_portal", Face: console.Face{API: api, Trail: trail, Log: quiet},
		Member: func(hash [32]byte, _ string) *console.Member {
			if keys[hash] == nil {
				return nil
			}
			return &console.Member{Key: keys[hash], Offers: func() []console.Offer { return nil }, Routes: func() []console.RouteOffer { return nil }}
		},
		Wrong:    func(string) time.Duration { return 0 },
		Versions: func(context.Context, string) ([]prompts.Version, error) { return nil, nil },
		Public:   func() []console.Offer { return nil }})
}

// A handler that forgets whom it asks for shows a team nothing but its own.
func TestForgottenFilter(t *testing.T) {
	api, portal := forgetful(t)
	ask := func(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		return rec
	}
	for _, path := range []string{"usage", "usage?group_by=tag", "requests", "entries", "requests/req-red", "invoices/red?month=" + time.Now().UTC().Format("2006-01") + "&by=user,key"} {
		r := httptest.NewRequest("GET", "/admin/v1/"+path, nil)
		r.Header.Set("Authorization", "Bearer owner-of-red")
		if rec := ask(api, r); rec.Code != 200 || strings.Contains(rec.Body.String(), "blue") || !strings.Contains(rec.Body.String(), "user-red") {
			t.Errorf("%s tells red: %d %s", path, rec.Code, rec.Body)
		}
	}
	signIn := httptest.NewRequest("POST", "http://127.0.0.1/portal/sign-in", strings.NewReader(url.Values{"key": {"sk-of-red"}}.Encode()))
	signIn.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	signIn.Header.Set("Sec-Fetch-Site", "same-origin")
	in := ask(portal, signIn)
	if len(in.Result().Cookies()) == 0 {
		t.Fatalf("sign-in: %d %s", in.Code, in.Body)
	}
	for _, path := range []string{"/portal/usage", "/portal/usage?of=team"} {
		r := httptest.NewRequest("GET", "http://127.0.0.1"+path, nil)
		for _, c := range in.Result().Cookies() {
			r.AddCookie(c)
		}
		// Both teams have spent a dollar: two would be the other's too.
		if rec := ask(portal, r); rec.Code != 200 || strings.Contains(rec.Body.String(), "model-blue") || strings.Contains(rec.Body.String(), "$2.00") || !strings.Contains(rec.Body.String(), "$1.00") {
			t.Errorf("%s shows red: %d %s", path, rec.Code, rec.Body)
		}
	}
}
