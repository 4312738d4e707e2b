package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/billing"
)

// mostDifferences bounds what Verify tells.
const mostDifferences = 100

// Verify compares, in one snapshot, the sums of every hour and day with the
// entries, by user and tags, by tags, and without. It returns the number of
// entries and a line for each sum that differs, at most a hundred. It reads
// everything: seconds for each million entries.
func (l *Ledger) Verify(ctx context.Context) (entries int64, differences []string, err error) {
	if billing.BehalfOf(ctx) != nil { // it reads the sums of all, and names them
		return 0, nil, errors.New("cannot verify the ledger on behalf of a team")
	}
	tx, err := l.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return 0, nil, fmt.Errorf("cannot verify the ledger: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // it wrote nothing
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM entries").Scan(&entries); err != nil {
		return 0, nil, fmt.Errorf("cannot verify the ledger: %w", err)
	}
	days, err := daysOf(ctx, tx)
	if err != nil {
		return entries, nil, fmt.Errorf("cannot verify the ledger: %w", err)
	}
	for _, d := range days {
		found, err := verifyDay(ctx, tx, d)
		if err != nil {
			return entries, nil, fmt.Errorf("cannot verify %s: %w", nameOfDay(d), err)
		}
		if differences = append(differences, found...); len(differences) >= mostDifferences {
			break
		}
	}
	return entries, differences[:min(len(differences), mostDifferences)], nil
}

func nameOfDay(d int64) string { return time.Unix(0, d*day).UTC().Format(time.DateOnly) }

// daysOf are the days of which there are entries or sums. SQLite finds the next
// of each in its index.
func daysOf(ctx context.Context, tx *sql.Tx) ([]int64, error) {
	rows, err := tx.QueryContext(ctx, `WITH RECURSIVE
		e (d) AS (SELECT min(time) / ?1 FROM entries UNION ALL
			SELECT (SELECT min(time) / ?1 FROM entries WHERE time >= (d + 1) * ?1) FROM e WHERE d IS NOT NULL)
		SELECT d FROM e WHERE d IS NOT NULL UNION SELECT DISTINCT day FROM packs ORDER BY 1`, day)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var days []int64
	for rows.Next() {
		var d int64
		if err := rows.Scan(&d); err != nil {
			return nil, err
		}
		days = append(days, d)
	}
	return days, rows.Err()
}

// verifyDay proves that the entries of a day, and what was erased, are its sums by user and hour, that
// these make its sums of other kinds, and those of hours those of the day.
func verifyDay(ctx context.Context, tx *sql.Tx, d int64) (differences []string, err error) {
	var packs [kinds]packsRead
	for k := range kinds {
		if packs[k], err = readPacks(ctx, tx, "kind = ? AND day = ?", k, d); err != nil {
			return nil, err
		}
	}
	erased, err := erasedOf(ctx, tx, d)
	if err != nil {
		return nil, err
	}
	rows, err := tx.QueryContext(ctx, sumsQuery+"WHERE time >= ? AND time < ? ORDER BY dim, tagset, \"user\", time", d*day, (d+1)*day)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	gone, err := mergePacks(erased)
	if err != nil {
		return nil, err
	}
	finest, err := mergePacks(packs[byUser].hours)
	if err != nil {
		return nil, err
	}
	found, err := compare(&joined{of: [2]sumRows{&entrySums{rows: rows}, gone}}, finest, d, byUser, true)
	if err != nil {
		return nil, err
	}
	for k := range kinds {
		for _, hours := range []bool{true, false} {
			if k == byUser && hours {
				continue
			}
			more, err := compareKinds(packs, k, hours, d)
			if err != nil {
				return nil, err
			}
			found = append(found, more...)
		}
	}
	return found, nil
}

// compareKinds compares the sums of a kind with those that tell more apart.
func compareKinds(packs [kinds]packsRead, k kind, hours bool, d int64) ([]string, error) {
	from, have := packs[byUser].hours, packs[k].hours
	if !hours {
		from, have = packs[k].hours, packs[k].days
	}
	finer, err := mergePacks(from)
	if err != nil {
		return nil, err
	}
	own, err := mergePacks(have)
	if err != nil {
		return nil, err
	}
	return compare(&coarser{from: finer, kind: k, hours: hours}, own, d, k, hours)
}

// sumRows gives rows in their order; false: there are no more.
type sumRows interface {
	next() (bool, error)
	current() *packRow
}

func (m *merged) current() *packRow { return &m.row }

// compare walks what sums should be and what they are side by side.
func compare(should, has sumRows, d int64, k kind, hours bool) (out []string, err error) {
	more, err := should.next()
	if err != nil {
		return nil, err
	}
	left, err := has.next()
	for err == nil && (more || left) && len(out) < mostDifferences {
		want, have := should.current(), has.current()
		c := want.compare(&have.packKey)
		takeWant, takeHave := more && (!left || c <= 0), left && (!more || c >= 0)
		row := packRow{packKey: have.packKey}
		var haveSums sums
		if takeWant {
			row = *want
		}
		if takeHave {
			haveSums = have.sums
		}
		if row.sums != haveSums {
			out = append(out, describe(d, k, hours, &row, &haveSums))
		}
		if takeWant {
			more, err = should.next()
		}
		if takeHave && err == nil {
			left, err = has.next()
		}
	}
	return out, err
}

// joined goes through the rows of two, in order, those with the same key added.
type joined struct {
	of    [2]sumRows
	more  [2]bool
	begun bool
	row   packRow
}

func (j *joined) current() *packRow { return &j.row }

func (j *joined) next() (ok bool, err error) {
	for i, from := range j.of {
		if !j.begun {
			if j.more[i], err = from.next(); err != nil {
				return false, err
			}
		}
	}
	j.begun = true
	first := -1
	for i, from := range j.of {
		if j.more[i] && (first < 0 || from.current().compare(&j.of[first].current().packKey) < 0) {
			first = i
		}
	}
	if first < 0 {
		return false, nil
	}
	j.row = packRow{packKey: j.of[first].current().packKey}
	for i, from := range j.of {
		if j.more[i] && from.current().packKey == j.row.packKey {
			j.row.sums.add(&from.current().sums, 1)
			if j.more[i], err = from.next(); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// entrySums adds up entries that come in the order of packs.
type entrySums struct {
	rows  *sql.Rows
	row   packRow
	ahead *packRow // the first entry of the next row
}

func (e *entrySums) current() *packRow { return &e.row }

func (e *entrySums) next() (bool, error) {
	have := e.ahead != nil
	if have {
		e.row, e.ahead = *e.ahead, nil
	}
	for e.rows.Next() {
		_, row, err := scanSums(e.rows.Scan)
		switch {
		case err != nil:
			return false, err
		case !have:
			e.row, have = row, true
		case row.packKey == e.row.packKey:
			e.row.sums.add(&row.sums, 1)
		default:
			e.ahead = &row
			return true, nil
		}
	}
	return have, e.rows.Err()
}

// coarser adds up the rows of finer packs, a dim at a time, or all at once where
// the kind has none.
type coarser struct {
	from  *merged
	kind  kind
	hours bool
	more  bool // from has a row that was not taken
	begun bool
	dim   []packRow // the rest of the dim, in order
	row   packRow
}

func (c *coarser) current() *packRow { return &c.row }

func (c *coarser) next() (bool, error) {
	if len(c.dim) == 0 {
		if err := c.read(); err != nil || len(c.dim) == 0 {
			return false, err
		}
	}
	c.row, c.dim = c.dim[0], c.dim[1:]
	return true, nil
}

// read adds up the next dim.
func (c *coarser) read() (err error) {
	if !c.begun {
		c.begun = true
		if c.more, err = c.from.next(); err != nil {
			return err
		}
	}
	sums := map[packKey]*packRow{}
	for first := c.kind.of(c.from.row.packKey).dim; c.more; {
		key := c.kind.of(c.from.row.packKey)
		if key.dim != first {
			break
		}
		if !c.hours {
			key.hour = 0
		}
		if sums[key] == nil {
			sums[key] = &packRow{packKey: key}
		}
		sums[key].sums.add(&c.from.row.sums, 1)
		if c.more, err = c.from.next(); err != nil {
			return err
		}
	}
	c.dim = c.dim[:0]
	for _, row := range sums {
		c.dim = append(c.dim, *row)
	}
	slices.SortFunc(c.dim, func(a, b packRow) int { return a.compare(&b.packKey) })
	return nil
}

// describe tells the figures that differ in one row.
func describe(d int64, k kind, hours bool, want *packRow, have *sums) string {
	var b strings.Builder
	b.WriteString(nameOfDay(d))
	if hours {
		fmt.Fprintf(&b, "T%02dZ", want.hour)
	}
	if k != byUserAlone {
		fmt.Fprintf(&b, " dim %d", want.dim)
	}
	if k == byTagset || k == byUser {
		fmt.Fprintf(&b, " tagset %d", want.tagset)
	}
	if k.hasUsers() {
		fmt.Fprintf(&b, " user %q", want.user)
	}
	b.WriteString(":")
	for i := range want.sums {
		if want.sums[i] != have[i] {
			fmt.Fprintf(&b, " %s %d should be %d", sumName(i), have[i], want.sums[i])
		}
	}
	return b.String()
}
