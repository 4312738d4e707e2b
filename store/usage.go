package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

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
