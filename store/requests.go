package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
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
// and none is above 1000. An unreadable cursor is an error.
func (l *Ledger) Requests(ctx context.Context, q billing.RequestQuery) ([]billing.Entry, string, error) {
	limit := q.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	limit = min(limit, longestPage)
	text, args, err := requestsSQL(q, limit+1)
	if err != nil {
		return nil, "", err
	}
	out, cursors, err := l.entries(ctx, text, args)
	if err != nil {
		return nil, "", fmt.Errorf("cannot list requests: %w", err)
	}
	if len(out) > limit {
		return out[:limit], cursors[limit-1], nil
	}
	return out, "", nil
}

// entries runs a query that begins with entrySelect; each entry comes with the
// cursor that continues after it.
func (l *Ledger) entries(ctx context.Context, text string, args []any) (out []billing.Entry, cursors []string, err error) {
	rows, err := l.read.QueryContext(ctx, text, args...)
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

// String is the clause, or nothing without terms.
func (w *where) String() string {
	if len(w.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.terms, " AND ")
}

// requestsSQL lists the newest entries that a query selects. What dims or tags
// decide is answered by walking, for each of the dims (or sets of tags) that
// fit, its own index from the newest on: at most limit rows of each are read.
func requestsSQL(q billing.RequestQuery, limit int) (string, []any, error) {
	row, err := rowTerms(q)
	if err != nil {
		return "", nil, err
	}
	dims := dimTerms(q)
	newest := func(w where) string {
		return "SELECT id FROM entries" + w.String() + " ORDER BY time DESC, id DESC LIMIT " + strconv.Itoa(limit)
	}
	var from string
	var args []any
	switch {
	case q.Tag != "":
		if len(dims.terms) > 0 {
			row.and("dim IN (SELECT id FROM dims"+dims.String()+")", dims.args...)
		}
		inner := where{append([]string{"tagset = g.tagset AND tagset <> 0"}, row.terms...), row.args}
		from = "WHERE e.id IN (SELECT n.id FROM tags g JOIN entries n ON n.id IN (" + newest(inner) + ") WHERE g.tag = ?)"
		args = append(inner.args, q.Tag)
	case len(dims.terms) > 0:
		inner := where{append([]string{"dim = m.id"}, row.terms...), row.args}
		from = "WHERE e.id IN (SELECT n.id FROM dims m JOIN entries n ON n.id IN (" + newest(inner) + ")" + dims.String() + ")"
		args = append(inner.args, dims.args...)
	default:
		from, args = "WHERE e.id IN ("+newest(row)+")", row.args
	}
	return entrySelect + from + " ORDER BY e.time DESC, e.id DESC LIMIT " + strconv.Itoa(limit), args, nil
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

// rowTerms are the conditions that an entry's own columns decide.
func rowTerms(q billing.RequestQuery) (w where, err error) {
	w.and("attempt = 0")
	if !q.From.IsZero() {
		w.and("time >= ?", q.From.UnixNano())
	}
	if !q.To.IsZero() {
		w.and("time < ?", q.To.UnixNano())
	}
	if q.MinUSD > 0 {
		w.and("cost >= ?", int64(q.MinUSD))
	}
	if q.Text != "" {
		w.and("(instr(call, ?) > 0 OR instr(request_id, ?) > 0)", q.Text, q.Text)
	}
	if q.After != "" {
		at, id, ok := strings.Cut(q.After, ".")
		time, err1 := strconv.ParseInt(at, 10, 64)
		row, err2 := strconv.ParseInt(id, 10, 64)
		if !ok || err1 != nil || err2 != nil {
			return w, fmt.Errorf("%q is not a cursor", q.After)
		}
		w.and("(time, id) < (?, ?)", time, row)
	}
	return w, nil
}
