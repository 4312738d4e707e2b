package store

import (
	"context"
	"fmt"
	"strconv"

	"sluice/billing"
)

// CorrectionsIn lists the corrections of the query's teams, or without any of
// all, oldest first. The number of the attempt stands in the text, so that the index of
// corrections alone serves it.
func (l *Ledger) CorrectionsIn(ctx context.Context, q billing.Query) ([]billing.Entry, error) {
	var w where
	w.and("attempt = " + strconv.Itoa(billing.Correction))
	if !q.From.IsZero() {
		w.and("time >= ?", unix(q.From))
	}
	if !q.To.IsZero() {
		w.and("time < ?", unix(q.To))
	}
	w.ofTeams(&q)
	out, _, err := l.entries(ctx, entrySelect+"WHERE e.id IN (SELECT id FROM entries INDEXED BY entries_corrections"+w.String()+
		") ORDER BY e.time, e.id", w.args)
	if err != nil {
		return nil, fmt.Errorf("cannot list corrections: %w", err)
	}
	return out, nil
}
