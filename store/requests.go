package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sluice/billing"
)

// Bounds of a page.
const (
	defaultPage = 50
	longestPage = 1000
)

// Requests lists calls, newest first, and the cursor of the next page: empty
// after the last. Key is a key's name (team/name) or id. A limit of 0 is 50,
// and none is above 1000. A page may be shorter than its limit, or empty, and
// have a cursor still: a search for what is rare is continued in pieces that
// take bounded time. Text is part of an id; one of eight characters or more that
// begins few ids selects these alone. An unreadable cursor is an error.
func (l *Ledger) Requests(ctx context.Context, q billing.RequestQuery) ([]billing.Entry, string, error) {
	if q.Limit <= 0 {
		q.Limit = defaultPage
	}
	q.Limit = min(q.Limit, longestPage)
	out, next, err := l.requests(ctx, q)
	if err != nil {
		return nil, "", fmt.Errorf("cannot list requests: %w", err)
	}
	return out, next, nil
}

// entries runs a query that begins with entrySelect; each entry comes with the
// cursor that continues after it.
func (l *Ledger) entries(ctx context.Context, text string, args []any) ([]billing.Entry, []string, error) {
	return entriesOf(ctx, l.read, text, args)
}

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func entriesOf(ctx context.Context, db querier, text string, args []any) (out []billing.Entry, cursors []string, err error) {
	rows, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		e, id, err := scanEntry(rows.Scan)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, e)
		cursors = append(cursors, fmt.Sprintf("%d.%d", e.Time.UnixNano(), id))
	}
	return out, cursors, rows.Err()
}

// Request is the entry of a call, by the call's id or, newest first, by the
// request id that its caller gave: billing.ErrNotFound if there is none.
func (l *Ledger) Request(ctx context.Context, call string) (*billing.Entry, error) {
	row := l.read.QueryRowContext(ctx, entrySelect+`WHERE e.attempt = 0 AND e.id IN (
		SELECT id FROM entries WHERE call = ?1
		UNION ALL SELECT id FROM entries WHERE request_id = ?1 AND request_id <> '')
		ORDER BY e.call = ?1 DESC, e.time DESC LIMIT 1`, call)
	e, _, err := scanEntry(row.Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("no call %q: %w", call, billing.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read call %q: %w", call, err)
	}
	return &e, nil
}

// where gathers conditions and their arguments.
type where struct {
	terms []string
	args  []any
}

func (w *where) and(term string, args ...any) {
	w.terms = append(w.terms, term)
	w.args = append(w.args, args...)
}

// among selects some values of a column; nil selects all.
func (w *where) among(column string, values []string) {
	if values == nil {
		return
	}
	list, _ := json.Marshal(values) // texts always are JSON
	w.and(column+" IN (SELECT CAST(value AS TEXT) FROM json_each(?))", string(list))
}

// ofTeams selects the entries of a query's teams.
func (w *where) ofTeams(q *billing.Query) {
	var teams where
	if q.Team != "" {
		teams.and("team = ?", q.Team)
	}
	teams.among("team", q.Teams)
	if len(teams.terms) > 0 {
		w.and("dim IN (SELECT id FROM dims"+teams.String()+")", teams.args...)
	}
}

// String is the clause, or nothing without terms.
func (w *where) String() string {
	if len(w.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.terms, " AND ")
}

// dimTerms are the conditions that dims decide.
func dimTerms(q billing.RequestQuery) (w where) {
	if q.Team != "" {
		w.and("team = ?", q.Team)
	}
	if q.Key != "" {
		w.and("? IN (key, key_id)", q.Key)
	}
	if q.Model != "" {
		w.and("model = ?", q.Model)
	}
	if q.Prompt != "" {
		w.and("prompt = ?", q.Prompt)
	}
	if q.Status != 0 {
		w.and("status = ?", q.Status)
	}
	return w
}
