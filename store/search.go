package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"sluice/billing"
)

// A list of requests is found by walking back in time, window by window, each
// three times as long as the one after it, or as long as will fit into what is
// left of searchTime, until the page is full, the oldest entry is reached, or
// no time is left: then the cursor goes on from there. A window that takes much
// longer than was thought, as one whose pages must come from a slow disk may, is
// left, but for the first, so that each page goes on. In a window, the index that
// selects most is followed.
const (
	searchTime = 100 * time.Millisecond
	wider      = 3
)

// longest is what windows but the first may take together. A test has it shorter.
var longest = searchTime * 3 / 2

// search is a list under way.
type search struct {
	billing.RequestQuery
	tx     *sql.Tx
	lo, hi int64  // what is left of the time, hi exclusive
	index  string // that is followed
	terms  where
}

func (l *Ledger) requests(ctx context.Context, q billing.RequestQuery) ([]billing.Entry, string, error) {
	tx, err := l.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = tx.Rollback() }() // it wrote nothing
	s := &search{RequestQuery: q, tx: tx}
	if err := s.span(ctx); err != nil || s.lo >= s.hi {
		return nil, "", err
	}
	window, err := s.choose(ctx)
	if err != nil {
		return nil, "", err
	}
	return s.walk(ctx, window)
}

// walk gathers a page, and one entry more, which tells that there is a next one.
func (s *search) walk(ctx context.Context, window int64) (out []billing.Entry, next string, err error) {
	var cursors []string
	start := time.Now()
	end := start.Add(searchTime)
	bounded, stop := context.WithDeadline(ctx, start.Add(longest))
	defer stop()
	for in := ctx; ; in = bounded {
		from, begun := s.lo, time.Now()
		if window < s.hi-s.lo {
			from = s.hi - window
		}
		found, after, err := s.within(in, from, s.Limit+1-len(out))
		switch {
		case err != nil && in == bounded && bounded.Err() != nil && ctx.Err() == nil:
			return out, cursorBefore(s.hi), nil
		case err != nil:
			return nil, "", err
		}
		out, cursors = append(out, found...), append(cursors, after...)
		if len(out) > s.Limit {
			return out[:s.Limit], cursors[s.Limit-1], nil
		}
		if from == s.lo {
			return out, "", nil
		}
		now := time.Now()
		if window = nextWindow(window, now.Sub(begun), end.Sub(now)); window == 0 {
			return out, cursorBefore(from), nil
		}
		s.hi = from
	}
}

// cursorBefore goes on with what is older than a time.
func cursorBefore(time int64) string { return strconv.FormatInt(time, 10) + ".0" }

// nextWindow is how far to look after a window that took so long, where so much
// time is left; 0: not any more.
func nextWindow(window int64, took, left time.Duration) int64 {
	if left < searchTime/4 {
		return 0
	}
	return int64(float64(window) * min(wider, float64(left)/float64(max(took, 1))))
}

// within lists the newest entries of the window that ends at hi.
func (s *search) within(ctx context.Context, from int64, limit int) ([]billing.Entry, []string, error) {
	w := where{append([]string{"time >= ?", "time < ?"}, s.terms.terms...), append([]any{from, s.hi}, s.terms.args...)}
	const order = "time DESC, e.id DESC"
	text := entrySelect + "WHERE e.id IN (SELECT id FROM entries" + s.index + w.String() + " ORDER BY time DESC, id DESC LIMIT " + strconv.Itoa(limit) +
		") ORDER BY e." + order
	return entriesOf(ctx, s.tx, text, w.args)
}

// span reads the ends of the time, and the conditions that no index decides.
func (s *search) span(ctx context.Context) (err error) {
	w := &s.terms
	w.and("attempt = 0")
	if s.MinUSD > 0 {
		w.and("cost >= ?", int64(s.MinUSD))
	}
	if s.Text != "" {
		w.and("(instr(call, ?) > 0 OR instr(request_id, ?) > 0)", s.Text, s.Text)
	}
	newest := int64(math.MaxInt64) // exclusive
	if s.After != "" {
		at, id, ok := strings.Cut(s.After, ".")
		time, err1 := strconv.ParseInt(at, 10, 64)
		row, err2 := strconv.ParseInt(id, 10, 64)
		if !ok || err1 != nil || err2 != nil {
			return billing.BadQuery{Err: fmt.Errorf("after %.40q is not a cursor of this list", s.After), Field: "after"}
		}
		w.and("(time, id) < (?, ?)", time, row)
		if newest = time; row > 0 { // else nothing of that time is left
			newest++
		}
	}
	s.lo, s.hi, err = bounds(ctx, s.tx, s.From, s.To)
	s.hi = min(s.hi, newest)
	return err
}

const (
	// manySets of tags are not looked up one by one.
	manySets = 5000
	// fewDear entries above an amount are gone through whole.
	fewDear = 20_000
)

// choose finds the index to follow, and how long the first window is.
func (s *search) choose(ctx context.Context) (window int64, err error) {
	if found, err := s.byID(ctx); err != nil || found {
		return s.hi - s.lo, err
	}
	dims, sets, dear := dimTerms(s.RequestQuery), 0, 0
	if s.Tag != "" {
		if err := s.count(ctx, &sets, manySets, "SELECT 1 FROM tags WHERE tag = ?", s.Tag); err != nil {
			return 0, err
		}
	}
	class := classTerm(s.MinUSD)
	// A policy keeps the index of costs from being used.
	ofCost := s.MinUSD > 0 && billing.BehalfOf(ctx) == nil
	if ofCost && len(dims.terms) > 0 {
		err := s.count(ctx, &dear, fewDear, "SELECT 1 FROM entries INDEXED BY entries_cost WHERE "+class+" AND time >= ? AND time < ?", s.lo, s.hi)
		if err != nil {
			return 0, err
		}
	}
	switch {
	case s.Tag != "" && sets < manySets:
		s.index = " INDEXED BY entries_tagset"
	case ofCost && dear < fewDear:
		s.index = " INDEXED BY entries_cost"
		s.terms.and(class)
		if len(dims.terms) > 0 {
			window = s.hi - s.lo
		}
	case len(dims.terms) > 0:
		s.index = " INDEXED BY entries_dim"
	default:
		s.index = " INDEXED BY entries_time"
	}
	if s.Tag != "" {
		s.terms.and("tagset <> 0 AND tagset IN (SELECT tagset FROM tags WHERE tag = ?)", s.Tag)
	}
	if len(dims.terms) > 0 {
		s.terms.and("dim IN (SELECT id FROM dims"+dims.String()+")", dims.args...)
	}
	if window > 0 {
		return window, nil
	}
	return s.firstWindow(ctx)
}

// count counts the rows of a query, up to most.
func (s *search) count(ctx context.Context, n *int, most int, query string, args ...any) error {
	return s.tx.QueryRowContext(ctx, "SELECT count(*) FROM ("+query+" LIMIT "+strconv.Itoa(most)+") AS found", args...).Scan(n)
}

// classTerm selects the classes of entries_cost that hold an amount or more; all
// but the first of them hold nothing below it.
func classTerm(usd billing.Nano) string {
	digits := strconv.FormatInt(int64(max(usd, 1)), 10)
	var classes []string
	for class := len(digits)*10 + int(digits[0]-'0'); class <= 199; class++ {
		classes = append(classes, strconv.Itoa(class))
	}
	return "cost > 0 AND length(cost) * 10 + substr(cost, 1, 1) IN (" + strings.Join(classes, ", ") + ")"
}

// firstWindow is as long as the newest entries of a page take, of all callers.
// On behalf of a team, those of others cannot be counted.
func (s *search) firstWindow(ctx context.Context) (int64, error) {
	if billing.BehalfOf(ctx) != nil {
		ahead := max(s.hi-time.Now().UnixNano(), 0) // of now: there is nothing yet
		return max(min(s.hi-s.lo, ahead+hour), 1), nil
	}
	var at int64
	err := s.tx.QueryRowContext(ctx, "SELECT time FROM entries WHERE time < ? ORDER BY time DESC LIMIT 1 OFFSET ?", s.hi, s.Limit).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return s.hi - s.lo, nil
	}
	return max(s.hi-at, 1), err
}

// shortestID is how much of an id is looked up as its beginning.
const shortestID = 8

// byID finds the few entries whose id begins with the text.
func (s *search) byID(ctx context.Context) (bool, error) {
	if len(s.Text) < shortestID {
		return false, nil
	}
	var n int
	const calls = "SELECT id FROM entries WHERE call >= ? AND call < ?"
	const ids = "SELECT id FROM entries WHERE request_id <> '' AND request_id >= ? AND request_id < ?"
	end := s.Text + "\U0010ffff"
	found := []any{s.Text, end, s.Text, end}
	if err := s.count(ctx, &n, s.Limit+1, calls+" UNION ALL "+ids, found...); err != nil || n == 0 || n > s.Limit {
		return false, err
	}
	s.terms.and("id IN ("+calls+" UNION ALL "+ids+")", found...)
	dims := dimTerms(s.RequestQuery)
	if len(dims.terms) > 0 {
		s.terms.and("dim IN (SELECT id FROM dims"+dims.String()+")", dims.args...)
	}
	if s.Tag != "" {
		s.terms.and("tagset IN (SELECT tagset FROM tags WHERE tag = ?)", s.Tag)
	}
	return true, nil
}
