package billing

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/providers/schema"
)

// tree is a random tree of teams and keys with random budgets, the calls that
// run on it, and the plain truth: the entries that were written.
type tree struct {
	*rapid.T
	clock   *clock
	teams   []Team
	keys    []Key
	book    *Book
	view    *Owners
	ledger  memory
	parent  map[string]string
	prices  map[string]*Prices // by model
	running []*worldCall
}

// worldCall is a call that has not ended.
type worldCall struct {
	entry   Entry
	hold    Hold
	in, out int64 // the most that it may use
	honest  bool  // the provider uses no more
}

// zones whose clocks change, some at midnight, some by half an hour, and the
// instants around which the world lives.
var (
	worldZones = []string{"", "Europe/Berlin", "America/New_York", "Asia/Beirut", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kolkata"}
	worldTimes = []string{"2026-03-28T20:00:00Z", "2026-10-24T20:00:00Z", "2026-11-01T02:00:00Z", "2024-02-28T20:00:00Z", "2022-03-26T15:00:00Z",
		"2026-12-31T10:00:00Z", "2026-04-04T10:00:00Z", "2026-05-31T20:00:00Z"}
	worldModels = []string{"cheap", "dear", "free"}
)

func newTree(t *rapid.T) *tree {
	start, _ := time.Parse(time.RFC3339, rapid.SampledFrom(worldTimes).Draw(t, "start"))
	w := &tree{T: t, clock: &clock{start}, parent: map[string]string{}, prices: map[string]*Prices{}}
	for _, model := range worldModels {
		spec := PriceSpec{Input: fmt.Sprint(rapid.IntRange(0, 4000).Draw(t, "input price")), Output: fmt.Sprint(rapid.IntRange(0, 9000).Draw(t, "output price"))}
		if model == "free" {
			spec = PriceSpec{Input: "0", Output: "0"}
		}
		w.prices[model], _ = ParsePrices(spec)
	}
	for i := range rapid.IntRange(1, 5).Draw(t, "teams") {
		team := Team{Name: fmt.Sprint("t", i), Budgets: w.budgets()}
		if i > 0 && rapid.Bool().Draw(t, "below") {
			team.Parent = w.teams[rapid.IntRange(0, i-1).Draw(t, "parent")].Name
		}
		w.teams = append(w.teams, team)
		w.parent[team.Name] = team.Parent
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "keys") {
		team := rapid.SampledFrom(w.teams).Draw(t, "team").Name
		w.keys = append(w.keys, Key{ID: fmt.Sprint("k", i), Name: "k", Team: team, Budgets: w.budgets()})
	}
	w.start()
	return w
}

// budgets are up to three that do not count the same.
func (w *tree) budgets() (l Budgets) {
	for range rapid.IntRange(0, 3).Draw(w.T, "budgets") {
		b := Budget{Hard: rapid.Bool().Draw(w.T, "hard"), TimeZone: rapid.SampledFrom(worldZones).Draw(w.T, "zone"),
			Per: rapid.SampledFrom([]Period{"hour", "day", "week", "month", "total", "1d", "2d"}).Draw(w.T, "per")}
		switch rapid.IntRange(0, 3).Draw(w.T, "unit") {
		case 0:
			b.Tokens = rapid.Int64Range(1, 300).Draw(w.T, "tokens")
		case 1:
			b.Requests = rapid.Int64Range(1, 8).Draw(w.T, "requests")
		default:
			b.USD = Nano(rapid.Int64Range(0, 2_000_000).Draw(w.T, "usd"))
		}
		if rapid.IntRange(0, 3).Draw(w.T, "for models") == 0 {
			b.Models = []string{rapid.SampledFrom(worldModels).Draw(w.T, "model")}
		}
		if b.Per != PeriodTotal && b.Per.days() == 0 {
			b.CarryOver = rapid.IntRange(0, 2).Draw(w.T, "carry") == 0
		}
		if l = append(l, b); l.check() != nil {
			l = l[:len(l)-1]
		}
	}
	return l
}

// start is a process that begins: the budgets come from the ledger.
func (w *tree) start() {
	w.running = nil
	w.book = NewBook(time.UTC, w.clock.now)
	w.rebuild()
}

func (w *tree) rebuild() {
	var err error
	if w.view, err = w.book.Rebuild(w.teams, w.keys); err != nil {
		w.Fatal(err)
	}
	if err := w.book.Restore(w.Context(), &w.ledger); err != nil {
		w.Fatal(err)
	}
}

// call begins a call, if the budgets let it.
func (w *tree) call() {
	key := rapid.SampledFrom(w.keys).Draw(w.T, "key")
	c := &worldCall{in: rapid.Int64Range(0, 50).Draw(w.T, "in"), out: rapid.Int64Range(1, 60).Draw(w.T, "out"), honest: rapid.IntRange(0, 9).Draw(w.T, "honest") > 0}
	c.entry = Entry{Team: key.Team, KeyID: key.ID, Time: w.clock.at, Model: rapid.SampledFrom(worldModels).Draw(w.T, "model")}
	prices := w.prices[c.entry.Model]
	need := Need{Called: Called{Model: c.entry.Model}, USD: prices.MaxCost(c.in, c.out), MinUSD: prices.MaxCost(c.in, 1), Tokens: c.in + c.out, MinTokens: c.in + 1, Requests: 1}
	var refused *schema.Error
	if c.hold, refused = w.view.Key(key.ID).Hold(need); refused != nil {
		return
	}
	if c.hold.USD() > need.USD || c.hold.Tokens() > need.Tokens {
		w.Fatalf("more is granted than was asked for: %+v", c.hold)
	}
	if left := c.hold.Tokens() - c.in; left < c.out { // clamped
		c.out = left
	}
	c.out = min(c.out, prices.AffordableOutput(c.hold.USD(), c.in))
	w.running = append(w.running, c)
}

// end ends a call: answered, aborted with nothing or with a part, or answered
// by a provider that uses more than it was let. A retry charges twice.
func (w *tree) end() {
	if len(w.running) == 0 {
		return
	}
	i := rapid.IntRange(0, len(w.running)-1).Draw(w.T, "which")
	c := w.running[i]
	w.running = append(w.running[:i], w.running[i+1:]...)
	u := schema.Usage{Input: rapid.Int64Range(0, c.in).Draw(w.T, "used in"), Output: rapid.Int64Range(0, c.out).Draw(w.T, "used out")}
	if !c.honest {
		u.Output += c.out / 5
	}
	cost := w.prices[c.entry.Model].Cost(u)
	excess := c.hold.Settle(Charge{USD: cost, Tokens: u.Input + u.Output}, c.entry.Time)
	if c.honest && excess != 0 {
		w.Fatalf("%v beyond the hold, though the provider is honest", excess)
	}
	c.entry.Usage, c.entry.Cost, c.entry.Excess = u, cost, excess
	w.ledger.entries = append(w.ledger.entries, c.entry)
}

// dishonest tells whether any provider has used more than it was let.
func (w *tree) dishonest() bool {
	for _, e := range w.ledger.entries {
		if e.Excess > 0 {
			return true
		}
	}
	return false
}

// check compares every budget with the truth.
func (w *tree) check() {
	excess := w.dishonest()
	for o := range w.view.All() {
		for _, s := range o.OwnBudgets(w.clock.at) {
			b := &s.Budget
			if s.Spent < 0 || s.Held < 0 || s.Remaining < 0 {
				w.Fatalf("less than nothing: %+v", s)
			}
			if want := w.spent(o, b); s.Spent != want {
				w.Fatalf("at %v %+v, should be %d", w.clock.at, s, want)
			}
			if want := w.held(o, b); s.Held != want {
				w.Fatalf("%+v, held should be %d", s, want)
			}
			// What a provider uses beyond what it was let may be tokens, of
			// which no excess is noted, and it may be carried into later windows.
			if b.Hard && !excess && b.Unit() != UnitTokens && s.Spent+s.Held > s.Limit {
				w.Fatalf("overspent: %+v", s)
			}
			if !s.Resets.IsZero() && b.Per.days() == 0 {
				last, next := w.window(b, s.Resets.Add(-1)), w.window(b, s.Resets)
				if now := w.window(b, w.clock.at); now != last || now == next || !s.Resets.After(w.clock.at) {
					w.Fatalf("at %v it resets at %v: %+v", w.clock.at, s.Resets, s)
				}
			}
		}
	}
}

// spent is what a budget's owner, and all below it, have used in its window.
func (w *tree) spent(o *Owner, b *Budget) (sum int64) {
	now := w.window(b, w.clock.at)
	for i := range w.ledger.entries {
		e := &w.ledger.entries[i]
		if !w.counts(o, b, e) {
			continue
		}
		inside := w.window(b, e.Time) == now
		if n := b.Per.days(); n > 0 {
			inside = w.clock.at.Unix()/3600-e.Time.Unix()/3600 <= int64(n*24)
		}
		if inside {
			sum += [...]int64{int64(e.Cost), e.Usage.Input + e.Usage.Output, 1}[b.Unit()]
		}
	}
	return sum
}

func (w *tree) held(o *Owner, b *Budget) (sum int64) {
	for _, c := range w.running {
		if w.counts(o, b, &c.entry) && c.hold.held {
			sum += c.hold.part(b.Unit())
		}
	}
	return sum
}

func (w *tree) counts(o *Owner, b *Budget, e *Entry) bool {
	if len(b.Models) > 0 && b.Models[0] != e.Model {
		return false
	}
	if o.Key != nil {
		return o.Key.ID == e.KeyID
	}
	for team := e.Team; team != ""; team = w.parent[team] {
		if team == o.Name {
			return true
		}
	}
	return false
}

// window names the window that a time is in, by what a clock on the wall shows
// and not by reckoning its ends.
func (w *tree) window(b *Budget, t time.Time) string {
	loc, _ := time.LoadLocation(b.TimeZone)
	t = t.In(loc)
	switch b.Per {
	case PeriodHour:
		return t.Format("2006-01-02T15 -07:00")
	case PeriodDay:
		return t.Format(time.DateOnly)
	case PeriodWeek:
		y, week := t.ISOWeek()
		return fmt.Sprint(y, "-", week)
	case PeriodMonth:
		return t.Format("2006-01")
	}
	return ""
}

// TestWorld: whatever happens, no budget is overspent, nothing is negative,
// every budget is the sum of its entries, and every window ends when the clock
// on the wall says so.
func TestWorld(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newTree(t)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0, 1, 2, 3:
				w.call()
			case 4, 5, 6:
				w.end()
			case 7:
				w.clock.at = w.clock.at.Add(time.Duration(rapid.Int64Range(0, int64(9*time.Hour)).Draw(t, "later")))
			case 8:
				w.clock.at = w.clock.at.Add(time.Duration(rapid.Int64Range(0, int64(40*24*time.Hour)).Draw(t, "much later")))
			case 9:
				if rapid.Bool().Draw(t, "crash") {
					w.start()
				} else {
					w.rebuild()
				}
			}
			w.check()
		}
	})
}
