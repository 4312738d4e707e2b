package billing

import (
	"slices"
	"strings"
	"testing"
)

func TestRebuildRefuses(t *testing.T) {
	for want, c := range map[string]struct {
		teams []Team
		keys  []Key
	}{
		`team "a": parent "b" is not known`:         {teams: []Team{{Name: "a", Parent: "b"}}},
		"a → b → a":                                 {teams: []Team{{Name: "a", Parent: "b"}, {Name: "b", Parent: "a"}}},
		"b → b":                                     {teams: []Team{{Name: "a", Parent: "b"}, {Name: "b", Parent: "b"}}},
		`team "a" is declared twice`:                {teams: []Team{{Name: "a"}, {Name: "a"}}},
		`key "k": team "x" is not known`:            {keys: []Key{{ID: "1", Name: "k", Team: "x"}}},
		`key id "1" is declared twice`:              {[]Team{{Name: "a"}}, []Key{{ID: "1", Team: "a"}, {ID: "1", Team: "a"}}},
		`team "a": budget.per: period "year"`:       {teams: []Team{{Name: "a", Budgets: Budgets{{Per: "year"}}}}},
		`key "a/k": budget.usd: -1 USD is negative`: {[]Team{{Name: "a"}}, []Key{{ID: "1", Name: "k", Team: "a", Budgets: Budgets{{USD: -Dollar, Per: "day"}}}}},
		`budget.warn_at: -0.5`:                      {teams: []Team{{Name: "a", Budgets: Budgets{{Per: "day", WarnAt: []float64{-0.5}}}}}},
		`team "a": limits.rpm: -1 is not between`:   {teams: []Team{{Name: "a", Limits: Limits{RPM: -1}}}},
		`limits.tpm: 5000000000`:                    {teams: []Team{{Name: "a", Limits: Limits{TPM: 5e9}}}},
	} {
		b := NewBook(nil, nil)
		if _, err := b.Rebuild(c.teams, c.keys); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
		if len(b.accounts) != 0 {
			t.Errorf("%s: there are accounts", want)
		}
	}
}

func TestOwners(t *testing.T) {
	_, v := book(t, &clock{at(t, "2026-05-01T00:00:00Z")},
		[]Team{{Name: "lab", Parent: "corp"}, {Name: "corp", Budgets: hard(Dollar, "day")}, {Name: "free"}},
		[]Key{{ID: "1", Name: "ci", Team: "lab"}, {ID: "2", Name: "web", Team: "free", Budgets: Budgets{{Per: "day"}}}})
	ci := v.Key("1")
	if ci.Name != "lab/ci" || ci.Team != "lab" || ci.Key.ID != "1" || ci.Parent() != v.Team("lab") || ci.Parent().Parent() != v.Team("corp") {
		t.Errorf("%+v", ci)
	}
	if !ci.hard || v.Team("free").hard || v.Key("2").hard || !v.Key("2").budgeted || v.Team("free").budgeted {
		t.Error("budgets are wrong")
	}
	if v.Team("none") != nil || v.Key("9") != nil {
		t.Error("there are owners that nobody declared")
	}
	var names []string
	for o := range v.All() {
		names = append(names, o.Name)
	}
	if want := []string{"corp", "free", "lab", "free/web", "lab/ci"}; !slices.Equal(names, want) {
		t.Errorf("owners %v, want %v", names, want)
	}
}

func TestAllowsModel(t *testing.T) {
	_, v := book(t, &clock{}, []Team{{Name: "corp", Models: []string{"gpt-*", "claude/*"}}, {Name: "lab", Parent: "corp"}, {Name: "open"}},
		[]Key{{ID: "1", Team: "lab", Models: []string{"*mini", "llama"}}, {ID: "2", Team: "lab"}, {ID: "3", Team: "open"}})
	for _, c := range []struct {
		key, model string
		want       bool
	}{
		{"1", "gpt-4o-mini", true}, {"1", "gpt-4o", false}, {"1", "llama", false}, // the team above has no llama
		{"2", "claude/x", true}, {"2", "llama", false}, {"3", "anything", true},
	} {
		if got := v.Key(c.key).AllowsModel(c.model); got != c.want {
			t.Errorf("key %s may use %s: %v", c.key, c.model, got)
		}
	}
}

// TestRebuildKeepsState: calls of an older view count in the newer, budgets
// that change keep what was spent, and parents may change places.
func TestRebuildKeepsState(t *testing.T) {
	c := &clock{at(t, "2026-05-01T00:00:00Z")}
	b, v := book(t, c, []Team{{Name: "a", Budgets: hard(10, "day"), Limits: Limits{RPM: 3, Parallel: 1}}, {Name: "b", Parent: "a", Budgets: hard(100, "day")}}, nil)
	h, _, err := holdUSD(v.Team("b"), 6, 6)
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := v.Team("b").Admit(c.at, Ask{Input: 1})
	if err != nil {
		t.Fatal(err)
	}
	w, rerr := b.Rebuild([]Team{{Name: "b", Budgets: hard(100, "day")}, {Name: "a", Parent: "b", Budgets: hard(20, "day"), Limits: Limits{RPM: 3, Parallel: 1}}}, nil)
	if rerr != nil {
		t.Fatal(rerr)
	}
	if s, _ := budgetOf(w.Team("a"), c.at); Nano(s.Held) != 6 || Nano(s.Limit) != 20 || Nano(s.Remaining) != 14 {
		t.Errorf("after the change %+v", s)
	}
	if _, err := w.Team("a").Admit(c.at, Ask{Input: 1}); err == nil || err.Type != "parallel" {
		t.Errorf("the running call is forgotten: %v", err)
	}
	h.Settle(Charge{USD: 5}, c.at)
	ticket.Done(Ask{Input: 1})
	for _, name := range []string{"a", "b"} {
		if s, _ := budgetOf(w.Team(name), c.at); Nano(s.Held) != 0 || Nano(s.Spent) != 5 {
			t.Errorf("%s after the call %+v", name, s)
		}
	}
	if _, err := w.Team("a").Admit(c.at, Ask{Input: 1}); err != nil {
		t.Errorf("the call has ended: %v", err)
	}
}

// TestBudgetAppearsMidCall: a budget that a reload adds counts the calls that
// began before it.
func TestBudgetAppearsMidCall(t *testing.T) {
	c := &clock{at(t, "2026-05-01T00:00:00Z")}
	b, v := book(t, c, []Team{{Name: "a"}}, nil)
	h, granted, _ := holdUSD(v.Team("a"), 7, 1)
	if granted != 7 || h.Bound().HardUSD {
		t.Errorf("granted %v, limited %v", granted, h.Bound().HardUSD)
	}
	w, err := b.Rebuild([]Team{{Name: "a", Budgets: hard(10, "month")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if excess := h.Settle(Charge{USD: 7}, c.at); excess != 0 {
		t.Errorf("excess %v without a hard budget", excess)
	}
	if s, _ := budgetOf(w.Team("a"), c.at); Nano(s.Spent) != 7 {
		t.Errorf("%+v", s)
	}
}

func TestForgottenAccounts(t *testing.T) {
	c := &clock{at(t, "2026-05-01T00:00:00Z")}
	b, v := book(t, c, []Team{{Name: "a", Budgets: hard(10, "month")}, {Name: "b"}, {Name: "c", Limits: Limits{RPM: 1}}}, nil)
	h, _, _ := holdUSD(v.Team("a"), 7, 1)
	ticket, _ := v.Team("c").Admit(c.at, Ask{Input: 0})
	left := func(want ...string) {
		t.Helper()
		if _, err := b.Rebuild([]Team{{Name: "d"}}, nil); err != nil {
			t.Fatal(err)
		}
		var names []string
		for n := range b.accounts {
			names = append(names, n.team)
		}
		slices.Sort(names)
		if !slices.Equal(names, want) {
			t.Errorf("accounts %v, want %v", names, want)
		}
	}
	left("a", "b", "c", "d") // the view before has them
	left("a", "c", "d")      // calls run on them
	h.Settle(Charge{USD: 1}, c.at)
	ticket.Done(Ask{Input: 0})
	left("d")
}
