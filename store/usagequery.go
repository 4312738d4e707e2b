package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/billing"
)

// grouped is one row of a report in the making.
type grouped struct {
	values []string
	sums   *sums
}

// groupID tells groups apart: an interval, the dims' values, tag and user, each
// by its number.
type groupID struct{ part, class, tag, user int32 }

// usageQuery is a report under way: one snapshot of the database.
type usageQuery struct {
	billing.Query
	tx    *sql.Tx
	kind  kind // of the packs that tell apart what is asked for
	parts []interval

	classes []int32    // by dim; -1: not selected
	values  [][]string // of each class: the values of the dimensions that dims have
	tags    numbering
	users   numbering
	tagsOf  map[int64][]int32 // of each tagset, if grouped by tag
	with    map[int64]bool    // tagsets that have the tag asked for

	reader    unpacker
	packUsers []int32 // of the pack that is read: numbers in users; -1: not selected

	groups map[groupID]*sums
	chunk  []sums // where the next groups are made
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

// usage sums what a query selects into its groups.
func usage(ctx context.Context, tx *sql.Tx, q billing.Query) ([]grouped, error) {
	if q.Location == nil {
		q.Location = time.UTC
	}
	from, to, err := bounds(ctx, tx, q.From, q.To)
	if err != nil || from >= to {
		return nil, err
	}
	u := &usageQuery{Query: q, tx: tx, groups: map[groupID]*sums{}}
	switch {
	case slices.Contains(q.GroupBy, "user") || q.Only.User != "":
		u.kind = byUser
	case slices.Contains(q.GroupBy, "tag") || q.Only.Tag != "":
		u.kind = byTagset
	}
	u.parts = intervals(from, to, q.GroupBy, q.Location)
	if err := u.readDims(ctx); err != nil {
		return nil, err
	}
	if err := u.readTags(ctx); err != nil {
		return nil, err
	}
	c := coverOf(u.parts)
	u.joinParts(&c)
	for _, s := range c.entries {
		if err := u.addEntries(ctx, s); err != nil {
			return nil, err
		}
	}
	if err := u.addHours(ctx, c.hours); err != nil {
		return nil, err
	}
	if err := u.addDays(ctx, c.days); err != nil {
		return nil, err
	}
	return u.rows(), nil
}

// bounds puts what there is in place of open ends.
func bounds(ctx context.Context, tx *sql.Tx, from, to time.Time) (lo, hi int64, err error) {
	var first, last sql.NullInt64
	// What was erased has sums alone.
	row := tx.QueryRowContext(ctx, `SELECT min(coalesce(e, p), coalesce(p, e)), max(coalesce(f, q), coalesce(q, f)) FROM (SELECT
		(SELECT min(time) FROM entries) e, (SELECT max(time) FROM entries) f,
		(SELECT min(day) FROM packs WHERE kind = 0) * ?1 p, (SELECT max(day) FROM packs WHERE kind = 0) * ?1 q)`, day)
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
			columns = append(columns, "iif(version = 0, '', version)")
		case ofDims(g):
			columns = append(columns, g)
		}
	}
	var w where
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
	u.with = map[int64]bool{}
	if by {
		u.tagsOf = map[int64][]int32{0: {u.tags.number("")}}
	}
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
		if tag == u.Only.Tag {
			u.with[set] = true
		}
		if by {
			u.tagsOf[set] = append(u.tagsOf[set], u.tags.number(tag))
		}
	}
	return rows.Err()
}

// groupChunk is how many groups are made at once.
const groupChunk = 256

// group is the sums of a group, made at its first use.
func (u *usageQuery) group(id groupID) *sums {
	g := u.groups[id]
	if g == nil {
		if len(u.chunk) == 0 {
			u.chunk = make([]sums, min(groupChunk, len(u.groups)+8))
		}
		g, u.chunk = &u.chunk[0], u.chunk[1:]
		u.groups[id] = g
	}
	return g
}

// tooMany is an error once there are more groups than there may be rows.
func (u *usageQuery) tooMany() error {
	if u.MostRows == 0 || len(u.groups) <= u.MostRows {
		return nil
	}
	return billing.BadQuery{Err: fmt.Errorf("the report would have more than %d rows: narrow the span or the selection, or group by less", u.MostRows)}
}

// tagged gives the tags that a tagset counts under.
func (u *usageQuery) tagged(tagset int64) []int32 {
	switch {
	case u.Only.Tag != "" && !u.with[tagset]:
		return nil
	case u.tagsOf != nil:
		return u.tagsOf[tagset]
	}
	return onlyTag
}

var onlyTag = []int32{0}

// rows names the groups. A class, a tag or a user may stand for others of the
// same values.
func (u *usageQuery) rows() []grouped {
	out := make([]grouped, 0, len(u.groups))
	cells := make([]string, len(u.groups)*len(u.GroupBy))
	for id, sums := range u.groups {
		p, next := &u.parts[id.part], 0
		values := cells[:len(u.GroupBy):len(u.GroupBy)]
		cells = cells[len(u.GroupBy):]
		for j, g := range u.GroupBy {
			switch {
			case g == "hour":
				values[j] = p.hour
			case g == "day":
				values[j] = p.day
			case g == "month":
				values[j] = p.month
			case g == "tag":
				values[j] = u.tags.text[id.tag]
			case g == "user":
				values[j] = u.users.text[id.user]
			default:
				values[j] = u.values[id.class][next]
				next++
			}
		}
		out = append(out, grouped{values, sums})
	}
	return out
}

// atoi is a number of a report's cell; an empty one is 0.
func atoi(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}
