package store

import (
	"context"
	"fmt"
	"time"

	"sluice/billing"
)

var _ billing.Entries = (*Ledger)(nil)

// EachEntry is billing.Entries': the entries are read while f is at work, and
// none is kept.
func (l *Ledger) EachEntry(ctx context.Context, from, to time.Time, f func(*billing.Entry) error) error {
	var w where
	if !from.IsZero() {
		w.and("e.time >= ?", from.UnixNano())
	}
	if !to.IsZero() {
		w.and("e.time < ?", to.UnixNano())
	}
	rows, err := l.read.QueryContext(ctx, entrySelect+w.String(), w.args...)
	if err != nil {
		return fmt.Errorf("cannot read entries: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		e, _, err := scanEntry(rows.Scan)
		if err != nil {
			return err
		}
		if err := f(&e); err != nil {
			return err
		}
	}
	return rows.Err()
}
