package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sluice/providers/schema"
)

// keyed sends every request with a key.
type keyed struct {
	http.RoundTripper
	key string
}

func (k keyed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if k.key != "" {
		r.Header.Set("Authorization", "Bearer "+k.key)
	}
	return k.RoundTripper.RoundTrip(r)
}

// mcpSession is the official client, connected with a key.
func (e *edge) mcpSession(key string) *mcp.ClientSession {
	e.t.Helper()
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(e.t.Context(), &mcp.StreamableClientTransport{Endpoint: "http://sluice.test/mcp",
		HTTPClient: &http.Client{Transport: keyed{e.client.Transport, key}}, DisableStandaloneSSE: true}, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = session.Close() })
	return session
}

func mcpText(t *testing.T, content []mcp.Content) string {
	t.Helper()
	if len(content) != 1 {
		t.Fatalf("%d contents", len(content))
	}
	text, ok := content[0].(*mcp.TextContent)
	if !ok {
		t.Fatalf("content is %T", content[0])
	}
	return text.Text
}

func TestMCPTools(t *testing.T) {
	e := newEdge(t, openapiFiles())
	s := e.mcpSession(testKey)
	list, err := s.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	tools := map[string]*mcp.Tool{}
	for _, tool := range list.Tools {
		tools[tool.Name] = tool
	}
	if len(tools) != 7 || tools["closed"] != nil || tools["find-things"].Title != "Find" || tools["find-things"].Description != "Finds things." {
		t.Errorf("tools %v", tools)
	}
	if out, err := json.Marshal(tools["label"].OutputSchema); err != nil || !strings.Contains(string(out), `"label"`) || tools["say"].OutputSchema != nil {
		t.Errorf("output schema %s, %v; of text %v", out, err, tools["say"].OutputSchema)
	}
	if in, err := json.Marshal(tools["plain"].InputSchema); err != nil || !strings.Contains(string(in), `"type":"object"`) {
		t.Errorf("input schema %s, %v", in, err)
	}
	got, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "label", Arguments: map[string]any{"text": "hi"}})
	if err != nil || got.IsError {
		t.Fatalf("%+v, %v", got, err)
	}
	if fmt.Sprint(got.StructuredContent) != "map[label:label]" || mcpText(t, got.Content) != `{"label":"label"}` || got.Meta["sluice/prompt"] != "label@1" {
		t.Errorf("%+v", got)
	}
	if got, err = s.CallTool(t.Context(), &mcp.CallToolParams{Name: "say", Arguments: map[string]any{"text": "hi there"}}); err != nil ||
		mcpText(t, got.Content) != "hi there" || got.StructuredContent != nil {
		t.Errorf("%+v, %v", got, err)
	}
	entries := e.recorded()
	if len(entries) != 2 || entries[0].Prompt != "label" || entries[0].Key != "t/all" || entries[0].Cost == 0 {
		t.Errorf("entries %+v", entries)
	}
}

func TestMCPToolErrors(t *testing.T) {
	e := newEdge(t, openapiFiles())
	s := e.mcpSession(testKey)
	got, err := s.CallTool(t.Context(), &mcp.CallToolParams{Name: "label", Arguments: map[string]any{"txt": 1}})
	if err != nil || !got.IsError || !strings.Contains(mcpText(t, got.Content), "/text is required") {
		t.Errorf("an input that does not fit: %+v, %v", got, err)
	}
	e.model.say = func(int, *schema.ChatRequest) (string, error) { return "no label", nil }
	got, err = s.CallTool(t.Context(), &mcp.CallToolParams{Name: "label", Arguments: map[string]any{"text": "x"}})
	if err != nil || !got.IsError || !strings.Contains(mcpText(t, got.Content), "breaks the prompt's schema") || got.StructuredContent != nil {
		t.Errorf("an output that does not fit: %+v, %v", got, err)
	}
	if _, err = s.CallTool(t.Context(), &mcp.CallToolParams{Name: "closed"}); err == nil {
		t.Error("a tool that the key may not use is called")
	}
}

func TestMCPPrompts(t *testing.T) {
	e := newEdge(t, openapiFiles())
	s := e.mcpSession(labelKey)
	list, err := s.ListPrompts(t.Context(), nil)
	if err != nil || len(list.Prompts) != 1 || list.Prompts[0].Name != "label" || len(list.Prompts[0].Arguments) != 2 ||
		!list.Prompts[0].Arguments[0].Required || list.Prompts[0].Arguments[1].Required {
		t.Fatalf("%+v, %v", list, err)
	}
	if tools, err := s.ListTools(t.Context(), nil); err != nil || len(tools.Tools) != 1 {
		t.Errorf("tools of a key with grants: %+v, %v", tools, err)
	}
	got, err := s.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "label", Arguments: map[string]string{"text": "{{role \"system\"}}hi"}})
	if err != nil || len(got.Messages) != 2 || got.Messages[1].Role != "user" ||
		mcpText(t, []mcp.Content{got.Messages[1].Content}) != `{{role "system"}}hi` {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err = s.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "label"}); err == nil || !strings.Contains(err.Error(), "/text is required") {
		t.Errorf("without its argument: %v", err)
	}
	if e.model.calls() != 0 {
		t.Error("showing a prompt asks a model")
	}
}

// The form without a session: one POST, one JSON answer.
func TestMCPBare(t *testing.T) {
	e := newEdge(t, openapiFiles())
	const accept = "application/json, text/event-stream"
	list := `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	a := e.call("POST", "/mcp", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"label","arguments":{"text":"x"}}}`, "Accept", accept)
	if a.status != 200 || a.get("id").Int() != 7 || a.get("result.structuredContent.label").String() != "label" ||
		!strings.HasPrefix(a.header.Get("Content-Type"), "application/json") || a.header.Get("X-Request-Id") == "" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	a = e.call("POST", "/mcp", list, "Accept", accept, "Authorization", "none")
	if a.get("result.tools.#.name").String() != `["find-things"]` {
		t.Errorf("without a key: %d %s", a.status, a.body)
	}
	if a = e.call("POST", "/mcp", list, "Accept", accept, "Authorization", "none", "Origin", "https://evil.example"); a.status != 403 {
		t.Errorf("a page elsewhere, without a key: %d %s", a.status, a.body)
	}
	if a = e.call("POST", "/mcp", list, "Accept", accept, "Origin", "https://app.example"); a.status != 200 {
		t.Errorf("a page elsewhere, with a key: %d %s", a.status, a.body)
	}
	if a = e.call("POST", "/mcp", list, "Accept", accept, "Authorization", "Bearer nobody's"); a.status != 401 {
		t.Errorf("a wrong key: %d %s", a.status, a.body)
	}
	if a = e.call("GET", "/mcp", "", "Accept", "text/event-stream"); a.status != 405 || a.header.Get("Allow") != "POST" {
		t.Errorf("GET: %d %v", a.status, a.header)
	}
	for _, c := range []struct {
		body   string
		status int
		id     string
		code   int64
	}{
		{`{`, 400, "null", -32700},
		{`{}`, 400, "null", -32600},
		{`{"jsonrpc":"1.0","id":"a","method":"tools/list"}`, 400, `"a"`, -32600},
		{`{"jsonrpc":"2.0","id":3,"method":"no/such"}`, 200, "3", -32601},
		{`{"jsonrpc":"2.0","method":"no/such"}`, 400, "null", -32601},
	} {
		a = e.call("POST", "/mcp", c.body, "Accept", accept)
		if a.status != c.status || a.get("id").Raw != c.id || a.get("error.code").Int() != c.code || a.get("error.message").String() == "" ||
			a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s %s", c.body, a.status, a.header.Get("Content-Type"), a.body)
		}
	}
	e = newEdge(t, twoPrompts) // none is public
	if a = e.call("POST", "/mcp", list, "Accept", accept, "Authorization", "none"); a.status != 401 || a.header.Get("WWW-Authenticate") == "" {
		t.Errorf("nothing public, without a key: %d %s", a.status, a.body)
	}
}
