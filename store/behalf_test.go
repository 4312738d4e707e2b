package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"sluice/billing"
	"sluice/prompts"
)

// onBehalfOf is the context of who reads for some teams.
func onBehalfOf(teams ...string) context.Context {
	return billing.OnBehalf(context.Background(), billing.Behalf{Teams: teams})
}

// tenantsOf fills a store with what some teams have, each row with the team's
// name in it. Erased entries and sums of a day that is over are among it.
func tenantsOf(t testing.TB, s *Store, teams []string) {
	t.Helper()
	ctx := context.Background()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, team := range teams {
		var entries []billing.Entry
		for n := range 5 + i {
			entries = append(entries, entry(fmt.Sprintf("call-%s-%d", team, n), noon.Add(time.Duration(n*7)*time.Hour), func(e *billing.Entry) {
				e.Team, e.KeyID, e.Key, e.RequestID = team, "key-"+team, team+"/main", "asked-"+team
				e.User, e.Tags, e.Cost = "user-"+team, []string{"all", "tag-" + team}, billing.Nano(1000+i)
			}))
		}
		add(t, s.Ledger(), entries...)
		check(s.Tenants().PutTeam(ctx, billing.Team{Name: team}))
		check(s.Tenants().PutKey(ctx, billing.Key{ID: "key-" + team, Team: team, Name: "main", Hash: [32]byte{byte(i + 1)}}))
		check(s.Responses().PutResponse(ctx, team, "same", noon, []byte("answer-"+team)))
		check(s.VersionUses().AddVersionUses(ctx, []billing.VersionUse{{Route: "r", Version: "1", Team: team, Key: team + "/main", Requests: 1, Last: noon}}))
		check(s.Prompts().Subscribe(ctx, prompts.Subscription{ID: "sub-" + team, Prompt: fmt.Sprint("prompt-", i), Team: team, Status: prompts.SubscriptionApproved,
			History: []prompts.SubscriptionStep{{At: noon, By: "owner-" + team, Status: prompts.SubscriptionApproved}}}))
	}
	_, err := s.Ledger().Erase(ctx, billing.Erasure{Team: teams[0], Before: noon.Add(3 * time.Hour)})
	check(err)
}

// asText is all of a table that a context shows.
func asText(ctx context.Context, t testing.TB, s *Store, table string) string {
	t.Helper()
	rows, err := s.read.QueryContext(ctx, `SELECT to_jsonb(x)::text FROM `+table+` x`)
	if err != nil {
		t.Fatalf("%s: %v", table, err)
	}
	defer rows.Close()
	var all strings.Builder
	for rows.Next() {
		var row string
		if err := rows.Scan(&row); err != nil {
			t.Fatal(err)
		}
		all.WriteString(row + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// TestNoFilterLeaksNothing reads every table of tenants, and asks the ledger
// everything, without naming a team: on behalf of one, it is that one's alone.
func TestNoFilterLeaksNothing(t *testing.T) {
	onlyPostgres(t)
	s := testStore(t)
	if err := s.Unguarded(); err != nil {
		t.Fatal(err)
	}
	teams := []string{"qqred", "qqgreen", "qqblue", `qqo"dd '%_team`}
	tenantsOf(t, s, teams)
	rapid.Check(t, func(r *rapid.T) {
		pair := rapid.Permutation(teams).Draw(r, "teams")
		own, other := pair[0], pair[1]
		ctx := onBehalfOf(own)
		for _, table := range tenantTables {
			if table == "packs" || table == "erased" {
				continue // sums by number: see below
			}
			text := asText(ctx, t, s, table)
			if holds(text, other) {
				r.Fatalf("%s shows %s what %s has: %s", table, own, other, text)
			}
			if !holds(text, own) && table != "entries" && table != "tagset_teams" || text == "" {
				r.Fatalf("%s does not show %s its own: %q", table, own, text)
			}
		}
		for what, text := range everythingOf(ctx, t, s) {
			if holds(text, other) {
				r.Fatalf("%s tells %s of %s: %s", what, own, other, text)
			}
			if !holds(text, own) {
				r.Fatalf("%s tells %s nothing of its own: %s", what, own, text)
			}
		}
		// The figures are those of the team's own filter.
		for _, by := range []string{"", "user", "tag", "model", "day"} {
			q := billing.Query{}
			if by != "" {
				q.GroupBy = []string{by}
			}
			got, err := s.Ledger().Usage(ctx, q)
			if err != nil {
				r.Fatal(err)
			}
			q.Team = own
			want, err := s.Ledger().Usage(context.Background(), q)
			if err != nil {
				r.Fatal(err)
			}
			if g, w := asJSON(t, got), asJSON(t, want); g != w {
				r.Fatalf("by %q, %s is told %s, should be %s", by, own, g, w)
			}
		}
	})
}

// holds tells whether a text, JSON within JSON perhaps, names a team.
func holds(text, team string) bool {
	once, _ := json.Marshal(team)
	twice, _ := json.Marshal(string(once))
	return strings.Contains(text, strings.Trim(string(once), `"`)) || strings.Contains(text, strings.Trim(string(twice), `"\`))
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// everythingOf is what the store tells that is asked for no team, by what is
// asked.
func everythingOf(ctx context.Context, t testing.TB, s *Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	put := func(what string, v any, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		out[what] = asJSON(t, v)
	}
	l := s.Ledger()
	for _, by := range []string{"team", "key", "user", "tag"} {
		report, err := l.Usage(ctx, billing.Query{GroupBy: []string{by}})
		put("usage by "+by, report, err)
		// Ends within an hour are summed of entries, and of what was erased.
		report, err = l.Usage(ctx, billing.Query{GroupBy: []string{by}, From: noon.Add(time.Minute), To: noon.Add(30*time.Hour + time.Minute)})
		put("usage of some hours by "+by, report, err)
	}
	for what, q := range map[string]billing.RequestQuery{"requests": {}, "requests by tag and cost": {Tag: "all", MinUSD: 1}} {
		var calls []billing.Entry
		for more := true; more; more = q.After != "" {
			page, next, err := l.Requests(ctx, q)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			calls, q.After = append(calls, page...), next
		}
		put(what, calls, nil)
	}
	var each []billing.Entry
	err := l.Each(ctx, billing.Query{}, func(e *billing.Entry) error { each = append(each, *e); return nil })
	put("entries", each, err)
	names, err := l.LedgerTeams(ctx)
	put("teams of the ledger", names, err)
	teams, err := s.Tenants().Teams(ctx)
	put("teams", teams, err)
	keys, err := s.Tenants().Keys(ctx)
	put("keys", keys, err)
	subs, err := s.Prompts().Subscriptions(ctx)
	put("subscriptions", subs, err)
	uses, err := s.VersionUses().VersionUses(ctx, billing.VersionQuery{})
	put("uses of versions", uses, err)
	return out
}

// TestBehalfHidesCalls asks for one row of another team by its id.
func TestBehalfHidesCalls(t *testing.T) {
	onlyPostgres(t)
	s := testStore(t)
	tenantsOf(t, s, []string{"red", "blue"})
	ctx := onBehalfOf("blue")
	l := s.Ledger()
	for _, id := range []string{"call-red-4", "asked-red"} {
		if _, err := l.Request(ctx, id); !errors.Is(err, billing.ErrNotFound) {
			t.Errorf("call %s of another team: %v", id, err)
		}
		if _, err := l.Account(ctx, id); !errors.Is(err, billing.ErrNotFound) {
			t.Errorf("account %s of another team: %v", id, err)
		}
		if e, err := l.Request(context.Background(), id); err != nil || e.Team != "red" {
			t.Errorf("call %s for the gateway itself: %+v, %v", id, e, err)
		}
	}
	if e, err := l.Request(ctx, "asked-blue"); err != nil || e.Team != "blue" {
		t.Errorf("a call of its own: %+v, %v", e, err)
	}
	if _, err := s.Responses().Response(ctx, "red", "same"); !errors.Is(err, billing.ErrNotFound) {
		t.Errorf("a kept answer of another team: %v", err)
	}
	if body, err := s.Responses().Response(ctx, "blue", "same"); err != nil || string(body) != "answer-blue" {
		t.Errorf("its own kept answer: %q, %v", body, err)
	}
	if _, _, err := l.Verify(ctx); err == nil {
		t.Error("the sums of all teams were compared on behalf of one")
	}
	// A prompt's publisher sees who subscribes to it.
	publisher := billing.OnBehalf(context.Background(), billing.Behalf{Teams: []string{"none"}, Prompts: []string{"prompt-0"}})
	if subs, err := s.Prompts().Subscriptions(publisher); err != nil || len(subs) != 1 || subs[0].Team != "red" {
		t.Errorf("subscriptions to what is published: %+v, %v", subs, err)
	}
}

// TestBehalfOfNobody reads what no team may, and for no team at all.
func TestBehalfOfNobody(t *testing.T) {
	onlyPostgres(t)
	s := testStore(t)
	tenantsOf(t, s, []string{"red", "blue"})
	for _, ctx := range []context.Context{onBehalfOf(), onBehalfOf(""), onBehalfOf("redblue"), onBehalfOf("re_", "%")} {
		for _, table := range tenantTables {
			if text := asText(ctx, t, s, table); text != "" && table != "packs" && table != "erased" {
				t.Errorf("%s shows nobody %s", table, text)
			}
		}
		if r, err := s.Ledger().Usage(ctx, billing.Query{GroupBy: []string{"user"}}); err != nil || len(r.Rows) > 0 || r.Total.Calls != 0 {
			t.Errorf("nobody is told %+v, %v", r, err)
		}
	}
	ctx := onBehalfOf("red")
	for _, table := range []string{"replays", "audit", "config_secrets", "config_revisions", "prices", "prompt_versions", "goose_db_version"} {
		var n int
		if err := s.read.QueryRowContext(ctx, "SELECT count(*) FROM "+table).Scan(&n); sqlState(err) != "42501" {
			t.Errorf("%s may be read on behalf of a team: %v", table, err)
		}
	}
	for _, change := range []string{"DELETE FROM keys", "UPDATE teams SET body = ''", "INSERT INTO tags VALUES ('x', 1)"} {
		if _, err := s.read.of(ctx).ExecContext(ctx, change); err == nil {
			t.Errorf("%s was done on behalf of a team", change)
		}
	}
	var kinds string
	if err := s.read.QueryRowContext(ctx, "SELECT string_agg(DISTINCT kind::text, ',') FROM packs").Scan(&kinds); err != nil || kinds != "0,1,2" {
		t.Errorf("packs of kinds %s are seen, %v", kinds, err)
	}
}

// TestBehalfInTransaction keeps one transaction from changing whose it is.
func TestBehalfInTransaction(t *testing.T) {
	onlyPostgres(t)
	s := testStore(t)
	tenantsOf(t, s, []string{"red", "blue"})
	ctx := onBehalfOf("red")
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	var team string
	if err := tx.QueryRowContext(ctx, "SELECT name FROM teams").Scan(&team); err != nil || team != "red" {
		t.Errorf("sees %q, %v", team, err)
	}
	for _, other := range []context.Context{onBehalfOf("blue"), context.Background()} {
		if err := tx.QueryRowContext(other, "SELECT name FROM teams").Scan(&team); err == nil {
			t.Errorf("another's question was answered with %q", team)
		}
	}
}

// TestTagsBeforePolicies has a ledger that did not keep whose tags are, as an
// older version leaves it.
func TestTagsBeforePolicies(t *testing.T) {
	onlyPostgres(t)
	address := testAddress(t)
	s := openTest(t, address)
	tenantsOf(t, s, []string{"red", "blue"})
	want := asText(context.Background(), t, s, "tagset_teams")
	if _, err := s.write.ExecContext(t.Context(), "DELETE FROM tagset_teams"); err != nil {
		t.Fatal(err)
	}
	again := openTest(t, address)
	lines := func(text string) []string { l := strings.Split(text, "\n"); slices.Sort(l); return l }
	if got := asText(context.Background(), t, again, "tagset_teams"); !slices.Equal(lines(got), lines(want)) {
		t.Errorf("tags are of\n%s, should be of\n%s", got, want)
	}
}

// TestUnguarded has a user that owns its schema and may make no roles: it is
// told what to do, works without, and is guarded when that has been done.
func TestUnguarded(t *testing.T) {
	onlyPostgres(t)
	address := testSchema(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	schema := u.Query().Get("search_path")
	user := "poor_" + schema[len(schema)-12:]
	admin := func(texts ...string) {
		t.Helper()
		conn, err := pgx.Connect(context.Background(), onPostgres)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(context.Background())
		for _, text := range texts {
			if _, err := conn.Exec(context.Background(), text); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
		}
	}
	role := "sluice_tenant_" + user
	admin("CREATE ROLE "+user+" LOGIN PASSWORD 'poor'", "ALTER SCHEMA "+schema+" OWNER TO "+user)
	t.Cleanup(func() {
		admin("ALTER SCHEMA "+schema+" OWNER TO CURRENT_USER", "DROP OWNED BY "+user+", "+role, "DROP ROLE "+user, "DROP ROLE "+role)
	})
	u.User = url.UserPassword(user, "poor")
	poor := openTest(t, u.String())
	why := poor.Unguarded()
	if why == nil || !strings.Contains(why.Error(), `CREATE ROLE "`+role+`" NOLOGIN; GRANT "`+role+`" TO "`+user+`"`) {
		t.Fatalf("says %v", why)
	}
	tenantsOf(t, poor, []string{"red", "blue"})
	if r, err := poor.Ledger().Usage(onBehalfOf("red"), billing.Query{Team: "red"}); err != nil || r.Total.Calls == 0 {
		t.Errorf("without the role, its own filter gives %+v, %v", r, err)
	}
	admin("CREATE ROLE " + role + " NOLOGIN")
	if why := openTest(t, u.String()).Unguarded(); why == nil || !strings.Contains(why.Error(), `GRANT "`+role+`" TO "`+user+`"`) {
		t.Errorf("not a member: says %v", why)
	}
	admin("ALTER ROLE "+role+" BYPASSRLS", "GRANT "+role+" TO "+user)
	if why := openTest(t, u.String()).Unguarded(); why == nil || !strings.Contains(why.Error(), "BYPASSRLS") {
		t.Errorf("a role that passes by: says %v", why)
	}
	admin("ALTER ROLE " + role + " NOBYPASSRLS")
	guarded := openTest(t, u.String())
	if why := guarded.Unguarded(); why != nil {
		t.Fatal(why)
	}
	if teams, err := guarded.Tenants().Teams(onBehalfOf("red")); err != nil || len(teams) != 1 || teams[0].Name != "red" {
		t.Errorf("sees %+v, %v", teams, err)
	}
	verified(t, guarded.Ledger(), rowsOfEntries(t, guarded))
}

func rowsOfEntries(t testing.TB, s *Store) (n int64) {
	t.Helper()
	if err := s.read.QueryRowContext(t.Context(), "SELECT count(*) FROM entries").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
