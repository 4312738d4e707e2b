package admin

import (
	"encoding/json"
	"testing"
)

// FuzzDecode looks for bodies that break the reader, and for accepted ones
// whose meaning differs from what they say.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{}`, `{"name":"x","budget":{"usd":"1.5","warn_at":[0.8]}}`, `{"Name":1}`, `{"limits":{"rpm":1,"rpm":2}}`,
		`{"budget":null}`, `[]`, `{"models":["a"`, "{\"na\u006de\":\"x\"}", `{"spent":{"anything":[1,2]}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var in teamIn
		if err := decode(body, &in); err != nil {
			return
		}
		var plain map[string]json.RawMessage
		if err := json.Unmarshal(body, &plain); err != nil {
			t.Fatalf("accepted what is not JSON: %q", body)
		}
		for name := range plain {
			switch name {
			case "name", "parent", "models", "limits", "budget", "budgets", "spent", "created", "source":
			default:
				t.Fatalf("accepted field %q of %q", name, body)
			}
		}
	})
}
