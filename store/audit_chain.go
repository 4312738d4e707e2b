package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"sluice/gateway/audit"
)

var _ audit.Remover = Audit{}

// errStop ends a walk over the chain.
var errStop = errors.New("stop")

// Verify looks at every record of the chain that is kept, oldest first.
func (a Audit) Verify(ctx context.Context) (audit.Verdict, error) {
	tx, err := a.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // the head as it was with the records
	if err != nil {
		return audit.Verdict{}, fmt.Errorf("cannot verify the audit records: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	var head, told audit.Anchor
	if err := tx.QueryRowContext(ctx, "SELECT seq, hash FROM audit_head").Scan(&head.Seq, &head.Hash); err != nil {
		return audit.Verdict{}, fmt.Errorf("cannot verify the audit records: %w", err)
	}
	v, err := walk(ctx, tx, math.MaxInt64, func(r *stored) {
		if r.action == audit.Removal {
			told = r.anchor()
		}
	})
	last := v.From + v.Count - 1
	switch {
	case err != nil:
		return v, fmt.Errorf("cannot verify the audit records: %w", err)
	case !v.OK:
	case head.Seq > last:
		broken(&v, last+1, "records %d to %d are not there", last+1, head.Seq)
	case head.Hash != v.Head || head.Seq != last:
		broken(&v, last, "record %d is not the one that was written last", last)
	case told != v.Anchor:
		broken(&v, v.From, "no record tells that those before it were removed")
	}
	return v, nil
}

func broken(v *audit.Verdict, seq int64, format string, args ...any) {
	v.OK, v.Broken, v.Why = false, &seq, fmt.Sprintf(format, args...)
}

// walk verifies the records from the anchor on, up to a number.
func walk(ctx context.Context, tx *sql.Tx, last int64, f func(*stored)) (audit.Verdict, error) {
	v := audit.Verdict{OK: true}
	if err := tx.QueryRowContext(ctx, "SELECT seq, hash FROM audit_anchor").Scan(&v.Anchor.Seq, &v.Anchor.Hash); err != nil {
		return v, err
	}
	v.From, v.Head = v.Anchor.Seq+1, v.Anchor.Hash
	err := eachRecord(ctx, tx, last, func(r *stored) error {
		want := v.From + v.Count
		switch why := r.fault(v.Head); {
		case r.seq < want:
			broken(&v, r.seq, "record %d was removed before", r.seq)
		case r.seq > want:
			broken(&v, want, "record %d is not there", want)
		case why != "":
			broken(&v, r.seq, "%s", why)
		default:
			v.Count, v.Head = v.Count+1, r.hash
			f(r)
			return nil
		}
		return errStop
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	return v, err
}

// mostRemoved is how many records are removed at a time: what is in the way of
// other writers must be short.
const mostRemoved = 1000

// Remove takes records from the beginning of the chain. Those that are not as
// they were written stay, for they prove that somebody changed them.
func (a Audit) Remove(ctx context.Context, before time.Time, r audit.Record) (made audit.Record, err error) {
	err = a.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		made = audit.Record{}
		last, err := lastBefore(ctx, tx, before)
		if err != nil || last == 0 {
			return err
		}
		v, err := walk(ctx, tx, last, func(*stored) {})
		switch {
		case err != nil:
			return err
		case !v.OK:
			return fmt.Errorf("the chain is broken at record %d: %s", *v.Broken, v.Why)
		}
		anchor := audit.Anchor{Seq: last, Hash: v.Head}
		if _, err := tx.ExecContext(ctx, "DELETE FROM audit WHERE seq <= ?", last); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE audit_anchor SET seq = ?, hash = ?", anchor.Seq, anchor.Hash); err != nil {
			return err
		}
		if r.After, err = json.Marshal(anchor); err != nil {
			return err
		}
		made = r
		return chain(ctx, tx, &made)
	})
	if err != nil {
		return audit.Record{}, fmt.Errorf("cannot remove old audit records: %w", inWords(err))
	}
	return made, nil
}

// lastBefore is the last record that goes: all up to it are older than before.
// 0: none is.
func lastBefore(ctx context.Context, tx *sql.Tx, before time.Time) (int64, error) {
	var first, end sql.NullInt64
	if err := tx.QueryRowContext(ctx, "SELECT min(seq), max(seq) FROM audit").Scan(&first, &end); err != nil || !first.Valid {
		return 0, err
	}
	var kept sql.NullInt64 // the first that stays
	if err := tx.QueryRowContext(ctx, "SELECT min(seq) FROM audit WHERE time >= ?", unix(before)).Scan(&kept); err != nil {
		return 0, err
	}
	last := end.Int64
	if kept.Valid {
		last = kept.Int64 - 1
	}
	if last < first.Int64 {
		return 0, nil
	}
	return min(last, first.Int64+mostRemoved-1), nil
}

// anchor is what the record of a removal tells.
func (s *stored) anchor() (a audit.Anchor) {
	var r audit.Record
	if json.Unmarshal([]byte(s.record), &r) == nil {
		_ = json.Unmarshal(r.After, &a) // what is none is no anchor
	}
	return a
}

// stored is a record as it lies in the database.
type stored struct {
	seq, time                             int64
	actor, action, resource, record, hash string
}

// fault says what is wrong with a record that follows one of this hash.
func (s *stored) fault(prev string) string {
	var r audit.Record
	switch {
	case audit.HashOf([]byte(s.record)) != s.hash:
		return "its hash is not that of its content"
	case json.Unmarshal([]byte(s.record), &r) != nil:
		return "it cannot be read"
	case r.Prev != prev:
		return "it does not follow the record before it"
	case r.Seq != s.seq, unix(r.Time) != s.time, r.Actor != s.actor, r.Action != s.action, r.Resource != s.resource:
		return "it is listed as what it is not"
	}
	return ""
}

// eachRecord walks over the records up to a number, oldest first.
func eachRecord(ctx context.Context, tx *sql.Tx, last int64, f func(*stored) error) error {
	rows, err := tx.QueryContext(ctx, "SELECT seq, time, actor, action, resource, record, hash FROM audit WHERE seq <= ? ORDER BY seq", last)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var s stored
		if err := rows.Scan(&s.seq, &s.time, &s.actor, &s.action, &s.resource, &s.record, &s.hash); err != nil {
			return err
		}
		if err := f(&s); err != nil {
			return err
		}
	}
	return rows.Err()
}
