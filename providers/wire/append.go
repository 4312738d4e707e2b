package wire

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// The functions below append one field of an object, after a comma where one
// is due, and nothing where the value is empty or nil.

// AppendText appends a field with a string.
func AppendText(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return AppendString(AppendKey(dst, name), value)
}

// AppendInt appends a field with an integer.
func AppendInt(dst []byte, name string, value *int64) []byte {
	if value == nil {
		return dst
	}
	return strconv.AppendInt(AppendKey(dst, name), *value, 10)
}

// AppendFloat appends a field with a number.
func AppendFloat(dst []byte, name string, value *float64) []byte {
	if value == nil {
		return dst
	}
	return strconv.AppendFloat(AppendKey(dst, name), *value, 'g', -1, 64)
}

// AppendBool appends a field with true or false.
func AppendBool(dst []byte, name string, value *bool) []byte {
	if value == nil {
		return dst
	}
	return strconv.AppendBool(AppendKey(dst, name), *value)
}

// AppendRaw appends a field whose value is JSON already.
func AppendRaw(dst []byte, name string, value json.RawMessage) []byte {
	if len(value) == 0 {
		return dst
	}
	return append(AppendKey(dst, name), value...)
}

// AppendTexts appends a field with a list of strings.
func AppendTexts(dst []byte, name string, list []string) []byte {
	if len(list) == 0 {
		return dst
	}
	dst = append(AppendKey(dst, name), '[')
	for _, s := range list {
		dst = AppendString(AppendComma(dst), s)
	}
	return append(dst, ']')
}

// Marshal is json.Marshal without the escaping of <, > and &.
func Marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(buf.Bytes(), "\n"), nil
}
