package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"sluice/billing"
)

// overheard is a driver that remembers what was asked.
type overheard struct {
	sqlite3.SQLiteDriver
	mu    sync.Mutex
	asked map[string][]driver.NamedValue
}

func (o *overheard) Open(dsn string) (driver.Conn, error) {
	c, err := o.SQLiteDriver.Open(dsn)
	if err != nil {
		return nil, err
	}
	return &overheardConn{c.(*sqlite3.SQLiteConn), o}, nil
}

type overheardConn struct {
	*sqlite3.SQLiteConn
	o *overheard
}

func (c *overheardConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.o.mu.Lock()
	c.o.asked[query] = args
	c.o.mu.Unlock()
	return c.SQLiteConn.QueryContext(ctx, query, args)
}

// ofLedger is a step of a plan that looks at entries. Only those that search by
// an index do not read all of them: the least of a column without one is called
// a search too.
var (
	ofLedger = regexp.MustCompile(`^(SCAN|SEARCH) (entries|e)\b`)
	byIndex  = regexp.MustCompile(`^SEARCH (entries|e) USING ((COVERING )?INDEX|INTEGER PRIMARY KEY)\b`)
)

// No list and no report reads the whole ledger: what is asked of entries goes
// by an index, between bounds.
func TestNothingReadsTheWholeLedger(t *testing.T) {
	onlySQLite(t)
	ctx := context.Background()
	s := testStore(t)
	l := s.Ledger()
	add(t, l, generate(rand.New(rand.NewPCG(1, 2)), 0, 3000, noon, 20*time.Minute)...)
	o := &overheard{asked: map[string][]driver.NamedValue{}}
	name := "overheard " + t.Name()
	sql.Register(name, o)
	var file string
	if err := s.read.QueryRowContext(ctx, "SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&file); err != nil {
		t.Fatal(err)
	}
	read, err := sql.Open(name, "file:"+file+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	plain := s.read
	s.read = &reads{own: read}
	defer func() { s.read = plain }()
	askEverything(ctx, t, l)
	if len(o.asked) < 40 {
		t.Fatalf("only %d queries were heard", len(o.asked))
	}
	ofEntries := 0
	for _, query := range slices.Sorted(maps.Keys(o.asked)) {
		if !strings.Contains(query, "entries") {
			continue
		}
		ofEntries++
		for _, step := range plan(ctx, t, plain.own, query, o.asked[query]) {
			if ofLedger.MatchString(step) && !byIndex.MatchString(step) {
				t.Errorf("%s\n\tin %s", step, query)
			}
		}
	}
	if ofEntries < 20 {
		t.Errorf("only %d queries of entries were heard", ofEntries)
	}
}

// askEverything asks for every dimension over whole days, odd times and all of
// the time, and for calls by each field of a search.
func askEverything(ctx context.Context, t *testing.T, l *Ledger) {
	t.Helper()
	odd := [2]time.Time{noon.Add(50*time.Hour + 7*time.Minute), noon.Add(500*time.Hour + 13*time.Minute)}
	var only billing.Query
	only.Select(func(name string) string {
		return map[string]string{"user": "user7", "model": "model3", "tag": "prod"}[name]
	})
	for _, by := range append(slices.Clone(billing.Dimensions), "") {
		for _, span := range [][2]time.Time{{}, {noon.Add(24 * time.Hour), {}}, odd} {
			for _, q := range []billing.Query{{}, {Team: "team3"}, only} {
				q.From, q.To = span[0], span[1]
				if by != "" {
					q.GroupBy = []string{by}
				}
				if _, err := l.Usage(ctx, q); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	first, next, err := l.Requests(ctx, billing.RequestQuery{})
	if err != nil || len(first) == 0 || next == "" {
		t.Fatalf("%d calls, next %q: %v", len(first), next, err)
	}
	if _, err := l.Request(ctx, first[0].Call); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Account(ctx, first[0].Call); err != nil {
		t.Fatal(err)
	}
	for _, q := range []billing.RequestQuery{{}, {Team: "team3"}, {Key: "k3"}, {Model: "model3"}, {Prompt: "p"}, {Status: 502}, {Tag: "prod"}, {Tag: "job3"}, {Tag: "none"}, {MinUSD: 1}, {MinUSD: billing.Dollar},
		{Text: first[0].Call}, {Text: "zz"}, {Text: strings.Repeat("z", 12)}, {Team: "team3", MinUSD: 1000}, {Model: "model3", Tag: "prod"}, {Status: 502, Text: "a"}, {Tag: "prod", MinUSD: 1}} {
		for _, span := range [][2]time.Time{{}, odd} {
			for _, after := range []string{"", next} {
				q.From, q.To, q.After = span[0], span[1], after
				if _, _, err := l.Requests(ctx, q); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// plan is how a query would be answered.
func plan(ctx context.Context, t *testing.T, db *sql.DB, query string, values []driver.NamedValue) (steps []string) {
	t.Helper()
	var args []any
	for _, v := range values {
		args = append(args, v.Value)
	}
	rows, err := db.QueryContext(ctx, "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%v: %s", err, query)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(fmt.Errorf("%w: %s", err, query))
	}
	return steps
}
