package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/billing"
)

// Usage sums entries by any of billing.Dimensions. A call with several tags
// counts in the row of each; the total counts it once. Without a user, a tag,
// a prompt or a version the value is empty. Hours are RFC 3339, days and
// months the beginning of that, in the query's Location (nil: UTC).
func (l *Ledger) Usage(ctx context.Context, q billing.Query) (*billing.Report, error) {
	for _, g := range q.GroupBy {
		if !slices.Contains(billing.Dimensions, g) {
			return nil, fmt.Errorf("cannot group usage by %q; known are %s", g, strings.Join(billing.Dimensions, ", "))
		}
	}
	out, err := l.report(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("cannot sum usage: %w", err)
	}
	return out, nil
}

func (l *Ledger) report(ctx context.Context, q billing.Query) (*billing.Report, error) {
	tx, err := l.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // it wrote nothing
	groups, err := usage(ctx, tx, q)
	if err != nil {
		return nil, err
	}
	out := &billing.Report{From: q.From, To: q.To, GroupBy: q.GroupBy, Rows: make([]billing.Row, 0, len(groups))}
	for i := range groups {
		if g := &groups[i]; *g.sums != (sums{}) {
			out.Rows = append(out.Rows, billing.Row{Values: g.values, Sums: g.sums.report()})
		}
	}
	if len(q.GroupBy) == 0 && len(out.Rows) == 0 {
		out.Rows = []billing.Row{{Values: []string{}}}
	}
	sortRows(out.Rows, q.GroupBy)
	if slices.Contains(q.GroupBy, "tag") {
		q.GroupBy = nil
		if groups, err = usage(ctx, tx, q); err != nil {
			return nil, err
		}
	}
	out.Total = total(groups).report()
	return out, nil
}

func total(groups []grouped) *sums {
	var all sums
	for i := range groups {
		all.add(groups[i].sums, 1)
	}
	return &all
}

// Spent is the cost of a team (descendants not included), of a key (by id), or
// of both together, since a time; the zero time is the beginning. It is what
// budgets know: a correction counts when the call was made that it corrects.
func (l *Ledger) Spent(ctx context.Context, team, keyID string, since time.Time) (billing.Nano, error) {
	tx, err := l.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return 0, fmt.Errorf("cannot sum what was spent: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // it wrote nothing
	groups, err := usage(ctx, tx, billing.Query{From: since, Team: team, KeyID: keyID})
	if err != nil {
		return 0, fmt.Errorf("cannot sum what was spent: %w", err)
	}
	spent := billing.Nano(total(groups)[iUSD])
	if since.IsZero() {
		return spent, nil
	}
	corrections, err := correctionsSince(ctx, tx, team, keyID, since.UnixNano())
	if err != nil {
		return 0, fmt.Errorf("cannot sum what was spent: %w", err)
	}
	for _, c := range corrections {
		if c.called < since.UnixNano() {
			spent -= c.cost
		}
	}
	return spent, nil
}

var _ billing.HourlyLedger = (*Ledger)(nil)

// SpentByHour is the cost of a team (descendants not included), of a key (by
// id), or of both together, in each hour since 1970 from a time on; see Spent.
func (l *Ledger) SpentByHour(ctx context.Context, team, keyID string, from time.Time) (map[int64]billing.Nano, error) {
	tx, err := l.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("cannot sum what was spent: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // it wrote nothing
	groups, err := usage(ctx, tx, billing.Query{From: from, Team: team, KeyID: keyID, GroupBy: []string{"hour"}})
	if err != nil {
		return nil, fmt.Errorf("cannot sum what was spent: %w", err)
	}
	hours := make(map[int64]billing.Nano, len(groups))
	for i := range groups {
		at, err := time.Parse(time.RFC3339, groups[i].values[0])
		if err != nil {
			return nil, fmt.Errorf("cannot sum what was spent: %w", err)
		}
		hours[at.Unix()/3600] = billing.Nano(groups[i].sums[iUSD])
	}
	corrections, err := correctionsSince(ctx, tx, team, keyID, from.UnixNano())
	if err != nil {
		return nil, fmt.Errorf("cannot sum what was spent: %w", err)
	}
	for _, c := range corrections {
		hours[c.at/hour] -= c.cost
		if c.called >= from.UnixNano() {
			hours[c.called/hour] += c.cost
		}
	}
	return hours, nil
}

// sortRows orders rows by their dimensions, numbers as numbers.
func sortRows(rows []billing.Row, groupBy []string) {
	slices.SortFunc(rows, func(a, b billing.Row) int {
		for i, g := range groupBy {
			c := cmp.Compare(a.Values[i], b.Values[i])
			if g == "version" || g == "status" {
				c = cmp.Compare(atoi(a.Values[i]), atoi(b.Values[i]))
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
}
