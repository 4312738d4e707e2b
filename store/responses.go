package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sluice/billing"
)

// Responses keeps answers that later calls may go on from, by team and id.
type Responses struct{ *Store }

// Responses is the part of the database that keeps answers.
func (s *Store) Responses() *Responses { return &Responses{s} }

// PutResponse keeps an answer; one that is there under the id is replaced.
func (r *Responses) PutResponse(ctx context.Context, team, id string, at time.Time, body []byte) error {
	_, err := r.write.ExecContext(ctx, "INSERT INTO responses (team, id, created, body) VALUES (?, ?, ?, ?) "+
		"ON CONFLICT (team, id) DO UPDATE SET created = excluded.created, body = excluded.body", team, id, at.UnixNano(), body)
	if err != nil {
		return fmt.Errorf("cannot keep response %q: %w", id, err)
	}
	return nil
}

// Response is what was kept: billing.ErrNotFound if the team has no such.
func (r *Responses) Response(ctx context.Context, team, id string) ([]byte, error) {
	var body []byte
	err := r.read.QueryRowContext(ctx, "SELECT body FROM responses WHERE team = ? AND id = ?", team, id).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("no response %q: %w", id, billing.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read response %q: %w", id, err)
	}
	return body, nil
}

// DeleteResponse forgets an answer; that there is none is no error.
func (r *Responses) DeleteResponse(ctx context.Context, team, id string) error {
	if _, err := r.write.ExecContext(ctx, "DELETE FROM responses WHERE team = ? AND id = ?", team, id); err != nil {
		return fmt.Errorf("cannot delete response %q: %w", id, err)
	}
	return nil
}

// ForgetResponses deletes all that were kept before a time, but for what is of no
// team: whose a thing is, is to be known as long as it is there.
func (r *Responses) ForgetResponses(ctx context.Context, before time.Time) error {
	if _, err := r.write.ExecContext(ctx, "DELETE FROM responses WHERE created < ? AND team <> ''", before.UnixNano()); err != nil {
		return fmt.Errorf("cannot delete old responses: %w", err)
	}
	return nil
}
