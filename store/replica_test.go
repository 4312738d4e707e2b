package store

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/billing"
	"sluice/gateway/audit"
)

// testReplicas are stores on one database, which have joined.
func testReplicas(t *testing.T, n int) (all []*Store) {
	t.Helper()
	onlyPostgres(t)
	address := testAddress(t)
	for range n {
		s := openTest(t, address)
		if err := s.Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within half a minute", what)
		}
	}
}

// What several replicas append at once is there once, with the right sums; ids
// stand in the order of commits.
func TestReplicasAppend(t *testing.T) {
	all := testReplicas(t, 3)
	var writing sync.WaitGroup
	for i, s := range all {
		writing.Go(func() {
			for n := range 40 {
				own := entry(fmt.Sprintf("own-%d-%d", i, n), noon.Add(time.Duration(n)*time.Hour), func(e *billing.Entry) {
					e.User, e.Tags, e.Model = fmt.Sprint("u", n%3), []string{"a", fmt.Sprint(n % 4)}, fmt.Sprint("m", n%5)
				})
				if err := s.Ledger().Append(t.Context(), []billing.Entry{own, entry(fmt.Sprint("same-", n), noon)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	for _, s := range all {
		verified(t, s.Ledger(), 3*40+40)
		r, err := s.Ledger().Usage(t.Context(), billing.Query{GroupBy: []string{"model"}})
		if err != nil || r.Total.Calls != 160 || len(r.Rows) != 6 {
			t.Errorf("%+v, %v", r, err)
		}
	}
}

// The audit chain stays one though several write it.
func TestReplicasChain(t *testing.T) {
	all := testReplicas(t, 3)
	var writing sync.WaitGroup
	for _, s := range all {
		writing.Go(func() {
			trail := &audit.Trail{Store: s.Audit()}
			for range 20 {
				if err := trail.Note(t.Context(), audit.Record{Action: "team.create"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	if v, err := all[0].Audit().Verify(t.Context()); err != nil || !v.OK || v.Count != 60 {
		t.Errorf("%+v, %v", v, err)
	}
}

// Records of changes under way are another replica's business as long as it runs.
func TestReplicasOpenRecords(t *testing.T) {
	all := testReplicas(t, 2)
	if _, err := all[0].Audit().Open(t.Context(), audit.Record{Action: "team.create"}); err != nil {
		t.Fatal(err)
	}
	if open, err := all[1].Audit().Opened(t.Context()); err != nil || len(open) != 0 {
		t.Errorf("%v, %v", open, err)
	}
	all[0].leave()
	eventually(t, "the record of one that is gone", func() bool {
		open, err := all[1].Audit().Opened(t.Context())
		return err == nil && len(open) == 1
	})
}

// One replica leads, and another one when that is gone or has lost its session.
func TestReplicasLead(t *testing.T) {
	all := testReplicas(t, 2)
	ctx, cancel := context.WithCancel(t.Context())
	var leading [2]atomic.Bool
	var both atomic.Bool
	var jobs sync.WaitGroup
	for i, s := range all {
		jobs.Go(func() {
			s.Lead(ctx, func(ctx context.Context) {
				leading[i].Store(true)
				both.Store(both.Load() || leading[1-i].Load())
				<-ctx.Done()
				leading[i].Store(false)
			})
		})
	}
	one := func() bool { return leading[0].Load() != leading[1].Load() }
	eventually(t, "a leader", one)
	first := 0
	if leading[1].Load() {
		first = 1
	}
	all[first].leave()
	eventually(t, "another leader", leading[1-first].Load)
	if _, err := all[first].write.Exec("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid::bigint = ? AND objid::bigint = ?",
		int64(lockReplica), int64(all[1-first].postgres.number)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of its session", func() bool { return !leading[1-first].Load() })
	eventually(t, "its next session", leading[1-first].Load)
	if both.Load() {
		t.Error("two have led at once")
	}
	cancel()
	jobs.Wait()
}

// Replicas are told of what others change, and of nothing else.
func TestReplicasChanged(t *testing.T) {
	all := testReplicas(t, 2)
	changed := all[1].Changed()
	key := billing.Key{ID: "k", Team: "a", Name: "n"}
	changes := map[string]func() error{
		"team": func() error { return all[0].Tenants().PutTeam(t.Context(), billing.Team{Name: "a"}) },
		"key":  func() error { return all[0].Tenants().PutKey(t.Context(), key) },
		"price": func() error {
			_, err := all[0].Prices().SetPrice(t.Context(), billing.SetPrice{From: noon, Set: noon})
			return err
		},
	}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		if err := changes[name](); err != nil {
			t.Fatal(err)
		}
		select {
		case <-changed:
		case <-time.After(30 * time.Second):
			t.Fatalf("nobody was told of a %s", name)
		}
	}
	if err := all[0].Tenants().TouchKeys(t.Context(), map[string]time.Time{"k": noon}); err != nil {
		t.Fatal(err)
	}
	add(t, all[0].Ledger(), entry("c1", noon))
	select {
	case <-changed:
		t.Error("told of the use of a key")
	case <-time.After(4 * lookEvery):
	}
}

// No two replicas do at once what one does alone.
func TestReplicasAlone(t *testing.T) {
	all := testReplicas(t, 2)
	var at atomic.Int32
	var jobs sync.WaitGroup
	for _, s := range all {
		jobs.Go(func() {
			for range 10 {
				err := s.Alone(t.Context(), func() error {
					if at.Add(1) > 1 {
						t.Error("two at once")
					}
					time.Sleep(time.Millisecond)
					at.Add(-1)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	jobs.Wait()
}

// What nobody can write as text does not keep the ledger from taking the rest.
func TestOddTexts(t *testing.T) {
	s := testStore(t)
	add(t, s.Ledger(), entry("c1", noon, func(e *billing.Entry) {
		e.User, e.Model, e.RequestID, e.Tags = "a\x00b", "m\xff"+strings.Repeat("x", 10_000), "r\x00", []string{"t\x00", strings.Repeat("y", 5000)}
	}))
	verified(t, s.Ledger(), 1)
}

// Migrations after those that PostgreSQL has in one come in pairs.
func TestMigrationsComeInPairs(t *testing.T) {
	names := func(files fs.FS, dir string) (out []string) {
		list, err := fs.ReadDir(files, dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range list {
			if number, _, _ := strings.Cut(f.Name(), "_"); number > "00016" {
				out = append(out, number)
			}
		}
		return out
	}
	if a, b := names(migrations, "migrations/sqlite"), names(postgresMigrations, "migrations/postgres"); !slices.Equal(a, b) {
		t.Errorf("SQLite has %v, PostgreSQL %v", a, b)
	}
}
