package wire

import (
	"encoding/json"
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
)

// Number reads a number; name is the field's, for the error.
func Number(name string, v gjson.Result) (*float64, error) {
	if v.Type != gjson.Number {
		return nil, schema.Invalid(name, "%s must be a number", name)
	}
	return &v.Num, nil
}

// maxExact is where float64 stops to tell integers apart.
const maxExact = 1 << 53

// Integer reads an integer, also one written 1.0 or 1e3.
func Integer(name string, v gjson.Result) (*int64, error) {
	n, err := strconv.ParseInt(v.Raw, 10, 64)
	if err != nil && v.Type == gjson.Number && v.Num >= -maxExact && v.Num <= maxExact && v.Num == float64(int64(v.Num)) {
		n, err = int64(v.Num), nil
	}
	if v.Type != gjson.Number || err != nil {
		return nil, schema.Invalid(name, "%s must be an integer", name)
	}
	return &n, nil
}

// Boolean reads true or false.
func Boolean(name string, v gjson.Result) (bool, error) {
	if !v.IsBool() {
		return false, schema.Invalid(name, "%s must be a boolean", name)
	}
	return v.Bool(), nil
}

// Text reads a string.
func Text(name string, v gjson.Result) (string, error) {
	if v.Type != gjson.String {
		return "", schema.Invalid(name, "%s must be a string", name)
	}
	return v.Str, nil
}

// TextIn reads a string of an object that may be absent or null; at is where the
// object stands.
func TextIn(object gjson.Result, at, name string) (string, error) {
	v := object.Get(name)
	if v.Type == gjson.Null {
		return "", nil
	}
	return Text(at+"."+name, v)
}

// Texts reads a list of strings.
func Texts(name string, v gjson.Result) ([]string, error) {
	if !v.IsArray() {
		return nil, schema.Invalid(name, "%s must be a list of strings", name)
	}
	var out []string
	for _, item := range v.Array() {
		if item.Type != gjson.String {
			return nil, schema.Invalid(name, "%s must be a list of strings", name)
		}
		out = append(out, item.Str)
	}
	return out, nil
}

// RawObject is an object's text, or nil.
func RawObject(v gjson.Result) json.RawMessage {
	if !v.IsObject() {
		return nil
	}
	return json.RawMessage(v.Raw)
}

// Others gives the fields of an object that are neither null nor in known,
// verbatim; nil where there are none.
func Others(object gjson.Result, known ...string) map[string]json.RawMessage {
	var out map[string]json.RawMessage
	object.ForEach(func(key, v gjson.Result) bool {
		for _, name := range known {
			if key.Str == name {
				return true
			}
		}
		if v.Type != gjson.Null {
			if out == nil {
				out = make(map[string]json.RawMessage)
			}
			out[key.Str] = json.RawMessage(v.Raw)
		}
		return true
	})
	return out
}

// StringEnd is the length of the JSON string, escapes and all, whose opening
// quote stands before b; that of b where no quote ends it.
func StringEnd(b []byte) int {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i
		case '\\':
			i++
		}
	}
	return len(b)
}

// Pairs gives f the fields of an object of strings, such as metadata.
func Pairs(name string, v gjson.Result, f func(key, value string)) (err error) {
	if !v.IsObject() {
		return schema.Invalid(name, "%s must be an object of strings", name)
	}
	v.ForEach(func(key, value gjson.Result) bool {
		if value.Type != gjson.String {
			err = schema.Invalid(name, "%s.%s must be a string", name, key.Str)
			return false
		}
		f(key.Str, value.Str)
		return true
	})
	return err
}

// Each walks an array; what is none (a null, most often) has no elements.
func Each(v gjson.Result, f func(gjson.Result)) {
	if v.IsArray() {
		v.ForEach(func(_, item gjson.Result) bool { f(item); return true })
	}
}

// EachField gives f each field of a request that is not null, until f fails. The
// strings that it gives are part of raw.
func EachField(raw gjson.Result, f func(name string, v gjson.Result) error) (err error) {
	if !raw.IsObject() {
		return schema.Invalid("", "the body is not a JSON object")
	}
	raw.ForEach(func(key, v gjson.Result) bool {
		if v.Type != gjson.Null {
			err = f(key.Str, v)
		}
		return err == nil
	})
	return err
}

// Arguments is the input of a call, where a provider sends JSON, as the text
// that OpenAI has; one without input gets {}.
func Arguments(input json.RawMessage) string {
	if !Says(input) {
		return "{}"
	}
	return string(input)
}
