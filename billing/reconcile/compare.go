package reconcile

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"sluice/billing"
)

// Here are the ledger's lines: a report by target and day, of UTC. What has
// neither tokens nor a cost, such as calls that failed, is no line.
func Here(r *billing.Report) ([]Line, error) {
	if !slices.Equal(r.GroupBy, []string{"target", "day"}) {
		return nil, fmt.Errorf("the report is by %v, not by target and day", r.GroupBy)
	}
	var out []Line
	for i := range r.Rows {
		row := &r.Rows[i]
		f := Figures{row.InputTokens, row.CachedInputTokens, row.CacheWriteTokens, row.OutputTokens, int64(row.USD)}
		if f == (Figures{}) {
			continue
		}
		_, model, _ := strings.Cut(row.Values[0], "/")
		if model == "" {
			model = "(none)"
		}
		out = append(out, Line{Day: row.Values[1], Model: model, Figures: f})
	}
	return out, nil
}

// Result is the comparison. Here is the ledger, there the provider.
type Result struct {
	From, To  string // days: from is the first, to the first one after it
	Compared  []string
	Tolerance string // percent of what the provider says
	Rows      []Row
	Total     Row
	Apart     int // rows with a figure that drifts by more than the tolerance

	figures []int // those compared
}

// Row is what both sides say of a model in a day.
type Row struct {
	Day, Model  string
	Only        string // here, there, or empty: both have it
	Here, There Figures
	Apart       bool
}

// Days are those that are compared: from the first and before the second. They
// are the dates given, or where one is empty what the exports cover. Errors name
// from or to.
func Days(exports []*Export, first, end string) (from, to time.Time, err error) {
	for _, e := range exports {
		if from.IsZero() || e.First.Before(from) {
			from = e.First
		}
		if after := e.Last.AddDate(0, 0, 1); after.After(to) {
			to = after
		}
	}
	for _, given := range []struct {
		name, text string
		at         *time.Time
	}{{"from", first, &from}, {"to", end, &to}} {
		if given.text == "" {
			continue
		}
		if *given.at, err = time.Parse(time.DateOnly, given.text); err != nil {
			return from, to, fmt.Errorf("%s %.40q: days of UTC are compared, so want a date such as 2026-11-01", given.name, given.text)
		}
	}
	if !from.Before(to) {
		return from, to, fmt.Errorf("from %s is not before to %s", from.Format(time.DateOnly), to.Format(time.DateOnly))
	}
	return from, to, nil
}

// Percent reads a tolerance such as 0.5 or 0.5%.
func Percent(s string) (*big.Rat, error) {
	r, err := amount(strings.TrimSuffix(strings.TrimSpace(s), "%"))
	if err != nil || r.Sign() < 0 || r.Cmp(hundred) > 0 {
		return nil, fmt.Errorf("%q is not a percentage such as 0.5", s)
	}
	return r, nil
}

// Compare puts both sides next to each other, of the days from and before to.
func Compare(here []Line, exports []*Export, from, to time.Time, tolerance *big.Rat) (*Result, error) {
	out := &Result{From: from.Format(time.DateOnly), To: to.Format(time.DateOnly), Tolerance: percentText(tolerance), Rows: []Row{}}
	var there []Line
	kinds := map[bool]bool{} // by Export.Money
	for _, e := range exports {
		if kinds[e.Money] {
			return nil, errors.New("two exports tell of the same: put all pages of one into one file")
		}
		kinds[e.Money] = true
		there = append(there, e.Lines...)
	}
	for i := range nFigures {
		if kinds[i == iUSD] {
			out.figures, out.Compared = append(out.figures, i), append(out.Compared, names[i])
		}
	}
	within := func(lines []Line) []Line {
		return slices.DeleteFunc(slices.Clone(lines), func(l Line) bool { return l.Day < out.From || l.Day >= out.To })
	}
	out.fill(within(here), within(there))
	for i := range out.Rows {
		row := &out.Rows[i]
		out.Total.Here.add(&row.Here)
		out.Total.There.add(&row.There)
		for _, f := range out.figures {
			row.Apart = row.Apart || !near(row.Here[f], row.There[f], tolerance)
		}
		if row.Apart {
			out.Apart++
		}
	}
	out.Total.Apart = out.Apart > 0
	return out, nil
}

// fill makes the rows, sorted by day and model.
func (out *Result) fill(here, there []Line) {
	label := labels(here, there)
	rows := map[place]*Row{}
	for i, lines := range [2][]Line{here, there} {
		for _, l := range lines {
			p := place{l.Day, label(l.Model)}
			for f := range l.Figures {
				if !slices.Contains(out.figures, f) {
					l.Figures[f] = 0
				}
			}
			if l.Figures == (Figures{}) {
				continue
			}
			row := rows[p]
			if row == nil {
				row = &Row{Day: p.day, Model: p.model, Only: [2]string{"here", "there"}[i]}
				rows[p] = row
			}
			if i == 0 {
				row.Here.add(&l.Figures)
				continue
			}
			row.There.add(&l.Figures)
			if row.Only == "here" {
				row.Only = ""
			}
		}
	}
	for _, row := range rows {
		out.Rows = append(out.Rows, *row)
	}
	slices.SortFunc(out.Rows, func(a, b Row) int {
		if c := strings.Compare(a.Day, b.Day); c != 0 {
			return c
		}
		return strings.Compare(a.Model, b.Model)
	})
}

// near tells whether here is off by no more than a percentage of there.
func near(here, there int64, tolerance *big.Rat) bool {
	off := new(big.Int).Sub(big.NewInt(here), big.NewInt(there))
	most := new(big.Rat).Mul(tolerance, new(big.Rat).SetInt(new(big.Int).Abs(big.NewInt(there))))
	return new(big.Rat).SetInt(off.Abs(off)).Cmp(most.Quo(most, hundred)) <= 0
}

// percentText is a percentage without zeros at its end.
func percentText(r *big.Rat) string {
	text := r.FloatString(9)
	return strings.TrimRight(strings.TrimRight(text, "0"), ".")
}
