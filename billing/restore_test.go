package billing

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// memory is a ledger in memory. Its Append keeps entries once.
type memory struct {
	Ledger  // what tests do not call
	entries []Entry
	fail    error
	asked   int
	onSpent func()
}

func (l *memory) Usage(_ context.Context, q Query) (*Report, error) {
	if l.fail != nil {
		return nil, l.fail
	}
	l.asked++
	report := &Report{}
	for _, e := range l.entries {
		if q.Team != "" && e.Team != q.Team || q.KeyID != "" && e.KeyID != q.KeyID || e.Time.Before(q.From) || !q.To.IsZero() && !e.Time.Before(q.To) ||
			q.Only.User != "" && e.User != q.Only.User || q.Only.Tag != "" && !slices.Contains(e.Tags, q.Only.Tag) {
			continue
		}
		tags := []string{""}
		if slices.Contains(q.GroupBy, "tag") && len(e.Tags) > 0 {
			tags = e.Tags
		}
		for _, tag := range tags {
			report.Rows = append(report.Rows, row(&e, q, tag))
		}
	}
	if l.onSpent != nil {
		l.onSpent()
	}
	return report, nil
}

func row(e *Entry, q Query, tag string) Row {
	row := Row{Sums: Sums{Calls: 1, USD: e.Cost, InputTokens: e.Usage.Input, OutputTokens: e.Usage.Output}}
	for _, dimension := range q.GroupBy {
		switch dimension {
		case "hour":
			row.Values = append(row.Values, e.Time.In(q.Location).Truncate(time.Hour).Format(time.RFC3339))
		case "model":
			row.Values = append(row.Values, e.Model)
		case "target":
			row.Values = append(row.Values, e.Target)
		case "user":
			row.Values = append(row.Values, e.User)
		case "tag":
			row.Values = append(row.Values, tag)
		}
	}
	return row
}

func TestRestore(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:30:00Z")}
	l := &memory{}
	for _, e := range []struct {
		team, key, time string
		cost            Nano
	}{
		{"lab", "1", "2026-05-15T10:00:00Z", 1}, {"lab", "1", "2026-05-14T23:00:00Z", 2}, {"lab", "2", "2026-05-01T00:00:00Z", 4},
		{"corp", "3", "2026-05-10T08:00:00Z", 8}, {"lab", "1", "2026-04-30T23:59:59Z", 16}, {"other", "4", "2026-05-15T10:00:00Z", 32},
		{"lab", "1", "2020-01-01T00:00:00Z", 64},
	} {
		l.entries = append(l.entries, Entry{Team: e.team, KeyID: e.key, Time: at(t, e.time), Cost: e.cost})
	}
	b, v := book(t, c, []Team{{Name: "corp", Budgets: hard(1000, "month")}, {Name: "lab", Parent: "corp", Budgets: hard(1000, "30d")}, {Name: "other", Budgets: hard(1000, "total")}},
		[]Key{{ID: "1", Name: "ci", Team: "lab", Budgets: hard(1000, "day")}, {ID: "2", Team: "lab"}})
	if err := b.Restore(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	check := func(o *Owner, want Nano) {
		t.Helper()
		if s, _ := budgetOf(o, c.at); Nano(s.Spent) != want {
			t.Errorf("%+v, want %d", s, want)
		}
	}
	check(v.Key("1"), 1)
	check(v.Team("lab"), 1+2+4+16)
	check(v.Team("corp"), 1+2+4+8)
	check(v.Team("other"), 32)
	if l.asked > 5 { // a key, two teams and one with another below it
		t.Errorf("the ledger was asked %d times", l.asked)
	}
	if s, _ := budgetOf(v.Team("lab"), c.at); !s.Resets.Equal(at(t, "2026-05-31T00:00:00Z")) { // the hour of 23:00, 30 days and an hour later
		t.Errorf("the first money comes back at %v", s.Resets)
	}

	// A second time nothing is asked or counted again.
	l.asked = 0
	if err := b.Restore(t.Context(), l); err != nil || l.asked != 0 {
		t.Errorf("asked %d times, %v", l.asked, err)
	}
	check(v.Team("corp"), 15)
}

// TestRestoreMeanwhile: what calls settle while the ledger is asked counts on
// top, what they settled before is in the ledger already.
func TestRestoreMeanwhile(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:30:00Z")}
	b, v := book(t, c, []Team{{Name: "a", Budgets: hard(1000, "day")}, {Name: "r", Budgets: hard(1000, "2d")}}, nil)
	l := &memory{}
	spend := func(team string, n Nano) {
		h, _, _ := holdUSD(v.Team(team), n, n)
		h.Settle(Charge{USD: n}, c.at)
	}
	for _, team := range []string{"a", "r"} {
		spend(team, 5)
		l.entries = append(l.entries, Entry{Team: team, Time: c.at, Cost: 5})
	}
	l.onSpent = func() { spend("a", 2); spend("r", 2) }
	if err := b.Restore(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	l.onSpent = nil
	for _, team := range []string{"a", "r"} {
		s, _ := budgetOf(v.Team(team), c.at)
		if Nano(s.Spent) < 7 || Nano(s.Spent) > 5+2*Nano(l.asked) || Nano(s.Held) != 0 {
			t.Errorf("%+v after %d questions", s, l.asked)
		}
	}
}

func TestRestored(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:30:00Z")}
	b, _ := book(t, c, []Team{{Name: "lab", Budgets: hard(1000, "day")}}, []Key{{ID: "1", Name: "ci", Team: "lab"}})
	if b.Restored() {
		t.Error("a new budget is filled without the ledger")
	}
	if err := b.Restore(t.Context(), &memory{}); err != nil || !b.Restored() {
		t.Errorf("Restore = %v, Restored = %v", err, b.Restored())
	}
	if _, err := b.Rebuild([]Team{{Name: "lab", Budgets: hard(2000, "day")}}, []Key{{ID: "2", Team: "lab"}}); err != nil || !b.Restored() {
		t.Errorf("a budget of the same period needs the ledger again: %v", err)
	}
	if _, err := b.Rebuild([]Team{{Name: "lab", Budgets: hard(2000, "month")}}, nil); err != nil || b.Restored() {
		t.Errorf("one of another period does not: %v", err)
	}
}

func TestRestoreFails(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:30:00Z")}
	b, v := book(t, c, []Team{{Name: "a", Budgets: hard(1000, "day")}, {Name: "r", Budgets: hard(1000, "30d")}}, nil)
	down := errors.New("store is down")
	l := &memory{fail: down, entries: []Entry{{Team: "a", Time: c.at, Cost: 3}, {Team: "r", Time: c.at, Cost: 4}}}
	if err := b.Restore(t.Context(), l); !errors.Is(err, down) || !strings.Contains(err.Error(), `team "a"`) {
		t.Errorf("error %v", err)
	}
	l.fail = nil
	if err := b.Restore(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	for team, want := range map[string]Nano{"a": 3, "r": 4} {
		if s, _ := budgetOf(v.Team(team), c.at); Nano(s.Spent) != want {
			t.Errorf("%+v, want %d", s, want)
		}
	}
}

// TestRestoreWindowEnds: a window that ends while the ledger is asked takes
// nothing over.
func TestRestoreWindowEnds(t *testing.T) {
	c := &clock{at(t, "2026-05-15T23:59:59Z")}
	b, v := book(t, c, []Team{{Name: "a", Budgets: hard(1000, "day")}}, nil)
	l := &memory{entries: []Entry{{Team: "a", Time: c.at, Cost: 3}}}
	l.onSpent = func() {
		c.at = at(t, "2026-05-16T00:00:01Z")
		budgetOf(v.Team("a"), c.at)
	}
	if err := b.Restore(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if s, _ := budgetOf(v.Team("a"), c.at); Nano(s.Spent) != 0 {
		t.Errorf("%+v", s)
	}
}
