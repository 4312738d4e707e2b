package handlebars

import "strings"

// blanks are what control strips: what a regular expression's \s matches.
const blanks = " \t\n\r\v\f\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"

// control applies the rules of white space to a parsed template: a tilde
// strips all white space on its side, and a block tag, comment or partial that
// stands alone on a line takes the line with it.
func control(root *program) { controlProgram(root, true) }

// marks is what a statement asks of its neighbours.
type marks struct {
	strip                              strip
	openAlone, closeAlone, inlineAlone bool
}

func controlProgram(prog *program, root bool) {
	body := prog.body
	for i, n := range body {
		var m marks
		switch n := n.(type) {
		case *mustache:
			m.strip = n.strip
		case *comment:
			m = marks{strip: n.strip, inlineAlone: true}
		case *partial:
			m = marks{strip: n.strip, inlineAlone: true}
		case *block:
			m = controlBlock(n)
		default:
			continue
		}
		before, after := blankBefore(body, i, root), blankAfter(body, i, root)
		if m.strip.close {
			stripAfter(body, i, true)
		}
		if m.strip.open {
			stripBefore(body, i, true)
		}
		if m.inlineAlone && before && after {
			stripAfter(body, i, false)
			if p, ok := n.(*partial); ok && stripBefore(body, i, false) {
				p.indent = lastIndent(body[i-1].(*text).original)
			} else if !ok {
				stripBefore(body, i, false)
			}
		}
		if b, ok := n.(*block); ok {
			if m.openAlone && before {
				stripAfter(first(b.main, b.inverse).body, -1, false)
				stripBefore(body, i, false)
			}
			if m.closeAlone && after {
				stripAfter(body, i, false)
				last := first(b.inverse, b.main).body
				stripBefore(last, len(last), false)
			}
		}
	}
}

// first is the first of two programs that is there.
func first(a, b *program) *program {
	if a != nil {
		return a
	}
	return b
}

func controlBlock(b *block) marks {
	if b.main != nil {
		controlProgram(b.main, false)
	}
	if b.inverse != nil {
		controlProgram(b.inverse, false)
	}
	main, inverse := b.main, b.inverse
	if main == nil {
		main, inverse = inverse, nil
	}
	firstInverse, lastInverse := inverse, inverse
	if inverse != nil && inverse.chained {
		firstInverse = inverse.body[0].(*block).main
		for lastInverse.chained {
			inner := lastInverse.body[0].(*block)
			lastInverse = first(inner.inverse, inner.main)
		}
	}
	closing := first(firstInverse, main)
	m := marks{
		strip:      strip{b.openStrip.open, b.closeStrip.close},
		openAlone:  blankAfter(main.body, -1, false),
		closeAlone: blankBefore(closing.body, len(closing.body), false),
	}
	if b.openStrip.close {
		stripAfter(main.body, -1, true)
	}
	if inverse == nil {
		if b.closeStrip.open {
			stripBefore(main.body, len(main.body), true)
		}
		return m
	}
	if b.inverseStrip.open {
		stripBefore(main.body, len(main.body), true)
	}
	if b.inverseStrip.close {
		stripAfter(firstInverse.body, -1, true)
	}
	if b.closeStrip.open {
		stripBefore(lastInverse.body, len(lastInverse.body), true)
	}
	// An else that stands alone on its line.
	if blankBefore(main.body, len(main.body), false) && blankAfter(firstInverse.body, -1, false) {
		stripBefore(main.body, len(main.body), false)
		stripAfter(firstInverse.body, -1, false)
	}
	return m
}

// blankBefore tells whether only blanks stand between the start of the line
// and body[i].
func blankBefore(body []node, i int, root bool) bool {
	if i < 1 {
		return root
	}
	t, ok := body[i-1].(*text)
	if !ok {
		return false
	}
	s := strings.TrimRight(t.original, blanks)
	rest := t.original[len(s):]
	return strings.Contains(rest, "\n") || (i == 1 && root && s == "")
}

// blankAfter tells whether only blanks stand between body[i] and the end of
// the line.
func blankAfter(body []node, i int, root bool) bool {
	if i+1 >= len(body) {
		return root
	}
	t, ok := body[i+1].(*text)
	if !ok {
		return false
	}
	s := strings.TrimLeft(t.original, blanks)
	rest := t.original[:len(t.original)-len(s)]
	return strings.Contains(rest, "\n") || (i+2 >= len(body) && root && s == "")
}

// stripAfter strips the text after body[i]: all its white space, or the rest
// of the line.
func stripAfter(body []node, i int, all bool) {
	if i+1 >= len(body) {
		return
	}
	t, ok := body[i+1].(*text)
	if !ok || (!all && t.rightStripped) {
		return
	}
	was := t.value
	if all {
		t.value = strings.TrimLeft(was, blanks)
	} else {
		s := strings.TrimLeft(was, " \t")
		s = strings.TrimPrefix(s, "\r")
		if rest, ok := strings.CutPrefix(s, "\n"); ok {
			t.value = rest
		} else {
			t.value = strings.TrimLeft(was, " \t")
		}
	}
	t.rightStripped = t.value != was
}

// stripBefore strips the text before body[i]: all its white space, or the
// indent of the line. It tells whether there was any.
func stripBefore(body []node, i int, all bool) bool {
	if i < 1 {
		return false
	}
	t, ok := body[i-1].(*text)
	if !ok || (!all && t.leftStripped) {
		return false
	}
	was := t.value
	if all {
		t.value = strings.TrimRight(was, blanks)
	} else {
		t.value = strings.TrimRight(was, " \t")
	}
	t.leftStripped = t.value != was
	return t.leftStripped
}

func lastIndent(s string) string { return s[len(strings.TrimRight(s, " \t")):] }
