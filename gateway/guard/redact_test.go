package guard

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestRedactJSON(t *testing.T) {
	r := NewRedactor(Email | Card | Secret)
	f := func(in string, cut bool, want string) {
		t.Helper()
		if got := string(r.JSON(nil, []byte(in), cut)); got != want {
			t.Errorf("%s\n is %s\nwant %s", in, got, want)
		}
	}
	f(`{"a":"write to ann@example.com now","b":1}`, false, `{"a":"write to [EMAIL] now","b":1}`)
	f(`{"a":"ann\u0040example.com"}`, false, `{"a":"[EMAIL]"}`)
	f(`{"a":"x\ny","b":["é"]}`, false, `{"a":"x\ny","b":["é"]}`)
	f(`{"card":4111111111111111}`, false, `{"card":"[CARD]"}`)
	f(`{"a":"{\"mail\":\"ann@example.com\"}"}`, false, `{"a":"{\"mail\":\"[EMAIL]\"}"}`)
	f(`{"ann@example.com":true}`, false, `{"[EMAIL]":true}`)
	f(`{"a":"card 4111 1111 111`, true, `{"a":"card "`)
	f(`{"a":"hello wor`, true, `{"a":"hello "`)
	f(`{"a":"bad \x escape"}`, false, `{"a":"[?]"}`)
	f(`not json ann@example.com`, false, `not json [EMAIL]`)
	if got := NewRedactor(0).JSON(nil, []byte(`{"a":"ann@example.com"}`), false); string(got) != `{"a":"ann@example.com"}` {
		t.Errorf("without kinds: %s", got)
	}
}

func FuzzRedactJSON(f *testing.F) {
	for _, s := range []string{`{"a":"b"}`, `"\ud83d\ude00`, `{"a":4111111111111111}`, `[1,"`, "\"\\"} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	r := NewRedactor(Email | Card | Secret)
	f.Fuzz(func(t *testing.T, text []byte, cut bool) {
		out := r.JSON(nil, text, cut)
		if json.Valid(text) && !cut && !json.Valid(out) {
			t.Errorf("%q is no JSON any more: %q", text, out)
		}
		planted := append([]byte(`{"m":"ann.planted@example.com","x":`), append(text, '}')...)
		if got := r.JSON(nil, planted, cut); strings.Contains(string(got), "ann.planted@") {
			t.Errorf("%q leaks", got)
		}
	})
}
