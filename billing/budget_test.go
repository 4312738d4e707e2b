package billing

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestBudgetCheck(t *testing.T) {
	for _, c := range []struct {
		budget Budget
		want   string // the error's beginning; empty: none
	}{
		{Budget{Per: "day"}, ""}, // no money at all
		{Budget{Tokens: 5, Per: "30d"}, ""},
		{Budget{USD: 5, Tokens: 5, Per: "day"}, "tokens: one budget counts one thing"},
		{Budget{USD: -1, Per: "day"}, "usd: "},
		{Budget{Requests: -1, Per: "day"}, "requests: -1 requests is negative"},
		{Budget{USD: 1, Per: "year"}, "per: "},
		{Budget{USD: 1, Per: "day", WarnAt: []float64{0}}, "warn_at: "},
		{Budget{USD: 1, Per: "day", Models: []string{""}}, "models: "},
		{Budget{USD: 1, Per: "total", CarryOver: true}, "carry_over: "},
		{Budget{USD: 1, Per: "7d", CarryOver: true}, "carry_over: "},
		{Budget{USD: 1, Per: "day", TimeZone: "Mars/Olympus"}, "time_zone: "},
		{Budget{USD: 1, Per: "day", TimeZone: "Local"}, "time_zone: "},
		{Budget{USD: 1, Per: "day", Raise: &Raise{By: "0.5", Until: time.Now()}}, ""},
		{Budget{Tokens: 1, Per: "day", Raise: &Raise{By: "0.5", Until: time.Now()}}, "raise.by: "},
		{Budget{USD: 1, Per: "day", Raise: &Raise{By: "-1", Until: time.Now()}}, "raise.by: "},
		{Budget{USD: 1, Per: "day", Raise: &Raise{By: "1"}}, "raise.until: "},
	} {
		err := c.budget.Check()
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.budget, err, c.want)
		}
	}
	same := Budgets{{USD: 1, Per: "day"}, {USD: 2, Per: "day", Hard: true}}
	if err := same.check(); err == nil || !strings.HasPrefix(err.Error(), "budget.1: budget.0 counts the same") {
		t.Errorf("two of a kind: %v", err)
	}
}

func TestBudgetsJSON(t *testing.T) {
	until := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	one := Budget{USD: 5 * Dollar, Per: "month", Hard: true}
	all := Budget{Tokens: 900, Per: "day", WarnAt: []float64{0.5}, Models: []string{"gpt*"}, CarryOver: true, TimeZone: "Europe/Berlin", Raise: &Raise{"100", until}}
	for want, l := range map[string]Budgets{
		`null`:                                  nil,
		`{"hard":true,"per":"month","usd":"5"}`: {one},
		`[{"hard":true,"per":"month","usd":"5"},` + fullJSON + `]`: {one, all},
	} {
		got, err := json.Marshal(l)
		if err != nil || string(got) != want {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
		var back Budgets
		if err := json.Unmarshal(got, &back); err != nil || !reflect.DeepEqual(back, l) {
			t.Errorf("%s read as %+v, %v", got, back, err)
		}
	}
}

const fullJSON = `{"carry_over":true,"hard":false,"models":["gpt*"],"per":"day","raise":{"by":"100","until":"2026-06-01T00:00:00Z"},"time_zone":"Europe/Berlin","tokens":900,"warn_at":[0.5]}`

// TestUnits: each budget counts its own, and a call needs all of them.
func TestUnits(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:00:00Z")}
	_, v := book(t, c, []Team{{Name: "a", Budgets: Budgets{{USD: 1000, Per: "day", Hard: true}, {Tokens: 50, Per: "day", Hard: true}, {Requests: 2, Per: "day", Hard: true}}}}, nil)
	a := v.Team("a")
	need := Need{USD: 100, MinUSD: 10, Tokens: 40, MinTokens: 20, Requests: 1}
	first, err := a.Hold(need)
	if err != nil || first.USD() != 100 || first.Tokens() != 40 {
		t.Fatalf("%+v, %v", first, err)
	}
	if _, err := a.Hold(need); err == nil || !strings.Contains(err.Message, "(50 tokens per day) has 10 tokens left") {
		t.Errorf("tokens: %v", err)
	}
	first.Settle(Charge{USD: 60, Tokens: 25}, c.at)
	second, err := a.Hold(need)
	if err != nil || second.USD() != 100 || second.Tokens() != 25 {
		t.Fatalf("%+v, %v", second, err)
	}
	if _, err := a.Hold(Need{Requests: 1}); err == nil || !strings.Contains(err.Message, "(2 requests per day) is held by calls that are running") {
		t.Errorf("requests: %v", err)
	}
	more, err := a.Hold(Need{}) // of a request that counted already
	if err != nil {
		t.Errorf("the rest of a request: %v", err)
	}
	more.Settle(Charge{}, c.at)
	second.Settle(Charge{}, c.at)
	var got []int64
	for _, s := range a.OwnBudgets(c.at) {
		got = append(got, s.Spent, s.Held)
	}
	if want := []int64{60, 0, 25, 0, 2, 0}; !reflect.DeepEqual(got, want) {
		t.Errorf("spent and held %v, want %v", got, want)
	}
}

// TestModelBudget: a budget for some models neither counts nor bounds others.
func TestModelBudget(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:00:00Z")}
	_, v := book(t, c, []Team{{Name: "a", Budgets: Budgets{{USD: 100, Per: "day"}, {USD: 10, Per: "day", Hard: true, Models: []string{"openai/*", "dear"}}}}}, nil)
	a := v.Team("a")
	spend := func(model, target string, n Nano) bool {
		h, err := a.Hold(Need{Called: Called{model, target}, USD: n, MinUSD: n})
		h.Settle(Charge{USD: n}, c.at)
		return err == nil
	}
	if !spend("cheap", "", 50) || !spend("dear", "", 4) || !spend("gpt", "openai/gpt", 6) || spend("dear", "", 1) || spend("gpt", "openai/gpt", 1) || !spend("cheap", "", 1) {
		t.Errorf("%+v", a.OwnBudgets(c.at))
	}
	if all := a.OwnBudgets(c.at); all[0].Spent != 61 || all[1].Spent != 10 {
		t.Errorf("%+v", all)
	}
	if b := a.Bound(Called{Model: "cheap"}); b != (Bound{Any: true, USD: true}) {
		t.Errorf("%+v", b)
	}
	if b := a.Bound(Called{Model: "dear"}); b != (Bound{Any: true, USD: true, Hard: true, HardUSD: true, Clamps: true}) {
		t.Errorf("%+v", b)
	}
}

func TestRaise(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:00:00Z")}
	_, v := book(t, c, []Team{{Name: "a", Budgets: Budgets{{USD: 10, Per: "day", Hard: true, Raise: &Raise{"0.000000005", at(t, "2026-05-15T12:00:00Z")}}}}}, nil)
	a := v.Team("a")
	h, granted, _ := holdUSD(a, 20, 1)
	if granted != 15 {
		t.Errorf("granted %v", granted)
	}
	h.Settle(Charge{USD: 9}, c.at)
	if s := a.OwnBudgets(c.at)[0]; s.Limit != 15 || s.Raised != 5 || s.Remaining != 6 {
		t.Errorf("%+v", s)
	}
	c.at = at(t, "2026-05-15T12:00:00Z")
	if s := a.OwnBudgets(c.at)[0]; s.Limit != 10 || s.Raised != 0 || s.Remaining != 1 {
		t.Errorf("when the raise is over %+v", s)
	}
}

func TestCarryOver(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:00:00Z")}
	budget := Budgets{{USD: 10, Per: "day", Hard: true, CarryOver: true, TimeZone: "Europe/Berlin"}}
	_, v := book(t, c, []Team{{Name: "a", Budgets: budget}}, nil)
	a := v.Team("a")
	left := func(want int64) {
		t.Helper()
		if s := a.OwnBudgets(c.at)[0]; s.Remaining != want {
			t.Errorf("at %v %+v, want %d left", c.at, s, want)
		}
	}
	spend := func(n Nano) {
		h, _, _ := holdUSD(a, n, n)
		h.Settle(Charge{USD: n}, c.at)
	}
	left(10) // nothing is carried from before there was a budget
	spend(3)
	long, _, _ := holdUSD(a, 2, 2)
	began := c.at
	c.at = at(t, "2026-05-15T22:00:00Z") // midnight in Berlin
	left(15)                             // 7 are left of yesterday, of which 2 may go yet
	long.Settle(Charge{USD: 1}, began)
	left(16)
	spend(16)
	left(0)
	c.at = at(t, "2026-05-16T22:00:00Z")
	left(10)
	c.at = at(t, "2026-05-19T10:00:00Z")
	left(20) // one window's, not three

	today := Entry{Team: "a", Time: at(t, "2026-05-19T10:00:00Z"), Cost: 1}
	for want, before := range map[int64]Entry{
		9:  today, // in use since today
		15: {Team: "a", Time: at(t, "2026-05-18T10:00:00Z"), Cost: 4},
		19: {Team: "a", Time: at(t, "2026-05-10T10:00:00Z"), Cost: 4}, // idle yesterday
	} {
		l := &memory{entries: []Entry{today}}
		if before.Time != today.Time {
			l.entries = append(l.entries, before)
		}
		b, v := book(t, c, []Team{{Name: "a", Budgets: budget}}, nil)
		a = v.Team("a")
		if err := b.Restore(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		left(want)
	}
}

// TestRestoreUnits: every unit, and only the models of the budget.
func TestRestoreUnits(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:30:00Z")}
	l := &memory{}
	for _, e := range []struct {
		model, target string
		cost          Nano
		in, out       int64
	}{{"dear", "x/big", 1, 10, 1}, {"big", "x/big", 2, 20, 2}, {"cheap", "x/big", 4, 40, 4}, {"x/small", "x/small", 8, 80, 8}} {
		entry := Entry{Team: "a", Time: c.at, Model: e.model, Target: e.target, Cost: e.cost}
		entry.Usage.Input, entry.Usage.Output = e.in, e.out
		l.entries = append(l.entries, entry)
	}
	b, v := book(t, c, []Team{{Name: "a", Budgets: Budgets{
		{USD: 100, Per: "day"}, {Tokens: 1000, Per: "month", Models: []string{"dear", "x/big"}}, {Requests: 100, Per: "3d", Models: []string{"x/*"}},
	}}}, nil)
	if err := b.Restore(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	var got []int64
	for _, s := range v.Team("a").OwnBudgets(c.at) {
		got = append(got, s.Spent)
	}
	// "cheap" is a name that may be served by anything, so x/big is not its.
	if want := []int64{15, 33, 2}; !reflect.DeepEqual(got, want) {
		t.Errorf("spent %v, want %v", got, want)
	}
}

// TestWarnings: each level is told of once, and again in the next window.
func TestWarnings(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:00:00Z")}
	b := NewBook(time.UTC, c.now)
	var told []float64
	b.OnWarn(func(s BudgetStatus) { told = append(told, s.Warned) })
	teams := []Team{{Name: "a", Budgets: Budgets{{USD: 100, Per: "day", WarnAt: []float64{0.8, 0.5}}}}}
	v, err := b.Rebuild(teams, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Restore(t.Context(), &memory{entries: []Entry{{Team: "a", Time: c.at, Cost: 55}}}); err != nil {
		t.Fatal(err)
	}
	spend := func(n Nano) Hold {
		h, _, _ := holdUSD(v.Team("a"), 0, 0)
		was := h
		h.Settle(Charge{USD: n}, c.at)
		return was
	}
	spend(5) // 60: half was reached before the process began
	spend(20)
	if h := spend(1); !h.Warned() {
		t.Error("a call does not know that its budget is at a level to warn at")
	}
	if _, err := b.Rebuild(teams, nil); err != nil {
		t.Fatal(err)
	}
	spend(10)
	c.at = c.at.Add(24 * time.Hour)
	spend(85)
	if !reflect.DeepEqual(told, []float64{0.8, 0.8}) {
		t.Errorf("told of %v", told)
	}
}

// TestNothingCarriedBeforeTheFirstCall: a call that has not ended is not in the
// ledger, so that a restart must find as much as was there before it.
func TestNothingCarriedBeforeTheFirstCall(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:00:00Z")}
	b, v := book(t, c, []Team{{Name: "a", Budgets: Budgets{{USD: 10, Per: "day", Hard: true, CarryOver: true}}}}, nil)
	a := v.Team("a")
	lost, _, _ := holdUSD(a, 2, 2)
	c.at = at(t, "2026-05-16T10:00:00Z")
	before := a.OwnBudgets(c.at)[0].Limit
	lost.Settle(Charge{}, at(t, "2026-05-15T10:00:00Z"))
	if err := b.Restore(t.Context(), &memory{}); err != nil {
		t.Fatal(err)
	}
	if after := a.OwnBudgets(c.at)[0].Limit; before != 10 || after != before {
		t.Errorf("%d before and %d after, want 10", before, after)
	}
}
