package store

import (
	"cmp"
	"slices"
	"strconv"
)

// grouped is one row of a report in the making.
type grouped struct {
	values []string
	sums   *sums
}

// column is a dimension of a report's rows.
type column struct {
	of    func(groupID) int32 // which of texts a group has
	texts []string
	ranks []int32 // of texts, in the order of rows
}

// rows names the groups, ordered by their dimensions, numbers as numbers. A
// class, a tag or a user may stand for others of the same values.
func (g *gatherer) rows() []grouped {
	columns := g.columns()
	n, width := len(g.groups.ids), len(columns)
	ranks, order := make([]int32, 0, n*width), make([]int32, n)
	for i, id := range g.groups.ids {
		order[i] = int32(i)
		for j := range columns {
			ranks = append(ranks, columns[j].ranks[columns[j].of(id)])
		}
	}
	slices.SortFunc(order, func(a, b int32) int {
		return slices.Compare(ranks[int(a)*width:][:width], ranks[int(b)*width:][:width])
	})
	out, cells := make([]grouped, n), make([]string, n*width)
	for i, at := range order {
		values := cells[:width:width]
		cells = cells[width:]
		for j := range columns {
			values[j] = columns[j].texts[columns[j].of(g.groups.ids[at])]
		}
		out[i] = grouped{values, g.groups.sums[at]}
	}
	return out
}

func (g *gatherer) columns() []column {
	out := make([]column, len(g.GroupBy))
	next := 0 // of the dimensions that dims have
	for j, by := range g.GroupBy {
		c := &out[j]
		switch {
		case isTime(by):
			c.of = func(id groupID) int32 { return id.part }
			for i := range g.parts {
				c.texts = append(c.texts, g.parts[i].name(by))
			}
		case by == "tag":
			c.of, c.texts = func(id groupID) int32 { return id.tag }, g.tags.text
		case by == "user":
			c.of, c.texts = func(id groupID) int32 { return id.user }, g.users.text
		default:
			c.of = func(id groupID) int32 { return id.class }
			for _, values := range g.values {
				c.texts = append(c.texts, values[next])
			}
			next++
		}
		compare := cmp.Compare[string]
		if by == "version" || by == "status" {
			compare = func(a, b string) int { return cmp.Compare(atoi(a), atoi(b)) }
		}
		c.ranks = ranksOf(c.texts, compare)
	}
	return out
}

// name is what an interval is called in a dimension of time.
func (p *interval) name(dimension string) string {
	switch dimension {
	case "hour":
		return p.hour
	case "day":
		return p.day
	}
	return p.month
}

// ranksOf numbers texts in their order; equal ones have the same number.
func ranksOf(texts []string, compare func(a, b string) int) []int32 {
	type ref struct {
		text string
		at   int32
	}
	order := make([]ref, len(texts))
	for i, text := range texts {
		order[i] = ref{text, int32(i)}
	}
	slices.SortFunc(order, func(a, b ref) int { return compare(a.text, b.text) })
	ranks, rank := make([]int32, len(texts)), int32(0)
	for i, r := range order {
		if i > 0 && compare(order[i-1].text, r.text) != 0 {
			rank++
		}
		ranks[r.at] = rank
	}
	return ranks
}

// atoi is a number of a report's cell; an empty one is 0.
func atoi(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}
