package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// mostDifferences bounds what Verify tells.
const mostDifferences = 100

// Verify compares, in one snapshot, the rollups by hour with the entries and
// those by day with those by hour. It returns the number of entries and a line
// for each sum that differs, at most a hundred. It reads everything: seconds
// for each million entries.
func (l *Ledger) Verify(ctx context.Context) (entries int64, differences []string, err error) {
	tx, err := l.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return 0, nil, fmt.Errorf("cannot verify the ledger: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // it wrote nothing
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM entries").Scan(&entries); err != nil {
		return 0, nil, fmt.Errorf("cannot verify the ledger: %w", err)
	}
	for _, r := range rollups {
		from, period := "entry_sums", "hour"
		if r.size == day {
			from, period = strings.Replace(r.name, "_day", "_hour", 1), "hour / 24"
		} else if r.user {
			from += " WHERE user <> ''"
		} else if r.tags {
			from += " WHERE tagset <> 0"
		}
		found, err := compare(ctx, tx, from, period, r)
		if err != nil {
			return entries, nil, fmt.Errorf("cannot verify %s: %w", r.name, err)
		}
		differences = append(differences, found...)
	}
	return entries, differences[:min(len(differences), mostDifferences)], nil
}

// compare walks what a rollup should hold and what it holds side by side.
func compare(ctx context.Context, tx *sql.Tx, from, period string, r rollup) (out []string, err error) {
	keys := r.keys()
	want := append([]string{period}, keys[1:]...)
	should, err := openRows(ctx, tx, r, "SELECT "+strings.Join(want, ", ")+summed()+" FROM "+from+
		" GROUP BY "+strings.Join(want, ", ")+" ORDER BY "+strings.Join(want, ", "))
	if err != nil {
		return nil, err
	}
	defer func() { _ = should.rows.Close() }()
	has, err := openRows(ctx, tx, r, "SELECT "+strings.Join(keys, ", ")+", "+strings.Join(sumColumns, ", ")+
		" FROM "+r.name+" ORDER BY "+strings.Join(keys, ", "))
	if err != nil {
		return nil, err
	}
	defer func() { _ = has.rows.Close() }()
	should.next()
	has.next()
	for (should.ok || has.ok) && len(out) < mostDifferences {
		c := should.group.compare(has.group)
		switch {
		case !has.ok || should.ok && c < 0:
			out = append(out, r.describe(should.group, &should.sums, &packed{}))
			should.next()
		case !should.ok || c > 0:
			out = append(out, r.describe(has.group, &packed{}, &has.sums))
			has.next()
		default:
			if should.sums != has.sums {
				out = append(out, r.describe(has.group, &should.sums, &has.sums))
			}
			should.next()
			has.next()
		}
	}
	if should.err != nil {
		return nil, should.err
	}
	return out, has.err
}

func summed() string {
	var b strings.Builder
	for _, c := range sumColumns {
		b.WriteString(", sum(" + c + ")")
	}
	return b.String()
}

// groupRows reads rows of a group and its sums.
type groupRows struct {
	rows  *sql.Rows
	to    []any
	ok    bool
	err   error
	group group
	sums  packed
}

func openRows(ctx context.Context, tx *sql.Tx, r rollup, text string) (*groupRows, error) {
	rows, err := tx.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	g := &groupRows{rows: rows}
	g.to = []any{&g.group.period, &g.group.dim}
	if r.tags {
		g.to = append(g.to, &g.group.tagset)
	}
	if r.user {
		g.to = append(g.to, &g.group.user)
	}
	g.to = g.sums.pointers(g.to)
	return g, nil
}

func (g *groupRows) next() {
	if g.ok = g.rows.Next(); !g.ok {
		g.err = g.rows.Err()
		return
	}
	if g.err = g.rows.Scan(g.to...); g.err != nil {
		g.ok = false
	}
}

// compare orders groups as their rollup's key does.
func (g group) compare(h group) int {
	for _, c := range [][2]int64{{g.period, h.period}, {g.dim, h.dim}, {g.tagset, h.tagset}} {
		if c[0] != c[1] {
			if c[0] < c[1] {
				return -1
			}
			return 1
		}
	}
	return strings.Compare(g.user, h.user)
}

// describe tells the figures that differ in one row.
func (r rollup) describe(g group, want, have *packed) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s dim %d", r.name, time.Unix(0, g.period*r.size).UTC().Format("2006-01-02T15Z"), g.dim)
	if r.tags {
		fmt.Fprintf(&b, " tagset %d", g.tagset)
	}
	if r.user {
		fmt.Fprintf(&b, " user %q", g.user)
	}
	b.WriteString(":")
	for i, c := range sumColumns {
		if want[i] != have[i] {
			fmt.Fprintf(&b, " %s %d should be %d", c, have[i], want[i])
		}
	}
	return b.String()
}
