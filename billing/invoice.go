package billing

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"slices"
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
	TimeZone    string    `json:"time_zone"`   // whose month it is, such as Europe/Berlin
	Preliminary bool      `json:"preliminary"` // the month is not over
	By          []string  `json:"by"`
	Sections    []Section `json:"sections"` // the team's own, then those below it
	Total       Nano      `json:"total_usd"`
	Rounded     string    `json:"rounded_usd"` // to cents, half away from zero

	places int // see decimals
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
	Values []string `json:"values"`
	Calls  int64    `json:"calls"`
	Tokens
	PerCall    Nano `json:"usd_per_call"`
	PerMillion Nano `json:"usd_per_million_tokens"`
	USD        Nano `json:"usd"`
}

// Tokens counts tokens by kind.
type Tokens struct {
	InputTokens       int64 `json:"input_tokens"` // cached ones and those written to a cache included
	CachedInputTokens int64 `json:"cached_input_tokens"`
	CacheWriteTokens  int64 `json:"cache_write_tokens"`
	OutputTokens      int64 `json:"output_tokens"` // those of reasoning included
	ReasoningTokens   int64 `json:"reasoning_tokens"`
}

// Amendment is a correction of the ledger: see Correction. Less than nothing is
// a credit.
type Amendment struct {
	ID       string    `json:"id"`
	Time     time.Time `json:"time"`
	Corrects string    `json:"corrects,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Tokens
	USD Nano `json:"usd"`
}

// InvoiceDimensions are what the lines of an invoice can be by. Tags are not
// among them: a call with two would stand there twice.
var InvoiceDimensions = []string{"model", "key", "prompt", "version", "user", "provider", "target", "day"}

// InvoiceQuery asks for an invoice.
type InvoiceQuery struct {
	Team      string
	Month     string // 2026-10; empty: the last one that is over
	By        string // of InvoiceDimensions, separated by commas; empty: model
	Teams     []Team // all there are, for those below Team
	MostLines int    // one of more is BadQuery; 0: of any length
	Now       time.Time
	Location  *time.Location // whose months; nil: UTC
}

// check fills in what was left out. Its errors are BadQuery.
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
		return from, to, nil, badField("month", "month %.20q is not one such as 2026-10", q.Month)
	}
	// The middle of the month is in it whatever its clocks do at the ends.
	from, to = PeriodMonth.Window(time.Date(at.Year(), at.Month(), 15, 12, 0, 0, 0, q.Location), q.Location)
	if !from.Before(next) {
		return from, to, nil, badField("month", "month %s has not begun", q.Month)
	}
	q.Month = from.Format("2006-01")
	if q.By == "" {
		q.By = "model"
	}
	for name := range strings.SplitSeq(q.By, ",") {
		name = strings.TrimSpace(name)
		if !slices.Contains(InvoiceDimensions, name) || slices.Contains(by, name) {
			return from, to, nil, badField("by", "by %.80q: want some of %s, each once", q.By, strings.Join(InvoiceDimensions, ", "))
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
		return nil, err
	}
	v := &Invoice{Number: "SL-" + strings.ReplaceAll(q.Month, "-", "") + "-" + q.Team, Team: q.Team, Month: q.Month,
		From: from, To: to, TimeZone: q.Location.String(), Preliminary: q.Now.Before(to), By: by}
	known, teams := false, below(q.Teams, q.Team)
	ask := Query{From: from, To: to, GroupBy: append([]string{"team"}, by...), Location: q.Location, MostRows: q.MostLines}
	for _, t := range teams {
		known = known || t.Source != ""
		ask.Teams = append(ask.Teams, t.Name)
	}
	if v.Sections, err = sections(ctx, l, teams, ask); err != nil {
		if bad := (BadQuery{}); errors.As(err, &bad) {
			err = BadQuery{Err: fmt.Errorf("the invoice would have more than %d lines: let it be by less, or take it as CSV or JSON", q.MostLines)}
		}
		return nil, err
	}
	for i := range v.Sections {
		v.Total += v.Sections[i].Subtotal
	}
	if first := &v.Sections[0]; !known && len(first.Lines)+len(first.Corrections) == 0 {
		return nil, fmt.Errorf("there is no team %q, and none used anything in %s: %w", q.Team, q.Month, ErrNotFound)
	}
	v.Rounded = v.Total.Cents()
	return v, nil
}

// BadQuery is an error about what was asked, not about the ledger.
type BadQuery struct {
	Err   error  // in whole, the field included
	Field string // that is at fault; empty: it is the question as a whole
}

func (e BadQuery) Error() string { return e.Err.Error() }

func (e BadQuery) Unwrap() error { return e.Err }

// below is a team and all below it, each after its parent, by name. The team
// itself may be one that is gone: then it has no Source.
func below(teams []Team, name string) []Team {
	children, top := map[string][]Team{}, Team{Name: name}
	for _, t := range teams {
		if t.Name == name {
			top = t
		} else {
			children[t.Parent] = append(children[t.Parent], t)
		}
	}
	var out []Team
	var add func(t Team)
	add = func(t Team) {
		out = append(out, t)
		next := children[t.Name]
		delete(children, t.Name) // each team once, whatever the parents say
		slices.SortFunc(next, func(a, b Team) int { return strings.Compare(a.Name, b.Name) })
		for _, t := range next {
			add(t)
		}
	}
	add(top)
	return out
}

// average is usd × times / n, times above 0, rounded half away from zero; 0 if
// n is 0. What does not fit is the most that does.
func average(usd Nano, times, n int64) Nano {
	if n <= 0 {
		return 0
	}
	size, limit := uint64(usd), uint64(math.MaxInt64)
	if usd < 0 {
		size, limit = -size, limit+1
	}
	hi, lo := bits.Mul64(size, uint64(times))
	q := limit
	if hi < uint64(n) {
		var rest uint64
		q, rest = bits.Div64(hi, lo, uint64(n))
		if q < limit && rest >= uint64(n)-rest {
			q++
		}
		q = min(q, limit)
	}
	if usd < 0 {
		return Nano(-q)
	}
	return Nano(q)
}

// roundDiv is a / b, b above 0, rounded half away from zero; what does not fit
// is the most that does.
func roundDiv(a, b *big.Int) Nano {
	twice := new(big.Int).Lsh(new(big.Int).Abs(a), 1)
	q := twice.Add(twice, b).Quo(twice, new(big.Int).Lsh(b, 1))
	if a.Sign() < 0 {
		q.Neg(q)
	}
	if !q.IsInt64() {
		return map[bool]Nano{true: math.MinInt64, false: math.MaxInt64}[q.Sign() < 0]
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
