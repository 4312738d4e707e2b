package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sluice/billing"
)

// mixes are every single dimension, every pair, all of them, and n drawn ones.
func mixes(t *rapid.T, n int) [][]string {
	out := [][]string{{}, billing.Dimensions}
	for i, a := range billing.Dimensions {
		out = append(out, []string{a})
		for _, b := range billing.Dimensions[i+1:] {
			out = append(out, []string{b, a})
		}
	}
	for range n {
		out = append(out, rapid.SliceOfNDistinct(rapid.SampledFrom(billing.Dimensions), 3, 8, func(s string) string { return s }).Draw(t, "mix"))
	}
	return out
}

// However usage is grouped, the total is the same, and the sum of the rows. By
// tag a call stands in a row for each of its tags: then each tag's rows sum up
// to what a report of that tag alone has for its total.
func TestUsageIsTheSameInAnyMix(t *testing.T) {
	s := testStore(t)
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++ // a provider of its own
		l, provider := s.Ledger(), fmt.Sprint("p", run)
		entries := drawEntries(t)
		for i := range entries {
			entries[i].Call, entries[i].Provider = fmt.Sprint(run, "/", entries[i].Call), provider
		}
		if err := l.Append(context.Background(), entries); err != nil {
			t.Fatal(err)
		}
		q := drawQuery(t)
		q.Only.Provider = provider
		read := func(by []string, tag string) (*billing.Report, billing.Sums) {
			q := q
			q.GroupBy = by
			if tag != "" {
				q.Only.Tag = tag
			}
			r, err := l.Usage(context.Background(), q)
			if err != nil {
				t.Fatal(err)
			}
			return r, r.Total
		}
		_, want := read(nil, "")
		of := map[string]billing.Sums{}
		for _, tag := range []string{"x", "y", "z"} {
			_, of[tag] = read(nil, tag)
		}
		for _, by := range mixes(t, 10) {
			r, total := read(by, "")
			if total != want {
				t.Fatalf("by %v: total %+v, want %+v", by, total, want)
			}
			at := slices.Index(by, "tag")
			if at >= 0 && q.Only.Tag != "" {
				continue // those of one tag stand under their other tags too
			}
			for tag, sum := range rowsBy(r, at) {
				if at < 0 && sum != counted(want) || at >= 0 && tag != "" && sum != counted(of[tag]) {
					t.Fatalf("by %v: rows of %q sum up to %+v, total %+v, of the tag %+v", by, tag, sum, want, of[tag])
				}
			}
		}
	})
}

// counted are the figures that add up: percentiles do not.
func counted(s billing.Sums) billing.Sums {
	s.LatencyP50MS, s.LatencyP95MS = 0, 0
	return s
}

// rowsBy adds up the rows by the value at a place; all of them if it is
// negative.
func rowsBy(r *billing.Report, at int) map[string]billing.Sums {
	out := map[string]billing.Sums{}
	if at < 0 {
		out[""] = billing.Sums{}
	}
	for i := range r.Rows {
		name := ""
		if at >= 0 {
			name = r.Rows[i].Values[at]
		}
		sum, row := out[name], &r.Rows[i].Sums
		sum.Calls += row.Calls
		sum.Refused += row.Refused
		sum.Errors += row.Errors
		sum.Cached += row.Cached
		sum.InputTokens += row.InputTokens
		sum.CachedInputTokens += row.CachedInputTokens
		sum.CacheWriteTokens += row.CacheWriteTokens
		sum.OutputTokens += row.OutputTokens
		sum.ReasoningTokens += row.ReasoningTokens
		sum.USD += row.USD
		sum.SavedUSD += row.SavedUSD
		out[name] = sum
	}
	return out
}

// Every figure comes out of every form under its name.
func TestUsageForms(t *testing.T) {
	l := testStore(t).Ledger()
	add(t, l, entry("c1", noon, func(e *billing.Entry) {
		e.User, e.Tags, e.Prompt, e.Version, e.Cache, e.Saved = "ann", []string{"a", "b"}, "sum", 2, "hit", 7
		e.Usage.CachedInput, e.Usage.CacheWrite, e.Usage.Reasoning = 1, 2, 3
	}))
	r, err := l.Usage(context.Background(), billing.Query{GroupBy: billing.Dimensions})
	if err != nil || len(r.Rows) != 2 {
		t.Fatalf("%+v %v", r, err)
	}
	for _, format := range billing.ReportFormats {
		var b strings.Builder
		if err := r.Render(&b, format); err != nil {
			t.Fatal(err)
		}
		for _, name := range append(slices.Clone(billing.Dimensions), "calls", "refused", "errors", "cached", "input_tokens", "cached_input_tokens", "cache_write_tokens",
			"output_tokens", "reasoning_tokens", "usd", "saved_usd", "latency_p50_ms", "latency_p95_ms") {
			if zero := name == "refused" || name == "errors"; !strings.Contains(b.String(), name) && (format != "table" || !zero) {
				t.Errorf("%s lacks %s:\n%s", format, name, b.String())
			}
		}
	}
}
