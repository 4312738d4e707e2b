package store

import (
	"context"
	"fmt"
	"math"

	"sluice/billing"
)

// walkPage is how many entries are read at once.
const walkPage = 2000

// Each gives every entry of a team, or without one of all, from q.From to q.To,
// oldest first. It reads pages, each a snapshot of its own, so that a long walk
// does not keep the database from tidying up.
func (l *Ledger) Each(ctx context.Context, q billing.Query, use func(*billing.Entry) error) error {
	last, id := int64(math.MinInt64), int64(0)
	if !q.From.IsZero() {
		last = unix(q.From) - 1
		id = math.MaxInt64
	}
	for {
		var w where
		w.and("(time, id) > (?, ?)", last, id)
		if !q.To.IsZero() {
			w.and("time < ?", unix(q.To))
		}
		w.ofTeams(&q)
		page, cursors, err := l.entries(ctx, entrySelect+"WHERE e.id IN (SELECT id FROM entries INDEXED BY entries_time"+w.String()+
			fmt.Sprintf(" ORDER BY time, id LIMIT %d) ORDER BY e.time, e.id", walkPage), w.args)
		if err != nil {
			return fmt.Errorf("cannot read the ledger: %w", err)
		}
		for i := range page {
			if err := use(&page[i]); err != nil {
				return err
			}
		}
		if len(page) < walkPage {
			return nil
		}
		if _, err := fmt.Sscanf(cursors[len(page)-1], "%d.%d", &last, &id); err != nil {
			return fmt.Errorf("cannot read the ledger: %w", err)
		}
	}
}
