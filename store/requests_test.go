package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/billing"
)

func calls(entries []billing.Entry) (out []string) {
	for _, e := range entries {
		out = append(out, e.Call)
	}
	return out
}

func TestRequestsFilters(t *testing.T) {
	l := testStore(t).Ledger()
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	add(t, l,
		entry("c1", at(1)),
		entry("c2", at(2), func(e *billing.Entry) { e.Team, e.Key, e.KeyID = "ops", "ops/x", "k2" }),
		entry("c3", at(3), func(e *billing.Entry) { e.Status, e.Model = 502, "smart" }),
		entry("c3", at(3), func(e *billing.Entry) { e.Attempt = 1 }),
		entry("c5", at(5), func(e *billing.Entry) { e.Prompt, e.Version = "sum", 2 }),
		entry("c4", at(4), func(e *billing.Entry) { e.Tags, e.Cost = []string{"a", "b"}, billing.Dollar }),
		entry("c6", at(6), func(e *billing.Entry) { e.Tags, e.RequestID = []string{"b"}, "from-me" }),
	)
	for name, c := range map[string]struct {
		q    billing.RequestQuery
		want []string
	}{
		"all":              {billing.RequestQuery{}, []string{"c6", "c5", "c4", "c3", "c2", "c1"}},
		"team":             {billing.RequestQuery{Team: "ops"}, []string{"c2"}},
		"key by name":      {billing.RequestQuery{Key: "ops/x"}, []string{"c2"}},
		"key by id":        {billing.RequestQuery{Key: "k2"}, []string{"c2"}},
		"model":            {billing.RequestQuery{Model: "smart"}, []string{"c3"}},
		"prompt":           {billing.RequestQuery{Prompt: "sum"}, []string{"c5"}},
		"status":           {billing.RequestQuery{Status: 502}, []string{"c3"}},
		"status and team":  {billing.RequestQuery{Status: 200, Team: "research"}, []string{"c6", "c5", "c4", "c1"}},
		"tag":              {billing.RequestQuery{Tag: "b"}, []string{"c6", "c4"}},
		"tag, other team":  {billing.RequestQuery{Tag: "b", Team: "ops"}, nil},
		"tag and money":    {billing.RequestQuery{Tag: "b", MinUSD: billing.Dollar}, []string{"c4"}},
		"money":            {billing.RequestQuery{MinUSD: 45_001}, []string{"c4"}},
		"time":             {billing.RequestQuery{From: at(2), To: at(4)}, []string{"c3", "c2"}},
		"time and team":    {billing.RequestQuery{From: at(2), To: at(4), Team: "research"}, []string{"c3"}},
		"call id":          {billing.RequestQuery{Text: "c5"}, []string{"c5"}},
		"request id":       {billing.RequestQuery{Text: "rom-m"}, []string{"c6"}},
		"nothing like it":  {billing.RequestQuery{Text: "%"}, nil},
		"limit":            {billing.RequestQuery{Limit: 2}, []string{"c6", "c5"}},
		"limit and status": {billing.RequestQuery{Limit: 2, Status: 200}, []string{"c6", "c5"}},
	} {
		got, next, err := l.Requests(context.Background(), c.q)
		if err != nil || !slices.Equal(calls(got), c.want) {
			t.Errorf("%s: %v, %v; want %v", name, calls(got), err, c.want)
		}
		if (next != "") != (c.q.Limit > 0) {
			t.Errorf("%s: cursor %q", name, next)
		}
	}
}

func TestRequestsRefusesForeignCursors(t *testing.T) {
	l := testStore(t).Ledger()
	for _, after := range []string{"x", "1", "1.x", "1.2.3", "'; DROP TABLE entries"} {
		if _, _, err := l.Requests(context.Background(), billing.RequestQuery{After: after}); !isBadField(err, "after") {
			t.Errorf("cursor %q: %v", after, err)
		}
	}
}

func isBadField(err error, field string) bool {
	var bad billing.BadQuery
	return errors.As(err, &bad) && bad.Field == field
}

// No cursor and no filter breaks the statement that is made of it.
func FuzzRequests(f *testing.F) {
	l := testStore(f).Ledger()
	add(f, l, entry("c1", noon))
	f.Add("1.2", "x", "y")
	f.Add("9999999999999999999.1", "'", "\x00")
	f.Fuzz(func(t *testing.T, after, text, tag string) {
		_, _, err := l.Requests(context.Background(), billing.RequestQuery{After: after, Text: text, Tag: tag, Team: text})
		if err != nil && !strings.Contains(err.Error(), "is not a cursor") {
			t.Error(err)
		}
	})
}

// Pages of any size, with any filter, give each call once and in order, also
// where many have the same time and while newer ones are written.
func TestRequestsPages(t *testing.T) {
	l := testStore(t).Ledger()
	var entries []billing.Entry
	for i := range 60 {
		entries = append(entries, entry(fmt.Sprintf("c%02d", i), noon.Add(time.Duration(i/7)*time.Second), func(e *billing.Entry) {
			e.Status, e.Cost = 200+i%3, billing.Nano(i*i*i)
			if i%2 == 0 {
				e.Tags = []string{"even", fmt.Sprint(i % 4)}
			}
		}))
	}
	add(t, l, entries...)
	newer := 0
	rapid.Check(t, func(t *rapid.T) {
		q := billing.RequestQuery{
			Limit:  rapid.IntRange(1, 30).Draw(t, "limit"),
			Tag:    rapid.SampledFrom([]string{"", "even"}).Draw(t, "tag"),
			Status: rapid.SampledFrom([]int{0, 201}).Draw(t, "status"),
			Team:   rapid.SampledFrom([]string{"", "research"}).Draw(t, "team"),
			Text:   rapid.SampledFrom([]string{"", "c0", "3"}).Draw(t, "text"),
			MinUSD: billing.Nano(rapid.SampledFrom([]int64{0, 1, 999, 20_000, 100_000, 500_000}).Draw(t, "min usd")),
			To:     noon.Add(time.Hour),
		}
		var want []string
		for i := range 60 {
			if e := entries[59-i]; (q.Tag == "" || len(e.Tags) > 0) && (q.Status == 0 || e.Status == q.Status) &&
				e.Cost >= q.MinUSD && strings.Contains(e.Call, q.Text) {
				want = append(want, e.Call)
			}
		}
		var got []string
		for {
			page, next, err := l.Requests(context.Background(), q)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, calls(page)...)
			if next == "" {
				break
			}
			q.After = next
			newer++
			e := entry(fmt.Sprint("n", newer), noon.Add(2*time.Hour))
			if err := l.Append(context.Background(), []billing.Entry{e}); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%+v gave %v, want %v", q, got, want)
		}
	})
}

// What begins an id selects the calls that it begins, at once.
func TestRequestsByID(t *testing.T) {
	l := testStore(t).Ledger()
	add(t, l, entry("038gdv-one", noon), entry("038gdv-two", noon.Add(time.Second)),
		entry("x", noon.Add(time.Hour), func(e *billing.Entry) { e.RequestID = "038gdv-two-of-mine" }),
		entry("y", noon, func(e *billing.Entry) { e.RequestID, e.Team = "not 038gdv-two", "ops" }))
	for _, c := range []struct {
		q    billing.RequestQuery
		want []string
	}{
		{billing.RequestQuery{Text: "038gdv-two"}, []string{"x", "038gdv-two"}},
		{billing.RequestQuery{Text: "038gdv-two", To: noon.Add(time.Minute)}, []string{"038gdv-two"}},
		{billing.RequestQuery{Text: "038gdv-two", Team: "ops"}, nil},
		{billing.RequestQuery{Text: "ot 038gdv-two"}, []string{"y"}},
		{billing.RequestQuery{Text: "038gdv-none"}, nil},
	} {
		got, _, err := l.Requests(context.Background(), c.q)
		if err != nil || !slices.Equal(calls(got), c.want) {
			t.Errorf("%+v: %v, %v; want %v", c.q, calls(got), err, c.want)
		}
	}
}
