package proxy

import (
	"bytes"
	"encoding/json"
	"strconv"

	"sluice/prompts/ordered"
)

// exact is the largest whole number up to which floats hold each one.
const exact = 1 << 53

// celValue is a value as expressions reckon with it: numbers are floats, but
// whole ones that a float would not hold.
func celValue(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, err := strconv.ParseInt(string(v), 10, 64); err == nil && (i > exact || i < -exact) {
			return i
		}
		f, _ := v.Float64() // beyond all floats: infinity, which no JSON is made of
		return f
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = celValue(v[i])
		}
		return list
	case ordered.Object:
		m := make(map[string]any, len(v))
		for i := range v {
			m[v[i].Key] = celValue(v[i].Value)
		}
		return m
	}
	return v
}

// fromGo is a value of encoding/json as one of package ordered.
func fromGo(v any) (any, error) {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		return nil, err
	}
	return ordered.Decode(b.Bytes())
}
