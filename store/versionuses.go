package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"sluice/billing"
)

// VersionUses keeps who asked for which version of a route.
type VersionUses struct{ *Store }

var _ billing.VersionStore = VersionUses{}

// VersionUses is the part of the database that keeps them.
func (s *Store) VersionUses() VersionUses { return VersionUses{s} }

// AddVersionUses adds to what is kept, all or nothing.
func (v VersionUses) AddVersionUses(ctx context.Context, uses []billing.VersionUse) error {
	err := v.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		add, err := tx.PrepareContext(ctx, `INSERT INTO version_uses (hour, route, version, team, key, requests, refused, last) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (hour, route, version, team, key) DO UPDATE SET requests = version_uses.requests + excluded.requests,
				refused = version_uses.refused + excluded.refused,
				last = CASE WHEN version_uses.last > excluded.last THEN version_uses.last ELSE excluded.last END`)
		if err != nil {
			return err
		}
		defer func() { _ = add.Close() }()
		for i := range uses {
			u := &uses[i]
			if _, err := add.ExecContext(ctx, hourNumber(u.Last), u.Route, u.Version, u.Team, u.Key, u.Requests, u.Refused, unix(u.Last)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot keep uses of versions: %w", inWords(err))
	}
	return nil
}

// hourNumber is the hour of a time, since 1970.
func hourNumber(t time.Time) int64 { return t.Unix() / 3600 }

// VersionUses are the sums over a time.
func (v VersionUses) VersionUses(ctx context.Context, q billing.VersionQuery) ([]billing.VersionUse, error) {
	text := "SELECT route, version, team, key, CAST(sum(requests) AS BIGINT), CAST(sum(refused) AS BIGINT), max(last) FROM version_uses WHERE hour >= ? AND hour < ?"
	from, to := int64(0), int64(1)<<40
	if !q.From.IsZero() {
		from = hourNumber(q.From)
	}
	if !q.To.IsZero() {
		to = hourNumber(q.To.Add(time.Hour - time.Nanosecond))
	}
	args := []any{from, to}
	for _, only := range [...]struct{ column, value string }{{"route", q.Route}, {"team", q.Team}, {"key", q.Key}} {
		if only.value != "" {
			text += " AND " + only.column + " = ?"
			args = append(args, only.value)
		}
	}
	text += " GROUP BY route, version, team, key ORDER BY route, version, sum(requests) DESC, team, key"
	if q.Most > 0 {
		text += " LIMIT ?"
		args = append(args, q.Most+1)
	}
	rows, err := v.read.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, fmt.Errorf("cannot read uses of versions: %w", inWords(err))
	}
	defer func() { _ = rows.Close() }()
	var out []billing.VersionUse
	for rows.Next() {
		var u billing.VersionUse
		var last int64
		if err := rows.Scan(&u.Route, &u.Version, &u.Team, &u.Key, &u.Requests, &u.Refused, &last); err != nil {
			return nil, fmt.Errorf("cannot read uses of versions: %w", err)
		}
		u.Last = fromUnix(last)
		if out = append(out, u); q.Most > 0 && len(out) > q.Most {
			return nil, billing.BadQuery{Err: fmt.Errorf("the report would have more than %d rows: narrow the span or the selection", q.Most)}
		}
	}
	return out, rows.Err()
}

// ForgetVersionUses deletes what was used before a time.
func (v VersionUses) ForgetVersionUses(ctx context.Context, before time.Time) error {
	if _, err := v.write.ExecContext(ctx, "DELETE FROM version_uses WHERE hour < ?", hourNumber(before)); err != nil {
		return fmt.Errorf("cannot delete old uses of versions: %w", inWords(err))
	}
	return nil
}
