package wire

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// maxDepth is how deep arrays and objects may nest. Real requests stay below
// thirty.
const maxDepth = 512

// Valid tells whether b is one JSON value, nested no deeper than maxDepth, and
// nothing else. It takes what encoding/json takes, at about a third of the
// time of gjson's check, which also recurses without bound: every request
// passes here, and most of it is strings.
func Valid(b []byte) bool {
	c := checker{b: b}
	return c.value() && c.atEnd()
}

// checker walks a document without recursion. A bit a level says whether the
// level is an object.
type checker struct {
	b       []byte
	i       int
	depth   int
	objects [maxDepth / 64]uint64
}

// atEnd tells whether nothing but white space is left.
func (c *checker) atEnd() bool { return c.next() == 0 && c.i == len(c.b) }

// value reads one value, with all that it holds.
func (c *checker) value() bool {
	for {
		opened, ok := c.begin()
		if !ok {
			return false
		}
		for !opened {
			if c.depth == 0 {
				return true
			}
			object := c.inObject()
			switch c.next() {
			case ',':
				c.i++
				if object && !c.key() {
					return false
				}
				opened = true
			case '}':
				if !object {
					return false
				}
				c.i++
				c.depth--
			case ']':
				if object {
					return false
				}
				c.i++
				c.depth--
			default:
				return false
			}
		}
	}
}

// begin reads a scalar, an empty array or object, or the beginning of another
// up to its first value; opened says that a value must follow.
func (c *checker) begin() (opened, ok bool) {
	switch b := c.next(); b {
	case '{', '[':
		c.i++
		if c.depth == maxDepth {
			return false, false
		}
		word, bit := c.depth/64, uint64(1)<<(c.depth%64)
		c.depth++
		if b == '[' {
			c.objects[word] &^= bit
			return c.next() != ']', true
		}
		c.objects[word] |= bit
		if c.next() == '}' {
			return false, true
		}
		return true, c.key()
	case '"':
		return false, c.text()
	case 't':
		return false, c.literal("true")
	case 'f':
		return false, c.literal("false")
	case 'n':
		return false, c.literal("null")
	}
	return false, c.number()
}

func (c *checker) inObject() bool {
	return c.objects[(c.depth-1)/64]&(1<<((c.depth-1)%64)) != 0
}

// next is the next byte that is not white space, or 0 at the end.
func (c *checker) next() byte {
	for ; c.i < len(c.b); c.i++ {
		if b := c.b[c.i]; b > ' ' || b != ' ' && b != '\n' && b != '\r' && b != '\t' {
			return b
		}
	}
	return 0
}

// key reads a key and its colon.
func (c *checker) key() bool {
	if c.next() != '"' || !c.text() || c.next() != ':' {
		return false
	}
	c.i++
	return true
}

func (c *checker) literal(word string) bool {
	if len(c.b)-c.i < len(word) || string(c.b[c.i:c.i+len(word)]) != word {
		return false
	}
	c.i += len(word)
	return true
}

func (c *checker) digits() bool {
	from := c.i
	for c.i < len(c.b) && c.b[c.i] >= '0' && c.b[c.i] <= '9' {
		c.i++
	}
	return c.i > from
}

func (c *checker) number() bool {
	if c.at() == '-' {
		c.i++
	}
	if c.at() == '0' {
		c.i++
	} else if !c.digits() {
		return false
	}
	if c.at() == '.' {
		c.i++
		if !c.digits() {
			return false
		}
	}
	if c.at()|0x20 == 'e' {
		c.i++
		if c.at() == '+' || c.at() == '-' {
			c.i++
		}
		return c.digits()
	}
	return true
}

// at is the byte here, or 0 at the end.
func (c *checker) at() byte {
	if c.i < len(c.b) {
		return c.b[c.i]
	}
	return 0
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special has the high bit of each byte of w set that is a quote, a backslash
// or a control character; bits above the lowest one set may be wrong.
func special(w uint64) uint64 {
	quote, slash := w^(ones*'"'), w^(ones*'\\')
	return ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*' ')&^w) & highs
}

// Plain is how many bytes s begins with that stand for themselves in a JSON
// string: ASCII but for quotes, backslashes and control characters.
func Plain(s string) int {
	i, b := 0, []byte(s) // no copy: it is only read
	for ; len(b)-i >= 8; i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		if found := special(w) | w&highs; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' && b[i] < utf8.RuneSelf {
		i++
	}
	return i
}

// text reads a string, eight bytes at a time where they are plain.
func (c *checker) text() bool {
	b := c.b
	for i := c.i + 1; i < len(b); {
		if len(b)-i >= 8 {
			found := special(binary.LittleEndian.Uint64(b[i:]))
			if found == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(found) / 8
		}
		switch {
		case b[i] == '"':
			c.i = i + 1
			return true
		case b[i] == '\\':
			n := escape(b[i+1:])
			if n == 0 {
				return false
			}
			i += 1 + n
		case b[i] < ' ':
			return false
		default:
			i++
		}
	}
	return false
}

// escape is the length of the escape that b begins with, behind its backslash;
// 0: there is none.
func escape(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	switch b[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 1
	case 'u':
		if len(b) < 5 {
			return 0
		}
		for _, x := range b[1:5] {
			if !(x >= '0' && x <= '9' || x|0x20 >= 'a' && x|0x20 <= 'f') {
				return 0
			}
		}
		return 5
	}
	return 0
}
