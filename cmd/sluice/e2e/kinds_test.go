package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// kindsConfig declares a provider of every kind, each at a host of the test's.
const kindsConfig = `providers:
  openai: {base_url: "HOST/openai/v1", keys: [sk-openai]}
  lab: {kind: openai-compatible, base_url: "HOST/lab/v1", keys: [sk-lab]}
  az: {kind: azure, base_url: "HOST/az", api_version: 2024-10-21, keys: [sk-azure]}
  entra: {kind: azure, base_url: "HOST/entra", tenant: corp.example, client_id: app, client_secret: sk-entra}
  anthropic: {base_url: "HOST/anthropic", keys: [sk-anthropic]}
  gemini: {base_url: "HOST/gemini", keys: [sk-gemini]}
  gcp: {kind: vertex, base_url: "HOST/gcp", project: proj, location: us-east5, credentials: "${file:sa.json}"}
  aws: {kind: bedrock, base_url: "HOST/aws", region: us-east-1, keys: [{id: AKIAFAKE, secret: sk-aws, token: session}]}
  awskey: {kind: bedrock, base_url: "HOST/awskey", region: us-east-1, keys: [sk-bedrock-api-key]}
  mistral: {base_url: "HOST/mistral/v1", keys: [sk-mistral]}
  cohere: {base_url: "HOST/cohere", keys: [sk-cohere]}
  ollama: {base_url: "HOST/ollama"}
  voyage: {base_url: "HOST/voyage/v1", keys: [sk-voyage]}
  jina: {base_url: "HOST/jina/v1", keys: [sk-jina]}
`

// kind is what a provider of a kind must be asked, and what it answers.
type kind struct {
	name, model        string // the provider's in the configuration
	wholePath          string
	streamPath         string
	header, value      string // value is a pattern; header must not be there if it is empty
	whole, stream      spoken // both say hello, and count 7 tokens in and 3 out
	recorded, endpoint string // in the recorded traffic
	framing            string // of its streams there
}

const (
	openaiWhole = `{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}`
	openaiDelta = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"hello"},"finish_reason":null}]}`
	openaiStop  = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
	openaiUsage = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}`
	// Mistral's last chunk tells both.
	mistralStop = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}`

	anthropicWhole = `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":3}}`
	geminiWhole    = `{"candidates":[{"content":{"role":"model","parts":[{"text":"hello"}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":3,"totalTokenCount":10},"modelVersion":"m"}`
	bedrockWhole   = `{"output":{"message":{"role":"assistant","content":[{"text":"hello"}]}},"stopReason":"end_turn","usage":{"inputTokens":7,"outputTokens":3,"totalTokens":10},"metrics":{"latencyMs":1}}`
	cohereWhole    = `{"id":"c1","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"hello"}]},"usage":{"billed_units":{"input_tokens":7,"output_tokens":3},"tokens":{"input_tokens":7,"output_tokens":3}}}`
	ollamaWhole    = `{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"hello"},"done":true,"done_reason":"stop","prompt_eval_count":7,"eval_count":3}`
)

func kinds(t *testing.T) []kind {
	openai, openaiStream := jsonBody(openaiWhole), sse(openaiDelta, openaiStop, openaiUsage, "[DONE]")
	anthropicStream := named(`{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":7,"output_tokens":1}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hello"}}`,
		`{"type":"content_block_stop","index":0}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":3}}`, `{"type":"message_stop"}`)
	bedrockStream := events(t, "messageStart", `{"role":"assistant"}`, "contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"hello"}}`,
		"contentBlockStop", `{"contentBlockIndex":0}`, "messageStop", `{"stopReason":"end_turn"}`,
		"metadata", `{"usage":{"inputTokens":7,"outputTokens":3,"totalTokens":10},"metrics":{"latencyMs":1}}`)
	cohereStream := named(`{"type":"message-start","id":"c1","delta":{"message":{"role":"assistant","content":[]}}}`,
		`{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}`,
		`{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"hello"}}}}`, `{"type":"content-end","index":0}`,
		`{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":7,"output_tokens":3},"tokens":{"input_tokens":7,"output_tokens":3}}}}`)
	ollamaStream := spoken{`{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"hello"},"done":false}` + "\n" +
		strings.Replace(ollamaWhole, `"content":"hello"`, `"content":""`, 1) + "\n", "application/x-ndjson"}
	google := "/v1/projects/proj/locations/us-east5/publishers/"
	return []kind{
		{"openai", "gpt-4o", "/v1/chat/completions", "/v1/chat/completions", "Authorization", "^Bearer sk-openai$", openai, openaiStream, "openai", "chat", "sse"},
		{"lab", "m", "/v1/chat/completions", "/v1/chat/completions", "Authorization", "^Bearer sk-lab$", openai, openaiStream, "groq", "chat", "sse"},
		{"az", "my-gpt", "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21", "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21", "Api-Key", "^sk-azure$", openai, openaiStream, "azure", "chat", "sse"},
		{"entra", "my-gpt", "/openai/v1/chat/completions", "/openai/v1/chat/completions", "Authorization", "^Bearer token-of-entra$", openai, openaiStream, "azure", "chat", "sse"},
		{"anthropic", "claude-haiku-4-5", "/v1/messages", "/v1/messages", "X-Api-Key", "^sk-anthropic$", jsonBody(anthropicWhole), anthropicStream, "anthropic", "messages", "sse"},
		{"gemini", "gemini-2.5-flash", "/v1beta/models/gemini-2.5-flash:generateContent", "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", "X-Goog-Api-Key", "^sk-gemini$", jsonBody(geminiWhole), sse(geminiWhole), "gemini", "generate", "sse"},
		{"gcp", "gemini-2.5-flash", google + "google/models/gemini-2.5-flash:generateContent", google + "google/models/gemini-2.5-flash:streamGenerateContent?alt=sse", "Authorization", "^Bearer token-of-google$", jsonBody(geminiWhole), sse(geminiWhole), "vertex", "generate", "sse"},
		{"gcp", "claude-haiku-4-5", google + "anthropic/models/claude-haiku-4-5:rawPredict", google + "anthropic/models/claude-haiku-4-5:streamRawPredict", "Authorization", "^Bearer token-of-google$", jsonBody(anthropicWhole), anthropicStream, "anthropic", "messages", "sse"},
		{"aws", "us.amazon.nova-lite-v1:0", "/model/us.amazon.nova-lite-v1%3A0/converse", "/model/us.amazon.nova-lite-v1%3A0/converse-stream", "Authorization", `^AWS4-HMAC-SHA256 Credential=AKIAFAKE/\d{8}/us-east-1/bedrock/aws4_request, SignedHeaders=\S*host\S*, Signature=[0-9a-f]{64}$`, jsonBody(bedrockWhole), bedrockStream, "bedrock", "converse", "eventstream"},
		{"awskey", "amazon.nova-lite-v1:0", "/model/amazon.nova-lite-v1%3A0/converse", "/model/amazon.nova-lite-v1%3A0/converse-stream", "Authorization", "^Bearer sk-bedrock-api-key$", jsonBody(bedrockWhole), bedrockStream, "bedrock", "converse", "eventstream"},
		{"mistral", "mistral-small-latest", "/v1/chat/completions", "/v1/chat/completions", "Authorization", "^Bearer sk-mistral$", openai, sse(openaiDelta, mistralStop, "[DONE]"), "mistral", "chat", "sse"},
		{"cohere", "command-a-03-2025", "/v2/chat", "/v2/chat", "Authorization", "^Bearer sk-cohere$", jsonBody(cohereWhole), cohereStream, "cohere", "chat", "sse"},
		{"ollama", "llama3.2:1b", "/api/chat", "/api/chat", "Authorization", "", jsonBody(ollamaWhole), ollamaStream, "ollama", "chat_native", "ndjson"},
	}
}

// Every kind answers a client of OpenAI's API, whole and streamed: the address,
// the proof of who asks, and the answer are as its provider wants them.
func TestKinds(t *testing.T) {
	h := newHost(t)
	h.answers("google", jsonBody(`{"access_token":"token-of-google","expires_in":3600,"token_type":"Bearer"}`), spoken{})
	h.answers("login", jsonBody(`{"access_token":"token-of-entra","expires_in":3600,"token_type":"Bearer"}`), spoken{})
	g := newGateway(t, strings.ReplaceAll(kindsConfig, "HOST", h.URL)+team)
	if err := os.WriteFile(filepath.Join(g.dir, "sa.json"), serviceAccount(t, h.URL+"/google/token"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.env = []string{"AZURE_AUTHORITY_HOST=" + h.URL + "/login"}
	g.start()
	for _, k := range kinds(t) {
		t.Run(k.name+"/"+k.model, func(t *testing.T) {
			h.answers(k.name, k.whole, k.stream)
			g.askWhole(t, h, k, "hello")
			g.askStream(t, h, k, "hello")
			if os.Getenv("SLUICE_WIRE") != "" {
				g.askRecorded(t, h, k)
			}
		})
	}
	t.Run("entra", func(t *testing.T) {
		if a := h.asked("login"); a.path != "/corp.example/oauth2/v2.0/token" || !strings.Contains(a.body, "client_secret=sk-entra") {
			t.Errorf("asked for a token at %s with %s", a.path, a.body)
		}
	})
	t.Run("session", func(t *testing.T) {
		if a := h.asked("aws"); a.header.Get("X-Amz-Security-Token") != "session" {
			t.Errorf("no session token: %v", a.header)
		}
	})
	t.Run("own dialects on Vertex", func(t *testing.T) { g.vertexDialects(t, h) })
	t.Run("houses of embeddings", func(t *testing.T) { g.houses(t, h) })
	t.Run("models", func(t *testing.T) {
		a := g.data("GET", "/v1/models", "")
		for _, id := range []string{"ollama/llama3.2:1b", "gcp/gemini-2.5-flash", "aws/amazon.nova-lite-v1:0", "voyage/voyage-3"} {
			if !a.get(`data.#(id=="` + id + `")`).Exists() {
				t.Errorf("%s is not listed", id)
			}
		}
	})
}

// askWhole asks a provider for a whole answer and holds what it saw.
func (g *gateway) askWhole(t *testing.T, h *host, k kind, text string) {
	t.Helper()
	a := g.chat(chatBody(k.name+"/"+k.model, "hi", ""))
	if a.status != 200 || a.get("choices.0.message.content").String() != text || a.get("object").String() != "chat.completion" {
		t.Errorf("whole: %d %s\nwant %q", a.status, a.body, text)
	}
	if u := a.get("usage"); text == "hello" && (u.Get("prompt_tokens").Int() != 7 || u.Get("completion_tokens").Int() != 3) {
		t.Errorf("whole: usage %s", u.Raw)
	}
	k.check(t, h.asked(k.name), k.wholePath)
}

// askStream is askWhole for a stream.
func (g *gateway) askStream(t *testing.T, h *host, k kind, text string) {
	t.Helper()
	s, err := g.stream(chatBody(k.name+"/"+k.model, "hi", `,"stream":true`))
	if err != nil {
		t.Errorf("stream: %v", err)
		return
	}
	defer s.close()
	got, done, err := s.rest()
	if err != nil || got != text || !done {
		t.Errorf("stream: %q, done %v, %v\nwant %q", got, done, err, text)
	}
	k.check(t, h.asked(k.name), k.streamPath)
}

// check compares what a provider was asked with what its kind wants.
func (k kind) check(t *testing.T, a asked, path string) {
	t.Helper()
	if a.path != path {
		t.Errorf("asked at %s, want %s", a.path, path)
	}
	got := a.header.Get(k.header)
	if k.value == "" && got != "" || !regexp.MustCompile(k.value).MatchString(got) {
		t.Errorf("%s: %q, want %s", k.header, got, k.value)
	}
	if all := a.path + a.body + strings.Join(flat(a.header), " "); strings.Contains(all, teamKey) || strings.Contains(all, "sk-aws") {
		t.Errorf("a secret that is not the provider's business went there: %s", all)
	}
}

func flat(header map[string][]string) (all []string) {
	for _, values := range header {
		all = append(all, values...)
	}
	return all
}

// askRecorded lets a provider answer as real ones did.
func (g *gateway) askRecorded(t *testing.T, h *host, k kind) {
	t.Helper()
	whole, hasWhole := recorded(t, k.recorded, k.endpoint, "")
	stream, hasStream := recorded(t, k.recorded, k.endpoint, k.framing)
	h.answers(k.name, whole.spoken, stream.spoken)
	if hasWhole {
		g.askWhole(t, h, k, whole.text)
	}
	if hasStream {
		g.askStream(t, h, k, stream.text)
	}
	if !hasWhole && !hasStream {
		t.Errorf("no recorded answer of %s, %s", k.recorded, k.endpoint)
	}
}

// vertexDialects: which dialect a model of Vertex AI speaks goes by the model,
// whatever the caller speaks; the bytes of a caller of the same are kept.
func (g *gateway) vertexDialects(t *testing.T, h *host) {
	messages := func(model string) answer {
		return g.data("POST", "/v1/messages", `{"model":"gcp/`+model+`","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"x_own":1}`, "anthropic-version", "2023-06-01")
	}
	generate := func(model string) answer {
		return g.data("POST", "/v1beta/models/gcp/"+model+":generateContent", `{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"x_own":1}`)
	}
	h.answers("gcp", jsonBody(anthropicWhole), spoken{})
	if a := messages("claude-haiku-4-5"); a.status != 200 || a.body != anthropicWhole || gjson.Get(h.asked("gcp").body, "x_own").Int() != 1 {
		t.Errorf("Claude, asked as Claude: %d %s\nasked %+v", a.status, a.body, h.asked("gcp"))
	}
	if a := generate("claude-haiku-4-5"); a.status != 200 || a.get("candidates.0.content.parts.0.text").String() != "hello" || !strings.Contains(h.asked("gcp").path, "/anthropic/") {
		t.Errorf("Claude, asked as Gemini: %d %s\nasked %+v", a.status, a.body, h.asked("gcp"))
	}
	h.answers("gcp", jsonBody(geminiWhole), spoken{})
	if a := generate("gemini-2.5-flash"); a.status != 200 || a.body != geminiWhole || gjson.Get(h.asked("gcp").body, "x_own").Int() != 1 {
		t.Errorf("Gemini, asked as Gemini: %d %s\nasked %+v", a.status, a.body, h.asked("gcp"))
	}
	if a := messages("gemini-2.5-flash"); a.status != 200 || a.get("content.0.text").String() != "hello" || !strings.Contains(h.asked("gcp").path, "/google/") {
		t.Errorf("Gemini, asked as Claude: %d %s\nasked %+v", a.status, a.body, h.asked("gcp"))
	}
}

// houses: those that make embeddings and rankings alone.
func (g *gateway) houses(t *testing.T, h *host) {
	vectors := jsonBody(`{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,0.25]}],"model":"m","usage":{"total_tokens":7}}`)
	for name, ranking := range map[string]string{
		"voyage": `{"object":"list","data":[{"index":1,"relevance_score":0.9}],"model":"m","usage":{"total_tokens":7}}`,
		"jina":   `{"model":"m","results":[{"index":1,"relevance_score":0.9}],"usage":{"total_tokens":7}}`,
		"lab":    `{"model":"m","results":[{"index":1,"relevance_score":0.9}],"usage":{"total_tokens":7}}`,
	} {
		h.answers(name, vectors, spoken{})
		a := g.data("POST", "/v1/embeddings", `{"model":"`+name+`/m","input":"hi"}`)
		if at := h.asked(name); a.status != 200 || a.get("data.0.embedding.1").Float() != 0.25 || at.path != "/v1/embeddings" || at.header.Get("Authorization") != "Bearer sk-"+name {
			t.Errorf("%s embeddings: %d %s\nasked %+v", name, a.status, a.body, at)
		}
		h.answers(name, jsonBody(ranking), spoken{})
		a = g.data("POST", "/v1/rerank", `{"model":"`+name+`/m","query":"q","documents":["a","b"],"top_n":1}`)
		if at := h.asked(name); a.status != 200 || a.get("results.0.index").Int() != 1 || at.path != "/v1/rerank" {
			t.Errorf("%s rerank: %d %s\nasked %+v", name, a.status, a.body, at)
		}
	}
}
