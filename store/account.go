package store

import (
	"context"
	"database/sql"
	"fmt"

	"sluice/billing"
)

var _ billing.Accounts = (*Ledger)(nil)

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

// moved is a correction for budgets: they count it when the call was made.
type moved struct {
	at, called int64
	cost       billing.Nano
}

// correctionsSince lists the corrections of a team, a key, or both since a time.
// A call that is not in the ledger any more was made at 0.
func correctionsSince(ctx context.Context, tx *sql.Tx, team, keyID string, since int64) ([]moved, error) {
	var dims where
	if team != "" {
		dims.and("team = ?", team)
	}
	if keyID != "" {
		dims.and("key_id = ?", keyID)
	}
	rows, err := tx.QueryContext(ctx, `SELECT e.time, e.cost,
		coalesce((SELECT c.time FROM entries c WHERE c.call = e.detail ->> 'corrects' AND c.attempt = 0), 0)
		FROM entries e INDEXED BY entries_corrections
		WHERE e.attempt = -1 AND e.time >= ? AND e.dim IN (SELECT id FROM dims`+dims.String()+")", append([]any{since}, dims.args...)...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []moved
	for rows.Next() {
		var m moved
		if err := rows.Scan(&m.at, &m.cost, &m.called); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, rows.Err()
}
