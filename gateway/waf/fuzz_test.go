package waf

import (
	"strings"
	"testing"
)

// Whatever a body is, it is walked to its end, and nothing of what is prose at
// the top comes out.
func FuzzValues(f *testing.F) {
	for _, body := range []string{`{}`, `[]`, `{"a":{"b":["c",1,null,"d"]}}`, `{"messages":"prose","id":"x"}`, `{"a":"\u0027 or 1=1`, `[[[[[[`, `{"a":`, strings.Repeat(`{"a":`, 40) + `"x"`, "\xff{\"a\":1}"} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		isJSON(body, false)
		isJSON(body, true)
		addValues(body, func(name, value string) {
			if !strings.HasPrefix(name, "json.") || strings.HasPrefix(name, "json.messages") && name[len("json."):] == "messages" && body[0] == '{' {
				t.Errorf("%q: %q", name, value)
			}
			isSentence(value)
		})
	})
}
