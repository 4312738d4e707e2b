package store

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/billing"
)

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
	tags   map[int64][]string // of each tagset, if grouped by tag
	groups map[string]*grouped
}

// usage sums what a query selects into its groups.
func usage(ctx context.Context, tx *sql.Tx, q billing.Query) (map[string]*grouped, error) {
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
	if err := u.readTags(ctx); err != nil {
		return nil, err
	}
	if err := u.add(ctx, source{"entry_sums", "time", true, true}, c.entries, u.place); err != nil {
		return nil, err
	}
	for _, r := range rollups {
		spans, put := c.days, u.place
		if r.size == hour {
			spans = c.hours
		}
		switch role := u.role(r); {
		case role == unread:
			continue
		case role == moving:
			put = u.move
		}
		if err := u.add(ctx, source{r.name, r.period, r.tags, r.user}, spans, put); err != nil {
			return nil, err
		}
	}
	return u.groups, nil
}

// role is what a rollup does in a report.
type role int

const (
	unread role = iota
	basic       // it holds everything that is selected
	moving      // its lines are moved from where the basic one has put them
)

// role tells what a rollup does. Everything is in usage_*, unless the report is
// of one tag: then tagged_* has it all, and of one user, user_*.
func (u *usageQuery) role(r rollup) role {
	byTag, byUser := slices.Contains(u.GroupBy, "tag"), slices.Contains(u.GroupBy, "user")
	switch {
	case r.user && u.Only.User != "", r.tags && !r.user && u.Only.Tag != "" && u.Only.User == "", !r.tags && u.Only.Tag+u.Only.User == "":
		return basic
	case r.user && byUser, r.tags && !r.user && byTag && u.Only.Tag+u.Only.User == "":
		return moving
	}
	return unread
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

// line is a row of a source: figures of an interval, the values of the other
// dimensions in their places, and the tagset.
type line struct {
	n      int
	cells  []string
	tagset int64
	sums   sums
}

// add sums the spans of a source and puts each line into the groups.
func (u *usageQuery) add(ctx context.Context, s source, spans []span, put func(*line, *source)) error {
	if len(spans) == 0 {
		return nil
	}
	text, args := u.sql(s, spans)
	rows, err := u.tx.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	l := line{cells: make([]string, len(u.GroupBy))}
	to := []any{&l.n}
	for i, g := range u.GroupBy {
		switch {
		case g == "tag":
			to = append(to, &l.tagset)
		case !isTime(g):
			to = append(to, &l.cells[i])
		}
	}
	var found packed
	to = found.pointers(to)
	for rows.Next() {
		if err := rows.Scan(to...); err != nil {
			return err
		}
		l.sums = found.unpack()
		put(&l, &s)
	}
	return rows.Err()
}

// place adds a line where it belongs: under each of its tags, if grouped by tag.
func (u *usageQuery) place(l *line, _ *source) { u.put(l, l.tagset, 1) }

// move takes a line of tagged_* or user_* from where the line before it has
// put it to where it belongs. Every entry is in usage_*, where it counts as if
// it had neither user nor tags; what has tags is moved under them by tagged_*;
// and what has a user is moved, under the same tags, by user_*.
func (u *usageQuery) move(l *line, s *source) {
	u.put(l, l.tagset, 1)
	from := *l
	if s.user {
		from.cells = slices.Clone(l.cells)
		from.cells[slices.Index(u.GroupBy, "user")] = ""
	} else {
		from.tagset = 0
	}
	u.put(&from, from.tagset, -1)
}

// put adds a line's figures, times sign, to the groups of a tagset.
func (u *usageQuery) put(l *line, tagset, sign int64) {
	at := slices.Index(u.GroupBy, "tag")
	p := &u.parts[l.n]
	for i, g := range u.GroupBy {
		switch g {
		case "hour":
			l.cells[i] = p.hour
		case "day":
			l.cells[i] = p.day
		case "month":
			l.cells[i] = p.month
		}
	}
	if at < 0 {
		u.group(l.cells).add(&l.sums, sign)
		return
	}
	tags := u.tags[tagset]
	if tagset == 0 {
		tags = []string{""}
	}
	for _, tag := range tags {
		l.cells[at] = tag
		u.group(l.cells).add(&l.sums, sign)
	}
}

// group is the group of these values, made at its first use.
func (u *usageQuery) group(values []string) *sums {
	key := strings.Join(values, "\x00")
	g := u.groups[key]
	if g == nil {
		g = &grouped{values: slices.Clone(values)}
		u.groups[key] = g
	}
	return &g.sums
}

// readTags reads what tags each tagset has.
func (u *usageQuery) readTags(ctx context.Context) error {
	if !slices.Contains(u.GroupBy, "tag") {
		return nil
	}
	u.tags = map[int64][]string{}
	rows, err := u.tx.QueryContext(ctx, "SELECT tagset, tag FROM tags")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var set int64
		var tag string
		if err := rows.Scan(&set, &tag); err != nil {
			return err
		}
		u.tags[set] = append(u.tags[set], tag)
	}
	return rows.Err()
}

func isTime(dimension string) bool {
	return dimension == "hour" || dimension == "day" || dimension == "month"
}

// sql is the statement that sums the spans of a source by interval and the
// dimensions that are not times. The joins are CROSS JOINs because SQLite
// keeps to their order: a few dims first if few are asked for, else by time.
func (u *usageQuery) sql(s source, spans []span) (string, []any) {
	columns := []string{"p.n"}
	for _, g := range u.GroupBy {
		switch {
		case isTime(g):
		case g == "user" && !s.user:
			columns = append(columns, "''")
		case g == "user":
			columns = append(columns, "u.user")
		case g == "tag" && !s.tags:
			columns = append(columns, "0")
		case g == "tag":
			columns = append(columns, "u.tagset")
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
	for _, f := range [...]struct{ column, only string }{{"team", u.Team}, {"key_id", u.KeyID}, {"key", u.Only.Key}, {"model", u.Only.Model},
		{"provider", u.Only.Provider}, {"target", u.Only.Target}, {"prompt", u.Only.Prompt}} {
		if f.only != "" {
			w.and("d."+f.column+" = ?", f.only)
		}
	}
	from := "p CROSS JOIN " + s.table + " u CROSS JOIN dims d ON d.id = u.dim"
	if len(w.args) > 0 {
		from = "dims d CROSS JOIN p CROSS JOIN " + s.table + " u ON u.dim = d.id"
	}
	if u.Only.Tag != "" {
		w.and("u.tagset IN (SELECT tagset FROM tags WHERE tag = ?)", u.Only.Tag)
	}
	if u.Only.User != "" {
		w.and("u.user = ?", u.Only.User)
	}
	text := "WITH p (lo, hi, n) AS MATERIALIZED (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?)) SELECT " +
		strings.Join(columns, ", ") + " FROM " + from + w.String() + " GROUP BY " + strings.Join(by, ", ")
	return text, append([]any{spansJSON(spans)}, w.args...)
}
