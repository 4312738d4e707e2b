package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/billing"
	"sluice/providers/schema"
)

// naive sums entries the plain way: what Usage must answer, percentiles apart.
func naive(entries []billing.Entry, q billing.Query) (map[string]billing.Sums, billing.Sums) {
	loc := q.Location
	if loc == nil {
		loc = time.UTC
	}
	rows := map[string]billing.Sums{}
	var total billing.Sums
	for _, e := range entries {
		if !q.From.IsZero() && e.Time.Before(q.From) || !q.To.IsZero() && !e.Time.Before(q.To) ||
			q.Team != "" && e.Team != q.Team || q.KeyID != "" && e.KeyID != q.KeyID || !naiveOnly(e, q.Only) {
			continue
		}
		tags := slices.Clone(e.Tags)
		slices.Sort(tags)
		tags = slices.Compact(tags)
		if len(tags) == 0 || !slices.Contains(q.GroupBy, "tag") {
			tags = []string{""}
		}
		for _, tag := range tags {
			key := naiveKey(e, q.GroupBy, tag, loc)
			s := rows[key]
			naiveAdd(&s, e)
			rows[key] = s
		}
		naiveAdd(&total, e)
	}
	return rows, total
}

func naiveOnly(e billing.Entry, f billing.Filter) bool {
	for want, has := range map[string]string{"key " + f.Key: "key " + e.Key, "model " + f.Model: "model " + e.Model,
		"provider " + f.Provider: "provider " + e.Provider, "target " + f.Target: "target " + e.Target,
		"prompt " + f.Prompt: "prompt " + e.Prompt, "user " + f.User: "user " + e.User} {
		if !strings.HasSuffix(want, " ") && want != has {
			return false
		}
	}
	return f.Tag == "" || slices.Contains(e.Tags, f.Tag)
}

func naiveKey(e billing.Entry, groupBy []string, tag string, loc *time.Location) string {
	at := e.Time.In(loc)
	version := ""
	if e.Version != 0 {
		version = strconv.Itoa(e.Version)
	}
	values := map[string]string{"team": e.Team, "key": e.Key, "user": e.User, "model": e.Model, "target": e.Target,
		"provider": e.Provider, "prompt": e.Prompt, "version": version, "tag": tag, "status": strconv.Itoa(e.Status),
		"hour": at.Format("2006-01-02T15:00:00Z07:00"), "day": at.Format("2006-01-02"), "month": at.Format("2006-01")}
	var key []string
	for _, g := range groupBy {
		key = append(key, values[g])
	}
	return strings.Join(key, "|")
}

func naiveAdd(s *billing.Sums, e billing.Entry) {
	if e.Refused {
		s.Refused++
	} else if e.Attempt == 0 {
		s.Calls++
		if e.Status >= 400 {
			s.Errors++
		}
		if e.Cache == "hit" || e.Cache == "semantic" {
			s.Cached++
		}
	}
	s.InputTokens += e.Usage.Input
	s.CachedInputTokens += e.Usage.CachedInput
	s.CacheWriteTokens += e.Usage.CacheWrite
	s.OutputTokens += e.Usage.Output
	s.ReasoningTokens += e.Usage.Reasoning
	s.USD += e.Cost
	s.SavedUSD += e.Saved
}

var zones = []string{"UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York", "Pacific/Chatham", "Australia/Lord_Howe"}

// drawEntries draws a history around a change of the clocks.
func drawEntries(t *rapid.T) []billing.Entry {
	pick := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	start := time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)
	n := rapid.IntRange(0, 40).Draw(t, "entries")
	out := make([]billing.Entry, n)
	for i := range out {
		e := entry(fmt.Sprint("c", i/2), start.Add(time.Duration(rapid.Int64Range(0, int64(80*time.Hour)).Draw(t, "at"))))
		e.Attempt = i % 2
		e.Team, e.KeyID = pick("team", "a", "b"), pick("key", "1", "2")
		e.Key = e.Team + "/" + e.KeyID
		e.User = pick("user", "", "", "ann", "bob")
		e.Tags = rapid.SliceOfN(rapid.SampledFrom([]string{"x", "y", "z"}), 0, 3).Draw(t, "tags")
		e.Model, e.Prompt = pick("model", "fast", "smart"), pick("prompt", "", "sum")
		e.Version = rapid.IntRange(0, 11).Draw(t, "version")
		e.Status = rapid.SampledFrom([]int{200, 200, 429, 502}).Draw(t, "status")
		e.Refused = e.Attempt == 0 && e.Status == 429
		e.Cache = pick("cache", "", "hit", "miss", "semantic")
		e.Cost = billing.Nano(rapid.Int64Range(0, 1e12).Draw(t, "cost"))
		e.Saved = billing.Nano(rapid.Int64Range(0, 1000).Draw(t, "saved"))
		e.Usage = schema.Usage{Input: rapid.Int64Range(0, 1e6).Draw(t, "input"), CacheWrite: 3, Output: 5}
		e.Latency = time.Duration(rapid.Int64Range(0, int64(10*time.Minute)).Draw(t, "latency"))
		if e.Attempt == 1 && rapid.IntRange(0, 3).Draw(t, "a correction") == 0 {
			e.Attempt, e.Cost, e.Usage.Input = billing.Correction, -e.Cost, -e.Usage.Input
		}
		out[i] = e
	}
	return out
}

func drawQuery(t *rapid.T) billing.Query {
	q := billing.Query{GroupBy: rapid.SliceOfNDistinct(rapid.SampledFrom(billing.Dimensions), 0, 4,
		func(s string) string { return s }).Draw(t, "group by")}
	start := time.Date(2026, 3, 27, 20, 0, 0, 0, time.UTC)
	// On the hour, on the minute or anywhere.
	unit := rapid.SampledFrom([]time.Duration{time.Hour, time.Minute, 1}).Draw(t, "unit")
	at := func(label string) time.Time {
		return start.Add(time.Duration(rapid.Int64Range(0, int64(90*time.Hour/unit)).Draw(t, label)) * unit)
	}
	if rapid.Bool().Draw(t, "from") {
		q.From = at("from at")
	}
	if rapid.Bool().Draw(t, "to") {
		q.To = at("to at")
	}
	q.Team = rapid.SampledFrom([]string{"", "", "a"}).Draw(t, "only team")
	q.KeyID = rapid.SampledFrom([]string{"", "", "2"}).Draw(t, "only key")
	pick := func(label string, of ...string) string {
		return rapid.SampledFrom(append(of, "", "", "", "")).Draw(t, label)
	}
	q.Only = billing.Filter{Key: pick("only team/key", "a/1", "b/2"), Model: pick("only model", "fast"), Prompt: pick("only prompt", "sum"),
		User: pick("only user", "ann", "bob"), Tag: pick("only tag", "x", "y"), Provider: pick("only provider", "openai"), Target: pick("only target", "openai/gpt-4o-mini")}
	if zone := rapid.SampledFrom(zones).Draw(t, "zone"); zone != "UTC" {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		q.Location = loc
	}
	return q
}

// Any report over any history is what a plain sum gives.
func TestUsageIsTheSumOfEntries(t *testing.T) {
	s := testStore(t)
	tables := []string{"entries", "packs"}
	rapid.Check(t, func(t *rapid.T) {
		for _, table := range tables {
			if _, err := s.write.Exec("DELETE FROM " + table); err != nil {
				t.Fatal(err)
			}
		}
		l := s.Ledger()
		entries := drawEntries(t)
		cut := rapid.IntRange(0, len(entries)).Draw(t, "cut")
		again := rapid.IntRange(0, cut).Draw(t, "written twice")
		for _, batch := range [][]billing.Entry{entries[:cut], entries[again:]} {
			if err := l.Append(context.Background(), batch); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			checkUsage(t, l, entries, drawQuery(t))
		}
		if n, differences, err := l.Verify(context.Background()); err != nil || int(n) != len(entries) || len(differences) > 0 {
			t.Fatalf("Verify = %d, %v, %v", n, differences, err)
		}
	})
}

// So it is if goroutines sum it, with whatever packs each gets.
func TestUsageOnSeveralGoroutines(t *testing.T) {
	procs, size, small := runtime.GOMAXPROCS(3), heapSize, smallHeap
	defer func() { heapSize, smallHeap = size, small; runtime.GOMAXPROCS(procs) }()
	heapSize, smallHeap = 100, 0
	TestUsageIsTheSumOfEntries(t)
	TestUsageIsTheSameInAnyMix(t)
	TestUsageOfManyDaysByUser(t)
	TestUsageIsBounded(t)
}

func checkUsage(t *rapid.T, l *Ledger, entries []billing.Entry, q billing.Query) {
	got, err := l.Usage(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	want, total := naive(entries, q)
	rows := map[string]billing.Sums{}
	for _, r := range got.Rows {
		r.Sums.LatencyP50MS, r.Sums.LatencyP95MS = 0, 0
		rows[strings.Join(r.Values, "|")] = r.Sums
	}
	if len(q.GroupBy) == 0 && len(want) == 0 {
		want[""] = billing.Sums{}
	}
	got.Total.LatencyP50MS, got.Total.LatencyP95MS = 0, 0
	if !reflect.DeepEqual(rows, want) || got.Total != total {
		t.Fatalf("query %+v:\n got %+v\nwant %+v\ntotal %+v\n want %+v", q, rows, want, got.Total, total)
	}
	if len(rows) != len(got.Rows) {
		t.Fatalf("query %+v gave a group twice: %+v", q, got.Rows)
	}
}

func TestUsageByTag(t *testing.T) {
	l := testStore(t).Ledger()
	tags := func(tags ...string) func(*billing.Entry) { return func(e *billing.Entry) { e.Tags = tags } }
	add(t, l, entry("c1", noon, tags("a", "b")), entry("c2", noon, tags("b", "b")), entry("c3", noon))
	r, err := l.Usage(context.Background(), billing.Query{GroupBy: []string{"tag"}})
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]int64{}
	for _, row := range r.Rows {
		calls[row.Values[0]] = row.Calls
	}
	if !reflect.DeepEqual(calls, map[string]int64{"": 1, "a": 1, "b": 2}) || r.Total.Calls != 3 {
		t.Errorf("calls by tag = %v, total %d", calls, r.Total.Calls)
	}
}

func TestUsageRowsAreSorted(t *testing.T) {
	l := testStore(t).Ledger()
	for i, v := range []int{10, 2, 0, 9} {
		add(t, l, entry(fmt.Sprint(i), noon, func(e *billing.Entry) { e.Prompt, e.Version = "p", v }))
	}
	r, err := l.Usage(context.Background(), billing.Query{GroupBy: []string{"prompt", "version"}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range r.Rows {
		got = append(got, row.Values[1])
	}
	if !slices.Equal(got, []string{"", "2", "9", "10"}) {
		t.Errorf("versions = %q", got)
	}
}

func TestUsageOfNothing(t *testing.T) {
	l := testStore(t).Ledger()
	for _, q := range []billing.Query{{}, {GroupBy: []string{"team", "day"}}, {From: noon, To: noon.Add(-time.Hour)}} {
		r, err := l.Usage(context.Background(), q)
		if err != nil || r.Total != (billing.Sums{}) || r.Rows == nil {
			t.Errorf("Usage(%+v) = %+v, %v", q, r, err)
		}
	}
	if _, err := l.Usage(context.Background(), billing.Query{GroupBy: []string{"colour"}}); err == nil || !strings.Contains(err.Error(), "colour") {
		t.Errorf("an unknown dimension gave %v", err)
	}
}

// Ends that are centuries away select what lies between them.
func TestEndsFarAway(t *testing.T) {
	l := testStore(t).Ledger()
	add(t, l, entry("c1", noon))
	year := func(n int) time.Time { return time.Date(n, 12, 31, 0, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		from, to time.Time
		want     int64
	}{
		{time.Time{}, year(9999), 1}, {time.Time{}, year(2262), 1}, {year(1), time.Time{}, 1}, {year(1600), year(9999), 1},
		{year(2300), year(9999), 0}, {year(1), year(1500), 0}, {time.Time{}, year(1500), 0}, {year(9999), time.Time{}, 0},
	} {
		r, err := l.Usage(t.Context(), billing.Query{From: c.from, To: c.to, GroupBy: []string{"day"}})
		if err != nil || r.Total.Calls != c.want {
			t.Errorf("usage from %v to %v: %+v, %v", c.from, c.to, r, err)
		}
		list, _, err := l.Requests(t.Context(), billing.RequestQuery{From: c.from, To: c.to})
		if err != nil || int64(len(list)) != c.want {
			t.Errorf("requests from %v to %v: %+v, %v", c.from, c.to, list, err)
		}
		n := int64(0)
		err = l.Each(t.Context(), billing.Query{From: c.from, To: c.to}, func(*billing.Entry) error { n++; return nil })
		if err != nil || n != c.want {
			t.Errorf("entries from %v to %v: %d, %v", c.from, c.to, n, err)
		}
	}
}

func TestPercentiles(t *testing.T) {
	for name, c := range map[string]struct {
		latencies []time.Duration
		p50, p95  [2]int64 // at least, at most
	}{
		"none":     {nil, [2]int64{0, 0}, [2]int64{0, 0}},
		"one":      {[]time.Duration{250 * time.Millisecond}, [2]int64{200, 300}, [2]int64{200, 300}},
		"uniform":  {uniform(1000), [2]int64{450, 550}, [2]int64{900, 1000}},
		"for ever": {[]time.Duration{time.Hour}, [2]int64{300_000, 300_000}, [2]int64{300_000, 300_000}},
		"zero":     {[]time.Duration{0}, [2]int64{0, 1}, [2]int64{0, 1}},
	} {
		var s sums
		for _, d := range c.latencies {
			one := sumsOf(&billing.Entry{Latency: d})
			s.add(&one, 1)
		}
		p50, p95 := s.percentile(50), s.percentile(95)
		if p50 < c.p50[0] || p50 > c.p50[1] || p95 < c.p95[0] || p95 > c.p95[1] {
			t.Errorf("%s: p50 %d, p95 %d", name, p50, p95)
		}
	}
}

// uniform is 1, 2, … n milliseconds.
func uniform(n int) (out []time.Duration) {
	for i := range n {
		out = append(out, time.Duration(i+1)*time.Millisecond)
	}
	return out
}

func TestUsageIsBounded(t *testing.T) {
	l := testStore(t).Ledger()
	for i := range 5 {
		add(t, l, entry(fmt.Sprint("c", i), noon, func(e *billing.Entry) { e.User = fmt.Sprint("u", i) }))
	}
	for most, refused := range map[int]bool{0: false, 4: true, 5: false} {
		_, err := l.Usage(context.Background(), billing.Query{GroupBy: []string{"user"}, MostRows: most})
		var bad billing.BadQuery
		if errors.As(err, &bad) != refused || !refused && err != nil {
			t.Errorf("at most %d rows: %v", most, err)
		}
	}
}

// Reports of many days by user, whose users are spread over packs.
func TestUsageOfManyDaysByUser(t *testing.T) {
	l := testStore(t).Ledger()
	var entries []billing.Entry
	for i := range 300 {
		entries = append(entries, entry(fmt.Sprint("c", i), noon.Add(time.Duration(i)*7*time.Hour), func(e *billing.Entry) {
			e.User, e.Model, e.Cost = fmt.Sprint("u", i%11), fmt.Sprint("m", i%3), billing.Nano(i)
			if i%2 == 0 {
				e.Tags = []string{"x", fmt.Sprint(i % 4)}
			}
		}))
	}
	for batch := range slices.Chunk(entries, 7) {
		add(t, l, batch...)
	}
	for _, q := range []billing.Query{{GroupBy: []string{"user"}}, {GroupBy: []string{"month", "user", "model"}}, {GroupBy: []string{"tag", "user"}},
		{GroupBy: []string{"model"}, Only: billing.Filter{User: "u3"}}, {GroupBy: []string{"user"}, Only: billing.Filter{Tag: "x", Model: "m1"}}} {
		got, err := l.Usage(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		rows := map[string]billing.Sums{}
		for _, r := range got.Rows {
			r.Sums.LatencyP50MS, r.Sums.LatencyP95MS = 0, 0
			rows[strings.Join(r.Values, "|")] = r.Sums
		}
		if want, _ := naive(entries, q); !reflect.DeepEqual(rows, want) {
			t.Errorf("query %+v:\n got %+v\nwant %+v", q, rows, want)
		}
	}
	if _, err := l.Usage(context.Background(), billing.Query{GroupBy: []string{"user"}, MostRows: 3}); err == nil {
		t.Error("a report of too many rows was made")
	}
}
