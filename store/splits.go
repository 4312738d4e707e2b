package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"sluice/billing"
	"sluice/prompts"
)

var _ prompts.Splits = (*Prompts)(nil)

// Split is the share of each version that a prompt is split among; empty: it
// is not split.
func (p *Prompts) Split(ctx context.Context, name string) (map[int]int, error) {
	rows, err := p.read.QueryContext(ctx, "SELECT n, share FROM prompt_splits WHERE name = ?", name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the split of prompt %q: %w", name, err)
	}
	defer func() { _ = rows.Close() }()
	out := map[int]int{}
	for rows.Next() {
		var n, share int
		if err := rows.Scan(&n, &share); err != nil {
			return nil, fmt.Errorf("cannot read the split of prompt %q: %w", name, err)
		}
		out[n] = share
	}
	return out, rows.Err()
}

// SetSplit replaces a prompt's split; empty shares end it. A version that is
// not there is billing.ErrNotFound, and nothing has changed then.
func (p *Prompts) SetSplit(ctx context.Context, name string, shares map[int]int) error {
	err := p.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := endSplit(ctx, tx, name); err != nil {
			return err
		}
		for _, n := range slices.Sorted(maps.Keys(shares)) {
			if err := versionExists(ctx, tx, name, n); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO prompt_splits (name, n, share) VALUES (?, ?, ?)", name, n, shares[n]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot split prompt %q: %w", name, err)
	}
	return nil
}

func endSplit(ctx context.Context, tx *sql.Tx, name string) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM prompt_splits WHERE name = ?", name)
	return err
}

// versionExists is billing.ErrNotFound if a prompt has no such version.
func versionExists(ctx context.Context, tx *sql.Tx, name string, n int) error {
	var there bool
	row := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM prompt_versions WHERE name = ? AND n = ?)", name, n)
	if err := row.Scan(&there); err != nil {
		return err
	}
	if !there {
		return fmt.Errorf("version %d: %w", n, billing.ErrNotFound)
	}
	return nil
}
