package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sluice/gateway/audit"
)

// Audit is the chain of what was changed by whom.
type Audit struct{ *Store }

var _ audit.Store = Audit{}

// Audit is the store of audit records.
func (s *Store) Audit() Audit { return Audit{s} }

// Open keeps a record of what is about to be done.
func (a Audit) Open(ctx context.Context, r audit.Record) (id int64, err error) {
	body, err := json.Marshal(r)
	if err != nil {
		return 0, err
	}
	err = a.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "INSERT INTO audit_open (record) VALUES (?)", string(body))
		if err != nil {
			return err
		}
		id, err = res.LastInsertId()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("cannot write an audit record: %w", inWords(err))
	}
	return id, nil
}

// Opened are the records that never joined the chain.
func (a Audit) Opened(ctx context.Context) (map[int64]audit.Record, error) {
	rows, err := a.read.QueryContext(ctx, "SELECT id, record FROM audit_open")
	if err != nil {
		return nil, fmt.Errorf("cannot read audit records: %w", err)
	}
	defer func() { _ = rows.Close() }()
	out := map[int64]audit.Record{}
	for rows.Next() {
		var id int64
		var body string
		var r audit.Record
		if err := rows.Scan(&id, &body); err != nil {
			return nil, fmt.Errorf("cannot read audit records: %w", err)
		}
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			return nil, fmt.Errorf("cannot read open audit record %d: %w", id, err)
		}
		out[id] = r
	}
	return out, rows.Err()
}

// Append seals a record as the last of the chain.
func (a Audit) Append(ctx context.Context, open int64, r audit.Record) (audit.Record, error) {
	err := a.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var seq int64
		var prev string
		if err := tx.QueryRowContext(ctx, "SELECT seq, hash FROM audit_head").Scan(&seq, &prev); err != nil {
			return err
		}
		body, err := r.Seal(seq+1, prev)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO audit (seq, time, actor, action, resource, record, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
			r.Seq, unix(r.Time), r.Actor, r.Action, r.Resource, string(body), r.Hash)
		if err != nil {
			return err
		}
		if _, err = tx.ExecContext(ctx, "UPDATE audit_head SET seq = ?, hash = ?", r.Seq, r.Hash); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM audit_open WHERE id = ?", open)
		return err
	})
	if err != nil {
		return r, fmt.Errorf("cannot write an audit record: %w", inWords(err))
	}
	return r, nil
}

// Records are those that a query selects, newest first.
func (a Audit) Records(ctx context.Context, q audit.Query) ([]audit.Record, error) {
	where, args := []string{"1"}, []any{}
	add := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	if !q.From.IsZero() {
		add("time >= ?", unix(q.From))
	}
	if !q.To.IsZero() {
		add("time < ?", unix(q.To))
	}
	if q.Actor != "" {
		add("actor = ?", q.Actor)
	}
	if q.Action != "" { // and all that begin with it and a full stop: "/" is the character after
		add("(action = ? OR action > ? AND action < ?)", q.Action, q.Action+".", q.Action+"/")
	}
	if q.Resource != "" { // and all that begin with it and a slash: "0" is the character after
		add("(resource = ? OR resource > ? AND resource < ?)", q.Resource, q.Resource+"/", q.Resource+"0")
	}
	if q.Before > 0 {
		add("seq < ?", q.Before)
	}
	query := "SELECT record, hash FROM audit WHERE " + strings.Join(where, " AND ") + " ORDER BY seq DESC"
	if q.Limit > 0 {
		query, args = query+" LIMIT ?", append(args, q.Limit)
	}
	rows, err := a.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("cannot list audit records: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []audit.Record
	for rows.Next() {
		var body, hash string
		var r audit.Record
		if err := rows.Scan(&body, &hash); err != nil {
			return nil, fmt.Errorf("cannot list audit records: %w", err)
		}
		// One that somebody has changed is still shown, as far as it can be read.
		_ = json.Unmarshal([]byte(body), &r)
		r.Hash = hash
		out = append(out, r)
	}
	return out, rows.Err()
}

// errStop ends a walk over the chain.
var errStop = errors.New("stop")

// Verify looks at every record of the chain, oldest first.
func (a Audit) Verify(ctx context.Context) (audit.Verdict, error) {
	tx, err := a.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // the head as it was with the records
	if err != nil {
		return audit.Verdict{}, fmt.Errorf("cannot verify the audit records: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	var head audit.Record
	if err := tx.QueryRowContext(ctx, "SELECT seq, hash FROM audit_head").Scan(&head.Seq, &head.Hash); err != nil {
		return audit.Verdict{}, fmt.Errorf("cannot verify the audit records: %w", err)
	}
	v := audit.Verdict{OK: true}
	broken := func(seq int64, format string, args ...any) error {
		v.OK, v.Broken, v.Why = false, &seq, fmt.Sprintf(format, args...)
		return errStop
	}
	err = eachRecord(ctx, tx, func(r *stored) error {
		if want := v.Count + 1; r.seq != want {
			return broken(want, "record %d is not there", want)
		}
		if why := r.fault(v.Head); why != "" {
			return broken(r.seq, "%s", why)
		}
		v.Count, v.Head = r.seq, r.hash
		return nil
	})
	switch {
	case errors.Is(err, errStop):
	case err != nil:
		return v, fmt.Errorf("cannot verify the audit records: %w", err)
	case head.Seq > v.Count:
		_ = broken(v.Count+1, "records %d to %d are not there", v.Count+1, head.Seq)
	case head.Hash != v.Head || head.Seq != v.Count:
		_ = broken(v.Count, "record %d is not the one that was written last", v.Count)
	}
	return v, nil
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

func eachRecord(ctx context.Context, tx *sql.Tx, f func(*stored) error) error {
	rows, err := tx.QueryContext(ctx, "SELECT seq, time, actor, action, resource, record, hash FROM audit ORDER BY seq")
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
