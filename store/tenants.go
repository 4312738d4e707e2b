package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/billing"
)

// Tenants is the billing.Tenants in the database.
type Tenants struct{ *Store }

var _ billing.Tenants = (*Tenants)(nil)

// Teams lists all teams, by name.
func (t *Tenants) Teams(ctx context.Context) ([]billing.Team, error) {
	rows, err := t.read.QueryContext(ctx, "SELECT body FROM teams ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("cannot list teams: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []billing.Team
	for rows.Next() {
		var body []byte
		var team billing.Team
		if err := rows.Scan(&body); err != nil {
			return nil, fmt.Errorf("cannot list teams: %w", err)
		}
		if err := json.Unmarshal(body, &team); err != nil {
			return nil, fmt.Errorf("cannot read a team: %w", err)
		}
		out = append(out, team)
	}
	return out, rows.Err()
}

// PutTeam makes or replaces a team, by name.
func (t *Tenants) PutTeam(ctx context.Context, team billing.Team) error {
	body, err := json.Marshal(team)
	if err != nil {
		return fmt.Errorf("cannot write team %q: %w", team.Name, err)
	}
	err = t.exec(ctx, "INSERT INTO teams (name, body) VALUES (?, ?) "+
		"ON CONFLICT (name) DO UPDATE SET body = excluded.body", team.Name, string(body))
	if err != nil {
		return fmt.Errorf("cannot write team %q: %w", team.Name, err)
	}
	return nil
}

// DeleteTeam deletes a team and its keys; what they used stays in the ledger.
// billing.ErrNotFound if there is no such team.
func (t *Tenants) DeleteTeam(ctx context.Context, name string) error {
	err := t.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "DELETE FROM teams WHERE name = ?", name)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, billing.ErrNotFound)
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM keys WHERE team = ?", name)
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot delete team %q: %w", name, err)
	}
	return nil
}

// Keys lists all keys, revoked and expired ones too, by team and name.
func (t *Tenants) Keys(ctx context.Context) ([]billing.Key, error) {
	rows, err := t.read.QueryContext(ctx, "SELECT hash, last_used, body FROM keys")
	if err != nil {
		return nil, fmt.Errorf("cannot list keys: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []billing.Key
	for rows.Next() {
		var hash, body []byte
		var used int64
		var k billing.Key
		if err := rows.Scan(&hash, &used, &body); err != nil {
			return nil, fmt.Errorf("cannot list keys: %w", err)
		}
		if err := json.Unmarshal(body, &k); err != nil || !readHash(&k, hash) {
			return nil, fmt.Errorf("cannot read key %q: %w", k.ID, errors.Join(err, errors.New("its row is damaged")))
		}
		k.LastUsed = fromUnix(used)
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b billing.Key) int {
		return cmp.Or(cmp.Compare(a.Team, b.Team), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return out, rows.Err()
}

// PutKey makes or replaces a key, by its ID; a later LastUsed that is known
// already is kept. A hash that another key has is billing.ErrConflict.
func (t *Tenants) PutKey(ctx context.Context, k billing.Key) error {
	used := unix(k.LastUsed)
	k.LastUsed = time.Time{}
	body, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("cannot write key %q: %w", k.ID, err)
	}
	err = t.exec(ctx, `INSERT INTO keys (id, hash, team, last_used, body) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, team = excluded.team, body = excluded.body,
			last_used = CASE WHEN keys.last_used > excluded.last_used THEN keys.last_used ELSE excluded.last_used END`, k.ID, saltedRow(k.SaltedHash(&t.salt)), k.Team, used, string(body))
	if notUnique(err) {
		err = billing.ErrConflict
	}
	if err != nil {
		return fmt.Errorf("cannot write key %q: %w", k.ID, err)
	}
	return nil
}

// TouchKeys records when keys, by ID, were last used; an earlier time than the
// known one, or an unknown ID, changes nothing.
func (t *Tenants) TouchKeys(ctx context.Context, at map[string]time.Time) error {
	err := t.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for id, when := range at {
			if _, err := tx.ExecContext(ctx, "UPDATE keys SET last_used = ?1 WHERE id = ?2 AND last_used < ?1", unix(when), id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot record the last use of keys: %w", err)
	}
	return nil
}
