package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/billing"
)

// Usage sums entries by any of billing.Dimensions. A call with several tags
// counts in the row of each; the total counts it once. Without a user, a tag,
// a prompt or a version the value is empty. Hours are RFC 3339, days and
// months the beginning of that, in the query's Location (nil: UTC).
func (l *Ledger) Usage(ctx context.Context, q billing.Query) (*billing.Report, error) {
	for _, g := range q.GroupBy {
		if !slices.Contains(billing.Dimensions, g) {
			return nil, fmt.Errorf("cannot group usage by %q; known are %s", g, strings.Join(billing.Dimensions, ", "))
		}
	}
	groups, err := l.usage(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("cannot sum usage: %w", err)
	}
	out := &billing.Report{From: q.From, To: q.To, GroupBy: q.GroupBy, Rows: []billing.Row{}}
	var total sums
	for _, g := range groups {
		total.add(&g.sums, 1)
		if g.sums != (sums{}) {
			out.Rows = append(out.Rows, billing.Row{Values: g.values, Sums: g.sums.report()})
		}
	}
	if len(q.GroupBy) == 0 && len(out.Rows) == 0 {
		out.Rows = []billing.Row{{Values: []string{}}}
	}
	sortRows(out.Rows, q.GroupBy)
	if slices.Contains(q.GroupBy, "tag") {
		q.GroupBy = nil
		if groups, err = l.usage(ctx, q); err != nil {
			return nil, fmt.Errorf("cannot sum usage: %w", err)
		}
		total = sums{}
		for _, g := range groups {
			total.add(&g.sums, 1)
		}
	}
	out.Total = total.report()
	return out, nil
}

// Spent is the cost of a team (descendants not included), of a key (by id), or
// of both together, since a time; the zero time is the beginning.
func (l *Ledger) Spent(ctx context.Context, team, keyID string, since time.Time) (billing.Nano, error) {
	groups, err := l.usage(ctx, billing.Query{From: since, Team: team, KeyID: keyID})
	if err != nil {
		return 0, fmt.Errorf("cannot sum what was spent: %w", err)
	}
	var usd int64
	for _, g := range groups {
		usd += g.sums[iUSD]
	}
	return billing.Nano(usd), nil
}

// grouped is one row of a report in the making.
type grouped struct {
	values []string
	sums   sums
}

// usageQuery is a report under way: one snapshot of the database.
type usageQuery struct {
	billing.Query
	tx     *sql.Tx
	parts  []interval
	groups map[string]*grouped
}

func (l *Ledger) usage(ctx context.Context, q billing.Query) (map[string]*grouped, error) {
	tx, err := l.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // it wrote nothing
	if q.Location == nil {
		q.Location = time.UTC
	}
	from, to, err := bounds(ctx, tx, q.From, q.To)
	if err != nil || from >= to {
		return nil, err
	}
	u := &usageQuery{Query: q, tx: tx, groups: map[string]*grouped{}}
	u.parts = intervals(from, to, q.GroupBy, q.Location)
	c := coverOf(u.parts)
	if err := u.add(ctx, source{"entry_sums", "time", true, true}, c.entries, 1); err != nil {
		return nil, err
	}
	for _, r := range rollups {
		spans := c.days
		if r.size == hour {
			spans = c.hours
		}
		if err := u.addRollup(ctx, r, spans); err != nil {
			return nil, err
		}
	}
	return u.groups, nil
}

// addRollup adds what a rollup has to tell. Every entry is in usage_*, where it
// counts as if it had neither user nor tags. Where these are asked for, those
// that have tags are taken from there to where they belong, and then those
// that have a user (which by then stand under no user and their tags).
func (u *usageQuery) addRollup(ctx context.Context, r rollup, spans []span) error {
	byTag, byUser := slices.Contains(u.GroupBy, "tag"), slices.Contains(u.GroupBy, "user")
	if r.tags && !r.user && !byTag || r.user && !byUser {
		return nil
	}
	if r.tags {
		if err := u.add(ctx, source{r.name, r.period, r.user, false}, spans, -1); err != nil {
			return err
		}
	}
	return u.add(ctx, source{r.name, r.period, r.tags, r.user}, spans, 1)
}

// bounds puts what there is in place of open ends.
func bounds(ctx context.Context, tx *sql.Tx, from, to time.Time) (lo, hi int64, err error) {
	var first, last sql.NullInt64
	row := tx.QueryRowContext(ctx, "SELECT (SELECT min(time) FROM entries), (SELECT max(time) FROM entries)")
	if err := row.Scan(&first, &last); err != nil || !first.Valid {
		return 0, 0, err
	}
	lo, hi = first.Int64, last.Int64+1
	// Whole days where the ends are open: they need no look at entries.
	lo, hi = lo/day*day, ceilDiv(hi, day)*day
	if !from.IsZero() {
		lo = max(lo, from.UnixNano())
	}
	if !to.IsZero() {
		hi = min(hi, to.UnixNano())
	}
	return lo, hi, nil
}

// source is a table with sums by period and dim, and whether its tags and users
// are looked at; if not, its rows count as having none.
type source struct {
	table, period string
	tags, user    bool
}

// add sums the spans of a source into the groups.
func (u *usageQuery) add(ctx context.Context, s source, spans []span, sign int64) error {
	if len(spans) == 0 {
		return nil
	}
	text, args := u.sql(s, spans)
	rows, err := u.tx.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var n int
	var found sums
	cells := make([]string, len(u.GroupBy))
	to := []any{&n}
	for i, g := range u.GroupBy {
		if !isTime(g) {
			to = append(to, &cells[i])
		}
	}
	to = found.pointers(to)
	for rows.Next() {
		if err := rows.Scan(to...); err != nil {
			return err
		}
		u.merge(n, cells, &found, sign)
	}
	return rows.Err()
}

// merge adds a row to its group.
func (u *usageQuery) merge(n int, cells []string, found *sums, sign int64) {
	p := &u.parts[n]
	for i, g := range u.GroupBy {
		switch g {
		case "hour":
			cells[i] = p.hour
		case "day":
			cells[i] = p.day
		case "month":
			cells[i] = p.month
		}
	}
	key := strings.Join(cells, "\x00")
	group := u.groups[key]
	if group == nil {
		group = &grouped{values: slices.Clone(cells)}
		u.groups[key] = group
	}
	group.sums.add(found, sign)
}

func isTime(dimension string) bool {
	return dimension == "hour" || dimension == "day" || dimension == "month"
}

// sql is the statement that sums the spans of a source by interval and the
// dimensions that are not times. The joins are CROSS JOINs because SQLite
// keeps to their order: a few dims first if few are asked for, else by time.
func (u *usageQuery) sql(s source, spans []span) (string, []any) {
	columns := []string{"p.n"}
	joinTags := ""
	for _, g := range u.GroupBy {
		switch {
		case isTime(g):
		case g == "user" && !s.user, g == "tag" && !s.tags:
			columns = append(columns, "''")
		case g == "user":
			columns = append(columns, "u.user")
		case g == "tag":
			columns = append(columns, "coalesce(g.tag, '')")
			joinTags = " LEFT JOIN tags g ON g.tagset = u.tagset"
		case g == "version":
			columns = append(columns, "iif(d.version = 0, '', d.version)")
		default:
			columns = append(columns, "d."+g)
		}
	}
	by := make([]string, len(columns))
	for i := range columns {
		by[i] = strconv.Itoa(i + 1)
	}
	for _, c := range sumColumns {
		columns = append(columns, "sum(u."+c+")")
	}
	var w where
	w.and("u." + s.period + " >= p.lo AND u." + s.period + " < p.hi")
	if u.Team != "" {
		w.and("d.team = ?", u.Team)
	}
	if u.KeyID != "" {
		w.and("d.key_id = ?", u.KeyID)
	}
	from := "p CROSS JOIN " + s.table + " u CROSS JOIN dims d ON d.id = u.dim"
	if len(w.args) > 0 {
		from = "dims d CROSS JOIN p CROSS JOIN " + s.table + " u ON u.dim = d.id"
	}
	text := "WITH p (lo, hi, n) AS MATERIALIZED (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?)) SELECT " +
		strings.Join(columns, ", ") + " FROM " + from + joinTags + w.String() + " GROUP BY " + strings.Join(by, ", ")
	return text, append([]any{spansJSON(spans)}, w.args...)
}

// sortRows orders rows by their dimensions, numbers as numbers.
func sortRows(rows []billing.Row, groupBy []string) {
	slices.SortFunc(rows, func(a, b billing.Row) int {
		for i, g := range groupBy {
			c := cmp.Compare(a.Values[i], b.Values[i])
			if g == "version" || g == "status" {
				x, _ := strconv.Atoi(a.Values[i]) // "" is 0
				y, _ := strconv.Atoi(b.Values[i])
				c = cmp.Compare(x, y)
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
}
