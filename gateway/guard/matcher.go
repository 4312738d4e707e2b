package guard

import (
	"cmp"
	"slices"
)

// Matcher is what a guard looks for. It may be used by any number of goroutines.
type Matcher struct {
	Kinds    Kinds
	Patterns []*Pattern
}

// of is the matcher for texts of a form: JSON as it is written, or plain.
func (m *Matcher) of(json bool) *Matcher {
	if !json {
		return m
	}
	own := *m
	own.Kinds |= written
	return &own
}

// Find finds what stands in text from an offset on, in order and without
// overlaps. In a text that is not final it tells up to where all is decided:
// matches end there at the latest.
func (m *Matcher) Find(text string, from int, final bool, out []Match) (matches []Match, safe int) {
	out, safe, _ = m.find(text, from, from, final, out)
	return out, safe
}

// find is Find for a text that grows: see Kinds.scan.
func (m *Matcher) find(text string, from, seen int, final bool, out []Match) (matches []Match, safe, next int) {
	out, safe, next = m.Kinds.scan(text, from, seen, final, out)
	if m.Kinds&Injection != 0 {
		var upTo int
		out, upTo = injection(text, from, final, out)
		safe = min(safe, upTo)
	}
	if len(m.Patterns) > 0 || m.Kinds&Injection != 0 {
		for _, p := range m.Patterns {
			var upTo int
			out, upTo = p.find(text, from, final, out)
			safe = min(safe, upTo)
		}
		out = sorted(out)
	}
	for i := range out {
		if out[i].To > safe {
			safe, next = min(safe, out[i].From), min(next, out[i].From)
			out = out[:i]
			break
		}
	}
	return out, max(safe, from), next
}

// sorted puts matches in order; of those that overlap it makes one.
func sorted(list []Match) []Match {
	slices.SortFunc(list, func(a, b Match) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(b.To, a.To)) })
	kept := list[:0]
	for _, m := range list {
		if n := len(kept); n > 0 && m.From < kept[n-1].To {
			kept[n-1].To = max(kept[n-1].To, m.To)
			continue
		}
		kept = append(kept, m)
	}
	return kept
}
