package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"sluice/billing"
	"sluice/gateway/admin"
)

// glance is what the overview shows.
type glance struct {
	Now     time.Time
	Span    span
	Spans   []span
	Charts  []chart
	Spent   billing.Nano
	Burners []breakdown
	Trouble []trouble
	Budgets []budget
	Prompts []promptUse
	// Providers is nil for a team-owner, whose business they are not.
	Providers []provider
	DataURL   string
	New       bool // nothing was called
	Model     string
}

// span is a stretch of time up to now, and the parts that charts have of it.
type span struct {
	Name, Text string
	dimension  string
	parts      int
}

var spans = []span{
	{"24h", "24 hours", "hour", 24},
	{"7d", "7 days", "day", 7},
	{"30d", "30 days", "day", 30},
}

// breakdown is a list of shares, and where its names lead.
type breakdown struct {
	Title, Link string // Link ends where the name goes
	Rows        []share
}

// share is one line of a breakdown.
type share struct {
	Name  string
	Value string // what Name stands for; empty: nothing to look up
	Calls int64
	USD   billing.Nano
	Of    int64 // thousandths of the largest; what is summed up has none
}

// promptUse is a prompt that is served, and what it was used for.
type promptUse struct {
	admin.Prompt
	Calls int64
	USD   billing.Nano
}

// provider is a line of the providers' table.
type provider struct {
	admin.Provider
	TargetsClosed, KeysReady int
}

// overview is the first page. All figures are the ledger's.
func (v *visit) overview() error {
	now := v.c.Now()
	g := &glance{Now: now.In(v.c.Location()), Spans: spans, Span: spans[0], DataURL: v.c.DataURL, Model: "mock/echo"}
	for _, s := range spans {
		if s.Name == v.URL.Query().Get("span") {
			g.Span = s
		}
	}
	starts := g.Span.starts(now, v.c.Location())
	if err := g.charts(v, starts, now); err != nil {
		return err
	}
	if err := g.burners(v, starts[g.Span.parts]); err != nil {
		return err
	}
	if err := g.budgets(v); err != nil {
		return err
	}
	if admin.May(v.who.Role, "GET /admin/v1/providers") {
		if err := g.operators(v, starts[g.Span.parts]); err != nil {
			return err
		}
	}
	if err := g.troubles(v, starts[g.Span.parts]); err != nil {
		return err
	}
	if err := g.waiting(v); err != nil {
		return err
	}
	return v.show(http.StatusOK, "overview.html", page{Title: "Overview", Data: g})
}

// starts are when the parts of the span begin, those of the span before first.
func (s span) starts(now time.Time, loc *time.Location) []time.Time {
	local := now.In(loc)
	out := make([]time.Time, 2*s.parts)
	for i := range out {
		back := 2*s.parts - 1 - i
		if s.dimension == "hour" {
			out[i] = wholeHour(local.Add(-time.Duration(back) * time.Hour))
		} else {
			out[i] = time.Date(local.Year(), local.Month(), local.Day()-back, 0, 0, 0, 0, loc)
		}
	}
	return out
}

// value is what the dimension of the span calls the part that begins at t.
func (s span) value(t time.Time) string {
	if s.dimension == "hour" {
		return t.Format(time.RFC3339)
	}
	return t.Format(time.DateOnly)
}

func (s span) label(t time.Time) string {
	if s.dimension == "hour" {
		return t.Format("15:04")
	}
	return t.Format("2 Jan")
}

// wholeHour is the beginning of the hour that t's clock shows.
func wholeHour(t time.Time) time.Time {
	return t.Add(-time.Duration(t.Minute())*time.Minute - time.Duration(t.Second())*time.Second - time.Duration(t.Nanosecond()))
}

// usage asks the ledger for sums; to zero is without end.
func (v *visit) usage(from, to time.Time, by string) (*billing.Report, error) {
	query := url.Values{"from": {from.Format(time.RFC3339)}}
	if !to.IsZero() {
		query.Set("to", to.Format(time.RFC3339))
	}
	if by != "" {
		query.Set("group_by", by)
	}
	return v.report(query)
}

// charts draws the figures of the span, with those of the one before as a line.
func (g *glance) charts(v *visit, starts []time.Time, now time.Time) error {
	n := g.Span.parts
	byTime, err := v.usage(starts[0], time.Time{}, g.Span.dimension)
	if err != nil {
		return err
	}
	after, err := v.usage(starts[n], time.Time{}, "")
	if err != nil {
		return err
	}
	before, err := v.usage(starts[0], now.Add(-starts[n].Sub(starts[0])), "")
	if err != nil {
		return err
	}
	sums := map[string]*billing.Sums{}
	for i := range byTime.Rows {
		sums[byTime.Rows[i].Values[0]] = &byTime.Rows[i].Sums
	}
	a, b := &after.Total, &before.Total
	g.New = a.Calls+a.Refused+b.Calls+b.Refused == 0
	for _, f := range figures {
		c := chart{Name: f.name, Value: f.text(f.of(a)), Change: change(f.of(a), f.of(b)), Note: f.note(a), Bad: f.bad && f.of(a) > 0}
		if f.name == latency && a.Calls == 0 {
			c.Value, c.Note = "—", "of no calls"
		}
		points, earlier := make([]point, 0, n), make([]int64, 0, n)
		for i, at := range starts {
			var value int64
			if s := sums[g.Span.value(at)]; s != nil {
				value = f.of(s)
			}
			if i < n {
				earlier = append(earlier, value)
			} else {
				points = append(points, point{g.Span.label(at), value})
			}
		}
		c.draw(points, earlier, f.text)
		g.Charts = append(g.Charts, c)
	}
	return nil
}

const latency = "Latency p95"

// figures are what the overview draws.
var figures = []struct {
	name string
	of   func(*billing.Sums) int64
	text func(int64) string
	note func(*billing.Sums) string
	bad  bool
}{
	{"Calls", func(s *billing.Sums) int64 { return s.Calls }, count,
		func(s *billing.Sums) string {
			return count(s.Cached) + " from the cache, " + count(s.Refused) + " refused"
		}, false},
	{"Cost", func(s *billing.Sums) int64 { return int64(s.USD) }, func(n int64) string { return usd(billing.Nano(n)) },
		func(s *billing.Sums) string {
			return short(s.InputTokens) + " tokens in, " + short(s.OutputTokens) + " out, " + usd(s.SavedUSD) + " saved"
		}, false},
	{"Errors", func(s *billing.Sums) int64 { return s.Errors }, count,
		func(s *billing.Sums) string {
			if s.Calls == 0 {
				return "of no calls"
			}
			return strconv.FormatFloat(float64(s.Errors)*100/float64(s.Calls), 'f', 1, 64) + " % of the calls"
		}, true},
	{latency, func(s *billing.Sums) int64 { return s.LatencyP95MS }, milliseconds,
		func(s *billing.Sums) string { return "half are answered within " + milliseconds(s.LatencyP50MS) }, false},
}

// burners are who and what spent most.
func (g *glance) burners(v *visit, from time.Time) error {
	for _, b := range []struct{ title, dimension, link string }{
		{"Teams", "team", "/teams/"}, {"Keys", "key", "/requests?key="}, {"Models", "model", "/requests?model="},
	} {
		r, err := v.usage(from, time.Time{}, b.dimension)
		if err != nil {
			return err
		}
		g.Spent = r.Total.USD
		g.Burners = append(g.Burners, breakdown{b.title, b.link, shares(r, "(none)")})
	}
	return nil
}

// longestList bounds the lists of the page; what comes after is summed up.
const longestList = 8

// shares is a breakdown by cost, then calls, the largest first.
func shares(r *billing.Report, unnamed string) []share {
	var all []share
	for i := range r.Rows {
		name := r.Rows[i].Values[0]
		all = append(all, share{Name: cmp.Or(name, unnamed), Value: name, Calls: r.Rows[i].Calls, USD: r.Rows[i].USD})
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
		if s.Value != "" || s.Name == unnamed { // what is summed up would dwarf the rest
			most = max(most, s.USD)
		}
	}
	for i := range all {
		if most > 0 && (all[i].Value != "" || all[i].Name == unnamed) {
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
func (g *glance) budgets(v *visit) error {
	var err error
	if g.Budgets, err = all[budget](v, "budgets", nil); err != nil {
		return err
	}
	slices.SortStableFunc(g.Budgets, func(a, b budget) int { return cmp.Compare(b.Share(), a.Share()) })
	g.Budgets = g.Budgets[:min(len(g.Budgets), longestList)]
	return nil
}

// mostUsed bounds the list of prompts.
const mostUsed = 20

// operators fills in what a team-owner does not see: providers and prompts.
func (g *glance) operators(v *visit, from time.Time) error {
	list, err := all[admin.Provider](v, "providers", nil)
	if err != nil {
		return err
	}
	g.Providers = make([]provider, 0, len(list))
	for _, p := range list {
		one := provider{Provider: p}
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
	g.Prompts, err = v.promptUses(from)
	g.Prompts = g.Prompts[:min(len(g.Prompts), mostUsed)]
	return err
}

// promptUses lists the prompts that are served, the most called first.
func (v *visit) promptUses(from time.Time) ([]promptUse, error) {
	list, err := all[admin.Prompt](v, "prompts", nil)
	if err != nil {
		return nil, err
	}
	r, err := v.usage(from, time.Time{}, "prompt")
	if err != nil {
		return nil, err
	}
	used := map[string]*billing.Sums{}
	for i := range r.Rows {
		used[r.Rows[i].Values[0]] = &r.Rows[i].Sums
	}
	var out []promptUse
	for _, p := range list {
		one := promptUse{Prompt: p}
		if s := used[p.Name]; s != nil {
			one.Calls, one.USD = s.Calls, s.USD
		}
		out = append(out, one)
	}
	slices.SortStableFunc(out, func(a, b promptUse) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Name, b.Name))
	})
	return out, nil
}
