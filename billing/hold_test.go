package billing

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/providers/schema"
)

func TestHold(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:00:00Z")}
	_, v := book(t, c, []Team{{Name: "corp", Budgets: hard(100, "month")}, {Name: "lab", Parent: "corp", Budgets: Budgets{{USD: 5, Per: "day"}}}},
		[]Key{{ID: "1", Name: "ci", Team: "lab", Budgets: hard(60, "day")}})
	ci, lab := v.Key("1"), v.Team("lab")

	whole, granted, err := holdUSD(ci, 50, 50)
	if err != nil || granted != 50 || !whole.Bound().HardUSD || whole.USD() != 50 {
		t.Fatalf("granted %v, %v", granted, err)
	}
	part, granted, err := holdUSD(ci, 50, 10) // the key has 10 left
	if err != nil || granted != 10 {
		t.Fatalf("granted %v, %v", granted, err)
	}
	if _, _, err := holdUSD(ci, 5, 1); err == nil || !strings.Contains(err.Message, `key "lab/ci"`) || !strings.Contains(err.Message, "held by calls") {
		t.Errorf("error %v", err)
	}
	side, granted, err := holdUSD(lab, 90, 30) // corp has 40 left, the soft budget of lab does not matter
	if err != nil || granted != 40 {
		t.Fatalf("granted %v, %v", granted, err)
	}
	_, _, err = holdUSD(lab, 1, 1)
	if err == nil || err.Code != schema.CodeInsufficientQuota || err.Status != 429 || err.Origin != schema.OriginPolicy ||
		!strings.Contains(err.Message, `team "corp"`) || !strings.Contains(err.Message, "2026-06-01T00:00:00Z") {
		t.Errorf("error %v", err)
	}
	if x := whole.Excess(53); x != 3 {
		t.Errorf("excess %v", x)
	}
	if x := whole.Settle(Charge{USD: 53}, c.at); x != 3 { // more than was held is charged all the same
		t.Errorf("excess %v", x)
	}
	if x := whole.Settle(Charge{USD: 53}, c.at); x != 0 {
		t.Error("settled twice")
	}
	part.Settle(Charge{USD: 0}, c.at)
	side.Settle(Charge{USD: -5}, c.at)
	want := map[string]BudgetStatus{
		`key "lab/ci"`: {Spent: 53, Remaining: 7}, `team "lab"`: {Spent: 53, Remaining: 0}, `team "corp"`: {Spent: 53, Remaining: 47},
	}
	all := ci.Budgets(c.at)
	if len(all) != 3 || all[0].Owner.Key != "lab/ci" || all[2].Owner.Team != "corp" {
		t.Fatalf("budgets %+v", all)
	}
	for _, s := range all {
		if w := want[s.Owner.String()]; s.Spent != w.Spent || s.Remaining != w.Remaining || Nano(s.Held) != 0 {
			t.Errorf("%+v, want %+v", s, w)
		}
	}
}

func TestLeft(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:00:00Z")}
	_, v := book(t, c, []Team{{Name: "a", Budgets: hard(10, "day")}, {Name: "b", Parent: "a", Budgets: hard(8, "day")}, {Name: "c", Budgets: Budgets{{USD: 1, Per: "day"}}}}, nil)
	h, _, _ := holdUSD(v.Team("a"), 4, 4)
	for team, want := range map[string]Nano{"a": 6, "b": 6, "c": math.MaxInt64} { // a soft budget bounds nothing
		if left, tokens := v.Team(team).Left(Called{}); left != want || tokens != math.MaxInt64 {
			t.Errorf("%s has %v and %d tokens", team, left, tokens)
		}
	}
	h.Settle(Charge{USD: 15}, c.at)
	if left, _ := v.Team("b").Left(Called{}); left != -5 {
		t.Errorf("after an excess %v is left", left)
	}
}

func TestHoldEdges(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:00:00Z")}
	_, v := book(t, c, []Team{{Name: "a", Budgets: hard(10, "total")}, {Name: "b"}}, nil)
	a := v.Team("a")
	if _, _, err := holdUSD(a, 11, 99); err == nil || !strings.Contains(err.Message, "does not cover this call") || strings.Contains(err.Message, "resets") {
		t.Errorf("min above want: %v", err) // want is then the least
	}
	h, _, _ := holdUSD(a, 10, 0)
	h.Settle(Charge{USD: 12}, c.at)
	if _, _, err := holdUSD(a, 5, 0); err == nil || !strings.Contains(err.Message, "is spent") {
		t.Errorf("spent: %v", err)
	}
	free, granted, err := holdUSD(a, 0, 0) // a free model needs no money
	if err != nil || granted != 0 || !free.Bound().HardUSD {
		t.Errorf("free call: %v, %v", granted, err)
	}
	if x := free.Settle(Charge{USD: 1}, c.at); x != 1 {
		t.Errorf("excess of a free call %v", x)
	}
	var none Hold
	if none.Settle(Charge{USD: 5}, c.at) != 0 || none.Bound().HardUSD || none.USD() != 0 {
		t.Error("the zero hold is something")
	}
	if _, ok := budgetOf(v.Team("b"), c.at); ok || len(v.Team("b").Budgets(c.at)) != 0 {
		t.Error("there is a budget")
	}
}

// TestHoldSpansReset: what is held stays held when the window ends, and what is
// settled counts in the window of its time.
func TestHoldSpansReset(t *testing.T) {
	c := &clock{at(t, "2026-05-15T23:59:59Z")}
	_, v := book(t, c, []Team{{Name: "a", Budgets: hard(10, "day")}}, nil)
	a := v.Team("a")
	early, _, _ := holdUSD(a, 4, 4)
	late, _, _ := holdUSD(a, 4, 4)
	spent, _, _ := holdUSD(a, 2, 2)
	spent.Settle(Charge{USD: 2}, c.at)
	before := c.at
	c.at = at(t, "2026-05-16T00:00:01Z")
	if s, _ := budgetOf(a, c.at); Nano(s.Spent) != 0 || Nano(s.Held) != 8 || Nano(s.Remaining) != 2 || !s.Resets.Equal(at(t, "2026-05-17T00:00:00Z")) {
		t.Errorf("in the new window %+v", s)
	}
	early.Settle(Charge{USD: 4}, before)
	if s, _ := budgetOf(a, c.at); Nano(s.Spent) != 0 || Nano(s.Held) != 4 {
		t.Errorf("what belongs to yesterday counts today: %+v", s)
	}
	late.Settle(Charge{USD: 3}, c.at)
	if s, _ := budgetOf(a, c.at); Nano(s.Spent) != 3 || Nano(s.Held) != 0 {
		t.Errorf("%+v", s)
	}
}

func TestRollingBudget(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:30:00Z")}
	_, v := book(t, c, []Team{{Name: "a", Budgets: hard(10, "2d")}}, nil)
	a := v.Team("a")
	spend := func(n Nano) {
		t.Helper()
		h, _, err := holdUSD(a, n, n)
		if err != nil {
			t.Fatal(err)
		}
		h.Settle(Charge{USD: n}, c.at)
	}
	spent := func(want Nano, resets string) {
		t.Helper()
		if s, _ := budgetOf(a, c.at); Nano(s.Spent) != want || (resets != "" && !s.Resets.Equal(at(t, resets))) {
			t.Errorf("at %v %+v, want %d and %s", c.at, s, want, resets)
		}
	}
	spend(4)
	c.at = at(t, "2026-05-16T09:00:00Z")
	spend(5)
	spent(9, "2026-05-17T11:00:00Z") // the hour of ten counts until it is outside whole
	if _, _, err := holdUSD(a, 2, 2); err == nil || !strings.Contains(err.Message, "resets at 2026-05-17T11:00:00Z") {
		t.Errorf("error %v", err)
	}
	c.at = at(t, "2026-05-17T10:59:59Z")
	spent(9, "")
	c.at = at(t, "2026-05-17T11:00:00Z")
	spent(5, "2026-05-18T10:00:00Z")
	late, _, _ := holdUSD(a, 1, 1)
	late.Settle(Charge{USD: 1}, at(t, "2026-05-16T09:59:00Z")) // an hour that still counts
	spent(6, "2026-05-18T10:00:00Z")
	old, _, _ := holdUSD(a, 1, 1)
	old.Settle(Charge{USD: 1}, at(t, "2026-05-10T00:00:00Z")) // one that does not
	spent(6, "")
	c.at = at(t, "2027-01-01T00:00:00Z")
	spent(0, "")
	if s, _ := budgetOf(a, c.at); !s.Resets.IsZero() {
		t.Errorf("nothing was spent, and it resets at %v", s.Resets)
	}
}

func TestWarned(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:30:00Z")}
	_, v := book(t, c, []Team{{Name: "a", Budgets: Budgets{{USD: 1000, Per: "day", WarnAt: []float64{0.95, 0.8}}}}}, nil)
	a := v.Team("a")
	for _, step := range []struct {
		cost   Nano
		warned float64
	}{{799, 0}, {1, 0.8}, {149, 0.8}, {1, 0.95}, {500, 0.95}} {
		h, _, _ := holdUSD(a, step.cost, 1)
		h.Settle(Charge{USD: step.cost}, c.at)
		if s, _ := budgetOf(a, c.at); s.Warned != step.warned {
			t.Errorf("at %v warned %v, want %v", Nano(s.Spent), s.Warned, step.warned)
		}
	}
	s, _ := budgetOf(a, c.at)
	text, _ := json.Marshal(s)
	want := `{"owner":{"team":"a"},"usd":"0.000001","per":"day","spent":"0.00000145","held":"0","remaining":"0","since":"2026-05-15T00:00:00Z","resets":"2026-05-16T00:00:00Z","warn_at":[0.95,0.8],"warned":0.95,"hard":false,"runs_out":"2026-05-15T10:30:00Z","forecast":"0.000003314","forecast_low":null,"forecast_high":null}`
	if string(text) != want {
		t.Errorf("%s", text)
	}
}

// TestNeverOverspent: 500 callers at once against ten calls' worth, through a
// tree of budgets; costs are what was held or less.
func TestNeverOverspent(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:30:00Z")}
	const price = 1000
	_, v := book(t, c, []Team{{Name: "corp", Budgets: hard(25*price, "month")}, {Name: "lab", Parent: "corp", Budgets: hard(15*price, "30d")}},
		[]Key{{ID: "1", Team: "lab", Budgets: hard(10*price, "day")}, {ID: "2", Team: "lab"}, {ID: "3", Team: "corp"}})
	corp, lab, key := v.Team("corp"), v.Team("lab"), v.Key("1")
	var mu sync.Mutex
	settled := map[string]Nano{}
	var wg sync.WaitGroup
	for i := range 500 {
		wg.Go(func() {
			id := string(rune('1' + i%3))
			h, granted, err := holdUSD(v.Key(id), price, price/10)
			if err != nil {
				return
			}
			cost := rand.N(granted + 1)
			if s, _ := budgetOf(corp, c.at); Nano(s.Spent)+Nano(s.Held) > Nano(s.Limit) {
				t.Errorf("more than there is: %+v", s)
			}
			if x := h.Settle(Charge{USD: cost}, c.at); x != 0 {
				t.Errorf("excess %v", x)
			}
			mu.Lock()
			settled[id] += cost
			mu.Unlock()
		})
	}
	wg.Wait()
	check := func(o *Owner, want Nano) {
		t.Helper()
		if s, _ := budgetOf(o, c.at); Nano(s.Spent) != want || Nano(s.Held) != 0 || Nano(s.Spent) > Nano(s.Limit) || Nano(s.Spent) < 0 {
			t.Errorf("%+v, settled %v", s, want)
		}
	}
	check(key, settled["1"])
	check(lab, settled["1"]+settled["2"])
	check(corp, settled["1"]+settled["2"]+settled["3"])
}

// TestBudgetModel plays random calls in a random tree and compares every budget
// with a plain sum.
func TestBudgetModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &clock{time.Date(2026, 5, 30, 22, 0, 0, 0, time.UTC)}
		names := []string{"t0", "t1", "t2", "t3"}
		parent := map[string]string{}
		var teams []Team
		for i, name := range names {
			team := Team{Name: name}
			if i > 0 && rapid.Bool().Draw(t, "child") {
				team.Parent = names[rapid.IntRange(0, i-1).Draw(t, "parent")]
			}
			if rapid.Bool().Draw(t, "budget") {
				team.Budgets = Budgets{{USD: Nano(rapid.Int64Range(0, 100).Draw(t, "usd")), Hard: rapid.Bool().Draw(t, "hard"),
					Per: rapid.SampledFrom([]Period{"hour", "day", "week", "month", "total", "1d"}).Draw(t, "per")}}
			}
			parent[name] = team.Parent
			teams = append(teams, team)
		}
		v, err := NewBook(time.UTC, c.now).Rebuild(teams, nil)
		if err != nil {
			t.Fatal(err)
		}
		m := model{parent: parent, held: map[string]Nano{}}
		var open []running
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0, 1:
				name := rapid.SampledFrom(names).Draw(t, "team")
				want, least := Nano(rapid.Int64Range(1, 60).Draw(t, "want")), Nano(rapid.Int64Range(1, 60).Draw(t, "min"))
				h, granted, err := holdUSD(v.Team(name), want, least)
				if err == nil && granted < min(want, least) || granted > want {
					t.Fatalf("granted %d of %d, at least %d", granted, want, least)
				}
				if err == nil {
					open = append(open, running{name, h})
					m.hold(name, h.USD())
				}
			case 2:
				if len(open) == 0 {
					continue
				}
				call := open[0]
				open = open[1:]
				cost := Nano(rapid.Int64Range(0, 70).Draw(t, "cost"))
				if call.hold.Bound().HardUSD {
					cost = min(cost, call.hold.USD())
				}
				m.hold(call.team, -call.hold.USD())
				call.hold.Settle(Charge{USD: cost}, c.at)
				m.spend(call.team, cost, c.at)
			case 3:
				c.at = c.at.Add(time.Duration(rapid.IntRange(0, 5*3600).Draw(t, "seconds")) * time.Second)
			}
			for _, team := range teams {
				s, ok := budgetOf(v.Team(team.Name), c.at)
				if !ok {
					continue
				}
				if want := m.spent(team.Name, s.Budget.Per, c.at); Nano(s.Spent) != want || Nano(s.Spent) < 0 || Nano(s.Held) < 0 || Nano(s.Held) != m.held[team.Name] {
					t.Fatalf("%+v, spent should be %d, held %d", s, want, m.held[team.Name])
				}
				if s.Budget.Hard && Nano(s.Spent)+Nano(s.Held) > Nano(s.Limit) {
					t.Fatalf("overspent: %+v", s)
				}
			}
		}
	})
}

type running struct {
	team string
	hold Hold
}

// model is the plain truth about a tree of teams.
type model struct {
	parent  map[string]string
	held    map[string]Nano
	charges []charge
}

type charge struct {
	team string
	cost Nano
	at   time.Time
}

func (m *model) hold(team string, n Nano) {
	for ; team != ""; team = m.parent[team] {
		m.held[team] += n
	}
}

func (m *model) spend(team string, n Nano, at time.Time) {
	m.charges = append(m.charges, charge{team, n, at})
}

func (m *model) spent(team string, per Period, now time.Time) (sum Nano) {
	since, _ := per.Window(now, time.UTC)
	if per.days() > 0 {
		since = since.Truncate(time.Hour)
	}
	for _, c := range m.charges {
		for at := c.team; at != ""; at = m.parent[at] {
			if at == team && !c.at.Before(since) {
				sum += c.cost
			}
		}
	}
	return sum
}

func TestHoldAllocatesNothing(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:30:00Z")}
	_, v := book(t, c, []Team{{Name: "corp", Budgets: hard(Dollar, "month")}, {Name: "lab", Parent: "corp", Budgets: hard(Dollar, "7d")}},
		[]Key{{ID: "1", Team: "lab", Budgets: hard(Dollar, "day")}})
	o := v.Key("1")
	if n := testing.AllocsPerRun(100, func() {
		h, _, _ := holdUSD(o, 5, 5)
		h.Settle(Charge{USD: 0}, c.at)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkHold(b *testing.B) {
	_, v := book(b, &clock{time.Now()}, []Team{{Name: "corp", Budgets: hard(Dollar, "month")}, {Name: "lab", Parent: "corp", Budgets: hard(Dollar, "7d")}},
		[]Key{{ID: "1", Team: "lab", Budgets: hard(Dollar, "day")}})
	o, now := v.Key("1"), time.Now()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			h, _, _ := holdUSD(o, 5, 5)
			h.Settle(Charge{USD: 0}, now)
		}
	})
}
