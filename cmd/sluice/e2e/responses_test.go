package e2e

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// Answers of the Responses API are kept by the team, over a restart, and a later
// call goes on from them, whole and streamed; store: false keeps nothing.
func TestResponsesAreKept(t *testing.T) {
	g := newGateway(t, "prompts: {dir: DIR/prompts}\n"+providers+`teams:
  t: {keys: [{name: k, value: "`+teamKey+`"}]}
  other: {keys: [{name: k, value: "sk-another-team"}]}
`)
	g.prompt("greet", greet)
	g.start()
	ask := func(body string, header ...string) answer { return g.data("POST", "/v1/responses", body, header...) }

	first := ask(`{"model":"up/echo","input":"first question"}`)
	id := first.get("id").String()
	if first.status != 200 || id == "" {
		t.Fatalf("%d %s", first.status, first.body)
	}
	next := ask(`{"model":"up/echo","input":"second question","previous_response_id":"` + id + `"}`)
	sent := g.fake.Last(1)[0].Body
	if next.get("previous_response_id").String() != id {
		t.Errorf("the answer does not name what it goes on from: %s", next.body)
	}
	if next.status != 200 || !strings.Contains(sent, "first question") || !strings.Contains(sent, "second question") {
		t.Errorf("%d %s; upstream got %s", next.status, next.body, sent)
	}

	streamed := ask(`{"model":"up/echo","input":"streamed question","stream":true}`)
	last := ""
	for line := range strings.Lines(streamed.body) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			last = data
		}
	}
	kept := gjson.Get(last, "response.id").String()
	if kept == "" || g.stop() != 0 {
		t.Fatalf("no id in %s", last)
	}
	g.start()
	ask(`{"model":"up/echo","input":"after a restart","previous_response_id":"` + kept + `"}`)
	if sent := g.fake.Last(1)[0].Body; !strings.Contains(sent, "streamed question") {
		t.Errorf("upstream got %s", sent)
	}

	if a := g.data("GET", "/v1/responses/"+id, ""); a.status != 200 || a.get("id").String() != id {
		t.Errorf("GET: %d %s", a.status, a.body)
	}
	if a := g.data("GET", "/v1/responses/"+id+"/input_items?limit=1", ""); a.status != 200 || a.get("data.0.content.0.type").String() != "input_text" ||
		a.get("last_id").String() == "" || a.get("last_id").String() != a.get("data.0.id").String() {
		t.Errorf("the input's items: %d %s", a.status, a.body)
	}
	if a := g.data("GET", "/v1/responses/"+id+"/output_items", ""); a.status != 404 || strings.Contains(a.body, "is kept") {
		t.Errorf("what nobody serves: %d %s", a.status, a.body)
	}
	if a := g.data("GET", "/v1/responses/"+id, "", "Authorization", "Bearer sk-another-team"); a.status != 404 {
		t.Errorf("another team reads it: %d %s", a.status, a.body)
	}
	if a := g.data("DELETE", "/v1/responses/"+id, ""); a.status != 200 || !a.get("deleted").Bool() {
		t.Errorf("DELETE: %d %s", a.status, a.body)
	}
	gone := ask(`{"model":"up/echo","input":"x","store":false}`).get("id").String()
	for _, none := range []string{id, gone, "resp_nobody"} {
		a := ask(`{"model":"up/echo","input":"x","previous_response_id":"` + none + `"}`)
		if a.status != 400 || a.get("error.param").String() != "previous_response_id" {
			t.Errorf("%s: %d %s", none, a.status, a.body)
		}
	}
	a := ask(`{"prompt":{"id":"greet","variables":{"who":"Ada"}}}`)
	if text := a.get("output.0.content.0.text").String(); !strings.Contains(text, "Say hello to Ada") {
		t.Errorf("a prompt of ours: %d %s", a.status, a.body)
	}
	if a := ask(`{"prompt":{"id":"greet","variables":{"who":7}}}`); a.status != 400 || a.get("error.param").String() != "prompt.variables" {
		t.Errorf("wrong variables: %d %s", a.status, a.body)
	}
}
