package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"sluice/billing"
)

// usageQuery is a report under way: one snapshot of the database.
type usageQuery struct {
	billing.Query
	tx     *sql.Tx
	kind   kind // of the packs that tell apart what is asked for
	byUser bool // one of the dimensions
	parts  []interval

	classes []int32    // by dim; -1: not selected
	values  [][]string // of each class: the values of the dimensions that dims have
	tags    numbering
	byTag   bool      // tagsOf says what to count
	tagsOf  [][]int32 // of each tagset: what it counts under

	apart  atomic.Int64 // groups that no two goroutines have
	failed atomic.Bool  // one of them
}

// numbering gives texts numbers.
type numbering struct {
	of   map[string]int32
	text []string
}

func (n *numbering) number(text string) int32 {
	i, ok := n.of[text]
	if !ok {
		if n.of == nil {
			n.of = map[string]int32{}
		}
		i = int32(len(n.text))
		n.of[text] = i
		n.text = append(n.text, text)
	}
	return i
}

// numberOf is number without a copy of a text that has one.
func (n *numbering) numberOf(text []byte) int32 {
	if i, ok := n.of[string(text)]; ok {
		return i
	}
	return n.number(string(text))
}

// usage sums what a query selects into its groups, in the order of rows.
func usage(ctx context.Context, tx *sql.Tx, q billing.Query) ([]grouped, error) {
	if q.Location == nil {
		q.Location = time.UTC
	}
	from, to, err := bounds(ctx, tx, q.From, q.To)
	if err != nil || from >= to {
		return nil, err
	}
	u := &usageQuery{Query: q, tx: tx, kind: kindFor(ctx, &q), byUser: slices.Contains(q.GroupBy, "user")}
	u.parts = intervals(from, to, q.GroupBy, q.Location)
	if err := u.readDims(ctx); err != nil {
		return nil, err
	}
	if err := u.readTags(ctx); err != nil {
		return nil, err
	}
	g := newGatherer(u)
	if err := g.sum(ctx); err != nil {
		return nil, err
	}
	return g.rows(), nil
}

// kindFor is the kind with the fewest rows that tells apart what a query asks
// for, and on whose behalf.
func kindFor(ctx context.Context, q *billing.Query) kind {
	only := q.Only
	only.User, only.Tag = "", ""
	tags := q.Only.Tag != "" || slices.Contains(q.GroupBy, "tag")
	dims := billing.BehalfOf(ctx) != nil || q.Team != "" || len(q.Teams) > 0 || q.KeyID != "" || only != (billing.Filter{}) || slices.ContainsFunc(q.GroupBy, ofDims)
	switch users := q.Only.User != "" || slices.Contains(q.GroupBy, "user"); {
	case users && !tags && !dims:
		return byUserAlone
	case users:
		return byUser
	case tags:
		return byTagset
	}
	return byDim
}

// sum sums all that is selected.
func (g *gatherer) sum(ctx context.Context) error {
	c := coverOf(g.parts)
	g.joinParts(&c)
	for _, s := range c.entries {
		if err := g.addEntries(ctx, s); err != nil {
			return err
		}
	}
	s := newSpread(g)
	err := g.addHours(ctx, c.hours, s)
	if err == nil {
		err = g.addDays(ctx, c.days, s)
	}
	if err != nil {
		return cmp.Or(s.end(), err)
	}
	return s.finish()
}

// bounds puts what there is in place of open ends: whole days, of which there
// are sums of every entry, and of those that were erased.
func bounds(ctx context.Context, tx *sql.Tx, from, to time.Time) (lo, hi int64, err error) {
	var first, last sql.NullInt64
	row := tx.QueryRowContext(ctx, "SELECT (SELECT min(day) FROM packs WHERE kind = 0), (SELECT max(day) FROM packs WHERE kind = 0)")
	if err := row.Scan(&first, &last); err != nil || !first.Valid {
		return 0, 0, err
	}
	lo, hi = first.Int64*day, (last.Int64+1)*day
	if !from.IsZero() {
		lo = max(lo, unix(from))
	}
	if !to.IsZero() {
		hi = min(hi, unix(to))
	}
	return lo, hi, nil
}

func isTime(dimension string) bool {
	return dimension == "hour" || dimension == "day" || dimension == "month"
}

// ofDims tells whether a dimension is in dims.
func ofDims(dimension string) bool {
	return !isTime(dimension) && dimension != "tag" && dimension != "user"
}

// readDims finds the dims that are selected, and the class of each: dims that
// the report does not tell apart share one.
func (u *usageQuery) readDims(ctx context.Context) error {
	columns := []string{"id"}
	for _, g := range u.GroupBy {
		switch {
		case g == "version":
			columns = append(columns, "CASE version WHEN 0 THEN '' ELSE CAST(version AS TEXT) END")
		case ofDims(g):
			columns = append(columns, g)
		}
	}
	var w where
	w.among("team", u.Teams)
	for _, f := range [...]struct{ column, only string }{{"team", u.Team}, {"key_id", u.KeyID}, {"key", u.Only.Key}, {"model", u.Only.Model},
		{"provider", u.Only.Provider}, {"target", u.Only.Target}, {"prompt", u.Only.Prompt}} {
		if f.only != "" {
			w.and(f.column+" = ?", f.only)
		}
	}
	rows, err := u.tx.QueryContext(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM dims"+w.String(), w.args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var dim int64
	to := []any{&dim}
	cells := make([]string, len(columns)-1)
	for i := range cells {
		to = append(to, &cells[i])
	}
	var known numbering
	for rows.Next() {
		if err := rows.Scan(to...); err != nil {
			return err
		}
		class := known.number(strings.Join(cells, "\x00"))
		if int(class) == len(u.values) {
			u.values = append(u.values, slices.Clone(cells))
		}
		for int64(len(u.classes)) <= dim {
			u.classes = append(u.classes, -1)
		}
		u.classes[dim] = class
	}
	if u.kind == byUserAlone && len(u.classes) > 0 {
		u.classes[0] = 0 // its packs have no dims, and all are selected
	}
	return rows.Err()
}

// joinParts makes one of the intervals that are called the same: clocks that are
// set back make two of an hour or a day.
func (u *usageQuery) joinParts(c *cover) {
	var names numbering
	first := make([]int, 0, len(u.parts))
	same := make([]int, len(u.parts))
	for i, p := range u.parts {
		name := p.month
		if slices.Contains(u.GroupBy, "day") {
			name = p.day
		}
		if slices.Contains(u.GroupBy, "hour") {
			name += p.hour
		}
		n := names.number(name)
		if int(n) == len(first) {
			first = append(first, i)
		}
		same[i] = first[n]
	}
	for _, spans := range [][]span{c.days, c.hours, c.entries} {
		for i := range spans {
			spans[i].n = same[spans[i].n]
		}
	}
}

// class is the class of a dim; -1: it is not selected.
func (u *usageQuery) class(dim int64) int32 {
	if dim < 0 || dim >= int64(len(u.classes)) {
		return -1
	}
	return u.classes[dim]
}

// readTags reads what tags each tagset has, if that matters.
func (u *usageQuery) readTags(ctx context.Context) error {
	by := slices.Contains(u.GroupBy, "tag")
	if !by && u.Only.Tag == "" {
		return nil
	}
	u.byTag = true
	with := func(set int64, tag int32) {
		for int64(len(u.tagsOf)) <= set {
			u.tagsOf = append(u.tagsOf, nil)
		}
		u.tagsOf[set] = append(u.tagsOf[set], tag)
	}
	query, args := "SELECT tagset, tag FROM tags", []any(nil)
	if u.Only.Tag != "" {
		query, args = query+" WHERE tagset IN (SELECT tagset FROM tags WHERE tag = ?1)", []any{u.Only.Tag}
	} else {
		with(0, u.tags.number(""))
	}
	if !by {
		query += " AND tag = ?1"
	}
	rows, err := u.tx.QueryContext(ctx, query, args...)
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
		with(set, u.tags.number(tag))
	}
	return rows.Err()
}

// tagged gives the tags that a tagset counts under.
func (u *usageQuery) tagged(tagset int64) []int32 {
	switch {
	case !u.byTag:
		return onlyTag
	case tagset < 0 || tagset >= int64(len(u.tagsOf)):
		return nil
	}
	return u.tagsOf[tagset]
}

var onlyTag = []int32{0}

// tooMany is an error once there are more groups than there may be rows; made is
// how many the last pack made, of the users that shard has.
func (g *gatherer) tooMany(shard, made int) error {
	if g.MostRows == 0 {
		return nil
	}
	n := len(g.groups.ids)
	if g.byUser && shard >= 0 {
		n = max(n, int(g.apart.Add(int64(made))))
	}
	if n <= g.MostRows {
		return nil
	}
	return billing.BadQuery{Err: fmt.Errorf("the report would have more than %d rows: narrow the span or the selection, or group by less", g.MostRows)}
}
