package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"sluice/gateway/audit"
)

// chained is a store with n audit records.
func chained(t *testing.T, n int) (*Store, Audit) {
	t.Helper()
	s := testStore(t)
	a := s.Audit()
	for i := range n {
		r := audit.Record{Time: noon.Add(time.Duration(i) * time.Minute), Actor: []string{"deploy", "alice"}[i%2], Action: []string{"key.create", "team.update"}[i%2],
			Resource: fmt.Sprintf("keys/k%d", i), After: json.RawMessage(`{"name":"<a> & b"}`), Status: 201, RequestID: "r"}
		if _, err := a.Append(t.Context(), 0, r); err != nil {
			t.Fatal(err)
		}
	}
	return s, a
}

func TestAuditChain(t *testing.T) {
	_, a := chained(t, 5)
	v, err := a.Verify(t.Context())
	if err != nil || !v.OK || v.Count != 5 || v.Broken != nil {
		t.Fatalf("%+v %v", v, err)
	}
	records, err := a.Records(t.Context(), audit.Query{})
	if err != nil || len(records) != 5 || records[0].Seq != 5 || records[0].Hash != v.Head || records[4].Prev != "" {
		t.Fatalf("%+v %v", records, err)
	}
	for i, r := range records {
		if i < 4 && r.Prev != records[i+1].Hash {
			t.Errorf("record %d does not follow %d", r.Seq, records[i+1].Seq)
		}
		seal := r
		if _, err := seal.Seal(r.Seq, r.Prev); err != nil || seal.Hash != r.Hash {
			t.Errorf("what is answered of record %d does not have its hash: %v", r.Seq, err)
		}
	}
	for _, c := range []struct {
		q    audit.Query
		want int
	}{
		{audit.Query{Actor: "alice"}, 2},
		{audit.Query{Action: "key"}, 3},
		{audit.Query{Action: "key.create"}, 3},
		{audit.Query{Action: "ke"}, 0},
		{audit.Query{Resource: "keys"}, 5},
		{audit.Query{Resource: "keys/k1"}, 1},
		{audit.Query{Resource: "key"}, 0},
		{audit.Query{From: noon.Add(time.Minute), To: noon.Add(3 * time.Minute)}, 2},
		{audit.Query{Before: 3}, 2},
		{audit.Query{Limit: 4}, 4},
	} {
		if got, err := a.Records(t.Context(), c.q); err != nil || len(got) != c.want {
			t.Errorf("%+v: %d records, want %d (%v)", c.q, len(got), c.want, err)
		}
	}
}

// Whatever is done to one row behind the program's back is found.
func TestAuditShowsTampering(t *testing.T) {
	for _, c := range []struct {
		sql    string
		broken int64
	}{
		{"UPDATE audit SET record = replace(record, 'k2', 'k9') WHERE seq = 3", 3},
		{"UPDATE audit SET record = replace(record, '201', '403') WHERE seq = 1", 1},
		{"UPDATE audit SET actor = 'mallory' WHERE seq = 2", 2},
		{"UPDATE audit SET time = time + 1 WHERE seq = 4", 4},
		{"UPDATE audit SET hash = 'x' WHERE seq = 5", 5},
		{"DELETE FROM audit WHERE seq = 1", 1},
		{"DELETE FROM audit WHERE seq = 3", 3},
		{"DELETE FROM audit WHERE seq >= 4", 4},
		{"DELETE FROM audit", 1},
		{"UPDATE audit_head SET seq = 4", 5},
		{"INSERT INTO audit SELECT 6, time, actor, action, resource, record, hash FROM audit WHERE seq = 5", 6},
	} {
		s, a := chained(t, 5)
		if _, err := s.write.Exec(c.sql); err != nil {
			t.Fatal(err)
		}
		v, err := a.Verify(t.Context())
		if err != nil || v.OK || v.Broken == nil || *v.Broken != c.broken || v.Why == "" {
			t.Errorf("%s: %+v %v", c.sql, v, err)
		}
	}
}

// removal removes, at a time, what is older than another.
func removal(t *testing.T, a Audit, now, before time.Time) error {
	t.Helper()
	trail := &audit.Trail{Store: a, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)}
	return trail.Retain(t.Context(), a, before)
}

// Old records go from the beginning of the chain, and what is left is proven from
// there on.
func TestAuditRemovesOldRecords(t *testing.T) {
	_, a := chained(t, 5)
	all, err := a.Records(t.Context(), audit.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if err := removal(t, a, noon.Add(time.Hour), noon); err != nil {
		t.Fatal(err)
	}
	if v, err := a.Verify(t.Context()); err != nil || !v.OK || v.From != 1 || v.Count != 5 || v.Anchor != (audit.Anchor{}) {
		t.Errorf("nothing was too old: %+v %v", v, err)
	}
	if err := removal(t, a, noon.Add(time.Hour), noon.Add(3*time.Minute)); err != nil {
		t.Fatal(err)
	}
	v, err := a.Verify(t.Context())
	if err != nil || !v.OK || v.From != 4 || v.Count != 3 || v.Anchor != (audit.Anchor{Seq: 3, Hash: all[2].Hash}) {
		t.Errorf("%+v %v", v, err)
	}
	left, err := a.Records(t.Context(), audit.Query{})
	if err != nil || len(left) != 3 || left[2].Seq != 4 || left[2].Prev != all[2].Hash {
		t.Fatalf("%+v %v", left, err)
	}
	if r := left[0]; r.Seq != 6 || r.Actor != "sluice" || r.Action != audit.Removal || string(r.After) != fmt.Sprintf(`{"seq":3,"hash":%q}`, all[2].Hash) {
		t.Errorf("the record of the removal is %+v", r)
	}
	// All of them, the record of the removal before too.
	if err := removal(t, a, noon.Add(2*time.Hour), noon.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if v, err := a.Verify(t.Context()); err != nil || !v.OK || v.Count != 1 || v.Anchor.Seq != v.From-1 {
		t.Errorf("%+v %v", v, err)
	}
	if _, err := a.Append(t.Context(), 0, audit.Record{Time: noon, Action: "sign-in"}); err != nil {
		t.Fatal(err)
	}
	if v, err := a.Verify(t.Context()); err != nil || !v.OK || v.Count != 2 {
		t.Errorf("%+v %v", v, err)
	}
}

// Many records go a part at a time; one that is out of its time keeps those
// after it.
func TestAuditRemovesInParts(t *testing.T) {
	_, a := chained(t, mostRemoved+10)
	if _, err := a.Append(t.Context(), 0, audit.Record{Time: noon.AddDate(1, 0, 0), Action: "sign-in"}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Append(t.Context(), 0, audit.Record{Time: noon, Action: "sign-in"}); err != nil {
		t.Fatal(err)
	}
	if err := removal(t, a, noon.AddDate(0, 6, 0), noon.AddDate(0, 7, 0)); err != nil { // the clock has not come so far
		t.Fatal(err)
	}
	removed, err := a.Records(t.Context(), audit.Query{Action: audit.Removal})
	if err != nil || len(removed) != 2 {
		t.Fatalf("%+v %v", removed, err)
	}
	if v, err := a.Verify(t.Context()); err != nil || !v.OK || v.From != mostRemoved+11 || v.Count != 4 {
		t.Errorf("%+v %v", v, err)
	}
}

// What was changed before a removal is not removed with its proof, and what is
// changed after one is found, whoever says that it was a removal.
func TestAuditTamperingAndRemoval(t *testing.T) {
	for _, sql := range []string{
		"UPDATE audit SET record = replace(record, 'k1', 'k9') WHERE seq = 2",
		"DELETE FROM audit WHERE seq = 2",
		"DELETE FROM audit WHERE seq = 1",
		"UPDATE audit SET hash = 'x' WHERE seq = 3",
		"UPDATE audit_anchor SET seq = 1, hash = 'x'",
	} {
		s, a := chained(t, 5)
		if _, err := s.write.Exec(sql); err != nil {
			t.Fatal(err)
		}
		was, err := a.Verify(t.Context())
		if err != nil || was.OK {
			t.Fatalf("%s: %+v %v", sql, was, err)
		}
		if err := removal(t, a, noon.Add(time.Hour), noon.Add(3*time.Minute)); err == nil {
			t.Errorf("%s: it was removed", sql)
		}
		if is, err := a.Verify(t.Context()); err != nil || is.Why != was.Why || *is.Broken != *was.Broken {
			t.Errorf("%s: %+v %v, was %+v", sql, is, err, was)
		}
	}
	for _, c := range []struct {
		sql    string
		broken int64
	}{
		{"UPDATE audit SET record = replace(record, 'k3', 'k9') WHERE seq = 4", 4},
		{"DELETE FROM audit WHERE seq = 4", 4},
		{"DELETE FROM audit WHERE seq = 6", 6}, // of the removal
		{"DELETE FROM audit WHERE seq = 4; UPDATE audit_anchor SET seq = 4, hash = (SELECT json_extract(record, '$.prev') FROM audit WHERE seq = 5)", 5},
		{"UPDATE audit_anchor SET hash = 'x'", 4},
		{"UPDATE audit_anchor SET seq = 0, hash = ''", 1},
		{"UPDATE audit_anchor SET seq = 2", 3},
		{"INSERT INTO audit SELECT 3, time, actor, action, resource, record, hash FROM audit WHERE seq = 4", 3},
		{"UPDATE audit SET action = 'sign-in' WHERE seq = 6", 6},
	} {
		s, a := chained(t, 5)
		if err := removal(t, a, noon.Add(time.Hour), noon.Add(3*time.Minute)); err != nil {
			t.Fatal(err)
		}
		if onPostgres != "" {
			c.sql = strings.ReplaceAll(c.sql, "json_extract(record, '$.prev')", "record::json ->> 'prev'")
		}
		if _, err := s.write.Exec(c.sql); err != nil {
			t.Fatal(err)
		}
		v, err := a.Verify(t.Context())
		if err != nil || v.OK || v.Broken == nil || *v.Broken != c.broken || v.Why == "" {
			t.Errorf("%s: %+v %v", c.sql, v, err)
		}
	}
}

// A record whose change was under way when the process died joins the chain at
// the next start.
func TestAuditRecoversOpenRecords(t *testing.T) {
	path := testAddress(t)
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Audit().Open(t.Context(), audit.Record{Time: noon, Actor: "deploy", Action: "key.create", Resource: "keys"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	defer s.Close() //nolint:errcheck // a test
	trail := &audit.Trail{Store: s.Audit()}
	for range 2 {
		if err := trail.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	records, err := s.Audit().Records(t.Context(), audit.Query{})
	if err != nil || len(records) != 1 || records[0].Status != 0 || records[0].Actor != "deploy" || !records[0].Time.Equal(noon) {
		t.Errorf("%+v %v", records, err)
	}
}

// A record that cannot be chained when its change is over waits, and nothing
// else is changed until it is.
func TestAuditKeepsLateRecords(t *testing.T) {
	s, a := chained(t, 1)
	trail := &audit.Trail{Store: a, Now: func() time.Time { return noon }}
	more, noMore := "DROP TRIGGER no_more", "CREATE TRIGGER no_more BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END"
	if onPostgres != "" {
		more, noMore = "ALTER TABLE audit DROP CONSTRAINT no_more", "ALTER TABLE audit ADD CONSTRAINT no_more CHECK (false) NOT VALID"
	}
	block := func(sql string) {
		t.Helper()
		if _, err := s.write.Exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	changed := 0
	err := trail.Do(t.Context(), audit.Record{Action: "team.create"}, func(r *audit.Record) {
		changed++
		r.Status = 201
		block(noMore)
	})
	if err != nil || changed != 1 {
		t.Fatalf("%v, changed %d times", err, changed)
	}
	if err := trail.Do(t.Context(), audit.Record{Action: "team.delete"}, func(*audit.Record) { changed++ }); err == nil || changed != 1 {
		t.Errorf("%v, changed %d times while records wait", err, changed)
	}
	block(more)
	if err := trail.Note(context.Background(), audit.Record{Action: "sign-in", Status: 200}); err != nil {
		t.Fatal(err)
	}
	records, err := a.Records(t.Context(), audit.Query{})
	if err != nil || len(records) != 3 || records[1].Action != "team.create" || records[1].Status != 201 {
		t.Errorf("%+v %v", records, err)
	}
	var open int
	if err := s.read.own.QueryRow("SELECT count(*) FROM audit_open").Scan(&open); err != nil || open != 0 {
		t.Errorf("%d open records (%v)", open, err)
	}
	if v, err := a.Verify(t.Context()); err != nil || !v.OK {
		t.Errorf("%+v %v", v, err)
	}
}

// A change that panics has a record too.
func TestAuditRecordsPanics(t *testing.T) {
	_, a := chained(t, 0)
	trail := &audit.Trail{Store: a}
	func() {
		defer func() { _ = recover() }()
		_ = trail.Do(t.Context(), audit.Record{Action: "team.create"}, func(*audit.Record) { panic("no") })
	}()
	records, err := a.Records(t.Context(), audit.Query{})
	if err != nil || len(records) != 1 || records[0].Status != 500 {
		t.Errorf("%+v %v", records, err)
	}
}

// What it takes to prove a million records.
func BenchmarkAuditVerify(b *testing.B) {
	const n, batch = 1_000_000, 10_000
	s := testStore(b)
	a := s.Audit()
	for from := 0; from < n; from += batch {
		err := a.inTx(b.Context(), func(ctx context.Context, tx *sql.Tx) error {
			for i := range batch {
				r := audit.Record{Time: noon.Add(time.Duration(from+i) * time.Second), Actor: "deploy", Role: "admin", IP: "10.0.0.1", Action: "team.update", Resource: fmt.Sprintf("teams/t%d", i),
					Before: json.RawMessage(`{"name":"research","models":["fast"]}`), After: json.RawMessage(`{"name":"research","models":["slow"]}`), Status: 200, RequestID: fmt.Sprint("request", from+i)}
				if err := chain(ctx, tx, &r); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if v, err := a.Verify(b.Context()); err != nil || !v.OK || v.Count != n {
			b.Fatalf("%+v %v", v, err)
		}
	}
}
