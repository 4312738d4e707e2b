package gateway

import (
	"strings"
	"testing"

	"sluice/prompts"
)

// Browsers of the origins that a prompt's file names may call it, faults
// included; those of others may not.
func TestPromptCORS(t *testing.T) {
	e := newEdge(t, map[string]string{"label": strings.Replace(labelPrompt, "sluice.path", "sluice.cors: {origins: [\"https://app.test\"]}\nsluice.path", 1),
		"open": "---\nmodel: m/echo\nsluice.cors: {origins: [\"*\"]}\nsluice.access: public\n---\nhello\n", "say": sayPrompt})
	preflight := []string{"Authorization", "none", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type", "Origin"}
	a := e.call("OPTIONS", "/label", "", append(preflight, "https://app.test")...)
	h := a.header
	if a.status != 204 || h.Get("Access-Control-Allow-Origin") != "https://app.test" || h.Get("Access-Control-Allow-Methods") != "GET, POST" ||
		h.Get("Access-Control-Allow-Headers") != "authorization,content-type" || !strings.Contains(h.Get("Vary"), "Origin") {
		t.Errorf("preflight: %d %v", a.status, h)
	}
	if a := e.call("OPTIONS", "/label", "", append(preflight, "https://evil.test")...); a.header.Get("Access-Control-Allow-Origin") != "" || a.header.Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("another origin: %d %v", a.status, a.header)
	}
	if a := e.call("POST", "/label", `{"text":1}`, "Origin", "https://app.test"); a.status != 422 || a.header.Get("Access-Control-Allow-Origin") != "https://app.test" {
		t.Errorf("a fault: %d %v", a.status, a.header)
	}
	if a := e.call("POST", "/prompts/open", "", "Origin", "https://any.test", "Authorization", "none"); a.status != 200 || a.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("every origin: %d %v %s", a.status, a.header, a.body)
	}
	if a := e.call("OPTIONS", "/prompts/say", "", append(preflight, "https://app.test")...); a.status != 405 {
		t.Errorf("without cors: %d", a.status)
	}
}

// Versions that go say so, and are gone after their sunset.
func TestPromptVersionsRetire(t *testing.T) {
	e := newEdge(t, map[string]string{"say": sayPrompt})
	for _, s := range []string{"\n ", "\n  "} {
		versions := "sluice.versions: {\"1\": {deprecated: 2020-01-01, sunset: 2021-06-01, link: \"https://x.test/migrate\"}, \"2\": {deprecated: 2026-06-01, sunset: 2222-01-01T10:00:00Z}}"
		if _, _, err := e.prompts.Publish(t.Context(), prompts.Publication{Name: "say", Source: []byte(strings.Replace(sayPrompt, "\n---\n", "\n"+versions+"\n---\n"+s, 1))}); err != nil {
			t.Fatal(err)
		}
	}
	a := e.call("POST", "/prompts/say@1", `{"text":"a"}`)
	if a.status != 410 || !strings.Contains(a.get("detail").String(), "was served until 2021-06-01: see https://x.test/migrate") ||
		a.header.Get("Deprecation") != "@1577836800" || a.header.Get("Sunset") != "Tue, 01 Jun 2021 00:00:00 GMT" || !strings.Contains(a.header.Get("Link"), `<https://x.test/migrate>; rel="deprecation"`) {
		t.Errorf("gone: %d %v %s", a.status, a.header, a.body)
	}
	if a := e.call("POST", "/prompts/say@2", `{"text":"a"}`); a.status != 200 || a.header.Get("Sunset") != "Tue, 01 Jan 2222 10:00:00 GMT" || a.header.Get("Link") != "" {
		t.Errorf("going: %d %v", a.status, a.header)
	}
	if a := e.call("POST", "/prompts/say", `{"text":"a"}`); a.status != 200 || a.header.Get("Deprecation") != "" {
		t.Errorf("staying: %d %v", a.status, a.header)
	}
	if a := e.call("POST", "/v1/chat/completions", chatBody("prompt/say@1", "q", "")); a.status != 410 {
		t.Errorf("gone as a model: %d %s", a.status, a.body)
	}
}

func TestPromptETag(t *testing.T) {
	e := newEdge(t, map[string]string{"say": strings.Replace(sayPrompt, "\n---\n", "\nsluice.cache: 10m\n---\n", 1)})
	a := e.call("GET", "/prompts/say?text=a", "")
	tag := a.header.Get("ETag")
	if a.status != 200 || tag == "" || a.header.Get("Cache-Control") != "private, max-age=600" {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	for _, known := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
		if a := e.call("GET", "/prompts/say?text=a", "", "If-None-Match", known); a.status != 304 || a.body != "" || a.header.Get("ETag") != tag {
			t.Errorf("%s: %d %s", known, a.status, a.body)
		}
	}
	if a := e.call("GET", "/prompts/say?text=b", "", "If-None-Match", tag); a.status != 200 || a.body == "" {
		t.Errorf("another answer: %d", a.status)
	}
	if a := e.call("POST", "/prompts/say", `{"text":"a"}`, "If-None-Match", tag); a.status != 200 || a.header.Get("ETag") != "" {
		t.Errorf("a POST: %d %v", a.status, a.header)
	}
}
