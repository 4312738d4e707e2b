package gateway_test

import (
	"strings"
	"testing"
)

// A model's name that is no text, or is odd in other ways, is an error of the
// caller's, and never the end of the process.
func TestOddModelNames(t *testing.T) {
	r := newRig(t)
	gemini := `{"contents":[{"parts":[{"text":"hi"}]}]}`
	for _, name := range []string{"%ff", "mock/%ff", "mock/%00", "up/%ff", "ant/%ff%fe", "mock/" + strings.Repeat("%80", 100), "mock/%0a", "mock/a%22b", "mock/%E2%80%AE", "mock//", "/"} {
		for _, method := range []string{":generateContent", ":streamGenerateContent?alt=sse", ":streamGenerateContent", ":countTokens", ":embedContent"} {
			if a := r.call("POST", "/v1beta/models/"+name+method, gemini); a.status >= 500 && a.status != 502 {
				t.Errorf("%s%s: %d %s", name, method, a.status, a.body)
			}
		}
		r.call("GET", "/v1beta/models/"+name, "")
		r.call("GET", "/v1/models/"+name, "")
	}
	for _, name := range []string{"mock/\xff", "mock/\x00", `mock/\u0000`, `mock/\ud800`, "up/\xff"} {
		body := `{"model":"` + name + `","messages":[{"role":"user","content":"hi"}]}`
		if a := r.call("POST", "/v1/chat/completions", body); a.status >= 500 && a.status != 502 {
			t.Errorf("%q: %d %s", name, a.status, a.body)
		}
	}
	r.settled()
	r.entries()
}

// What is dropped of a request is named in a header, whatever a caller called
// it.
func TestOddFieldNames(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{`a\u0000b`, `a\nX-Evil: 1`, `a\r\n\r\nHTTP/1.1 200 OK`, `a,b`, `ü`, "\xff", strings.Repeat("long", 20_000)} {
		for _, model := range []string{"ant/small", "mock/echo"} {
			a := r.call("POST", "/v1/chat/completions", chat(model, "hi", `,"`+name+`":1,"seed":7`))
			if a.status != 200 && a.status != 400 || a.header.Get("X-Evil") != "" {
				t.Errorf("%.50q for %s: %d %v %.300s", name, model, a.status, a.header, a.body)
			}
			if n := len(a.header.Get("X-Sluice-Dropped")); n > 4000 {
				t.Errorf("%.50q: a header of %d bytes", name, n)
			}
		}
	}
}
