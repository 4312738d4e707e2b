package prompts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// decodeValue reads one JSON document as what encoding/json makes of it,
// numbers kept as they are written. Of a key that is there twice, the last
// value counts.
func decodeValue(body []byte) (v any, err error) {
	r := plainReader{doc: string(body)}
	if v, ok := r.value(0); ok && r.next() == 0 && r.at == len(r.doc) {
		return v, nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("the input is not JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("the input is not JSON: there is more after its end")
	}
	return v, nil
}

// maxPlainDepth is how deep a plainReader goes into a document.
const maxPlainDepth = 64

// plainReader reads the JSON that most callers send, at a quarter of the time
// that a json.Decoder takes. Whatever it does not know for certain, faults
// included, it leaves to one: it gives no error.
type plainReader struct {
	doc string // strings without escapes are views of it
	at  int
}

// next is the next byte that is no white space; 0: there is none.
func (r *plainReader) next() byte {
	for ; r.at < len(r.doc); r.at++ {
		switch b := r.doc[r.at]; b {
		case ' ', '\n', '\r', '\t':
		default:
			return b
		}
	}
	return 0
}

// take goes past a byte, if it is the next one.
func (r *plainReader) take(b byte) bool {
	if r.next() != b {
		return false
	}
	r.at++
	return true
}

func (r *plainReader) value(depth int) (any, bool) {
	if depth > maxPlainDepth {
		return nil, false
	}
	switch b := r.next(); b {
	case '{':
		return r.object(depth)
	case '[':
		return r.list(depth)
	case '"':
		return r.text()
	case 't':
		return true, r.word("true")
	case 'f':
		return false, r.word("false")
	case 'n':
		return nil, r.word("null")
	}
	return r.number()
}

func (r *plainReader) word(w string) bool {
	ok := strings.HasPrefix(r.doc[r.at:], w)
	r.at += len(w)
	return ok
}

func (r *plainReader) object(depth int) (any, bool) {
	r.at++
	out := map[string]any{}
	if r.take('}') {
		return out, true
	}
	for {
		if r.next() != '"' {
			return nil, false
		}
		key, ok := r.text()
		if !ok || !r.take(':') {
			return nil, false
		}
		if out[key], ok = r.value(depth + 1); !ok {
			return nil, false
		}
		if !r.take(',') {
			return out, r.take('}')
		}
	}
}

func (r *plainReader) list(depth int) (any, bool) {
	r.at++
	out := []any{}
	if r.take(']') {
		return out, true
	}
	for {
		v, ok := r.value(depth + 1)
		if !ok {
			return nil, false
		}
		if out = append(out, v); !r.take(',') {
			return out, r.take(']')
		}
	}
}

// text reads a string, of which the opening quote is the next byte.
func (r *plainReader) text() (string, bool) {
	from, escaped := r.at, false
	if s, _, ok := strings.Cut(r.doc[from+1:], `"`); ok && strings.IndexByte(s, '\\') < 0 { // most are
		r.at += len(s) + 2
		return s, !hasControl(s) && utf8.ValidString(s)
	}
	for i := from + 1; i < len(r.doc); i++ {
		switch b := r.doc[i]; {
		case b == '\\':
			escaped = true
			i++
		case b < ' ':
			return "", false
		case b == '"':
			r.at = i + 1
			s := r.doc[from+1 : i]
			if escaped {
				err := json.Unmarshal([]byte(r.doc[from:r.at]), &s)
				return s, err == nil
			}
			return s, utf8.ValidString(s)
		}
	}
	return "", false
}

func hasControl(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' {
			return true
		}
	}
	return false
}

// number reads a number in JSON's grammar: no zero in front, no bare point.
func (r *plainReader) number() (any, bool) {
	from := r.at
	if r.at < len(r.doc) && r.doc[r.at] == '-' {
		r.at++
	}
	whole := r.digits()
	ok := whole == 1 || whole > 1 && r.doc[r.at-whole] != '0'
	if r.at < len(r.doc) && r.doc[r.at] == '.' {
		r.at++
		ok = r.digits() > 0 && ok
	}
	if r.at < len(r.doc) && r.doc[r.at]|0x20 == 'e' {
		if r.at++; r.at < len(r.doc) && (r.doc[r.at] == '+' || r.doc[r.at] == '-') {
			r.at++
		}
		ok = r.digits() > 0 && ok
	}
	return json.Number(r.doc[from:r.at]), ok
}

// digits goes past digits and counts them.
func (r *plainReader) digits() int {
	from := r.at
	for r.at < len(r.doc) && r.doc[r.at] >= '0' && r.doc[r.at] <= '9' {
		r.at++
	}
	return r.at - from
}
