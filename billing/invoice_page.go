package billing

import (
	"cmp"
	"slices"
	"strconv"
)

// mostPageLines is how many lines the page of an invoice has: no more are read,
// or are there soon. CSV, JSON and the table have all.
const mostPageLines = 300

// onPage is the invoice with so many lines at most, of which each section has its
// part.
func (v *Invoice) onPage(most int) *Invoice {
	all := 0
	for i := range v.Sections {
		all += len(v.Sections[i].Lines)
	}
	if all <= most {
		return v
	}
	v.decimals() // of all lines
	page := *v
	page.Sections = slices.Clone(v.Sections)
	for i := range page.Sections {
		s := &page.Sections[i]
		s.Lines = dearest(s.Lines, max(1, most*len(s.Lines)/all))
	}
	return &page
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
