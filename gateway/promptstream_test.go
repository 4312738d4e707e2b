package gateway

import (
	"encoding/json"
	"strings"
	"testing"
)

const orderPrompt = `---
model: m/echo
input: {schema: {text: string}}
output:
  format: json
  schema: {"customer(enum)": [a customer of ours, somebody else], "state(enum)": [wide open, closed], "lines(array)": {what: string, n: integer}}
---
{{text}}
`

// A JSON output is shown as it grows, to callers who ask for it: every event
// has the types of the schema, and the last is the output.
func TestPartialObjects(t *testing.T) {
	e := newEdge(t, map[string]string{"order": orderPrompt, "say": sayPrompt})
	for _, c := range []struct {
		path   string
		header []string
	}{
		{"/prompts/order?stream=partial", nil},
		{"/prompts/order", []string{"Accept", "text/event-stream", "Prefer", "partial"}},
	} {
		a := e.call("POST", c.path, `{"text":"x"}`, c.header...)
		shown := 0
		var last, done string
		for event := range strings.SplitSeq(a.body, "\n\n") {
			kind, data, _ := strings.Cut(event, "\ndata: ")
			switch kind {
			case "event: partial":
				var o struct {
					Customer, State string
					Lines           []struct {
						What string
						N    int
					}
				}
				d := json.NewDecoder(strings.NewReader(data))
				d.DisallowUnknownFields()
				if err := d.Decode(&o); err != nil || o.State != "" && o.State != "wide open" && o.State != "closed" {
					t.Errorf("%s: %v", data, err)
				}
				shown++
				last = data
			case "event: done":
				done = data
			}
		}
		if a.status != 200 || shown < 3 || !strings.Contains(done, `"output":`+last) {
			t.Errorf("%s: %d with %d partial objects, the last %s, the output %s:\n%s", c.path, a.status, shown, last, done, a.body)
		}
	}
	for _, path := range []string{"/prompts/order?stream=1", "/prompts/say?stream=partial"} {
		if a := e.call("POST", path, `{"text":"{\"a\": 1} x"}`); a.status != 200 || strings.Contains(a.body, "partial") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}
