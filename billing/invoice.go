package billing

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Invoice is what a team and those below it used in a month. The sum of all
// lines and corrections is Total, and that is what a report of the month says,
// to the billionth of a dollar; only Rounded is rounded.
type Invoice struct {
	Number      string    `json:"number"` // the same for a team and month at any time
	Team        string    `json:"team"`
	Month       string    `json:"month"` // 2026-10
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`          // exclusive
	Preliminary bool      `json:"preliminary"` // the month is not over
	By          []string  `json:"by"`
	Sections    []Section `json:"sections"` // the team's own, then those below it
	Total       Nano      `json:"total_usd"`
	Rounded     string    `json:"rounded_usd"` // to cents, half away from zero
}

// Section is one team's part of an invoice.
type Section struct {
	Team        string        `json:"team"`
	Parent      string        `json:"parent,omitempty"`
	Lines       []InvoiceLine `json:"lines"`
	Corrections []Amendment   `json:"corrections"`
	Subtotal    Nano          `json:"subtotal_usd"`
}

// InvoiceLine is what was used under one combination of Values, in the order of
// the invoice's By. The unit amounts are averages, for the tokens of a line have
// different prices.
type InvoiceLine struct {
	Values            []string `json:"values"`
	Calls             int64    `json:"calls"`
	InputTokens       int64    `json:"input_tokens"` // cached ones and those written to a cache included
	CachedInputTokens int64    `json:"cached_input_tokens"`
	CacheWriteTokens  int64    `json:"cache_write_tokens"`
	OutputTokens      int64    `json:"output_tokens"`
	ReasoningTokens   int64    `json:"reasoning_tokens"`
	PerCall           Nano     `json:"usd_per_call"`
	PerMillion        Nano     `json:"usd_per_million_tokens"`
	USD               Nano     `json:"usd"`
}

// Amendment is a correction of the ledger: see Correction.
type Amendment struct {
	ID       string    `json:"id"`
	Time     time.Time `json:"time"`
	Corrects string    `json:"corrects,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	USD      Nano      `json:"usd"`
}

// Amendments is a Ledger that can list its corrections. The invoice of one that
// cannot has them within its lines.
type Amendments interface {
	// CorrectionsIn lists the corrections of q.Team from q.From to q.To,
	// oldest first.
	CorrectionsIn(ctx context.Context, q Query) ([]Entry, error)
}

// InvoiceDimensions are what the lines of an invoice can be by. Tags are not
// among them: a call with two would stand there twice.
var InvoiceDimensions = []string{"model", "key", "prompt", "version", "user", "provider", "target", "day"}

// InvoiceQuery asks for an invoice.
type InvoiceQuery struct {
	Team     string
	Month    string // 2026-10; empty: the last one that is over
	By       string // of InvoiceDimensions, separated by commas; empty: model
	Teams    []Team // all there are, for those below Team
	Now      time.Time
	Location *time.Location // whose months; nil: UTC
}

// check fills in what was left out. Its errors name the field.
func (q *InvoiceQuery) check() (from, to time.Time, by []string, err error) {
	if q.Location == nil {
		q.Location = time.UTC
	}
	this, next := PeriodMonth.Window(q.Now, q.Location)
	at, err := time.ParseInLocation("2006-01", q.Month, q.Location)
	if q.Month == "" {
		at, err = this.Add(-12*time.Hour), nil
	}
	if err != nil || at.Year() < 2000 {
		return from, to, nil, fmt.Errorf("month %.20q is not one such as 2026-10", q.Month)
	}
	// The middle of the month is in it whatever its clocks do at the ends.
	from, to = PeriodMonth.Window(time.Date(at.Year(), at.Month(), 15, 12, 0, 0, 0, q.Location), q.Location)
	if !from.Before(next) {
		return from, to, nil, fmt.Errorf("month %s has not begun", q.Month)
	}
	q.Month = from.Format("2006-01")
	if q.By == "" {
		q.By = "model"
	}
	for name := range strings.SplitSeq(q.By, ",") {
		name = strings.TrimSpace(name)
		if !slices.Contains(InvoiceDimensions, name) || slices.Contains(by, name) {
			return from, to, nil, fmt.Errorf("by %.80q: want some of %s, each once", q.By, strings.Join(InvoiceDimensions, ", "))
		}
		by = append(by, name)
	}
	return from, to, by, nil
}

// NewInvoice reads an invoice from the ledger. That the query is wrong is an
// error that is BadQuery; a team that neither exists nor used anything is
// ErrNotFound.
func NewInvoice(ctx context.Context, l Ledger, q InvoiceQuery) (*Invoice, error) {
	from, to, by, err := q.check()
	if err != nil {
		return nil, BadQuery{err}
	}
	v := &Invoice{Number: "SL-" + strings.ReplaceAll(q.Month, "-", "") + "-" + q.Team, Team: q.Team, Month: q.Month,
		From: from, To: to, Preliminary: q.Now.Before(to), By: by}
	known := false
	for _, t := range below(q.Teams, q.Team) {
		known = known || t.Source != ""
		s, err := sectionOf(ctx, l, t, Query{From: from, To: to, GroupBy: by, Team: t.Name, Location: q.Location})
		if err != nil {
			return nil, err
		}
		v.Total += s.Subtotal
		v.Sections = append(v.Sections, *s)
	}
	if first := &v.Sections[0]; !known && len(first.Lines)+len(first.Corrections) == 0 {
		return nil, fmt.Errorf("there is no team %q, and none used anything in %s: %w", q.Team, q.Month, ErrNotFound)
	}
	v.Rounded = v.Total.Cents()
	return v, nil
}

// BadQuery is an error about what was asked, not about the ledger.
type BadQuery struct{ Err error }

func (e BadQuery) Error() string { return e.Err.Error() }

func (e BadQuery) Unwrap() error { return e.Err }

// below is a team and all below it, each after its parent, by name. The team
// itself may be one that is gone: then it has no Source.
func below(teams []Team, name string) []Team {
	teams = slices.Clone(teams)
	slices.SortFunc(teams, func(a, b Team) int { return strings.Compare(a.Name, b.Name) })
	top := Team{Name: name}
	if i := slices.IndexFunc(teams, func(t Team) bool { return t.Name == name }); i >= 0 {
		top = teams[i]
	}
	out := []Team{top}
	var add func(parent string)
	add = func(parent string) {
		for _, t := range teams {
			if t.Parent == parent && !slices.ContainsFunc(out, func(o Team) bool { return o.Name == t.Name }) {
				out = append(out, t)
				add(t.Name)
			}
		}
	}
	add(name)
	return out
}

func sectionOf(ctx context.Context, l Ledger, t Team, q Query) (*Section, error) {
	report, err := l.Usage(ctx, q)
	if err != nil {
		return nil, err
	}
	s := &Section{Team: t.Name, Parent: t.Parent, Lines: []InvoiceLine{}, Corrections: []Amendment{}, Subtotal: report.Total.USD}
	lines := map[string]*Sums{}
	for i := range report.Rows {
		lines[strings.Join(report.Rows[i].Values, "\x00")] = &report.Rows[i].Sums
	}
	if a, ok := l.(Amendments); ok {
		entries, err := a.CorrectionsIn(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range entries {
			e := &entries[i]
			s.Corrections = append(s.Corrections, Amendment{e.Call, e.Time.UTC(), e.Corrects, e.Reason, e.Cost})
			if row := lines[strings.Join(valuesOf(e, q.GroupBy, q.Location), "\x00")]; row != nil {
				row.subtract(e)
			} else { // a call that was added since the report was read
				s.Subtotal += e.Cost
			}
		}
	}
	for i := range report.Rows {
		if line := lineOf(&report.Rows[i]); line.Calls != 0 || line.USD != 0 || line.InputTokens != 0 || line.OutputTokens != 0 {
			s.Lines = append(s.Lines, line)
		}
	}
	return s, nil
}

// subtract takes an entry that is no call out of sums.
func (s *Sums) subtract(e *Entry) {
	u := &e.Usage
	s.InputTokens -= u.Input
	s.CachedInputTokens -= u.CachedInput
	s.CacheWriteTokens -= u.CacheWrite
	s.OutputTokens -= u.Output
	s.ReasoningTokens -= u.Reasoning
	s.USD -= e.Cost
}

// valuesOf are the dimensions of an entry, as a report has them.
func valuesOf(e *Entry, by []string, loc *time.Location) []string {
	version := ""
	if e.Version != 0 {
		version = strconv.Itoa(e.Version)
	}
	of := map[string]string{"model": e.Model, "key": e.Key, "prompt": e.Prompt, "version": version, "user": e.User,
		"provider": e.Provider, "target": e.Target, "day": e.Time.In(loc).Format(time.DateOnly)}
	out := make([]string, len(by))
	for i, name := range by {
		out[i] = of[name]
	}
	return out
}

func lineOf(r *Row) InvoiceLine {
	return InvoiceLine{Values: r.Values, Calls: r.Calls, InputTokens: r.InputTokens, CachedInputTokens: r.CachedInputTokens,
		CacheWriteTokens: r.CacheWriteTokens, OutputTokens: r.OutputTokens, ReasoningTokens: r.ReasoningTokens, USD: r.USD,
		PerCall: average(r.USD, 1, r.Calls), PerMillion: average(r.USD, 1_000_000, r.InputTokens+r.OutputTokens)}
}

// average is usd × times / n, rounded half away from zero; 0 if n is 0.
func average(usd Nano, times, n int64) Nano {
	if n <= 0 {
		return 0
	}
	return roundDiv(new(big.Int).Mul(big.NewInt(int64(usd)), big.NewInt(times)), big.NewInt(n))
}

// roundDiv is a / b, b above 0, rounded half away from zero.
func roundDiv(a, b *big.Int) Nano {
	twice := new(big.Int).Lsh(new(big.Int).Abs(a), 1)
	q := twice.Add(twice, b).Quo(twice, new(big.Int).Lsh(b, 1))
	if a.Sign() < 0 {
		q.Neg(q)
	}
	return Nano(q.Int64())
}

// Cents is the amount in dollars with two decimals, rounded half away from
// zero: for people, never for sums.
func (n Nano) Cents() string {
	const cent = int64(Dollar) / 100
	c := int64(n) / cent
	if rest := int64(n) % cent; rest >= cent/2 {
		c++
	} else if rest <= -cent/2 {
		c--
	}
	sign := ""
	if c < 0 {
		sign, c = "-", -c
	}
	return fmt.Sprintf("%s%d.%02d", sign, c/100, c%100)
}
