package console

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"sluice/billing"
	"sluice/gateway/admin"
)

// overview is the first page.
func (c *Console) overview(w http.ResponseWriter, r *http.Request) {
	who, ok := c.who(r)
	if !ok {
		http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
		return
	}
	data, err := c.look(r.Context(), who)
	if err != nil {
		c.Log.Error("console cannot read the ledger", "error", err)
		c.fail(w, http.StatusServiceUnavailable, "The ledger cannot be read now. The log tells why.")
		return
	}
	c.render(w, http.StatusOK, "overview.html", page{Title: "Overview", Who: who, Data: data})
}

// glance is what the overview shows.
type glance struct {
	Now     time.Time
	Tiles   []tile
	Hours   []bar // the last 24, oldest first
	HighUSD billing.Nano
	Month   string
	Teams   []share
	Models  []share
	Spent   billing.Nano // this month
	Budgets []budget
	Prompts []prompt
	// Providers is nil for a team-owner, whose business they are not.
	Providers []provider
	DataURL   string
	New       bool // nothing was ever called this month
	Model     string
}

// tile is one figure, today and in the last 24 hours.
type tile struct {
	Name, Today, Day string
	Note             string
	Bad              bool
}

// bar is one hour of the chart. X, Y, Width and Height are in the units of its
// view box.
type bar struct {
	X, Y, Height int64
	Label        string
}

// share is one line of a breakdown.
type share struct {
	Name  string
	Calls int64
	USD   billing.Nano
	Of    int64 // thousandths of the largest
}

type budget struct {
	billing.BudgetStatus
	Share    int64 // thousandths of it that are spent
	Resets   string
	Used, Of string // amounts in its unit
	Exactly  string // Used, unrounded
}

type prompt struct {
	admin.Prompt
	Calls int64
	USD   billing.Nano
}

// look gathers the page. All figures are the ledger's.
func (c *Console) look(ctx context.Context, who admin.Identity) (*glance, error) {
	if err := c.Flush(ctx); err != nil {
		c.Log.Warn("figures miss what is still in the spool", "error", err)
	}
	now, loc := c.Now(), c.Location()
	view := c.View()
	g := &glance{Now: now.In(loc), Month: now.In(loc).Format("January 2006"), DataURL: c.DataURL, Model: "mock/echo"}
	midnight, _ := billing.PeriodDay.Window(now, loc)
	month, _ := billing.PeriodMonth.Window(now, loc)
	hours := now.Add(-23 * time.Hour).In(loc)
	ask := func(from time.Time, by ...string) (*billing.Report, error) {
		return c.Ledger.Usage(ctx, billing.Query{From: from, GroupBy: by, Team: who.Team, Location: loc})
	}
	today, err := ask(midnight)
	if err != nil {
		return nil, err
	}
	day, err := ask(now.Add(-24 * time.Hour))
	if err != nil {
		return nil, err
	}
	byHour, err := ask(wholeHour(hours), "hour")
	if err != nil {
		return nil, err
	}
	byTeam, err := ask(month, "team")
	if err != nil {
		return nil, err
	}
	byModel, err := ask(month, "model")
	if err != nil {
		return nil, err
	}
	byPrompt, err := ask(month, "prompt")
	if err != nil {
		return nil, err
	}
	g.Tiles = tiles(&today.Total, &day.Total)
	g.chart(byHour, wholeHour(hours))
	g.Teams, g.Models, g.Spent = shares(byTeam, "(none)"), shares(byModel, "(none)"), byTeam.Total.USD
	g.New = byTeam.Total.Calls+byTeam.Total.Refused == 0
	g.budgets(&view, who, now)
	if who.Role != admin.RoleTeamOwner {
		g.prompts(&view, byPrompt)
		g.providers(&view)
	}
	return g, nil
}

// wholeHour is the beginning of the hour that t's clock shows.
func wholeHour(t time.Time) time.Time {
	return t.Add(-time.Duration(t.Minute())*time.Minute - time.Duration(t.Second())*time.Second - time.Duration(t.Nanosecond()))
}

func tiles(today, day *billing.Sums) []tile {
	tokens := func(s *billing.Sums) string { return short(s.InputTokens + s.OutputTokens) }
	return []tile{
		{Name: "Calls", Today: count(today.Calls), Day: count(day.Calls), Note: count(today.Cached) + " from the cache"},
		{Name: "Tokens", Today: tokens(today), Day: tokens(day), Note: short(today.InputTokens) + " in, " + short(today.OutputTokens) + " out"},
		{Name: "Cost", Today: usd(today.USD), Day: usd(day.USD), Note: usd(today.SavedUSD) + " saved"},
		{Name: "Errors", Today: count(today.Errors), Day: count(day.Errors), Note: count(today.Refused) + " refused", Bad: today.Errors > 0},
	}
}

// The chart's view box: 24 bars of 20 with 4 between, 100 high.
const (
	barStep   = 24
	barHeight = 100
)

func (g *glance) chart(r *billing.Report, first time.Time) {
	byHour := map[string]*billing.Sums{}
	for i := range r.Rows {
		byHour[r.Rows[i].Values[0]] = &r.Rows[i].Sums
	}
	var most int64
	for i := range r.Rows {
		most = max(most, r.Rows[i].Calls)
		g.HighUSD = max(g.HighUSD, r.Rows[i].USD)
	}
	for i := range int64(24) {
		at := first.Add(time.Duration(i) * time.Hour)
		s := byHour[at.Format(time.RFC3339)]
		if s == nil {
			s = &billing.Sums{}
		}
		height := int64(1) // a line where nothing was
		if s.Calls > 0 {
			height = max(s.Calls*barHeight/most, 3)
		}
		g.Hours = append(g.Hours, bar{X: i * barStep, Y: barHeight - height, Height: height,
			Label: at.Format("15:04") + ": " + count(s.Calls) + " calls, " + usd(s.USD)})
	}
}

// longestList bounds the lists of the page; what comes after is summed up.
const longestList = 8

// shares is a breakdown by cost, then calls, the largest first.
func shares(r *billing.Report, unnamed string) []share {
	var all []share
	for i := range r.Rows {
		all = append(all, share{Name: cmp.Or(r.Rows[i].Values[0], unnamed), Calls: r.Rows[i].Calls, USD: r.Rows[i].USD})
	}
	slices.SortStableFunc(all, func(a, b share) int { return cmp.Or(cmp.Compare(b.USD, a.USD), cmp.Compare(b.Calls, a.Calls)) })
	if len(all) > longestList {
		rest := share{Name: count(int64(len(all)-longestList+1)) + " more"}
		for _, s := range all[longestList-1:] {
			rest.Calls += s.Calls
			rest.USD += s.USD
		}
		all = append(all[:longestList-1], rest)
	}
	var most billing.Nano
	for _, s := range all {
		most = max(most, s.USD)
	}
	for i := range all {
		if most > 0 {
			all[i].Of = thousandths(all[i].USD, most)
		}
	}
	return all
}

// thousandths is what part is of whole, at most 1000.
func thousandths[N ~int64](part, whole N) int64 {
	switch {
	case whole <= 0 || part >= whole:
		return 1000
	case part <= 0:
		return 0
	case whole > 1_000_000:
		return min(int64(part/(whole/1000)), 1000)
	}
	return int64(part * 1000 / whole)
}

// budgets lists those that are nearest to their end.
func (g *glance) budgets(view *admin.View, who admin.Identity, now time.Time) {
	seen := map[string]bool{}
	for _, s := range view.Budgets {
		if seen[admin.BudgetID(&s)] || !who.Owns(admin.TeamOf(s.Owner)) {
			continue
		}
		seen[admin.BudgetID(&s)] = true // a key and the one that it was rotated to share a budget
		b := budget{BudgetStatus: s, Share: thousandths(s.Spent+s.Held, s.Limit)}
		unit := s.Budget.Unit()
		b.Used, b.Of, b.Exactly = amount(unit, s.Spent), amount(unit, s.Limit), unit.Text(s.Spent)
		if !s.Resets.IsZero() {
			b.Resets = "resets in " + ago(s.Resets.Sub(now))
			if s.RunsOut != nil && s.RunsOut.After(now) {
				b.Resets = "runs out in " + ago(s.RunsOut.Sub(now)) + ", " + b.Resets
			}
		}
		g.Budgets = append(g.Budgets, b)
	}
	slices.SortStableFunc(g.Budgets, func(a, b budget) int { return cmp.Compare(b.Share, a.Share) })
	g.Budgets = g.Budgets[:min(len(g.Budgets), longestList)]
}

// amount is so many dollars, or a number with its unit.
func amount(unit billing.Unit, n int64) string {
	if unit == billing.UnitUSD {
		return usd(billing.Nano(n))
	}
	return count(n) + " " + unit.Name()
}

// prompts lists what is served, the most called first.
func (g *glance) prompts(view *admin.View, r *billing.Report) {
	used := map[string]*billing.Sums{}
	for i := range r.Rows {
		used[r.Rows[i].Values[0]] = &r.Rows[i].Sums
	}
	for _, p := range view.Prompts {
		one := prompt{Prompt: p}
		if s := used[p.Name]; s != nil {
			one.Calls, one.USD = s.Calls, s.USD
		}
		g.Prompts = append(g.Prompts, one)
	}
	slices.SortStableFunc(g.Prompts, func(a, b prompt) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Name, b.Name))
	})
}

// provider is a line of the providers' table.
type provider struct {
	admin.Provider
	TargetsClosed, KeysReady int
}

func (g *glance) providers(view *admin.View) {
	g.Providers = make([]provider, 0, len(view.Providers))
	for _, p := range view.Providers {
		one := provider{Provider: p.Standing()}
		for _, t := range p.Targets {
			if t.State == "closed" {
				one.TargetsClosed++
			}
		}
		for _, k := range p.Keys {
			if k.State == "ready" {
				one.KeysReady++
			}
		}
		g.Providers = append(g.Providers, one)
	}
	slices.SortFunc(g.Providers, func(a, b provider) int { return cmp.Compare(a.Name, b.Name) })
}
