package wire

import (
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
)

// maxDepth is how deep arrays and objects may nest. Real requests stay below
// thirty; a body of open brackets would exhaust the stack.
const maxDepth = 512

// View is b as a string without a copy. It changes when b does.
func View(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Valid tells whether b is one JSON value, not nested beyond reason, and
// nothing else.
func Valid(b []byte) bool { return !tooDeep(b) && gjson.ValidBytes(b) }

// tooDeep looks at the nesting. Few openers cannot nest deep, and they are
// counted at memory speed.
func tooDeep(b []byte) bool {
	openers := 0
	for _, opener := range []string{"[", "{"} {
		openers += strings.Count(View(b), opener)
	}
	if openers <= maxDepth {
		return false
	}
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth > maxDepth {
				return true
			}
		case c == ']' || c == '}':
			depth--
		}
	}
	return false
}

// Object walks the fields of the JSON object raw once and gives f those in
// names, with their place in names; value.Index is the value's offset in raw,
// and value's text is a view of raw. What is not a JSON object is invalid_json.
// A field of names that stands there twice, or in another case (which some
// parsers take for the same), is invalid_request: the gateway and the provider
// would read different things. There may be at most 64 names.
func Object(raw []byte, names []string, f func(field int, value gjson.Result) error) error {
	if !Valid(raw) {
		return badJSON("the body is not valid JSON")
	}
	root := gjson.Parse(View(raw))
	if !root.IsObject() {
		return badJSON("the body is not a JSON object")
	}
	return fields(root, names, f)
}

// Fields is Object for an object within a body that Object has checked;
// offsets are those of the whole body.
func Fields(object gjson.Result, names []string, f func(field int, value gjson.Result) error) error {
	return fields(object, names, f)
}

func fields(object gjson.Result, names []string, f func(int, gjson.Result) error) error {
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
			err = schema.Invalid(names[at], "the field %q stands in the body twice", names[at])
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
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
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
