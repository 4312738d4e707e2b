package vertex

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/providers/anthropic"
	"sluice/providers/openai"
	"sluice/providers/providertest"
	"sluice/providers/schema"
)

const (
	models = "/v1/projects/my-project/locations/us-east5/publishers/anthropic/models/"
	model  = "claude-sonnet-4-5@20250929"
)

var claude = Anthropic("my-project", "us-east5")

func TestRecorded(t *testing.T) {
	providertest.Recorded(t, os.Getenv("SLUICE_WIRE"), claude, providertest.Options{
		Provider: "anthropic", Endpoint: "messages", CachedApart: true,
		Joined: []string{"anthropic-messages-stream-parallel_tool_calls_server_tool"},
	})
}

func TestEncode(t *testing.T) {
	for _, stream := range []bool{false, true} {
		req := &schema.ChatRequest{Model: model, Stream: stream, Messages: []schema.Message{{Role: "user", Parts: schema.TextParts(`{"model":"x"}`)}},
			Extra: map[string]json.RawMessage{"betas": json.RawMessage(`["b-1"]`)}}
		up, err := claude.Chat.Encode(req)
		if err != nil {
			t.Fatal(err)
		}
		want := models + "claude-sonnet-4-5@20250929:rawPredict"
		if stream {
			want = models + "claude-sonnet-4-5@20250929:streamRawPredict"
		}
		if up.Path != want || claude.Chat.Path(model, stream) != want {
			t.Errorf("goes to %s, want %s", up.Path, want)
		}
		check(t, up.Body, false)
		if gjson.GetBytes(up.Body, "messages.0.content.0.text").Str != `{"model":"x"}` || gjson.GetBytes(up.Body, "stream").Bool() != stream {
			t.Errorf("body is %s", up.Body)
		}
		if len(up.Header) != 1 || up.Header[0].Name != "anthropic-beta" {
			t.Errorf("headers are %v", up.Header)
		}
	}
	if up, err := claude.Chat.Encode(&schema.ChatRequest{Model: model}); up != nil || err == nil {
		t.Errorf("an empty request gives %+v, %v", up, err)
	}
	up, err := claude.Count.Encode(&schema.ChatRequest{Model: model, Messages: []schema.Message{{Role: "user", Parts: schema.TextParts("hi")}}})
	if err != nil || up.Path != models+"count-tokens:rawPredict" || claude.Count.Path(model) != up.Path {
		t.Fatalf("counting goes to %+v, %v", up, err)
	}
	check(t, up.Body, true)
	if anthropic.Dialect.Chat.Path(model, true) != "/v1/messages" {
		t.Error("Anthropic's own path has changed")
	}
}

// check looks for what Vertex demands of a body.
func check(t *testing.T, raw []byte, named bool) {
	t.Helper()
	if !json.Valid(raw) || gjson.GetBytes(raw, "anthropic_version").Str != "vertex-2023-10-16" || gjson.GetBytes(raw, "model").Exists() != named {
		t.Errorf("body is %s", raw)
	}
	if strings.Count(string(raw), `"anthropic_version"`) != 1 {
		t.Errorf("the version stands twice: %s", raw)
	}
}

func TestSplice(t *testing.T) {
	for raw, want := range map[string]string{
		`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"}],"own":{"model":1}}`:          `{"anthropic_version":"vertex-2023-10-16","max_tokens":9,"messages":[{"role":"user","content":"a"}],"own":{"model":1}}`,
		` { "max_tokens":9 , "messages":[{"role":"user","content":"a"}], "model":"m"}`:                       `{"anthropic_version":"vertex-2023-10-16","max_tokens":9 , "messages":[{"role":"user","content":"a"}]}`,
		`{"anthropic_version":"mine","messages":[{"role":"user","content":"a"}],"model":"m","max_tokens":1}`: `{"anthropic_version":"vertex-2023-10-16","messages":[{"role":"user","content":"a"}],"max_tokens":1}`,
	} {
		head, err := claude.Client.Head(schema.OpChat, []byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		before := raw
		got := providertest.Spliced(claude.Chat.Splice, []byte(raw), &head, model, 0)
		if string(got) != want || raw != before {
			t.Errorf("%s becomes %s, want %s", raw, got, want)
		}
		counted := providertest.SplicedCount(claude.Count.Splice, []byte(raw), &head, model)
		check(t, counted, true)
		if gjson.GetBytes(counted, "model").Str != model {
			t.Errorf("counting sends %s", counted)
		}
	}
	if got := body([]byte(`{"model":"m"}`), false); string(got) != `{"anthropic_version":"vertex-2023-10-16"}` {
		t.Errorf("got %s", got)
	}
}

func TestGemini(t *testing.T) {
	d := Gemini("my-project", "global")
	want := "/v1/projects/my-project/locations/global/publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
	if got := d.Chat.Path("gemini-2.5-flash", true); got != want {
		t.Errorf("goes to %s, want %s", got, want)
	}
}

// Claude through an OpenAI client.
func TestCrossing(t *testing.T) {
	req, err := openai.Dialect.Client.DecodeChat([]byte(`{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":5}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Model = model
	up, err := claude.Chat.Encode(req)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"anthropic_version":"vertex-2023-10-16","max_tokens":5,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}`
	if string(up.Body) != want {
		t.Errorf("got %s, want %s", up.Body, want)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		class  schema.Class
		code   schema.Code
		word   string
	}{
		{404, `[{"error":{"code":404,"message":"Publisher Model was not found","status":"NOT_FOUND"}}]`, schema.ClassNotFound, schema.CodeModelNotFound, "NOT_FOUND"},
		{429, `{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED"}}`, schema.ClassRateLimited, schema.CodeRateLimit, "RESOURCE_EXHAUSTED"},
		{401, `{"error":{"code":401,"message":"Request had invalid authentication credentials","status":"UNAUTHENTICATED"}}`, schema.ClassAuth, schema.CodeUpstreamAuth, "UNAUTHENTICATED"},
		{400, `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 3 > 2"}}`, schema.ClassContextLength, schema.CodeContextLength, "invalid_request_error"},
		{503, `<html>`, schema.ClassOverloaded, schema.CodeUpstream, ""},
	} {
		e := claude.Error(c.status, func(string) string { return "" }, []byte(c.body))
		if e.Class != c.class || e.Code != c.code || e.Type != c.word || e.Message == "" {
			t.Errorf("%d %s gives %+v", c.status, c.body, e)
		}
	}
	dir := os.Getenv("SLUICE_WIRE")
	if dir == "" {
		return
	}
	raw, err := os.ReadFile(filepath.Join(dir, "bodies", "vertex-generate-error_400.json"))
	if err != nil {
		t.Fatal(err)
	}
	if e := claude.Error(400, func(string) string { return "" }, raw); e.Class != schema.ClassInvalidRequest || e.Message == "" {
		t.Errorf("recorded: %+v", e)
	}
}

func TestBaseURL(t *testing.T) {
	for location, want := range map[string]string{
		"": "https://aiplatform.googleapis.com", "global": "https://aiplatform.googleapis.com",
		"eu": "https://aiplatform.eu.rep.googleapis.com", "us-east5": "https://us-east5-aiplatform.googleapis.com",
	} {
		if got := BaseURL(location); got != want {
			t.Errorf("%s is at %s", location, got)
		}
	}
}

func FuzzBody(f *testing.F) {
	f.Add([]byte(`{"model":"m","a":1}`))
	f.Add([]byte(` { "anthropic_version" : "x" } `))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !gjson.ParseBytes(raw).IsObject() || !json.Valid(raw) {
			return
		}
		if got := body(raw, false); !json.Valid(got) || gjson.GetBytes(got, "model").Exists() {
			t.Errorf("%s becomes %s", raw, got)
		}
	})
}
