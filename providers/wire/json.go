package wire

import (
	"bytes"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
)

// View is b as a string without a copy. It changes when b does.
func View(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Object walks the fields of the JSON object raw once, then gives f those in
// names, in the order of names and with their place there; value.Index is the
// value's offset in raw, and value's text is a view of raw. What is not a JSON object is invalid_json.
// A field of names that stands there twice, or in another case (which some
// parsers take for the same), is invalid_request: the gateway and the provider
// would read different things. There may be at most 64 names.
func Object(raw []byte, names []string, f func(field int, value gjson.Result) error) error {
	c := checker{b: raw}
	var values [64]schema.Span
	fault, ok := c.object(names, &values)
	switch {
	case !ok && c.depth == 0 && Valid(raw):
		return badJSON("the body is not a JSON object")
	case !ok:
		return badJSON("the body is not valid JSON")
	case fault != nil:
		return fault
	}
	for field := range names {
		if at := values[field]; at.Present() {
			value := gjson.Parse(View(raw[at.From:at.To]))
			value.Index = at.From
			if err := f(field, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// object reads an object that is the whole document, and finds where the
// values of the named fields stand. fault is what is wrong with a name; ok is
// false where it is no JSON, or no object.
func (c *checker) object(names []string, values *[64]schema.Span) (fault error, ok bool) {
	if c.next() != '{' {
		return nil, false
	}
	c.i++
	for c.next() != '}' {
		c.next()
		from := c.i
		if !c.key() {
			return nil, false
		}
		key := c.b[from:c.i]
		c.next()
		from = c.i
		if !c.value() {
			return nil, false
		}
		if fault == nil {
			fault = place(keyText(key), schema.Span{From: from, To: c.i}, names, values)
		}
		if c.next() != ',' {
			break
		}
		if c.i++; c.next() != '"' {
			return nil, false
		}
	}
	if c.next() != '}' {
		return nil, false
	}
	c.i++
	return fault, c.atEnd()
}

// keyText is a key as it reads, of its text up to the colon.
func keyText(raw []byte) string {
	end := StringEnd(raw[1:]) + 1
	if bytes.IndexByte(raw[1:end], '\\') < 0 {
		return View(raw[1:end])
	}
	return gjson.Parse(View(raw[:end+1])).Str
}

// place notes where a field's value stands.
func place(key string, at schema.Span, names []string, values *[64]schema.Span) error {
	for i, name := range names {
		if key == name {
			if values[i].Present() {
				return twice(name)
			}
			values[i] = at
			return nil
		}
	}
	return caseVariant(key, names)
}

func twice(name string) error {
	return schema.Invalid(name, "the field %q stands in the body twice", name)
}

// Fields is Object for an object within a body that Object has checked;
// offsets are those of the whole body.
func Fields(object gjson.Result, names []string, f func(field int, value gjson.Result) error) error {
	var seen uint64
	var err error
	object.ForEach(func(key, value gjson.Result) bool {
		at := -1
		for i, name := range names {
			if key.Str == name {
				at = i
				break
			}
		}
		if at < 0 {
			err = caseVariant(key.Str, names)
			return err == nil
		}
		if seen&(1<<at) != 0 {
			err = twice(names[at])
			return false
		}
		seen |= 1 << at
		err = f(at, value)
		return err == nil
	})
	return err
}

// caseVariant refuses a key that differs from a name only in case.
func caseVariant(key string, names []string) error {
	ascii := true
	for i := range len(key) {
		ascii = ascii && key[i] < utf8.RuneSelf
	}
	for _, name := range names {
		// Beyond ASCII, letters of other lengths fold to the same (K, ſ).
		if (!ascii || len(key) == len(name)) && strings.EqualFold(key, name) {
			return schema.Invalid(name, "the field %q must be written %q", key, name)
		}
	}
	return nil
}

func badJSON(message string) error {
	return &schema.Error{Code: schema.CodeInvalidJSON, Status: 400, Origin: schema.OriginGateway,
		Class: schema.ClassInvalidRequest, Message: message}
}

const hex = "0123456789abcdef"

// AppendString appends s as a JSON string, quotes included. Bytes that are not
// UTF-8 become U+FFFD; nothing is escaped that need not be.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if n := Plain(s[i:]); n > 0 {
			i += n
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[from:i]...), "\ufffd"...)
				from = i + 1
			}
			i += size
			continue
		}
		dst = append(dst, s[from:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		from = i
	}
	return append(append(dst, s[from:]...), '"')
}

// AppendKey appends "name": to an object, after a comma where one is due.
func AppendKey(dst []byte, name string) []byte {
	dst = AppendComma(dst)
	dst = append(dst, '"')
	dst = append(dst, name...)
	return append(dst, '"', ':')
}

// AppendComma appends a comma unless an object or array has just begun.
func AppendComma(dst []byte) []byte {
	if n := len(dst); n > 0 && (dst[n-1] == '{' || dst[n-1] == '[') {
		return dst
	}
	return append(dst, ',')
}
