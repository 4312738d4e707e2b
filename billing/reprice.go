package billing

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Repriced is what a time would have cost at other prices of the providers.
type Repriced struct {
	From  time.Time     `json:"from,omitzero"`
	To    time.Time     `json:"to,omitzero"`
	Rows  []RepricedRow `json:"rows"` // by target
	Total RepricedRow   `json:"total"`
}

// RepricedRow is one target's.
type RepricedRow struct {
	Target     string `json:"target"` // provider/model; empty: what no target answered, and corrections
	Calls      int64  `json:"calls"`  // answered, or charged for
	Kept       int64  `json:"kept"`   // of calls, those that the new prices say nothing of: they keep their cost
	USD        Nano   `json:"usd"`    // what was charged
	Provider   Nano   `json:"provider_usd"`
	New        Nano   `json:"repriced_usd"` // what the providers would have charged
	Difference Nano   `json:"difference_usd"`
}

// Reprice reckons what the entries of a time would have cost at the prices that
// price gives for a target; nil keeps what an entry cost. Each entry is rounded
// by itself, as when it was charged.
func Reprice(ctx context.Context, l Walker, from, to time.Time, price func(provider, model string) *Prices) (*Repriced, error) {
	prices, rows := map[string]*Prices{}, map[string]*RepricedRow{}
	err := l.Each(ctx, Query{From: from, To: to}, func(e *Entry) error {
		if e.Cost == 0 && e.Usage.IsZero() {
			return nil // refused, failed, or free of charge: nothing to price
		}
		target := e.Target
		if e.Attempt == Correction {
			target = ""
		}
		p, known := prices[target]
		if !known && target != "" {
			provider, model, _ := strings.Cut(target, "/")
			p = price(provider, model)
			prices[target] = p
		}
		row := rows[target]
		if row == nil {
			row = &RepricedRow{Target: target}
			rows[target] = row
		}
		row.take(e, p)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the ledger: %w", err)
	}
	out := &Repriced{From: from, To: to, Rows: []RepricedRow{}}
	for _, target := range slices.Sorted(maps.Keys(rows)) {
		r := rows[target]
		r.Difference = r.New - r.Provider
		out.Rows = append(out.Rows, *r)
		t := &out.Total
		t.Calls, t.Kept = t.Calls+r.Calls, t.Kept+r.Kept
		t.USD, t.Provider, t.New, t.Difference = t.USD+r.USD, t.Provider+r.Provider, t.New+r.New, t.Difference+r.Difference
	}
	return out, nil
}

// take adds an entry at new prices; nil: it keeps its own.
func (r *RepricedRow) take(e *Entry, p *Prices) {
	was := e.Cost - e.Markup
	r.USD += e.Cost
	r.Provider += was
	if e.Attempt != Correction {
		r.Calls++
	}
	if p == nil || e.Attempt != Correction && e.Usage.IsZero() && was == 0 { // or a kept answer, of which no provider knows
		if e.Attempt != Correction {
			r.Kept++
		}
		r.New += was
		return
	}
	r.New += p.Cost(e.Usage)
}

var repricedColumns = []string{"target", "calls", "kept", "usd", "provider_usd", "repriced_usd", "difference_usd"}

func (r *RepricedRow) cells() []string {
	return []string{r.Target, strconv.FormatInt(r.Calls, 10), strconv.FormatInt(r.Kept, 10), r.USD.String(), r.Provider.String(),
		r.New.String(), r.Difference.String()}
}

// Render writes it in one of ReportFormats. CSV and JSON lines have the rows
// only, the others the total too.
func (r *Repriced) Render(w io.Writer, format string) error {
	switch format {
	case "json":
		b, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		_, err = w.Write(append(b, '\n'))
		return err
	case "jsonl":
		enc := json.NewEncoder(w)
		for i := range r.Rows {
			if err := enc.Encode(&r.Rows[i]); err != nil {
				return err
			}
		}
		return nil
	case "csv":
		out := csv.NewWriter(w)
		lines := [][]string{repricedColumns}
		for i := range r.Rows {
			cells := r.Rows[i].cells()
			cells[0] = Defuse(cells[0])
			lines = append(lines, cells)
		}
		return out.WriteAll(lines)
	case "table":
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(tw, strings.Join(repricedColumns, "\t"))
		for _, row := range append(slices.Clone(r.Rows), r.Total) {
			cells := row.cells()
			if row == r.Total {
				cells[0] = "total"
			} else if cells[0] == "" {
				cells[0] = "-"
			}
			fmt.Fprintln(tw, strings.Join(cells, "\t"))
		}
		return tw.Flush()
	}
	return fmt.Errorf("format %q is none of %s", format, strings.Join(ReportFormats, ", "))
}

// PricesOf looks up prices by provider and model: those of the model's own
// name, else of the longest pattern that fits; nil where none does.
func PricesOf(specs map[string]map[string]PriceSpec) (func(provider, model string) *Prices, error) {
	byProvider := map[string]map[string]*Prices{}
	for _, provider := range slices.Sorted(maps.Keys(specs)) {
		own := map[string]*Prices{}
		for _, model := range slices.Sorted(maps.Keys(specs[provider])) {
			p, err := ParsePrices(specs[provider][model])
			if err != nil {
				return nil, fmt.Errorf("%s.%s: %w", provider, model, err)
			}
			own[model] = p
		}
		byProvider[provider] = own
	}
	return func(provider, model string) *Prices {
		best, found := "", false
		for name := range byProvider[provider] {
			if nameFits(name, model) && (!found || closer(name, best)) {
				best, found = name, true
			}
		}
		return byProvider[provider][best]
	}, nil
}
