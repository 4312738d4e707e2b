package store

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sluice/billing"
	"sluice/providers/schema"
)

// testStore opens a new store and closes it with the test.
func testStore(t testing.TB) *Store {
	t.Helper()
	return openTest(t, testAddress(t))
}

// openTest opens a store and closes it with the test.
func openTest(t testing.TB, address string) *Store {
	t.Helper()
	s, err := Open(context.Background(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// entry is a plain successful call; edit changes it.
func entry(call string, at time.Time, edit ...func(*billing.Entry)) billing.Entry {
	e := billing.Entry{
		Call: call, Time: at, Team: "research", KeyID: "k1", Key: "research/ci", Operation: "chat",
		Model: "fast", Provider: "openai", Target: "openai/gpt-4o-mini",
		Usage:        schema.Usage{Input: 100, CachedInput: 20, Output: 50, Reasoning: 10, Source: schema.UsageReported},
		PriceVersion: "v1", Cost: 45_000, Status: 200, Delivered: -1, Latency: 250 * time.Millisecond,
		TTFT: 80 * time.Millisecond, RequestID: call,
	}
	for _, f := range edit {
		f(&e)
	}
	return e
}

func add(t testing.TB, l *Ledger, entries ...billing.Entry) {
	t.Helper()
	if err := l.Append(context.Background(), entries); err != nil {
		t.Fatal(err)
	}
}

// verified fails the test unless every sum is right.
func verified(t testing.TB, l *Ledger, want int64) {
	t.Helper()
	n, differences, err := l.Verify(context.Background())
	if err != nil || n != want || len(differences) > 0 {
		t.Fatalf("Verify = %d entries, %v, %v; want %d and no difference", n, differences, err, want)
	}
}

func TestOpenMakesPrivateFiles(t *testing.T) {
	onlySQLite(t)
	path := filepath.Join(t.TempDir(), "a b?c%", "sluice.db")
	s, err := Open(context.Background(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	add(t, s.Ledger(), entry("c1", noon))
	for name, mode := range map[string]os.FileMode{filepath.Dir(path): 0o700, path: 0o600, path + "-wal": 0o600} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != mode {
			t.Errorf("%s has mode %o, want %o", name, info.Mode().Perm(), mode)
		}
	}
	if err := s.Ping(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for dsn, want := range map[string]string{
		"postgres://user:pw@127.0.0.1:1/db": "cannot be reached",
		"postgres://user:pw@127.0.0.1:x/db": "want postgres://USER:PASSWORD@HOST:PORT/DATABASE",
		"mysql://x":                         "not of the form",
		"sluice.db":                         "not of the form",
		"sqlite:":                           "names no file",
		"sqlite:/dev/null/x.db":             "cannot create store",
	} {
		s, err := Open(context.Background(), dsn)
		if err == nil {
			_ = s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%q) = %v, want %q", dsn, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "pw@") {
			t.Errorf("Open(%q) tells the password: %v", dsn, err)
		}
	}
}

func TestOpenRefusesNotADatabase(t *testing.T) {
	onlySQLite(t)
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(context.Background(), "sqlite:"+path); err == nil {
		_ = s.Close()
		t.Fatal("a file of text was opened")
	}
}

func TestOpenRefusesNewerSchema(t *testing.T) {
	onlySQLite(t)
	path := filepath.Join(t.TempDir(), "x.db")
	s, err := Open(context.Background(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.write.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err = Open(context.Background(), "sqlite:"+path); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("Open = %v, want one that tells of a newer version", err)
	}
}

// TestMigrateEntries opens a database of before 00006.
func TestMigrateEntries(t *testing.T) {
	onlySQLite(t)
	path := filepath.Join(t.TempDir(), "x.db")
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := migrator(db)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(context.Background(), 5); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"INSERT INTO dims VALUES (1, 'research', 'k1', 'research/ci', 'fast', 'openai', 'openai/gpt-4o-mini', '', 0, 200)",
		`INSERT INTO entries (call, attempt, time, dim, operation, input, cached_input, output, reasoning, source,
			price_version, cost, flags, delivered, latency, ttft, bucket, attempts) VALUES
			('c1', 0, 1773489600000000000, 1, 'chat', 100, 20, 50, 10, 0, 'v1', 45000, 0, -1, 250000000, 80000000, 13,
				'[{"target":"a","status":200,"latency_ms":0,"usd":"0.000045"}]'),
			('c2', 1, 1773489600000000000, 1, 'embed', 100, 0, 0, 0, 1, '', 0, 2, 0, 0, 0, 0, NULL)`,
	} {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(context.Background(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := entry("c1", noon, func(e *billing.Entry) {
		e.Usage.Source = 0
		e.Attempts = []billing.AttemptLog{{Target: "a", Status: 200, USD: 45_000}}
	})
	if got, err := s.Ledger().Request(context.Background(), "c1"); err != nil || !reflect.DeepEqual(*got, want) {
		t.Errorf("c1 is %+v, %v; want %+v", got, err, want)
	}
	got, _, err := s.Ledger().entries(context.Background(), entrySelect+"WHERE e.call = 'c2'", nil)
	if err != nil || len(got) != 1 || got[0].Delivered != 0 || got[0].Operation != "embed" || got[0].Attempts != nil || !got[0].Stream {
		t.Errorf("c2 is %+v, %v", got, err)
	}
	verified(t, s.Ledger(), 2) // the sums were made anew
}

// copyFiles copies the database as a crash would leave it: without Close.
func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(from + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReopenAfterCrash(t *testing.T) {
	onlySQLite(t)
	dir := t.TempDir()
	s, err := Open(context.Background(), "sqlite:"+filepath.Join(dir, "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 10 {
		add(t, s.Ledger(), entry(fmt.Sprint("c", i), noon.Add(time.Duration(i)*time.Hour)))
	}
	// A transaction that is under way is not there after the crash.
	tx, err := s.write.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("DELETE FROM packs"); err != nil {
		t.Fatal(err)
	}
	copyFiles(t, filepath.Join(dir, "a.db"), filepath.Join(dir, "b.db"))
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(context.Background(), "sqlite:"+filepath.Join(dir, "b.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	verified(t, again.Ledger(), 10)
	add(t, again.Ledger(), entry("c3", noon), entry("c10", noon))
	verified(t, again.Ledger(), 11)
}
