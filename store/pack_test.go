package store

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/billing"
)

func TestPackIsItsRows(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rows := rapid.SliceOf(rapid.Custom(func(rt *rapid.T) (r packRow) {
			r.dim, r.tagset = rapid.Int64Range(0, 5).Draw(rt, "dim"), rapid.Int64Range(0, 2).Draw(rt, "tagset")
			r.user, r.hour = rapid.SampledFrom([]string{"", "ann", "bob\x00", "ä"}).Draw(rt, "user"), rapid.Int64Range(0, 23).Draw(rt, "hour")
			for range rapid.IntRange(0, 4).Draw(rt, "n") {
				r.sums[rapid.IntRange(0, nSums-1).Draw(rt, "at")] = rapid.Int64().Draw(rt, "sum")
			}
			return r
		})).Draw(rt, "rows")
		want := map[packKey]sums{}
		for _, r := range rows {
			s := want[r.packKey]
			s.add(&r.sums, 1)
			want[r.packKey] = s
		}
		for k, s := range want {
			if s == (sums{}) {
				delete(want, k)
			}
		}
		cut := rapid.IntRange(0, len(rows)).Draw(rt, "cut")
		whole := pack(rows, byUser, true)
		two, err := repack([][]byte{pack(rows[:cut], byUser, true), pack(rows[cut:], byUser, true)})
		if err != nil {
			rt.Fatal(err)
		}
		for _, p := range [][]byte{whole, two} {
			got := map[packKey]sums{}
			for _, r := range rowsOf(t, p) {
				got[r.packKey] = r.sums
			}
			if !reflect.DeepEqual(got, want) {
				rt.Fatalf("got %v, want %v", got, want)
			}
		}
	})
}

func FuzzUnpack(f *testing.F) {
	var s sums
	s[iCalls], s[iUSD] = 1, -45_000
	f.Add(pack([]packRow{{packKey{1, 2, "ann", 3}, s}, {packKey{7, 0, "", 23}, s}}, byUser, true))
	f.Add(pack(nil, byDim, false))
	f.Fuzz(func(t *testing.T, b []byte) {
		var u unpacker
		if u.open(bytes.Clone(b)) != nil {
			return
		}
		for u.next() {
			u.addTo(&s)
			_ = u.key()
		}
	})
}

// Packs stay few, whatever the batches: those of a day that is over become one.
func TestPacksAreMerged(t *testing.T) {
	s := testStore(t)
	l := s.Ledger()
	n := 0
	for d := range 3 {
		for i := range 300 {
			add(t, l, entry(fmt.Sprint("c", n), noon.Add(time.Duration(d)*24*time.Hour+time.Duration(i)*time.Minute),
				func(e *billing.Entry) { e.User = fmt.Sprint("u", i%7) }))
			n++
		}
	}
	verified(t, l, int64(n))
	var most, over, sharded int
	err := s.read.own.QueryRow(`SELECT (SELECT count(*) FROM packs WHERE kind = 2 AND day = ?1), (SELECT count(*) FROM packs WHERE day < ?1 AND kind < 2),
		(SELECT count(*) FROM packs WHERE day < ?1 AND kind = 2)`, noon.Add(48*time.Hour).UnixNano()/day).Scan(&most, &over, &sharded)
	if err != nil || most > 3*levelSize || over != 4 || sharded != 2*userShards {
		t.Errorf("%d packs of the last day, %d and %d of those before, %v", most, over, sharded, err)
	}
	for i := range 7 {
		user := fmt.Sprint("u", i)
		r, err := l.Usage(context.Background(), billing.Query{Only: billing.Filter{User: user}})
		if err != nil || r.Total.Calls < 3*42 {
			t.Errorf("%s: %+v, %v", user, r, err)
		}
	}
	add(t, l, entry("late", noon)) // a straggler
	verified(t, l, int64(n)+1)
	r, err := l.Usage(context.Background(), billing.Query{GroupBy: []string{"user"}})
	if err != nil || r.Total.Calls != int64(n)+1 || len(r.Rows) != 8 {
		t.Errorf("report = %+v, %v", r, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
