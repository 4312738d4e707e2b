package azure

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/providers/dialect"
	"sluice/providers/openai"
	"sluice/providers/providertest"
	"sluice/providers/schema"
	"sluice/providers/sse"
)

func TestRecorded(t *testing.T) {
	for _, version := range []string{"v1", "2023-07-01-preview", "models/2024-05-01-preview"} {
		for _, endpoint := range []string{"chat", "embeddings"} {
			t.Run(version+"/"+endpoint, func(t *testing.T) {
				providertest.Recorded(t, os.Getenv("SLUICE_WIRE"), New(version), providertest.Options{
					Provider: "azure", Endpoint: endpoint, Usage: ownFigures, Joined: told,
				})
			})
		}
	}
}

// told are streams that have told why they stop before their last frames, with
// the usage and the end, come: cut there, they are whole (see dialect.Ender).
var told = []string{"azure-chat-stream-azure_filter_results_non_ascii", "azure-chat-stream-azure_filter_results_non_ascii.2", "azure-chat-stream-cached_tokens",
	"azure-chat-stream-cached_tokens_tool_call_tool_result", "azure-chat-stream-azure_filter_results_non_ascii_reasoning"}

// ownFigures are Azure's: some models of other makers count cached tokens
// beside the prompt's, and old versions of the API stream no usage at all.
func ownFigures(got schema.Usage, body []byte) schema.Usage {
	if !bytes.Contains(body, []byte(`"prompt_tokens":`)) {
		got.Source = schema.UsageReported
	}
	if !bytes.Contains(body, fmt.Appendf(nil, `"prompt_tokens":%d,`, got.Input)) && !bytes.Contains(body, fmt.Appendf(nil, `"prompt_tokens": %d,`, got.Input)) {
		got.Input -= got.CachedInput
	}
	return got
}

// Where recorded requests went is where these would go; what Azure sends
// first, its results of filtering the prompt, passes a raw stream unchanged.
func TestRecordedPaths(t *testing.T) {
	dir := os.Getenv("SLUICE_WIRE")
	if dir == "" {
		t.Skip("SLUICE_WIRE names no folder of recorded traffic")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index []struct {
		ID, Provider, Endpoint string
		Stream                 *string
		Request                struct{ Path string }
		Response               struct {
			BodyFile string `json:"body_file"`
		}
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatal(err)
	}
	for _, c := range index {
		if c.Provider != "azure" || c.Endpoint != "chat" && c.Endpoint != "embeddings" {
			continue
		}
		path := strings.ReplaceAll(c.Request.Path, "//", "/")
		place, query, _ := strings.Cut(path, "?api-version=")
		version, model := query, ""
		switch {
		case strings.HasPrefix(place, "/models/"):
			version = "models/" + query
		case strings.HasPrefix(place, "/openai/deployments/"):
			model, _, _ = strings.Cut(strings.TrimPrefix(place, "/openai/deployments/"), "/")
		}
		d := New(version)
		got := d.Chat.Path(model, c.Stream != nil)
		if c.Endpoint == "embeddings" {
			got = d.Embed.Path(model)
		}
		if got != path {
			t.Errorf("%s goes to %s, want %s", c.ID, got, path)
		}
		if c.Stream == nil {
			continue
		}
		body, err := os.ReadFile(filepath.Join(dir, c.Response.BodyFile))
		if err != nil {
			t.Fatal(err)
		}
		passed, tally := scanAll(t, d, body)
		if !bytes.Equal(passed, body) || !tally.Done || tally.Finish == "" {
			t.Errorf("%s: %d bytes of %d pass, tally %+v", c.ID, len(passed), len(body), tally)
		}
	}
}

// scanAll passes a stream on as the raw side does.
func scanAll(t *testing.T, d *dialect.Dialect, body []byte) (passed []byte, tally dialect.Tally) {
	t.Helper()
	scanner, split := d.Chat.Scan(true), sse.Splitter{}
	for rest := body; len(rest) > 0; {
		n, err := split.Next(rest)
		if err != nil || n == 0 {
			t.Fatalf("%d bytes are left: %v", len(rest), err)
		}
		keep, err := scanner.Scan(rest[:n], &tally)
		if err != nil {
			t.Fatal(err)
		}
		if keep {
			passed = append(passed, rest[:n]...)
		}
		rest = rest[n:]
	}
	return passed, tally
}

func TestPaths(t *testing.T) {
	for version, want := range map[string]string{
		"":                          "/openai/v1/",
		"v1":                        "/openai/v1/",
		"preview":                   "/openai/v1/?api-version=preview",
		"2024-10-21":                "/openai/deployments/my%20gpt/?api-version=2024-10-21",
		"models/2024-05-01-preview": "/models/?api-version=2024-05-01-preview",
	} {
		d := New(version)
		place, query, _ := strings.Cut(want, "?")
		if query != "" {
			query = "?" + query
		}
		chat, embed := place+"chat/completions"+query, place+"embeddings"+query
		if got := d.Chat.Path("my gpt", true); got != chat {
			t.Errorf("%q: a raw chat goes to %s, want %s", version, got, chat)
		}
		if got := d.Embed.Path("my gpt"); got != embed {
			t.Errorf("%q: raw embeddings go to %s, want %s", version, got, embed)
		}
		up, err := d.Chat.Encode(&schema.ChatRequest{Model: "my gpt", Messages: []schema.Message{{Role: "user", Parts: schema.TextParts("hi")}}})
		if err != nil || up.Path != chat {
			t.Errorf("%q: a chat goes to %+v, %v", version, up, err)
		}
		if up, err = d.Embed.Encode(&schema.EmbedRequest{Model: "my gpt", Input: []string{"a"}}); err != nil || up.Path != embed {
			t.Errorf("%q: embeddings go to %+v, %v", version, up, err)
		}
		if d.Name != openai.Name || d.Client == nil {
			t.Errorf("%q: the name is %q", version, d.Name)
		}
	}
	if got := openai.Dialect.Chat.Path("x", false); got != "/chat/completions" {
		t.Errorf("OpenAI's own path has changed to %s", got)
	}
}

func TestOldVersions(t *testing.T) {
	limit := int64(9)
	req := &schema.ChatRequest{Model: "m", Stream: true, MaxTokens: &limit, Messages: []schema.Message{{Role: schema.RoleDeveloper, Parts: schema.TextParts("hi")}}}
	for version, want := range map[string][3]bool{ // max_tokens, stream_options, developer
		"v1":                        {false, true, true},
		"2024-12-01-preview":        {false, true, true},
		"2024-10-21":                {false, true, false},
		"2024-02-01":                {true, false, false},
		"models/2024-05-01-preview": {true, true, false},
	} {
		up, err := New(version).Chat.Encode(req)
		if err != nil {
			t.Fatal(err)
		}
		body := string(up.Body)
		if got := [3]bool{strings.Contains(body, `"max_tokens":9`), strings.Contains(body, `"stream_options"`), strings.Contains(body, `"developer"`)}; got != want {
			t.Errorf("%s: %v, want %v: %s", version, got, want, body)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		class  schema.Class
		code   schema.Code
	}{
		{404, `{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}`, schema.ClassNotFound, schema.CodeModelNotFound},
		{400, `{"error":{"code":"content_filter","message":"m","innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{}}}}`, schema.ClassContentFilter, schema.CodeContentFilter},
		{401, `{"error":{"code":"401","message":"Access denied due to invalid subscription key"}}`, schema.ClassAuth, schema.CodeUpstreamAuth},
		{429, `{"error":{"code":"429","message":"Requests have exceeded the call rate limit"}}`, schema.ClassRateLimited, schema.CodeRateLimit},
		{400, `{"error":{"code":"context_length_exceeded","message":"m"}}`, schema.ClassContextLength, schema.CodeContextLength},
		{500, `<html>`, schema.ClassServerError, schema.CodeUpstream},
	} {
		e := New("v1").Error(c.status, func(string) string { return "" }, []byte(c.body))
		if e.Class != c.class || e.Code != c.code {
			t.Errorf("%d %s gives %s %s", c.status, c.body, e.Class, e.Code)
		}
	}
}
