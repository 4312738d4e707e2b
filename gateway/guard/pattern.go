package guard

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"unicode/utf8"
)

// Bounds of patterns.
const (
	longestPattern = 1000 // bytes of its text
	// window is how much of a growing text a pattern sees at once that may
	// match texts of any length; a longer match is found only if it could be
	// told within so many bytes that it has begun.
	window = 1024
)

// Pattern is a regular expression (RE2's syntax: its time is linear).
type Pattern struct {
	re    *regexp.Regexp
	reach int // the most bytes that decide about a match
}

// NewPattern compiles a pattern. One that matches the empty text is refused: it
// would match everywhere.
func NewPattern(text string) (*Pattern, error) {
	if len(text) > longestPattern {
		return nil, fmt.Errorf("a pattern has at most %d characters", longestPattern)
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("this is no regular expression: %w", err)
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("this is no regular expression: %w", err)
	}
	if text == "" || re.MatchString("") {
		return nil, errors.New("a pattern that matches nothing at all matches everywhere")
	}
	p := &Pattern{re: re, reach: window}
	if n := longest(parsed); n >= 0 && n < window {
		p.reach = n + utf8.UTFMax // and what decides about \b behind it
	}
	return p, nil
}

// longest is the length of the longest text that matches, in bytes; -1: there is
// no bound, or a large one.
func longest(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral:
		return utf8.UTFMax * len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return utf8.UTFMax
	case syntax.OpCapture, syntax.OpQuest:
		return longest(re.Sub[0])
	case syntax.OpRepeat:
		n := longest(re.Sub[0])
		if re.Max < 0 || n < 0 || n*re.Max > window {
			return -1
		}
		return n * re.Max
	case syntax.OpStar, syntax.OpPlus:
		return -1
	case syntax.OpConcat, syntax.OpAlternate:
		sum, most := 0, 0
		for _, sub := range re.Sub {
			n := longest(sub)
			if n < 0 || sum > window {
				return -1
			}
			sum, most = sum+n, max(most, n)
		}
		if re.Op == syntax.OpAlternate {
			return most
		}
		return sum
	}
	return 0
}

// find is Kinds.scan for a pattern.
func (p *Pattern) find(text string, from int, final bool, out []Match) (matches []Match, safe int) {
	safe = len(text)
	if !final {
		safe = max(from, len(text)-p.reach)
	}
	base := 0 // what stands before from tells where words begin
	for from < len(text) {
		at := p.re.FindStringIndex(text[base:])
		if at == nil {
			break
		}
		m := Match{From: base + at[0], To: base + at[1]}
		if m.From < from { // it was decided about already
			if base == from {
				break
			}
			base = from
			continue
		}
		if m.To == len(text) && !final {
			safe = min(safe, m.From)
		}
		if m.To == m.From { // an empty match, such as of \b
			m.To++
			base = m.To
			from = m.To
			continue
		}
		out = append(out, m)
		base, from = m.To, m.To
	}
	for safe > 0 && safe < len(text) && !utf8.RuneStart(text[safe]) {
		safe--
	}
	return out, safe
}
