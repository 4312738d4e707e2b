package billing

import (
	"context"
	"errors"
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

func (l *memory) Spent(_ context.Context, team, keyID string, since time.Time) (Nano, error) {
	if l.fail != nil {
		return 0, l.fail
	}
	l.asked++
	var sum Nano
	for _, e := range l.entries {
		if (e.Team == team || e.KeyID == keyID && keyID != "") && !e.Time.Before(since) {
			sum += e.Cost
		}
	}
	if l.onSpent != nil {
		l.onSpent()
	}
	return sum, nil
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
	b, v := book(t, c, []Team{{Name: "corp", Budget: hard(1000, "month")}, {Name: "lab", Parent: "corp", Budget: hard(1000, "30d")}, {Name: "other", Budget: hard(1000, "total")}},
		[]Key{{ID: "1", Name: "ci", Team: "lab", Budget: hard(1000, "day")}, {ID: "2", Team: "lab"}})
	if err := b.Restore(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	check := func(o *Owner, want Nano) {
		t.Helper()
		if s, _ := o.Budget(c.at); s.Spent != want {
			t.Errorf("%+v, want %d", s, want)
		}
	}
	check(v.Key("1"), 1)
	check(v.Team("lab"), 1+2+4+16)
	check(v.Team("corp"), 1+2+4+8)
	check(v.Team("other"), 32)
	if l.asked > 100 { // 721 hours, most of them empty
		t.Errorf("the ledger was asked %d times", l.asked)
	}
	if s, _ := v.Team("lab").Budget(c.at); !s.Resets.Equal(at(t, "2026-05-31T00:00:00Z")) { // the hour of 23:00, 30 days and an hour later
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
	b, v := book(t, c, []Team{{Name: "a", Budget: hard(1000, "day")}, {Name: "r", Budget: hard(1000, "2d")}}, nil)
	l := &memory{}
	spend := func(team string, n Nano) {
		h, _, _ := v.Team(team).HoldUpTo(n, n)
		h.Settle(n, c.at)
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
		s, _ := v.Team(team).Budget(c.at)
		if s.Spent < 7 || s.Spent > 5+2*Nano(l.asked) || s.Held != 0 {
			t.Errorf("%+v after %d questions", s, l.asked)
		}
	}
}

func TestRestored(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:30:00Z")}
	b, _ := book(t, c, []Team{{Name: "lab", Budget: hard(1000, "day")}}, []Key{{ID: "1", Name: "ci", Team: "lab"}})
	if b.Restored() {
		t.Error("a new budget is filled without the ledger")
	}
	if err := b.Restore(t.Context(), &memory{}); err != nil || !b.Restored() {
		t.Errorf("Restore = %v, Restored = %v", err, b.Restored())
	}
	if _, err := b.Rebuild([]Team{{Name: "lab", Budget: hard(2000, "day")}}, []Key{{ID: "2", Team: "lab"}}); err != nil || !b.Restored() {
		t.Errorf("a budget of the same period needs the ledger again: %v", err)
	}
	if _, err := b.Rebuild([]Team{{Name: "lab", Budget: hard(2000, "month")}}, nil); err != nil || b.Restored() {
		t.Errorf("one of another period does not: %v", err)
	}
}

func TestRestoreFails(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:30:00Z")}
	b, v := book(t, c, []Team{{Name: "a", Budget: hard(1000, "day")}, {Name: "r", Budget: hard(1000, "30d")}}, nil)
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
		if s, _ := v.Team(team).Budget(c.at); s.Spent != want {
			t.Errorf("%+v, want %d", s, want)
		}
	}
}

// TestRestoreWindowEnds: a window that ends while the ledger is asked takes
// nothing over.
func TestRestoreWindowEnds(t *testing.T) {
	c := &clock{at(t, "2026-05-15T23:59:59Z")}
	b, v := book(t, c, []Team{{Name: "a", Budget: hard(1000, "day")}}, nil)
	l := &memory{entries: []Entry{{Team: "a", Time: c.at, Cost: 3}}}
	l.onSpent = func() {
		c.at = at(t, "2026-05-16T00:00:01Z")
		v.Team("a").Budget(c.at)
	}
	if err := b.Restore(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if s, _ := v.Team("a").Budget(c.at); s.Spent != 0 {
		t.Errorf("%+v", s)
	}
}
