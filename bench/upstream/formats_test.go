package upstream

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/tidwall/gjson"
)

// send posts a body with Gemini's key, or signed for AWS.
func send(t *testing.T, url, body, secret string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest("POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Goog-Api-Key", "g-one")
	if secret != "" {
		err := v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: "AKIAONE", SecretAccessKey: secret},
			req, hexHash([]byte(body)), "bedrock", "us-east-1", time.Date(2026, 11, 24, 1, 2, 3, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

func TestGemini(t *testing.T) {
	s := Start(t)
	const signedCall = `{"role":"user","parts":[{"text":"x"}]},{"role":"model","parts":[{"functionCall":{"name":"a","args":{}},"thoughtSignature":"` + geminiSignature + `"}]},`
	tools := `"tools":[{"functionDeclarations":[{"name":"a","parameters":{"type":"OBJECT","properties":{"n":{"type":"NUMBER"}}}},{"name":"b"}]}]`
	for _, c := range []struct{ name, path, body, at, want string }{
		{"text", "models/echo:generateContent", `{"contents":[{"role":"user","parts":[{"text":"mark 7"}]}]}`, "candidates.0.content.parts.0.text", "mark 7"},
		{"vertex", "projects/p/locations/l/publishers/google/models/echo:generateContent", `{"contents":[{"role":"user","parts":[{"text":"m"}]}]}`, "modelVersion", "echo"},
		{"image", "models/echo:generateContent", `{"contents":[{"parts":[{"text":"see"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}}],"role":"user"}]}`, "candidates.0.content.parts.0.text", "see [image image/png 4]"},
		{"tools", "models/small:generateContent", `{` + tools + `,"contents":[]}`, "candidates.0.content.parts.0.functionCall.args.n", "0.5"},
		{"second tool", "models/small:generateContent", `{` + tools + `,"contents":[]}`, "candidates.0.content.parts.1.functionCall.name", "b"},
		{"result", "models/small:generateContent", `{` + tools + `,"contents":[` + signedCall + `{"role":"user","parts":[{"functionResponse":{"name":"a","response":{"r":1}}}]}]}`, "candidates.0.content.parts.0.text", `{"r":1}`},
		{"unsigned", "models/small:generateContent", `{"contents":[` + strings.Replace(signedCall, geminiSignature, "", 1) + `{"role":"user","parts":[{"functionResponse":{"name":"a","response":{}}}]}]}`, "error.status", "INVALID_ARGUMENT"},
		{"unpaired", "models/small:generateContent", `{"contents":[` + signedCall + `{"role":"user","parts":[{"text":"well?"}]}]}`, "error.code", "400"},
		{"schema", "models/small:generateContent", `{"generationConfig":{"responseSchema":{"type":"OBJECT","properties":{"ok":{"type":"BOOLEAN"}}}},"contents":[]}`, "candidates.0.content.parts.0.text", `{"ok":true}`},
		{"unknown field", "models/small:generateContent", `{"contents":[],"top_p":1}`, "error.status", "INVALID_ARGUMENT"},
		{"unknown word of a schema", "models/small:generateContent", `{"contents":[],"generationConfig":{"responseSchema":{"type":"OBJECT","additionalProperties":false}}}`, "error.code", "400"},
		{"thoughts", "models/echo_think:generateContent", `{"contents":[{"role":"user","parts":[{"text":"m"}]}]}`, "candidates.0.content.parts.0.thought", "true"},
		{"error", "models/fail-429:generateContent", `{"contents":[]}`, "error.status", "RESOURCE_EXHAUSTED"},
		{"count", "models/small:countTokens", `{"contents":[{"parts":[{"text":"a b c"}]}]}`, "totalTokens", "4"},
		{"embedding", "models/e:embedContent", `{"content":{"parts":[{"text":"a"}]},"outputDimensionality":3}`, "embedding.values.#", "3"},
		{"embeddings", "models/e:batchEmbedContents", `{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]}}]}`, "embeddings.#", "2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, body := send(t, s.URL()+"/v1beta/"+c.path, c.body, "")
			if got := gjson.Get(body, c.at).String(); got != c.want {
				t.Fatalf("%s is %q, want %q in %s", c.at, got, c.want, body)
			}
		})
	}
	_, body := send(t, s.URL()+"/v1beta/models/echo_in-3:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"a b"}]}]}`, "")
	frames := strings.Split(strings.TrimSuffix(body, "\n\n"), "\n\n")
	if last := frames[len(frames)-1][6:]; len(frames) != 3 || gjson.Get(last, "candidates.0.finishReason").String() != "STOP" || gjson.Get(last, "usageMetadata.totalTokenCount").Int() != 5 {
		t.Fatalf("%d frames: %s", len(frames), body)
	}
}

func TestBedrock(t *testing.T) {
	s := Start(t)
	call := `{"role":"user","content":[{"text":"x"}]},{"role":"assistant","content":[{"toolUse":{"toolUseId":"1","name":"a","input":{}}}]},`
	tools := `"toolConfig":{"tools":[{"toolSpec":{"name":"a","inputSchema":{"json":{"type":"object","properties":{"n":{"type":"integer"}}}}}}]}`
	for _, c := range []struct{ name, path, body, at, want string }{
		{"text", "us.anthropic.echo-v1%3A0_echo/converse", `{"messages":[{"role":"user","content":[{"text":"mark 7"}]}]}`, "output.message.content.0.text", "mark 7"},
		{"image", "echo/converse", `{"messages":[{"role":"user","content":[{"image":{"format":"png","source":{"bytes":"AAAA"}}}]}]}`, "output.message.content.0.text", "[image image/png 4]"},
		{"tools", "small/converse", `{` + tools + `,"messages":[{"role":"user","content":[{"text":"x"}]}]}`, "output.message.content.1.toolUse.input.n", "1"},
		{"result", "small/converse", `{` + tools + `,"messages":[` + call + `{"role":"user","content":[{"toolResult":{"toolUseId":"1","content":[{"text":"noon"}]}}]}]}`, "output.message.content.0.text", "noon"},
		{"no toolConfig", "small/converse", `{"messages":[` + call + `{"role":"user","content":[{"toolResult":{"toolUseId":"1","content":[{"text":"noon"}]}}]}]}`, "message", "The toolConfig field must be defined when using toolUse and toolResult content blocks."},
		{"schema", "small/converse", `{"messages":[{"role":"user","content":[{"text":"x"}]}],"outputConfig":{"textFormat":{"structure":{"jsonSchema":{"schema":"{\"type\":\"object\",\"properties\":{\"ok\":{\"type\":\"boolean\"}}}"}}}}}`, "output.message.content.0.text", `{"ok":true}`},
		{"error", "fail-429/converse", `{"messages":[]}`, "message", "the fake upstream fails with 429 as asked"},
		{"count", "small/count-tokens", `{"input":{"converse":{"messages":[{"role":"user","content":[{"text":"a b c"}]}]}}}`, "inputTokens", "4"},
		{"titan", "amazon.titan-embed-text-v2%3A0/invoke", `{"inputText":"a","dimensions":3}`, "embedding.#", "3"},
		{"cohere", "cohere.embed-v4/invoke", `{"texts":["a","b"]}`, "embeddings.float.#", "2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, body := send(t, s.URL()+"/model/"+c.path, c.body, AWSSecret)
			if got := gjson.Get(body, c.at).String(); got != c.want || (res.StatusCode != 200) != (c.at == "message") {
				t.Fatalf("%s is %q, want %q in %d %s", c.at, got, c.want, res.StatusCode, body)
			}
		})
	}
	if res, body := send(t, s.URL()+"/model/small/converse", `{"messages":[]}`, "wrong"); res.StatusCode != 400 || !strings.Contains(body, "does not match") {
		t.Errorf("a wrong signature: %d %s", res.StatusCode, body)
	}
	if res, _ := send(t, s.URL()+"/model/fail-503/converse", `{"messages":[]}`, AWSSecret); !strings.HasPrefix(res.Header.Get("X-Amzn-Errortype"), "ServiceUnavailableException") {
		t.Errorf("the error has no name: %v", res.Header)
	}
	res, body := send(t, s.URL()+"/model/echo_think/converse-stream", `{`+tools+`,"messages":[{"role":"user","content":[{"text":"a b"}]}]}`, AWSSecret)
	var names []string
	for in := bytes.NewReader([]byte(body)); in.Len() > 0; {
		m, err := eventstream.NewDecoder().Decode(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, m.Headers.Get(":event-type").String())
	}
	if n := len(names); res.Header.Get("Content-Type") != bedrockFormat.stream || names[0] != "messageStart" || names[n-2] != "messageStop" || names[n-1] != "metadata" {
		t.Errorf("%s: %v", res.Header.Get("Content-Type"), names)
	}
}

// What Anthropic refuses of thoughts, the fake refuses too.
func TestAnthropicStrict(t *testing.T) {
	s := Start(t)
	tools := `"tools":[{"name":"a","input_schema":{"type":"object"}}],"thinking":{"type":"enabled","budget_tokens":1024}`
	turn := func(before string) string {
		return `{"model":"m","max_tokens":2000,` + tools + `,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":[` + before +
			`{"type":"tool_use","id":"1","name":"a","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"r"}]}]}`
	}
	for _, c := range []struct {
		name, body string
		status     int
	}{
		{"thoughts first", turn(`{"type":"thinking","thinking":"t","signature":"` + anthropicSignature + `"},`), 200},
		{"no thoughts", turn(""), 400},
		{"another's signature", turn(`{"type":"thinking","thinking":"t","signature":"Zm9yZWlnbg=="},`), 400},
		{"small max_tokens", `{"model":"m","max_tokens":1000,` + tools + `,"messages":[]}`, 400},
		{"no max_tokens", `{"model":"m","messages":[]}`, 400},
		{"no result", `{"model":"m","max_tokens":9,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"a","input":{}}]},{"role":"user","content":"so?"}]}`, 400},
	} {
		if res, body, _ := post(t, s.URL()+"/v1/messages", c.body); res.StatusCode != c.status {
			t.Errorf("%s: %d %s", c.name, res.StatusCode, body)
		}
	}
}

func TestResponses(t *testing.T) {
	s := Start(t)
	tools := `"tools":[{"type":"function","name":"a","parameters":{"type":"object","properties":{"n":{"type":"integer"}}}}]`
	call := `{"role":"user","content":"x"},{"type":"reasoning","id":"r","summary":[],"encrypted_content":"` + encrypted + `"},{"type":"function_call","call_id":"1","name":"a","arguments":"{}"}`
	for _, c := range []struct{ name, body, at, want string }{
		{"text", `{"model":"echo","input":"mark 7"}`, "output.0.content.0.text", "mark 7"},
		{"image", `{"model":"echo","input":[{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,AAAA"}]}]}`, "output.0.content.0.text", "[image image/png 4]"},
		{"tools", `{"model":"m","input":"x",` + tools + `}`, "output.1.arguments", `{"n":1}`},
		{"result", `{"model":"m","input":[` + call + `,{"type":"function_call_output","call_id":"1","output":"noon"}],` + tools + `}`, "output.0.content.0.text", "noon"},
		{"no result", `{"model":"m","input":[` + call + `],` + tools + `}`, "error.type", "invalid_request_error"},
		{"another's reasoning", `{"model":"m","input":[{"type":"reasoning","encrypted_content":"x"}]}`, "error.type", "invalid_request_error"},
		{"schema", `{"model":"m","input":"x","text":{"format":{"type":"json_schema","schema":{"type":"object","properties":{"ok":{"type":"boolean"}}}}}}`, "output.0.content.0.text", `{"ok":true}`},
		{"bound", `{"model":"echo","input":"a b c","max_output_tokens":2}`, "incomplete_details.reason", "max_output_tokens"},
		{"reasoning", `{"model":"m","input":"x","reasoning":{"effort":"low"}}`, "output.0.encrypted_content", encrypted},
	} {
		_, body, _ := post(t, s.URL()+"/v1/responses", c.body)
		if got := gjson.Get(body, c.at).String(); got != c.want {
			t.Errorf("%s: %s is %q, want %q in %s", c.name, c.at, got, c.want, body)
		}
	}
	_, body, _ := post(t, s.URL()+"/v1/responses", `{"model":"echo_think","stream":true,"input":"a b"}`)
	frames := strings.Split(strings.TrimSuffix(body, "\n\n"), "\n\n")
	if last := frames[len(frames)-1]; !strings.HasPrefix(last, "event: response.completed\ndata: ") || !strings.Contains(body, "reasoning_summary_text.delta") {
		t.Errorf("%s", body)
	}
}
