package handlebars

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// tagKind says what a pair of braces opens.
type tagKind uint8

const (
	tagEOF tagKind = iota
	tagOpen
	tagBlock        // {{#
	tagInverseBlock // {{^name
	tagElse         // {{else}} or {{^}}
	tagElseChain    // {{else if …
	tagEnd          // {{/
	tagPartial      // {{>
	tagComment
)

type tag struct {
	kind  tagKind
	line  int
	strip strip // open is known at once, close once the tag has been read
	body  bool  // its expression follows
	close string
}

// lexer reads a template from front to back.
type lexer struct {
	file string
	src  string
	pos  int
	line int
}

// fail ends the parse; parse recovers it.
func (l *lexer) fail(line int, format string, args ...any) {
	panic(&Error{l.file, line, fmt.Sprintf(format, args...)})
}

// advance moves on by n bytes and counts the lines.
func (l *lexer) advance(n int) string {
	s := l.src[l.pos : l.pos+n]
	l.line += strings.Count(s, "\n")
	l.pos += n
	return s
}

// content reads text up to the next tag and gives it in pieces: a backslash
// before {{ makes it text, two backslashes stand for one.
func (l *lexer) content() []string {
	var out []string
	add := func(s string) {
		if s != "" {
			out = append(out, s)
		}
	}
	for {
		rest := l.src[l.pos:]
		i := strings.Index(rest, "{{")
		switch {
		case i < 0:
			add(l.advance(len(rest)))
			return out
		case strings.HasSuffix(rest[:i], `\\`):
			add(l.advance(i - 1))
			l.advance(1)
			return out
		case strings.HasSuffix(rest[:i], `\`):
			add(l.advance(i - 1))
			l.advance(1)
			add(l.advance(l.escaped()))
		default:
			add(l.advance(i))
			return out
		}
	}
}

// escaped is the length of the text that begins with an escaped {{ and ends
// before the next tag, escaped or not.
func (l *lexer) escaped() int {
	rest := l.src[l.pos+2:]
	i := strings.Index(rest, "{{")
	if i < 0 {
		return 2 + len(rest)
	}
	for n := 0; n < 2 && i > 0 && rest[i-1] == '\\'; n++ {
		i--
	}
	return 2 + i
}

// tag reads the opening of a tag, or a whole comment.
func (l *lexer) tag() tag {
	t := tag{line: l.line, close: "}}"}
	if l.pos >= len(l.src) {
		return t
	}
	l.advance(2)
	if strings.HasPrefix(l.src[l.pos:], "{{") {
		l.fail(t.line, "raw blocks {{{{…}}}} are not part of Dotprompt; write \\{{ for braces")
	}
	t.strip.open = l.accept("~")
	t.kind, t.body = tagOpen, true
	switch rest := l.src[l.pos:]; {
	case strings.HasPrefix(rest, "!"):
		l.comment(&t)
	case strings.HasPrefix(rest, "#>"):
		l.fail(t.line, "partial blocks {{#> …}} are not part of Dotprompt")
	case strings.HasPrefix(rest, "#*"), strings.HasPrefix(rest, "*"):
		l.fail(t.line, "decorators {{* …}} are not part of Dotprompt")
	case l.accept("#"):
		t.kind = tagBlock
	case l.accept("/"):
		t.kind = tagEnd
	case l.accept(">"):
		t.kind = tagPartial
	case l.accept("{"):
		t.close = "}}}"
	case l.accept("&"):
	default:
		l.inverse(&t)
	}
	return t
}

// inverse reads {{^}}, {{^name …, {{else}} and {{else name ….
func (l *lexer) inverse(t *tag) {
	if l.accept("^") {
		t.kind = tagInverseBlock
		l.blanks()
		l.elseEnd(t)
		return
	}
	rest := strings.TrimLeft(l.src[l.pos:], " \t\r\n")
	word, ok := strings.CutPrefix(rest, "else")
	if !ok || word == "" || !strings.ContainsRune(" \t\r\n~}", rune(word[0])) {
		return
	}
	l.blanks()
	l.advance(len("else"))
	l.blanks()
	t.kind = tagElseChain
	l.elseEnd(t)
}

// elseEnd turns the tag into a plain else if it closes here.
func (l *lexer) elseEnd(t *tag) {
	rest := l.src[l.pos:]
	if strings.HasPrefix(rest, "}}") || strings.HasPrefix(rest, "~}}") {
		t.kind, t.body = tagElse, false
		l.closeTag(t)
	}
}

func (l *lexer) comment(t *tag) {
	t.kind, t.body = tagComment, false
	rest := l.src[l.pos:]
	var end int
	if strings.HasPrefix(rest, "!--") {
		a, b := strings.Index(rest, "--}}"), strings.Index(rest, "--~}}")
		if b >= 0 && (a < 0 || b < a) {
			end, t.strip.close = b+len("--~}}"), true
		} else {
			end = a + len("--}}")
		}
		if a < 0 && b < 0 {
			l.fail(t.line, "a comment {{!-- is never closed")
		}
	} else {
		i := strings.Index(rest, "}}")
		if i < 0 {
			l.fail(t.line, "a comment {{! is never closed")
		}
		end, t.strip.close = i+2, rest[i-1] == '~'
	}
	l.advance(end)
}

func (l *lexer) accept(s string) bool {
	if strings.HasPrefix(l.src[l.pos:], s) {
		l.advance(len(s))
		return true
	}
	return false
}

// blanks skips white space inside a tag and tells whether there was any.
func (l *lexer) blanks() bool {
	from := l.pos
	for l.pos < len(l.src) && strings.IndexByte(" \t\r\n", l.src[l.pos]) >= 0 {
		l.advance(1)
	}
	return l.pos > from
}

// atClose tells whether the tag's end comes next.
func (l *lexer) atClose() bool {
	rest := l.src[l.pos:]
	return strings.HasPrefix(rest, "}}") || strings.HasPrefix(rest, "~}}") || strings.HasPrefix(rest, "}~}}")
}

// closeTag reads the end of a tag.
func (l *lexer) closeTag(t *tag) {
	l.blanks()
	if t.close == "}}}" {
		if l.accept("}~}}") {
			t.strip.close = true
			return
		}
	} else if l.accept("~") {
		t.strip.close = true
	}
	if l.accept(t.close) {
		return
	}
	if l.pos >= len(l.src) {
		l.fail(t.line, "a tag is never closed")
	}
	r, _ := utf8.DecodeRuneInString(l.src[l.pos:])
	l.fail(l.line, "expected %s, found %q", t.close, r)
}

// notInName are the ASCII characters that end a name.
const notInName = " \t\r\n!\"#%&'()*+,./;<=>@[\\]^`{|}~"

// name reads a plain word; "" if none is here.
func (l *lexer) name() string {
	i := strings.IndexAny(l.src[l.pos:], notInName)
	if i < 0 {
		i = len(l.src) - l.pos
	}
	return l.advance(i)
}

// quoted reads a string between the quotes that come next.
func (l *lexer) quoted() string {
	line, quote := l.line, l.advance(1)
	var out strings.Builder
	for {
		i := strings.Index(l.src[l.pos:], quote)
		if i < 0 {
			l.fail(line, "a string is never closed")
		}
		s := l.advance(i)
		l.advance(1)
		if !strings.HasSuffix(s, `\`) {
			out.WriteString(s)
			return out.String()
		}
		out.WriteString(s[:len(s)-1] + quote)
	}
}
