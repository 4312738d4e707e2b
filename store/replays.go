package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"sluice/billing"
)

// Replays keeps answers that may be given again, what became of jobs, and what
// replicas agree on.
type Replays struct{ *Store }

// Replays is the part of the database that keeps answers to be given again.
func (s *Store) Replays() *Replays { return &Replays{s} }

// PutReplay keeps data under an id until a time; what is there is replaced.
func (r *Replays) PutReplay(ctx context.Context, id [32]byte, expires time.Time, data []byte) error {
	_, err := r.write.ExecContext(ctx, "INSERT INTO replays (id, expires, data) VALUES (?, ?, ?) "+
		"ON CONFLICT (id) DO UPDATE SET expires = excluded.expires, data = excluded.data", id[:], expires.UnixNano(), data)
	if err != nil {
		return fmt.Errorf("cannot keep an answer: %w", inWords(err))
	}
	return nil
}

// SwapReplay keeps data under an id in the place of what was kept there, nil where
// nothing was; false: something else is.
func (r *Replays) SwapReplay(ctx context.Context, id [32]byte, expires time.Time, was, data []byte) (bool, error) {
	text, args := "UPDATE replays SET expires = ?, data = ? WHERE id = ? AND data = ?", []any{expires.UnixNano(), data, id[:], was}
	if was == nil {
		text, args = "INSERT INTO replays (expires, data, id) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING", args[:3]
	}
	res, err := r.write.ExecContext(ctx, text, args...)
	if err != nil {
		return false, fmt.Errorf("cannot keep what replicas agree on: %w", inWords(err))
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// Replay is what was kept under an id, and until when: billing.ErrNotFound if
// there is nothing.
func (r *Replays) Replay(ctx context.Context, id [32]byte) (data []byte, expires time.Time, err error) {
	var until int64
	err = r.read.QueryRowContext(ctx, "SELECT data, expires FROM replays WHERE id = ?", id[:]).Scan(&data, &until)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, time.Time{}, fmt.Errorf("no answer is kept: %w", billing.ErrNotFound)
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("cannot read a kept answer: %w", err)
	}
	return data, fromUnix(until), nil
}

// forgetAtOnce is how many are deleted in one statement: other writers wait
// for no longer than that takes.
const forgetAtOnce = 1000

// ForgetReplays deletes those whose time was over at now and, of the rest, all
// but the newest ones.
func (r *Replays) ForgetReplays(ctx context.Context, now time.Time, newest int) error {
	before := now.UnixNano()
	var full int64
	err := r.read.QueryRowContext(ctx, "SELECT expires FROM replays ORDER BY expires DESC LIMIT 1 OFFSET ?", newest).Scan(&full)
	if err == nil {
		before = max(before, full)
	} else if !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("cannot count kept answers: %w", err)
	}
	for {
		res, err := r.write.ExecContext(ctx, "DELETE FROM replays WHERE id IN (SELECT id FROM replays WHERE expires <= ? LIMIT ?)", before, forgetAtOnce)
		if err != nil {
			return fmt.Errorf("cannot delete old answers: %w", inWords(err))
		}
		if n, err := res.RowsAffected(); err != nil || n < forgetAtOnce {
			return err
		}
	}
}
