package billing

import (
	"cmp"
	"slices"
	"strconv"
)

// mostPageLines is how many lines and corrections the page of an invoice has: no
// more are read, or are there soon. CSV, JSON and the table have all.
const mostPageLines = 300

// onPage is the invoice with so many lines and corrections at most, of which each
// team has its part; of many teams those stand alone that cost most.
func (v *Invoice) onPage(most int) *Invoice {
	all := 0
	for i := range v.Sections {
		all += 1 + v.Sections[i].size()
	}
	if all <= most {
		return v
	}
	v.decimals() // of all lines
	page := *v
	page.Sections = slices.Clone(v.Sections[:1])
	rest := v.Sections[1:]
	if len(rest) > most/6 { // each has a line of its own and a subtotal
		rest = dearestTeams(rest, most/6)
	}
	page.Sections = append(page.Sections, rest...)
	for i := range page.Sections {
		s := &page.Sections[i]
		s.Lines = dearest(s.Lines, max(1, most*len(s.Lines)/all))
		s.Corrections = latest(s.Corrections, max(1, most*len(s.Corrections)/all))
	}
	return &page
}

func (s *Section) size() int { return len(s.Lines) + len(s.Corrections) }

// dearestTeams is so many sections, in the order in which they were, and one of
// all others together.
func dearestTeams(sections []Section, most int) []Section {
	order := make([]int, len(sections))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(sections[b].Subtotal, sections[a].Subtotal) })
	left := order[most:]
	line := InvoiceLine{Values: []string{"all that they used: each team is in CSV and JSON"}}
	others := Section{Team: groupDecimal(strconv.Itoa(len(left))) + " other teams"}
	for _, i := range left {
		s := &sections[i]
		for j := range s.Lines {
			line.add(&s.Lines[j])
		}
		others.Corrections = append(others.Corrections, s.Corrections...)
		others.Subtotal += s.Subtotal
	}
	others.Lines = []InvoiceLine{line}
	slices.Sort(order[:most])
	out := make([]Section, 0, most+1)
	for _, i := range order[:most] {
		out = append(out, sections[i])
	}
	return append(out, others)
}

// latest is so many corrections, the newest, behind one of all others together.
func latest(list []Amendment, most int) []Amendment {
	if len(list) <= most+1 {
		return list
	}
	left := list[:len(list)-most]
	others := Amendment{ID: groupDecimal(strconv.Itoa(len(left))) + " others", Time: left[len(left)-1].Time, Reason: "each is in CSV and JSON"}
	for i := range left {
		others.USD += left[i].USD
	}
	return append([]Amendment{others}, list[len(left):]...)
}

// dearest is so many lines, in the order in which they were, and one of all
// others together.
func dearest(lines []InvoiceLine, most int) []InvoiceLine {
	if len(lines) <= most+1 {
		return lines
	}
	order := make([]int, len(lines))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(lines[b].USD, lines[a].USD) })
	left := order[most:]
	others := InvoiceLine{Values: []string{groupDecimal(strconv.Itoa(len(left))) + " others: each is in CSV and JSON"}}
	for _, i := range left {
		others.add(&lines[i])
	}
	slices.Sort(order[:most])
	out := make([]InvoiceLine, 0, most+1)
	for _, i := range order[:most] {
		out = append(out, lines[i])
	}
	return append(out, others)
}

// add adds another line up.
func (l *InvoiceLine) add(o *InvoiceLine) {
	l.Calls += o.Calls
	l.InputTokens += o.InputTokens
	l.CachedInputTokens += o.CachedInputTokens
	l.CacheWriteTokens += o.CacheWriteTokens
	l.OutputTokens += o.OutputTokens
	l.ReasoningTokens += o.ReasoningTokens
	l.USD += o.USD
	l.PerCall, l.PerMillion = average(l.USD, 1, l.Calls), average(l.USD, 1_000_000, l.InputTokens+l.OutputTokens)
}
