package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/billing"
	"sluice/providers/schema"
)

func TestAppendKeepsEveryField(t *testing.T) {
	l := testStore(t).Ledger()
	want := billing.Entry{
		Call: "c1", Time: noon.Add(123456789), Team: "t", KeyID: "k", Key: "t/n", User: "ann", Tags: []string{"a", "b"},
		Operation: "chat", Model: "m", Provider: "p", Target: "p/m", Prompt: "sum", Version: 3,
		Usage: schema.Usage{Input: 1, CachedInput: 2, CacheWrite: 3, CacheWrite1h: 4, Output: 5, Reasoning: 6,
			AudioInput: 7, AudioOutput: 8, Images: 9, Tier: "flex", Source: schema.UsageCounted},
		PriceVersion: "pv", Cost: 11, Excess: 12, Saved: 13, Status: 502, Code: "upstream_error", Origin: "provider",
		Refused: false, Stream: true, Cache: "miss", Disconnect: true, Delivered: 4, Latency: 5 * time.Second,
		TTFT: time.Second, RequestID: "r1", Corrects: "c0", Reason: "twice", Trace: "4bf92f3577b34da6a3ce929d0e0e4736",
		Attempts: []billing.AttemptLog{{Target: "p/m", Key: "…abcd", Status: 500, Code: "x", LatencyMS: 5, USD: 7}},
	}
	add(t, l, want)
	got, err := l.Request(context.Background(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("read back\n%+v, want\n%+v", *got, want)
	}
	if _, err := l.Request(context.Background(), "c2"); !errors.Is(err, billing.ErrNotFound) {
		t.Errorf("Request of no call = %v, want ErrNotFound", err)
	}
}

func TestAppendTwiceIsOnce(t *testing.T) {
	l := testStore(t).Ledger()
	e := entry("c1", noon, func(e *billing.Entry) { e.User, e.Tags = "ann", []string{"x"} })
	failed := entry("c1", noon, func(e *billing.Entry) { e.Attempt = 1 })
	add(t, l, e, failed, e)
	add(t, l, failed, e)
	e.Cost = 1 // even another content is not taken
	add(t, l, e)
	verified(t, l, 2)
	r, err := l.Usage(context.Background(), billing.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Total.Calls != 1 || r.Total.USD != 90_000 || r.Total.InputTokens != 200 {
		t.Errorf("total = %+v, want one call and two entries' cost", r.Total)
	}
}

// TestAppendRuns has batches of both kinds of entries, longer than a run, of
// which some are there already.
func TestAppendRuns(t *testing.T) {
	l := testStore(t).Ledger()
	batch := func(from, to int) (list []billing.Entry) {
		for i := from; i < to; i++ {
			e := entry(fmt.Sprintf("c%03d", i), noon.Add(time.Duration(i)*time.Second))
			if i%3 == 0 {
				e.Usage = schema.Usage{Input: 100, Output: 50}
			}
			list = append(list, e)
		}
		return list
	}
	for _, b := range [][2]int{{0, 100}, {80, 140}, {150, 170}, {140, 151}, {0, 200}, {0, 200}} {
		add(t, l, batch(b[0], b[1])...)
	}
	twice := batch(200, 240)
	add(t, l, append(twice, twice...)...)
	verified(t, l, 240)
	r, err := l.Usage(context.Background(), billing.Query{})
	if err != nil || r.Total.Calls != 240 || r.Total.USD != 240*45_000 {
		t.Errorf("total = %+v, %v; want 240 calls", r.Total, err)
	}
}

// TestAppendSums has reports tell the same of calls whose sums alone were
// written, and Verify miss their entries.
func TestAppendSums(t *testing.T) {
	ctx := context.Background()
	whole, sums := testStore(t).Ledger(), testStore(t).Ledger()
	entries := generate(rand.New(rand.NewPCG(1, 2)), 0, 3000, noon, time.Minute)
	add(t, whole, entries...)
	for part := range slices.Chunk(entries, 500) {
		err := sums.AppendSums(ctx, func(yield func(*billing.Entry) bool) {
			for i := range part {
				if !yield(&part[i]) {
					return
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, by := range [][]string{nil, {"team", "model"}, {"hour"}, {"tag", "user"}, {"status", "day"}} {
		want, err := whole.Usage(ctx, billing.Query{GroupBy: by})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := sums.Usage(ctx, billing.Query{GroupBy: by}); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("by %v: %v\n%+v\n%+v", by, err, got, want)
		}
	}
	if n, differ, err := sums.Verify(ctx); err != nil || n != 0 || len(differ) == 0 {
		t.Errorf("%d entries, %v: nobody misses them", n, err)
	}
}

func TestAppendIsAllOrNothing(t *testing.T) {
	l := testStore(t).Ledger()
	bad := entry("", noon)
	err := l.Append(context.Background(), []billing.Entry{entry("c1", noon, func(e *billing.Entry) { e.Tags = []string{"new"} }), bad})
	if err == nil || !strings.Contains(err.Error(), "no call id") {
		t.Fatalf("Append of an entry without an id = %v", err)
	}
	verified(t, l, 0)
	// The ids made in that transaction are not used again.
	add(t, l, entry("c1", noon, func(e *billing.Entry) { e.Tags = []string{"new"} }))
	verified(t, l, 1)
	r, err := l.Usage(context.Background(), billing.Query{GroupBy: []string{"team", "tag"}})
	if err != nil || len(r.Rows) != 1 || r.Rows[0].Values[1] != "new" {
		t.Errorf("usage by tag = %+v, %v", r, err)
	}
}

func TestAppendHeedsContext(t *testing.T) {
	l := testStore(t).Ledger()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.Append(ctx, []billing.Entry{entry("c1", noon)}); !errors.Is(err, context.Canceled) {
		t.Errorf("Append = %v, want Canceled", err)
	}
	if err := l.Append(ctx, nil); err != nil {
		t.Errorf("Append of nothing = %v", err)
	}
}

func TestReadersSeeWholeBatches(t *testing.T) {
	l := testStore(t).Ledger()
	const batches, size = 40, 25
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			for {
				r, err := l.Usage(context.Background(), billing.Query{GroupBy: []string{"user", "hour"}})
				if err != nil {
					t.Error(err)
					return
				}
				if r.Total.Calls%size != 0 || int64(r.Total.USD) != r.Total.Calls*45_000 {
					t.Errorf("saw %d calls for %s: part of a batch", r.Total.Calls, r.Total.USD)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for b := range batches {
		var entries []billing.Entry
		for i := range size {
			entries = append(entries, entry(fmt.Sprintf("c%d.%d", b, i), noon.Add(time.Duration(b)*20*time.Minute),
				func(e *billing.Entry) { e.User = fmt.Sprint("u", i%3) }))
		}
		add(t, l, entries...)
	}
	close(done)
	wg.Wait()
	verified(t, l, batches*size)
}

// alter rewrites the packs of a kind as change makes their rows.
func alter(t *testing.T, l *Ledger, k kind, column string, change func(rows []packRow) []packRow) {
	t.Helper()
	var pack []byte
	if err := l.write.QueryRow("SELECT "+column+" FROM packs WHERE kind = ?", k).Scan(&pack); err != nil {
		t.Fatal(err)
	}
	p := newPacker()
	for _, row := range change(rowsOf(t, pack)) {
		p.add(&row.packKey, &row.sums)
	}
	if _, err := l.write.Exec("UPDATE packs SET "+column+" = ? WHERE kind = ?", p.bytes(), k); err != nil {
		t.Fatal(err)
	}
}

func rowsOf(t *testing.T, packs ...[]byte) (rows []packRow) {
	t.Helper()
	m, err := mergePacks(packs)
	for ok := true; err == nil; {
		if ok, err = m.next(); !ok {
			break
		}
		rows = append(rows, m.row)
	}
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestVerifyFindsEveryDamage(t *testing.T) {
	dearer := func(rows []packRow) []packRow { rows[0].sums[iUSD]++; return rows }
	damages := map[string]func(l *Ledger){
		"DELETE FROM packs WHERE kind = 0":                 nil,
		"DELETE FROM packs WHERE kind = 1":                 nil,
		"DELETE FROM packs WHERE kind = 2":                 nil,
		"DELETE FROM packs WHERE kind = 3":                 nil,
		"DELETE FROM packs":                                nil,
		"DELETE FROM entries WHERE call = 'c2'":            nil,
		"UPDATE entries SET cost = 0 WHERE call = 'c1'":    nil,
		`UPDATE entries SET "user" = '' WHERE call = 'c1'`: nil,
		"UPDATE entries SET time = time + 86400000000000":  nil,
		"INSERT INTO packs (day, kind, level, shard, by_day, by_hour) SELECT day + 1, kind, level, shard, by_day, by_hour FROM packs": nil,
		"a tagset": func(l *Ledger) {
			alter(t, l, byTagset, "by_day", func(rows []packRow) []packRow { rows[0].tagset += 3; return rows[:1] })
		},
		"an hour": func(l *Ledger) {
			alter(t, l, byDim, "by_hour", func(rows []packRow) []packRow { rows[1].hour++; return rows })
		},
	}
	for k := range kinds {
		for _, column := range []string{"by_day", "by_hour"} {
			damages[fmt.Sprint("usd of ", column, " of kind ", k)] = func(l *Ledger) { alter(t, l, k, column, dearer) }
		}
	}
	for name, damage := range damages {
		l := testStore(t).Ledger()
		add(t, l, entry("c1", noon, func(e *billing.Entry) { e.User, e.Tags = "ann", []string{"a"} }), entry("c2", noon.Add(time.Hour)))
		verified(t, l, 2)
		if damage != nil {
			damage(l)
		} else if _, err := l.write.Exec(name); err != nil {
			t.Fatal(err)
		}
		_, differences, err := l.Verify(context.Background())
		if err != nil || len(differences) == 0 {
			t.Errorf("after %q Verify = %v, %v", name, differences, err)
		}
	}
}

func TestVerifyTellsWhatDiffers(t *testing.T) {
	l := testStore(t).Ledger()
	add(t, l, entry("c1", noon))
	alter(t, l, byDim, "by_hour", func(rows []packRow) []packRow { rows[0].sums[iUSD] = 44_000; return rows })
	_, differences, err := l.Verify(context.Background())
	if err != nil || len(differences) != 2 || differences[0] != "2026-03-14T12Z dim 1: usd 44000 should be 45000" {
		t.Errorf("differences = %q, %v", differences, err)
	}
	if _, err := l.write.Exec("UPDATE packs SET by_day = ?", []byte{1, 2}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Verify(context.Background()); err == nil || !strings.Contains(err.Error(), "2026-03-14") {
		t.Errorf("Verify of what is no pack = %v", err)
	}
}
