package store

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/billing"
)

// Whatever is erased, every report without users says what it said, and the
// proof holds.
func TestEraseKeepsEverySum(t *testing.T) {
	s := testStore(t)
	l := s.Ledger()
	ctx := context.Background()
	rapid.Check(t, func(t *rapid.T) {
		for _, table := range []string{"entries", "packs", "erased"} {
			if _, err := s.write.Exec("DELETE FROM " + table); err != nil {
				t.Fatal(err)
			}
		}
		entries := drawEntries(t)
		for i := range entries {
			if i%7 == 3 {
				entries[i].Attempt, entries[i].Corrects, entries[i].Call = billing.Correction, "x", fmt.Sprint("x.", i)
			}
		}
		if err := l.Append(ctx, entries); err != nil {
			t.Fatal(err)
		}
		var queries []billing.Query
		var before []*billing.Report
		for range 5 {
			q := drawQuery(t)
			q.From, q.To = q.From.Truncate(time.Hour), q.To.Truncate(time.Hour)
			if q.Location != nil {
				q.Location = nil // some zones' days begin within an hour
			}
			q.Only.User = ""
			var by []string
			for _, g := range q.GroupBy {
				if g != "user" {
					by = append(by, g)
				}
			}
			q.GroupBy = by
			r, err := l.Usage(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			queries, before = append(queries, q), append(before, r)
		}
		for range 2 {
			e := billing.Erasure{Team: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "team"), User: rapid.SampledFrom([]string{"", "ann"}).Draw(t, "user"),
				Before: time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.Int64Range(0, int64(80*time.Hour)).Draw(t, "before")))}
			if _, err := l.Erase(ctx, e); err != nil {
				t.Fatal(err)
			}
			left := 0
			if err := s.read.own.QueryRow(`SELECT count(*) FROM entries WHERE dim IN (SELECT id FROM dims WHERE team = ?) AND time < ?
				AND (user = ? AND user <> '' OR ? = '' AND attempt <> -1)`, e.Team, e.Before.UnixNano(), e.User, e.User).Scan(&left); err != nil || left > 0 {
				t.Fatalf("%+v leaves %d, %v", e, left, err)
			}
		}
		if rapid.Bool().Draw(t, "rebuild") {
			if _, err := s.write.Exec("DELETE FROM packs"); err != nil {
				t.Fatal(err)
			}
			if err := l.rebuild(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if _, differences, err := l.Verify(ctx); err != nil || len(differences) > 0 {
			t.Fatalf("Verify = %v, %v", differences, err)
		}
		for i, q := range queries {
			if r, err := l.Usage(ctx, q); err != nil || !reflect.DeepEqual(r, before[i]) {
				t.Fatalf("query %+v: %v\n got %+v\nwant %+v", q, err, r, before[i])
			}
		}
	})
}

// Nothing of a user's name is left in any file, nor of what was erased whole.
func TestEraseLeavesNoBytes(t *testing.T) {
	s := testStore(t)
	l := s.Ledger()
	ctx := context.Background()
	for i := range 400 {
		add(t, l, entry(fmt.Sprint("call-", i), noon.Add(time.Duration(i)*time.Hour), func(e *billing.Entry) {
			e.User, e.RequestID = "somebody-private", fmt.Sprint("private-request-", i)
			if i%2 == 0 {
				e.User, e.RequestID = fmt.Sprint("other-", i), ""
			}
		}))
	}
	out, err := l.Erase(ctx, billing.Erasure{Team: "research", User: "somebody-private"})
	if err != nil || out.Entries != 200 || out.USD != 200*45_000 {
		t.Fatalf("%+v, %v", out, err)
	}
	if out, err = l.Erase(ctx, billing.Erasure{Team: "research", Before: noon.Add(100 * time.Hour)}); err != nil || out.Entries != 100 {
		t.Fatalf("%+v, %v", out, err)
	}
	if out, err = l.Erase(ctx, billing.Erasure{Team: "nobody", Before: noon}); err != nil || out.Entries != 0 {
		t.Errorf("%+v, %v", out, err)
	}
	verified(t, l, 300)
	r, err := l.Usage(ctx, billing.Query{GroupBy: []string{"user"}})
	if err != nil || r.Total.Calls != 400 || r.Rows[0].Values[0] != billing.ErasedUser || r.Rows[0].Calls != 250 {
		t.Errorf("%+v, %v", r.Rows[0], err)
	}
	teams, err := l.LedgerTeams(ctx)
	if err != nil || !reflect.DeepEqual(teams, []string{"research"}) {
		t.Errorf("teams %v, %v", teams, err)
	}
	if onPostgres != "" {
		return // it has files of its own
	}
	var path string
	if err := s.read.own.QueryRow("SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&path); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{path, path + "-wal"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"somebody-private", "private-request", "call-99\x00", "call-42", "other-42"} {
			if at := bytes.Index(b, []byte(text)); at >= 0 {
				t.Errorf("%s still holds %q at %d", file, text, at)
			}
		}
	}
}
