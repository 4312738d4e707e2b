package proxy

import (
	"bytes"
	"errors"
)

// Path is a request's path in its one normal form.
type Path struct {
	// Sent is what goes to the backend: no empty and no dot segments, every
	// character that needs no escape unescaped, escapes in upper case. It begins
	// with "/", and ends with one if the request's does.
	Sent []byte
	// Match is what patterns are compared with: Sent without the parameters of
	// segments (";x=1"), in lower case, without a slash at its end. Nothing of
	// that tells two resources apart at every backend, so it must not lead past
	// a route either. It is the same memory as Sent where they do not differ.
	Match []byte

	sent, match []byte // memory of the two
}

// What a path may not hold. A backend may take each for something else than we do.
var (
	errPathForm   = errors.New("the path must begin with a slash")
	errPathEscape = errors.New("the path holds a percent sign that begins no escape")
	errPathByte   = errors.New("the path holds a control character, a space, a fragment or a backslash")
	errPathAbove  = errors.New("the path leads above its root")
	errPathHidden = errors.New("the path hides a dot segment behind an escaped slash")
)

// The kinds of a byte in a path.
const (
	bad     = iota // not in a path, in whatever form
	escaped        // only as an escape
	plain          // as it is, and never as an escape
	upper          // likewise; matched in lower case
	special        // plain, and asks for a closer look: . and /
)

var kinds = func() (k [256]byte) {
	for i := range k {
		switch c := byte(i); {
		case c <= ' ' && c != ' ', c == 0x7f, c == '\\':
			k[i] = bad
		case c >= 'A' && c <= 'Z':
			k[i] = upper
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', bytes.IndexByte([]byte("-_~!$&'()*+,=:@"), c) >= 0:
			k[i] = plain
		case c == '.', c == '/':
			k[i] = special
		default:
			k[i] = escaped
		}
	}
	return k
}()

// Normalise reads the path of a request's target, without its query. What p
// holds is valid until the next call, and while raw is.
func (p *Path) Normalise(raw []byte) error {
	if len(raw) == 0 || raw[0] != '/' {
		return errPathForm
	}
	for i, c := range raw {
		switch kinds[c] {
		case plain:
			continue
		case special: // which is fine, unless it is doubled, or begins or ends a segment that asks for more
			if i == 0 || raw[i-1] != '/' && (c != '/' || i < len(raw)-1) {
				continue
			}
		}
		return p.slow(raw)
	}
	p.Sent, p.Match = raw, raw
	return nil
}

// slow rewrites the path segment by segment.
func (p *Path) slow(raw []byte) error {
	sent, tail := p.sent[:0], true
	for rest := raw[1:]; ; {
		segment, more, found := bytes.Cut(rest, []byte{'/'})
		rest = more
		start := len(sent)
		var err error
		if sent, err = appendSegment(append(sent, '/'), segment); err != nil {
			return err
		}
		segment = sent[start+1:]
		switch name := bareName(segment); {
		case len(name) == 0, string(name) == ".":
			sent, tail = sent[:start], true
		case string(name) == "..":
			up := bytes.LastIndexByte(sent[:start], '/')
			if up < 0 {
				return errPathAbove
			}
			sent, tail = sent[:up], true
		case hidesDots(segment):
			return errPathHidden
		default:
			tail = false
		}
		if !found {
			break
		}
	}
	p.match = appendMatch(p.match[:0], sent)
	if tail {
		sent = append(sent, '/')
	}
	p.sent, p.Sent, p.Match = sent, sent, p.match
	return nil
}

// appendSegment writes a segment with the escapes that it needs.
func appendSegment(dst, segment []byte) ([]byte, error) {
	const hex = "0123456789ABCDEF"
	for i := 0; i < len(segment); i++ {
		c, was := segment[i], false
		if c == '%' {
			if i+2 >= len(segment) || unhex(segment[i+1]) > 15 || unhex(segment[i+2]) > 15 {
				return dst, errPathEscape
			}
			c, was = unhex(segment[i+1])<<4|unhex(segment[i+2]), true
			i += 2
		}
		switch k := kinds[c]; {
		case k == bad, !was && (c == ' ' || c == '#' || c == '?'):
			return dst, errPathByte
		case k == escaped && !(c == ';' && !was), c == '/':
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return dst, nil
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

// bareName is a segment without its parameters, which some backends take off
// before they look at it: "..;" is "..".
func bareName(segment []byte) []byte {
	for i, c := range segment {
		if c == ';' || c == '%' && i+2 < len(segment) && segment[i+1] == '3' && segment[i+2] == 'B' {
			return segment[:i]
		}
	}
	return segment
}

var escapedSlash = []byte("%2F")

// hidesDots tells whether a backend that reads an escaped slash as a slash
// would find a dot segment.
func hidesDots(segment []byte) bool {
	if !bytes.Contains(segment, escapedSlash) {
		return false
	}
	for more := true; more; {
		var part []byte
		part, segment, more = bytes.Cut(segment, escapedSlash)
		if name := bareName(part); string(name) == "." || string(name) == ".." {
			return true
		}
	}
	return false
}

// appendMatch writes the form that patterns are compared with.
func appendMatch(dst, sent []byte) []byte {
	for len(sent) > 0 {
		segment := sent[1:]
		if i := bytes.IndexByte(segment, '/'); i >= 0 {
			segment = segment[:i]
		}
		sent = sent[1+len(segment):]
		dst = append(dst, '/')
		for _, c := range bareName(segment) {
			if c >= 'A' && c <= 'Z' {
				c |= 0x20
			}
			dst = append(dst, c)
		}
	}
	if len(dst) == 0 {
		dst = append(dst, '/')
	}
	return dst
}

// cut takes the first segment off, and gives it as it is matched.
func (p *Path) cut() []byte {
	first := p.Match[1:]
	if i := bytes.IndexByte(first, '/'); i >= 0 {
		first = first[:i]
	}
	p.Match = p.Match[1+len(first):]
	if len(p.Match) == 0 {
		p.Match = []byte{'/'}
	}
	if i := bytes.IndexByte(p.Sent[1:], '/'); i >= 0 {
		p.Sent = p.Sent[1+i:]
	} else {
		p.Sent = []byte{'/'}
	}
	return first
}

// Segment is the nth segment of the path as it is sent, parameters left out; n
// begins at 0. There is none: empty.
func (p *Path) Segment(n int) []byte {
	rest := p.Sent[1:]
	for ; ; n-- {
		segment, more, found := bytes.Cut(rest, []byte{'/'})
		if n == 0 {
			return bareName(segment)
		}
		if !found {
			return nil
		}
		rest = more
	}
}
