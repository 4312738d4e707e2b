package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
)

// decode reads a JSON object into v, a pointer to a struct. A field that v has
// not, or that stands there twice or in another case, is an error that names
// it: a mistyped "budgte" must not make a key without a budget.
func decode(body []byte, v any) error {
	if !gjson.ValidBytes(body) {
		return &schema.Error{Code: schema.CodeInvalidJSON, Status: 400, Origin: schema.OriginGateway, Message: "the body is not valid JSON"}
	}
	parsed := gjson.ParseBytes(body)
	if !parsed.IsObject() {
		return schema.Invalid("", "the body must be a JSON object")
	}
	if err := (fields{values: true}).check(parsed, reflect.TypeOf(v).Elem(), ""); err != nil {
		return err
	}
	err := json.Unmarshal(body, v)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		return schema.Invalid(wrong.Field, "%s must be %s, not a JSON %s", wrong.Field, wanted(wrong.Type), wrong.Value)
	}
	return schema.Invalid("", "%s", strings.TrimPrefix(err.Error(), "json: "))
}

// fields is how an object is compared with a struct.
type fields struct {
	values bool // and not only names
}

// check compares the fields of an object with those of a struct, and goes down
// into the structs that it holds.
func (f fields) check(object gjson.Result, t reflect.Type, path string) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if f.values {
		if err := checkValue(object, t, strings.TrimSuffix(path, ".")); err != nil {
			return err
		}
		f.values = t.Kind() != reflect.Struct || !reflect.PointerTo(t).Implements(readsItself) // which takes other forms too
	}
	for t.Kind() == reflect.Slice && object.IsObject() { // one may stand for a list
		t = t.Elem()
	}
	if t.Kind() == reflect.Slice && object.IsArray() {
		for i, item := range object.Array() {
			if err := f.check(item, t.Elem(), fmt.Sprintf("%s%d.", path, i)); err != nil {
				return err
			}
		}
		return nil
	}
	if t.Kind() == reflect.Map && object.IsObject() {
		var err error
		object.ForEach(func(key, value gjson.Result) bool {
			err = f.check(value, t.Elem(), path+key.String()+".")
			return err == nil
		})
		return err
	}
	if t.Kind() != reflect.Struct || !object.IsObject() {
		return nil
	}
	types, known := map[string]reflect.Type{}, []string(nil)
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		types[name] = field.Type
		known = append(known, name)
	}
	seen := map[string]bool{}
	var err error
	object.ForEach(func(key, value gjson.Result) bool {
		name := key.String()
		full := path + name
		switch {
		case types[name] == nil:
			err = schema.Invalid(full, "unknown field %q%s", full, meant(name, known))
		case seen[name]:
			err = schema.Invalid(full, "field %q is given twice", full)
		default:
			err = f.check(value, types[name], full+".")
		}
		seen[name] = true
		return err == nil
	})
	return err
}

var readsItself = reflect.TypeFor[json.Unmarshaler]()

// checkValue tells whether a value can be what its field holds. What a type that
// reads itself says of it has no name of the field, nor has what is below one.
func checkValue(value gjson.Result, t reflect.Type, path string) error {
	itself := reflect.PointerTo(t).Implements(readsItself)
	if path == "" || value.Type == gjson.Null || t == reflect.TypeFor[json.RawMessage]() {
		return nil
	}
	fits := true
	switch k := t.Kind(); {
	case itself && k != reflect.Slice && k != reflect.Map:
		if err := json.Unmarshal([]byte(value.Raw), reflect.New(t).Interface()); err != nil {
			return schema.Invalid(path, "%s: %s", path, strings.TrimPrefix(err.Error(), "json: "))
		}
	case k == reflect.Bool:
		fits = value.IsBool()
	case k == reflect.String:
		fits = value.Type == gjson.String
	case k == reflect.Int || k == reflect.Int64:
		_, err := strconv.ParseInt(value.Raw, 10, 64)
		fits = err == nil
	case k == reflect.Float64:
		fits = value.Type == gjson.Number
	case k == reflect.Slice:
		fits = value.IsArray() || itself && value.IsObject()
	case k == reflect.Map || k == reflect.Struct:
		fits = value.IsObject()
	}
	if !fits {
		return schema.Invalid(path, "%s must be %s, not %.80s", path, wanted(t), value.Raw)
	}
	return nil
}

// wanted names a type for people.
func wanted(t reflect.Type) string {
	if t.Kind() == reflect.Slice && reflect.PointerTo(t).Implements(readsItself) {
		return "an object, or a list of objects"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}

// meant is the hint after a mistyped word: the nearest known one, or all.
func meant(word string, known []string) string {
	best, least := "", max(2, len(word)/3+1)
	for _, k := range known {
		if d := distance(strings.ToLower(word), k); d < least {
			best, least = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	known = slices.Clone(known)
	slices.Sort(known)
	return "; known are " + strings.Join(known, ", ")
}

// distance is the number of letters to add, drop or change (Levenshtein).
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
