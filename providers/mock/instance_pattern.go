package mock

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// matching is a short string that matches a pattern and has at least the given
// number of characters; ok is false where none was found.
func matching(pattern string, least int) (value string, ok bool) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return "", false
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "", false
	}
	// Repetitions are made longer until the string is long enough.
	for extra := 0; extra <= max(least, 1); extra++ {
		var b strings.Builder
		appendMatch(&b, tree, extra)
		if v := b.String(); re.MatchString(v) && utf8.RuneCountInString(v) >= least {
			return v, true
		}
	}
	return "", false
}

// appendMatch writes something that the expression matches, with extra more
// repetitions than the least where more are allowed.
func appendMatch(b *strings.Builder, re *syntax.Regexp, extra int) {
	repeat := func(least, most int) {
		n := least + extra
		if most >= 0 {
			n = min(n, most)
		}
		for range min(n, 1000) {
			appendMatch(b, re.Sub[0], 0)
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		b.WriteRune(pick(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('a')
	case syntax.OpCapture:
		appendMatch(b, re.Sub[0], extra)
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			appendMatch(b, sub, extra)
		}
	case syntax.OpAlternate:
		appendMatch(b, re.Sub[0], extra)
	case syntax.OpStar:
		repeat(0, -1)
	case syntax.OpPlus:
		repeat(1, -1)
	case syntax.OpQuest:
		repeat(0, 1)
	case syntax.OpRepeat:
		repeat(re.Min, re.Max)
	}
}

// pick is a readable character of a class, given as pairs of bounds.
func pick(ranges []rune) rune {
	for _, want := range []rune{'a', 'A', '0', '-', ' '} {
		for i := 0; i+1 < len(ranges); i += 2 {
			if ranges[i] <= want && want <= ranges[i+1] {
				return want
			}
		}
	}
	if len(ranges) == 0 {
		return 'a'
	}
	return ranges[0]
}
