package validate

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"unicode/utf8"
)

// What is decoded is what the standard library reads, with numbers as they stand.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{}`, `[]`, ` { "a" : [ 1 , -2.5e+7 , true , false , null , "x" ] , "b" : { "c" : { } } } `, `"a\"b\\"`, `"\\\"\\"`, `{"\u0061":"\ud83d\ude00\n","é":"中"}`,
		`7`, `null`, `[[[]],[{}]]`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{`, `"\ud83d"`, `[1,]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := decode(body)
		if err != nil || !utf8.Valid(body) { // what is no text is kept as it is, and replaced there
			return
		}
		var want any
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		if err := d.Decode(&want); err != nil {
			t.Fatalf("%q is no JSON: %v", body, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %#v, want %#v", body, got, want)
		}
	})
}

func TestDecodeRefusesTwice(t *testing.T) {
	for _, body := range []string{`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `[{"b":{"c":1,"d":2,"c":3}}]`} {
		if _, err := decode([]byte(body)); !errors.Is(err, ErrTwice) {
			t.Errorf("%s: %v", body, err)
		}
	}
	if _, err := decode([]byte(`[1`)); !errors.Is(err, ErrNotJSON) {
		t.Error(err)
	}
}
