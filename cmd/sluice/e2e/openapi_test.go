package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// What a running gateway answers is what its own description says, of every
// list and of what the lists lead to.
func TestAdminOpenAPI(t *testing.T) {
	g := start(t, providers+`models: {fast: {targets: [{model: up/small}]}}
teams: {t: {budget: {usd: 5, per: day, warn_at: [0.5]}, limits: {rpm: 1000}, keys: [{name: k, value: "`+teamKey+`", expires: 2037-01-01}]}}
routes: [{name: t, match: {path: /t}, backend: {static: {body: hi}}}]
`)
	g.chat(chatBody("fast", "hi", `,"user":"ann"`), "x-sluice-tags", "a,b")
	g.chat(chatBody("up/status-500", "hi", ""))
	g.waitCalls(2)
	doc, err := openapi3.NewLoader().LoadFromData([]byte(g.api("GET", "openapi.json", "").body))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	call := g.api("GET", "requests", "").get("data.0.call").String()
	key := g.api("GET", "keys", "").get("data.0.id").String()
	g.api("POST", "prompts/sold/publish", `{"source": "---\nmodel: fast\nsluice.access: subscribed\n---\n{{role \"user\"}}hi"}`)
	subscription := g.api("POST", "subscriptions", `{"prompt": "sold", "team": "t"}`).get("id").String()
	checked := 0
	for path, item := range doc.Paths.Map() {
		if item.Get == nil || strings.Contains(path, "{name}/") || strings.Contains(path, "prompts/") {
			continue
		}
		of := key
		switch {
		case strings.Contains(path, "requests"):
			of = call
		case strings.Contains(path, "subscriptions"):
			of = subscription
		}
		url := strings.NewReplacer("/admin/v1/", "", "{name}", "t", "{id}", of, "{n}", "1").Replace(path)
		if strings.Contains(path, "explain") || strings.HasSuffix(path, "/arms") {
			url += "?model=fast"
		}
		if strings.Contains(path, "invoices") {
			url += "?month=" + g.api("GET", "usage", "").get("from").String()[:7]
		}
		if item.Get.Responses.Status(200).Value.Content.Get("application/json") == nil {
			continue // lines of JSON
		}
		a := g.api("GET", url, "")
		var v any
		if err := json.Unmarshal([]byte(a.body), &v); err != nil || a.status != 200 {
			t.Errorf("%s: %d %s", url, a.status, a.body)
			continue
		}
		if err := item.Get.Responses.Status(200).Value.Content.Get("application/json").Schema.Value.VisitJSON(v); err != nil {
			t.Errorf("%s answered %s: %v", url, a.body, err)
		}
		checked++
	}
	if checked < 14 {
		t.Errorf("only %d answers were checked", checked)
	}
}
