package store

import (
	"context"
	"database/sql"
)

// Whose tags are is kept on PostgreSQL alone, for the policies: see behalf.go.

// tagsetTeam is a row of tagset_teams.
type tagsetTeam struct {
	tagset int64
	team   string
}

// tags notes that a team uses a set of tags.
func (l *Ledger) tags(ctx context.Context, tx *sql.Tx, tagset int64, team string) error {
	pair := tagsetTeam{tagset, team}
	if l.postgres == nil || tagset == 0 || l.tagged[pair] {
		return nil
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO tagset_teams (tagset, team) VALUES (?, ?) ON CONFLICT DO NOTHING", tagset, team); err != nil {
		return err
	}
	if len(l.tagged) >= maxInterned {
		clear(l.tagged)
	}
	l.tagged[pair] = true
	return nil
}

// findTagged notes whose the tags are of a ledger that did not keep that yet:
// its sums tell, those of erased entries too.
func (l *Ledger) findTagged(ctx context.Context) error {
	if l.postgres == nil {
		return nil
	}
	var needed bool
	const unknown = "SELECT EXISTS (SELECT 1 FROM tagsets) AND NOT EXISTS (SELECT 1 FROM tagset_teams)"
	if err := l.read.QueryRowContext(ctx, unknown).Scan(&needed); err != nil || !needed {
		return err
	}
	return l.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, unknown).Scan(&needed); err != nil || !needed { // another replica has
			return err
		}
		found := map[[2]int64]bool{} // dims and tagsets
		rows, err := tx.QueryContext(ctx, "SELECT by_day FROM packs WHERE kind = ?", byTagset)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var pack []byte
			if err := rows.Scan(&pack); err != nil {
				return err
			}
			var u unpacker
			if err := u.open(pack); err != nil {
				return err
			}
			for u.next() {
				found[[2]int64{u.dim, u.tagset}] = true
			}
			if u.err != nil {
				return u.err
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
		for pair := range found {
			if pair[1] == 0 {
				continue
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO tagset_teams (tagset, team) SELECT ?, team FROM dims WHERE id = ? ON CONFLICT DO NOTHING", pair[1], pair[0]); err != nil {
				return err
			}
		}
		return nil
	})
}
