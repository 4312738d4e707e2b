package billing

import (
	"testing"
)

// A key that was rotated goes on in the budget and limits of the old one, also
// after a restart.
func TestRotatedKeyCountsInTheSameAccount(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:30:00Z")}
	l := &memory{entries: []Entry{
		{Team: "t", KeyID: "old", Time: c.at, Cost: 3}, {Team: "t", KeyID: "new", Time: c.at, Cost: 4}, {Team: "t", KeyID: "newest", Time: c.at, Cost: 5}, {Team: "t", KeyID: "else", Time: c.at, Cost: 99},
	}}
	teams := []Team{{Name: "t"}}
	keys := []Key{
		{ID: "old", Team: "t", Budgets: hard(20, "day"), Limits: Limits{RPM: 2}},
		{ID: "new", Account: "old", Team: "t", Budgets: hard(20, "day"), Limits: Limits{RPM: 2}},
		{ID: "newest", Account: "old", Team: "t", Budgets: hard(20, "day"), Limits: Limits{RPM: 2}},
		{ID: "else", Team: "t", Budgets: hard(100, "day")},
	}
	b, v := book(t, c, teams, keys)
	if err := b.Restore(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]Nano{"old": 12, "new": 12, "newest": 12, "else": 99} {
		if s, _ := budgetOf(v.Key(id), c.at); Nano(s.Spent) != want {
			t.Errorf("key %s: %+v, want %d spent", id, s, want)
		}
	}
	hold, _, err := holdUSD(v.Key("old"), 8, 8)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := holdUSD(v.Key("newest"), 1, 1); err == nil {
		t.Error("the budget was given out twice")
	}
	hold.Settle(Charge{USD: 8}, c.at)
	for i, id := range []string{"old", "new"} {
		if _, err := v.Key(id).Admit(c.at, Ask{Input: 0}); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	if _, err := v.Key("newest").Admit(c.at, Ask{Input: 0}); err == nil {
		t.Error("the limit was given out twice")
	}
}
