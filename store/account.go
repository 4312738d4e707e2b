package store

import (
	"context"
	"fmt"

	"sluice/billing"
)

// Account is a call with all that was charged for it, by its id or its caller's
// request id: billing.ErrNotFound if there is none. The ids of its corrections
// begin with its own.
func (l *Ledger) Account(ctx context.Context, call string) (*billing.Account, error) {
	e, err := l.Request(ctx, call)
	if err != nil {
		return nil, err
	}
	a := &billing.Account{Call: *e}
	const which = "WHERE e.call = ? AND e.attempt > 0 OR e.call >= ? AND e.call < ? AND e.attempt < 0 ORDER BY e.time, e.id"
	from := billing.CorrectionsOf(e.Call)
	others, _, err := l.entries(ctx, entrySelect+which, []any{e.Call, from, from[:len(from)-1] + string(from[len(from)-1]+1)})
	if err != nil {
		return nil, fmt.Errorf("cannot read what belongs to call %q: %w", call, err)
	}
	for i := range others {
		if others[i].Attempt > 0 {
			a.Attempts = append(a.Attempts, others[i])
		} else {
			a.Corrections = append(a.Corrections, others[i])
		}
	}
	return a, nil
}
