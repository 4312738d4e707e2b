package lenient

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"sluice/prompts/ordered"
)

// maxDepth bounds the nesting of what is read.
const maxDepth = 200

// parse reads the value that begins at a position, blanks and comments before
// it skipped, and tells where it ends.
func parse(text string, from int) (v any, end int, ok bool) {
	p := parser{text: text, pos: from}
	v, ok = p.value(0)
	return v, p.pos, ok
}

type parser struct {
	text string
	pos  int
}

// blanks skips white space and comments; it fails at a comment that is never
// closed.
func (p *parser) blanks() bool {
	for p.pos < len(p.text) {
		rest := p.text[p.pos:]
		switch {
		case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
			p.pos++
		case strings.HasPrefix(rest, "\u00a0"):
			p.pos += len("\u00a0")
		case strings.HasPrefix(rest, "//"), rest[0] == '#':
			i := strings.IndexByte(rest, '\n')
			if i < 0 {
				i = len(rest)
			}
			p.pos += i
		case strings.HasPrefix(rest, "/*"):
			i := strings.Index(rest, "*/")
			if i < 0 {
				return false
			}
			p.pos += i + 2
		default:
			return true
		}
	}
	return true
}

func (p *parser) peek() byte {
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

func (p *parser) accept(c byte) bool {
	if p.peek() != c || p.pos >= len(p.text) {
		return false
	}
	p.pos++
	return true
}

func (p *parser) value(depth int) (any, bool) {
	if depth > maxDepth || !p.blanks() {
		return nil, false
	}
	switch {
	case p.accept('{'):
		return p.object(depth)
	case p.accept('['):
		return p.list(depth)
	}
	if s, ok := p.quoted(); ok {
		return s, true
	}
	return p.word()
}

func (p *parser) object(depth int) (any, bool) {
	b := ordered.Builder{}
	for {
		if !p.blanks() {
			return nil, false
		}
		if p.accept('}') {
			return b.Object(), true
		}
		key, ok := p.key()
		if !ok || !p.blanks() || !p.accept(':') {
			return nil, false
		}
		v, ok := p.value(depth + 1)
		if !ok || !p.blanks() {
			return nil, false
		}
		b.Set(key, v)
		if !p.accept(',') && p.peek() != '}' {
			return nil, false
		}
	}
}

func (p *parser) list(depth int) (any, bool) {
	out := []any{}
	for {
		if !p.blanks() {
			return nil, false
		}
		if p.accept(']') {
			return out, true
		}
		v, ok := p.value(depth + 1)
		if !ok || !p.blanks() {
			return nil, false
		}
		out = append(out, v)
		if !p.accept(',') && p.peek() != ']' {
			return nil, false
		}
	}
}

var (
	plainKey = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$-]*`)
	plain    = regexp.MustCompile(`^[A-Za-z0-9+.-]+`)
	number   = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
)

func (p *parser) key() (string, bool) {
	if s, ok := p.quoted(); ok {
		return s, true
	}
	s := plainKey.FindString(p.text[p.pos:])
	p.pos += len(s)
	return s, s != ""
}

// word reads a number, true, false or null, as JSON or Python writes them.
func (p *parser) word() (any, bool) {
	s := plain.FindString(p.text[p.pos:])
	p.pos += len(s)
	switch s {
	case "true", "True":
		return true, true
	case "false", "False":
		return false, true
	case "null", "None":
		return nil, true
	}
	s = strings.TrimPrefix(s, "+")
	if strings.HasPrefix(s, ".") {
		s = "0" + s
	}
	if !number.MatchString(s) {
		return nil, false
	}
	return json.Number(s), true
}

// quotes are the marks that open a string, and those that close it.
var quotes = map[rune]rune{'"': '"', '\'': '\'', '“': '”'}

// quoted reads a string; it does not move if none begins here.
func (p *parser) quoted() (string, bool) {
	open, n := utf8.DecodeRuneInString(p.text[p.pos:])
	closing, ok := quotes[open]
	if !ok {
		return "", false
	}
	from := p.pos
	p.pos += n
	var b strings.Builder
	for p.pos < len(p.text) {
		r, n := utf8.DecodeRuneInString(p.text[p.pos:])
		p.pos += n
		switch r {
		case closing:
			return b.String(), true
		case '\\':
			p.escape(&b)
		default:
			b.WriteRune(r)
		}
	}
	p.pos = from
	return "", false
}

// escape reads what follows a backslash. A letter that needs none stands for
// itself.
func (p *parser) escape(b *strings.Builder) {
	r, n := utf8.DecodeRuneInString(p.text[p.pos:])
	p.pos += n
	switch r {
	case 'n':
		b.WriteByte('\n')
	case 't':
		b.WriteByte('\t')
	case 'r':
		b.WriteByte('\r')
	case 'b':
		b.WriteByte('\b')
	case 'f':
		b.WriteByte('\f')
	case 'u':
		first, ok := p.hex()
		if !ok {
			b.WriteByte('u')
			return
		}
		if utf16.IsSurrogate(first) && strings.HasPrefix(p.text[p.pos:], `\u`) {
			back := p.pos
			p.pos += 2
			second, ok := p.hex()
			if pair := utf16.DecodeRune(first, second); ok && pair != utf8.RuneError {
				b.WriteRune(pair)
				return
			}
			p.pos = back
		}
		b.WriteRune(first) // a lone surrogate becomes U+FFFD
	default:
		if n > 0 {
			b.WriteRune(r)
		}
	}
}

func (p *parser) hex() (rune, bool) {
	if len(p.text)-p.pos < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(p.text[p.pos:p.pos+4], 16, 32)
	if err != nil {
		return 0, false
	}
	p.pos += 4
	return rune(n), true
}
