package store

import (
	"context"
	"database/sql"
	"encoding/json"
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
		return tx.QueryRowContext(ctx, "INSERT INTO audit_open (record) VALUES (?) RETURNING id", string(body)).Scan(&id)
	})
	if err != nil {
		return 0, fmt.Errorf("cannot write an audit record: %w", inWords(err))
	}
	return id, nil
}

// Opened are the records that never joined the chain, but for those of other
// replicas that run.
func (a Audit) Opened(ctx context.Context) (map[int64]audit.Record, error) {
	rows, err := a.read.QueryContext(ctx, "SELECT id, record FROM audit_open"+a.abandoned())
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
		if err := chain(ctx, tx, &r); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM audit_open WHERE id = ?", open)
		return err
	})
	if err != nil {
		return r, fmt.Errorf("cannot write an audit record: %w", inWords(err))
	}
	return r, nil
}

// chain seals a record as the last one.
func chain(ctx context.Context, tx *sql.Tx, r *audit.Record) error {
	var head audit.Anchor
	if err := tx.QueryRowContext(ctx, "SELECT seq, hash FROM audit_head").Scan(&head.Seq, &head.Hash); err != nil {
		return err
	}
	body, err := r.Seal(head.Seq+1, head.Hash)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO audit (seq, time, actor, action, resource, record, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
		r.Seq, unix(r.Time), r.Actor, r.Action, r.Resource, string(body), r.Hash)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE audit_head SET seq = ?, hash = ?", r.Seq, r.Hash)
	return err
}

// Records are those that a query selects, newest first.
func (a Audit) Records(ctx context.Context, q audit.Query) ([]audit.Record, error) {
	where, args := []string{"1 = 1"}, []any{}
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
