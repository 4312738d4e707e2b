package bedrock

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/providers/anthropic"
	"sluice/providers/dialect"
	"sluice/providers/openai"
	"sluice/providers/schema"
)

func TestModelPath(t *testing.T) {
	for model, want := range map[string]string{
		"anthropic.claude-v2:1":                              "/model/anthropic.claude-v2%3A1/converse",
		"anthropic.claude-v2%3A1":                            "/model/anthropic.claude-v2%3A1/converse",
		"arn:aws:bedrock:us-east-1:1:inference-profile/us.a": "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.a/converse",
		"a b?c#d/../e":                                       "/model/a%20b%3Fc%23d%2F..%2Fe/converse",
		"100%":                                               "/model/100%25/converse",
	} {
		if got := modelPath(model, "converse"); got != want {
			t.Errorf("%s goes to %s, want %s", model, got, want)
		}
	}
}

func TestTraits(t *testing.T) {
	for model, want := range map[string]traits{
		"us.anthropic.claude-opus-4-6-v1":                               {claude: true, system: true, force: forceTool, cache: true, cacheTools: true, cacheHour: true},
		"anthropic.claude-3-7-sonnet-20250219-v1:0":                     {claude: true, system: true, force: forceTool, cache: true, cacheTools: true},
		"anthropic.claude-v2":                                           {claude: true, system: true, force: forceTool},
		"global.amazon.nova-2-lite-v1:0":                                {system: true, force: forceTool, cache: true, topK: "inferenceConfig.topK", effort: "nova"},
		"amazon.nova-micro-v1:0":                                        {system: true, force: forceTool, cache: true, topK: "inferenceConfig.topK"},
		"mistral.mistral-7b-instruct-v0:2":                              {topK: "top_k"},
		"mistral.mistral-large-2407-v1:0":                               {system: true, force: forceAny, topK: "top_k"},
		"mistral.magistral-small-2509":                                  {system: true, force: forceAny, structured: true, topK: "top_k"},
		"openai.gpt-oss-20b-1:0":                                        {system: true, force: forceAny, structured: true, effort: "openai"},
		"us.deepseek.r1-v1:0":                                           {system: true},
		"moonshot.kimi-k2-thinking":                                     {system: true, force: forceAny, structured: true},
		"us-gov.amazon.titan-text-lite-v1":                              {},
		"arn:aws:bedrock:us-east-1:1:application-inference-profile/abc": {system: true, force: forceTool, cache: true, cacheTools: true},
		"arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.meta.llama3-1-8b-instruct-v1%3A0": {system: true},
	} {
		if got := traitsOf(model); got != want {
			t.Errorf("%s is %+v, want %+v", model, got, want)
		}
	}
	for model, want := range map[string]string{
		"us.anthropic.claude-haiku-4-5-20251001-v1:0": "claude-haiku-4-5-20251001-v1:0", "anthropic.claude-v2": "claude-2-1", "anthropic.claude-instant-v1": "claude-2-1",
	} {
		if got := claudeName(model); got != want {
			t.Errorf("%s is %s, want %s", model, got, want)
		}
	}
}

// encodeFrom encodes a client's request.
func encodeFrom(t *testing.T, client *dialect.Dialect, model, raw string) *dialect.Upstream {
	t.Helper()
	req, err := client.Client.DecodeChat([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	req.Model = model
	up, err := encode(req)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(up.Body) {
		t.Fatalf("not JSON: %s", up.Body)
	}
	return up
}

// What an Anthropic client says reaches Claude on Bedrock whole.
func TestFromAnthropic(t *testing.T) {
	up := encodeFrom(t, &anthropic.Dialect, "anthropic.claude-opus-4-5-20251101-v1:0", `{"model":"m","max_tokens":4000,
	 "system":[{"type":"text","text":"S","cache_control":{"type":"ephemeral","ttl":"5m"}}],
	 "thinking":{"type":"enabled","budget_tokens":2000},
	 "messages":[
	  {"role":"user","content":[{"type":"document","title":"Facts","context":"from 2020","citations":{"enabled":true},"source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0="}},{"type":"text","text":"Q"}]},
	  {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"c2ln"},{"type":"redacted_thinking","data":"Eopaque"},{"type":"tool_use","id":"t1","name":"f","input":{"a":[1]}}]},
	  {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","is_error":true,"cache_control":{"type":"ephemeral"},"content":[{"type":"text","text":"bad"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]},{"type":"text","text":"then"}]}],
	 "tools":[{"name":"f","description":"d","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral"}},{"type":"bash_20250124","name":"bash"},{"type":"web_search_20250305","name":"web_search"}],
	 "tool_choice":{"type":"auto"},"metadata":{"user_id":"u"},"betas":["b-1"],"context_management":{"edits":[]}}`)
	for path, want := range map[string]string{
		"system":                                          `[{"text":"S"},{"cachePoint":{"type":"default"}}]`,
		"messages.0.content.0":                            `{"document":{"format":"pdf","name":"Facts","source":{"bytes":"JVBERi0="},"context":"from 2020","citations":{"enabled":true}}}`,
		"messages.1.content.0":                            `{"reasoningContent":{"reasoningText":{"text":"hm","signature":"c2ln"}}}`,
		"messages.1.content.1":                            `{"reasoningContent":{"redactedContent":"RW9wYXF1ZQ=="}}`,
		"messages.1.content.2":                            `{"toolUse":{"toolUseId":"t1","name":"f","input":{"a":[1]}}}`,
		"messages.2.content.0":                            `{"toolResult":{"toolUseId":"t1","content":[{"text":"bad"},{"image":{"format":"png","source":{"bytes":"iVBORw0KGgo="}}}],"status":"error"}}`,
		"messages.2.content.1":                            `{"cachePoint":{"type":"default"}}`,
		"messages.2.content.2":                            `{"text":"then"}`,
		"toolConfig.tools":                                `[{"toolSpec":{"name":"f","description":"d","inputSchema":{"json":{"type":"object"}}}},{"cachePoint":{"type":"default"}}]`,
		"toolConfig.toolChoice":                           `{"auto":{}}`,
		"inferenceConfig":                                 `{"maxTokens":4000}`,
		"additionalModelRequestFields.thinking":           `{"type":"enabled","budget_tokens":2000}`,
		"additionalModelRequestFields.anthropic_beta":     `["b-1"]`,
		"additionalModelRequestFields.context_management": `{"edits":[]}`,
		"additionalModelRequestFields.tools":              `[{"type":"bash_20250124","name":"bash"},{"type":"web_search_20250305","name":"web_search"}]`,
		"requestMetadata":                                 `{"user":"u"}`,
	} {
		if got := gjson.GetBytes(up.Body, path).Raw; got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	if len(up.Dropped) != 0 {
		t.Errorf("dropped %v", up.Dropped)
	}
}

func TestSettings(t *testing.T) {
	const chat = `{"model":"m","messages":[{"role":"user","content":"Q"}],`
	const tools = `"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}],`
	schemaText := `"response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"type":"object","properties":{}}}}`
	for _, c := range []struct{ name, model, raw, path, want, dropped string }{
		{"required", "amazon.nova-pro-v1:0", chat + tools + `"tool_choice":"required"}`, "toolConfig.toolChoice", `{"any":{}}`, ""},
		{"required unknown", "meta.llama3-8b-instruct-v1:0", chat + tools + `"tool_choice":"required"}`, "toolConfig.toolChoice", ``, "tool_choice"},
		{"certain of two", "mistral.mistral-large-2407-v1:0", chat + tools + `"tool_choice":{"type":"function","function":{"name":"f"}}}`, "toolConfig.toolChoice", ``, "tool_choice"},
		{"certain", "us.anthropic.claude-opus-4-6-v1", chat + tools + `"tool_choice":{"type":"function","function":{"name":"g"}}}`, "toolConfig.toolChoice", `{"tool":{"name":"g"}}`, ""},
		{"none", "amazon.nova-pro-v1:0", chat + tools + `"tool_choice":"none"}`, "toolConfig", ``, ""},
		{"none on Claude", "anthropic.claude-opus-4-6-v1", chat + tools + `"tool_choice":"none"}`, "toolConfig", ``, ""},
		{"any answer", "amazon.nova-pro-v1:0", chat + tools + schemaText + `}`, "toolConfig.toolChoice", `{"any":{}}`, ""},
		{"forced beats answer", "amazon.nova-pro-v1:0", chat + tools + `"tool_choice":{"type":"function","function":{"name":"f"}},` + schemaText + `}`, "toolConfig.toolChoice", `{"tool":{"name":"f"}}`, "response_format"},
		{"old Claude's answer", "anthropic.claude-3-haiku-20240307-v1:0", chat + schemaText + `}`, "toolConfig.toolChoice.tool.name", `"sluice_structured_answer"`, ""},
		{"native", "qwen.qwen3-32b-v1:0", chat + schemaText + `}`, "outputConfig.textFormat.structure.jsonSchema", `{"schema":"{\"type\":\"object\",\"properties\":{}}","name":"a"}`, ""},
		{"JSON mode", "qwen.qwen3-32b-v1:0", chat + `"response_format":{"type":"json_object"}}`, "system.#", `1`, ""},
		{"JSON mode on Claude", "anthropic.claude-opus-4-6-v1", chat + `"response_format":{"type":"json_object"}}`, "system.#", `1`, ""},
		{"effort", "openai.gpt-oss-120b-1:0", chat + `"reasoning_effort":"xhigh"}`, "additionalModelRequestFields", `{"reasoning_effort":"high"}`, ""},
		{"effort off", "openai.gpt-oss-120b-1:0", chat + `"reasoning_effort":"none"}`, "additionalModelRequestFields", ``, "reasoning_effort"},
		{"high effort", "amazon.nova-2-lite-v1:0", chat + `"reasoning_effort":"high"}`, "additionalModelRequestFields", `{"reasoningConfig":{"type":"enabled","maxReasoningEffort":"high"}}`, ""},
		{"effort within a limit", "amazon.nova-2-lite-v1:0", chat + `"max_tokens":9,"reasoning_effort":"high"}`, "inferenceConfig", `{"maxTokens":9}`, "reasoning_effort"},
		{"effort unknown", "us.deepseek.r1-v1:0", chat + `"reasoning_effort":"low"}`, "additionalModelRequestFields", ``, "reasoning_effort"},
		{"Nova's own tool", "amazon.nova-2-lite-v1:0", chat + `"tools":[{"type":"system","systemTool":{"name":"nova_grounding"}}]}`, "toolConfig.tools", `[{"systemTool":{"name":"nova_grounding"}}]`, ""},
		{"another's own tool", "amazon.nova-2-lite-v1:0", chat + `"tools":[{"type":"web_search"}]}`, "toolConfig", ``, "tools"},
		{"limits by the back door", "amazon.nova-2-lite-v1:0", chat + `"additionalModelRequestFields":{"inferenceConfig":{"max_new_tokens":9},"x":[1]}}`, "additionalModelRequestFields", `{"x":[1]}`, "additionalModelRequestFields.inferenceConfig"},
		{"settings of no use", "amazon.nova-2-lite-v1:0", chat + `"guardrailConfig":"x"}`, "guardrailConfig", ``, "guardrailConfig"},
		{"paths", "amazon.nova-2-lite-v1:0", chat + `"additionalModelResponseFieldPaths":["/a"]}`, "additionalModelResponseFieldPaths", `["/a"]`, ""},
		{"own metadata", "amazon.nova-2-lite-v1:0", chat + `"requestMetadata":{"a":"b"}}`, "requestMetadata", `{"a":"b"}`, ""},
		{"odd user", "amazon.nova-2-lite-v1:0", chat + `"user":"{}"}`, "requestMetadata", ``, "user"},
		{"a film by its own name", "amazon.nova-2-lite-v1:0", `{"model":"m","messages":[{"role":"user","content":[{"type":"video","video":{"format":"mp4","source":{"s3Location":{"uri":"s3://a/b"}}}}]}]}`, "messages.0.content.0", `{"video":{"format":"mp4","source":{"s3Location":{"uri":"s3://a/b"}}}}`, ""},
		{"prefill", "anthropic.claude-opus-4-5-20251101-v1:0", `{"model":"m","messages":[{"role":"user","content":"Q"},{"role":"assistant","content":"A: \n"}]}`, "messages.1.content.0.text", `"A:"`, ""},
		{"assistant first, no system", "amazon.titan-text-express-v1", `{"model":"m","messages":[{"role":"system","content":"S"},{"role":"assistant","content":"A"},{"role":"user","content":"Q"}]}`, "messages.#.role", `["user","assistant","user"]`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			up := encodeFrom(t, &openai.Dialect, c.model, c.raw)
			if got := gjson.GetBytes(up.Body, c.path).Raw; got != c.want {
				t.Errorf("%s is %s, want %s\n%s", c.path, got, c.want, up.Body)
			}
			if got := strings.Join(up.Dropped, " "); got != c.dropped {
				t.Errorf("dropped %q, want %q", got, c.dropped)
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	part := func(kind schema.PartType, m *schema.Media) []schema.Message {
		return []schema.Message{{Role: schema.RoleUser, Parts: []schema.Part{{Type: kind, Media: m}}}}
	}
	for name, c := range map[string]struct {
		messages []schema.Message
		param    string
	}{
		"nothing":    {[]schema.Message{{Role: schema.RoleUser, Parts: schema.TextParts(" ")}}, "messages"},
		"role":       {[]schema.Message{{Role: "wizard"}}, "messages[0].role"},
		"tool id":    {[]schema.Message{{Role: schema.RoleTool}}, "messages[0].tool_call_id"},
		"call id":    {[]schema.Message{{Role: schema.RoleAssistant, ToolCalls: []schema.ToolCall{{}}}}, "messages[0].tool_calls[0].id"},
		"system":     {[]schema.Message{{Role: schema.RoleSystem, Parts: []schema.Part{{Type: schema.PartImage}}}}, "messages[0].content"},
		"no media":   {part(schema.PartImage, nil), "messages[0].content[0]"},
		"no data":    {part(schema.PartImage, &schema.Media{}), "messages[0].content[0]"},
		"file id":    {part(schema.PartDocument, &schema.Media{FileID: "f"}), "messages[0].content[0]"},
		"bad URL":    {part(schema.PartImage, &schema.Media{URL: "data:image/png,x"}), "messages[0].content[0]"},
		"wrong type": {part(schema.PartDocument, &schema.Media{MIME: "application/zip", Data: "UEs="}), "messages[0].content[0]"},
		"no type":    {part(schema.PartDocument, &schema.Media{Data: "UEs="}), "messages[0].content[0]"},
		"unknown":    {part("hologram", nil), "messages[0].content[0]"},
	} {
		_, err := encode(&schema.ChatRequest{Model: "amazon.nova-pro-v1:0", Messages: c.messages})
		if e := schema.AsError(err); err == nil || e.Param != c.param || e.Status != 400 {
			t.Errorf("%s: %v (param %q)", name, err, schema.AsError(err).Param)
		}
	}
	for name, f := range map[string]*schema.ResponseFormat{"type": {Type: "xml"}, "schema": {Type: "json_schema", Schema: json.RawMessage(`[]`)}} {
		_, err := encode(&schema.ChatRequest{Model: "amazon.nova-pro-v1:0", Messages: part(schema.PartImage, &schema.Media{Data: "iVBOR"}), ResponseFormat: f})
		if err == nil {
			t.Errorf("response_format of a wrong %s is taken", name)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, body := range []string{``, `[]`, `{}`, `{"output":{}}`, `{"message":"x"}`, `{"output":{"message":{"content":[1]}}}`, `{"output":{"message":{"content":[{"text":1}]}}}`} {
		_, err := decode([]byte(body))
		if e := schema.AsError(err); err == nil || e.Class != schema.ClassInvalidOutput {
			t.Errorf("%s gives %v", body, err)
		}
	}
	s := newStream()
	for _, f := range []dialect.Frame{{Event: "metadata", Data: []byte(`{`)}, {Event: "messageStop", Data: []byte(`[]`)}} {
		if _, err := s.Decode(f, nil); schema.AsError(err).Class != schema.ClassInvalidOutput {
			t.Errorf("%s %s gives %v", f.Event, f.Data, err)
		}
	}
	if out, err := s.Decode(dialect.Frame{Event: "metadata", Data: []byte(`{}`)}, nil); err != nil || len(out) != 1 || s.Done() {
		t.Errorf("metadata before the end: %v, %v, done %v", out, err, s.Done())
	}
}

func TestUsage(t *testing.T) {
	for name, c := range map[string]struct {
		usage *usage
		input int64
	}{
		"none":           {nil, 0},
		"apart":          {&usage{Input: 10, Output: 4, CacheRead: 7351, Total: 7365}, 7361},
		"inside":         {&usage{Input: 7361, Output: 4, CacheRead: 7351, Total: 7365}, 7361},
		"apart, odd sum": {&usage{Input: 10, Output: 4, CacheWrite: 50, Total: 14}, 60},
		"no total":       {&usage{Input: 10, Output: 4, CacheRead: 3}, 13},
		"negative":       {&usage{Input: -1, Output: -4}, 0},
	} {
		if got := c.usage.unified(); got.Input != c.input {
			t.Errorf("%s: input is %d, want %d", name, got.Input, c.input)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		status       int
		header, body string
		class        schema.Class
		code         schema.Code
		want         int
	}{
		{400, "ValidationException", `{"message":"Input is too long for requested model."}`, schema.ClassContextLength, schema.CodeContextLength, 400},
		{400, "", `{"__type":"com.amazon.coral.validate#ValidationException","message":"prompt is too long: 9 > 8"}`, schema.ClassContextLength, schema.CodeContextLength, 400},
		{400, "ValidationException:http://x/", `{"message":"The provided model identifier is invalid."}`, schema.ClassNotFound, schema.CodeModelNotFound, 404},
		{400, "ValidationException", `{"message":"The text field is blank"}`, schema.ClassInvalidRequest, schema.CodeInvalidRequest, 400},
		{400, "ServiceQuotaExceededException", `{"message":"m"}`, schema.ClassRateLimited, schema.CodeRateLimit, 429},
		{400, "IncompleteSignature", `{"message":"m"}`, schema.ClassAuth, schema.CodeUpstreamAuth, 502},
		{403, "AccessDeniedException", `{"Message":"User: arn:aws:iam::1:user/a is not authorized"}`, schema.ClassAuth, schema.CodeUpstreamAuth, 502},
		{403, "AccessDeniedException", `{"message":"You don't have access to the model with the specified model ID."}`, schema.ClassNotFound, schema.CodeModelNotFound, 404},
		{403, "ExpiredTokenException:http://x", `{"message":"The security token included in the request is expired"}`, schema.ClassAuth, schema.CodeUpstreamAuth, 502},
		{403, "", `{"Message":"Authentication failed: Please make sure your API Key is valid."}`, schema.ClassAuth, schema.CodeUpstreamAuth, 502},
		{404, "ResourceNotFoundException", `{"message":"This model version has reached the end of its life."}`, schema.ClassNotFound, schema.CodeModelNotFound, 404},
		{408, "ModelTimeoutException", `{}`, schema.ClassTimeout, schema.CodeUpstreamTimeout, 504},
		{424, "ModelErrorException", `{"message":"m","originalStatusCode":500}`, schema.ClassServerError, schema.CodeUpstream, 502},
		{429, "ThrottlingException", `{"message":"Too many tokens per day, please wait before trying again."}`, schema.ClassQuota, schema.CodeInsufficientQuota, 429},
		{429, "ModelNotReadyException", `{"message":"m"}`, schema.ClassOverloaded, schema.CodeUpstream, 503},
		{500, "InternalServerException", `{"message":"m"}`, schema.ClassServerError, schema.CodeUpstream, 500},
		{503, "", `<html>`, schema.ClassOverloaded, schema.CodeUpstream, 503},
		{413, "", ``, schema.ClassInvalidRequest, schema.CodeTooLarge, 413},
		{418, "NewException", ``, schema.ClassInvalidRequest, schema.CodeInvalidRequest, 400},
		{404, "", ``, schema.ClassNotFound, schema.CodeNotFound, 404},
		{429, "", ``, schema.ClassRateLimited, schema.CodeRateLimit, 429},
		{502, "", ``, schema.ClassServerError, schema.CodeUpstream, 500},
	} {
		e := decodeError(c.status, func(name string) string {
			if name == "X-Amzn-Errortype" {
				return c.header
			}
			return ""
		}, []byte(c.body))
		if e.Class != c.class || e.Code != c.code || e.Status != c.want || e.UpstreamStatus != c.status || e.Message == "" || strings.Contains(e.Message, "arn:") {
			t.Errorf("%d %s %s gives %+v", c.status, c.header, c.body, e)
		}
	}
	e := errorOf(0, "throttlingException", noHeader, []byte(`{"message":"m"}`))
	if e.Class != schema.ClassRateLimited || e.UpstreamStatus != 429 {
		t.Errorf("in a stream: %+v", e)
	}
}

func TestEmbed(t *testing.T) {
	two := int64(2)
	for _, c := range []struct {
		model, want, dropped string
		req                  schema.EmbedRequest
	}{
		{"amazon.titan-embed-text-v2:0", `{"inputText":"a","dimensions":2,"normalize":false}`, "user", schema.EmbedRequest{Input: []string{"a"}, Dimensions: &two, User: "u", Extra: map[string]json.RawMessage{"normalize": json.RawMessage("false")}}},
		{"amazon.titan-embed-text-v1", `{"inputText":"a"}`, "dimensions odd", schema.EmbedRequest{Input: []string{"a"}, Dimensions: &two, Extra: map[string]json.RawMessage{"odd": json.RawMessage("1")}}},
		{"amazon.titan-embed-image-v1", `{"inputText":"a","embeddingConfig":{"outputEmbeddingLength":2}}`, "", schema.EmbedRequest{Input: []string{"a"}, Dimensions: &two}},
		{"cohere.embed-english-v3", `{"texts":["a","b"],"input_type":"search_query","truncate":"END","embedding_types":["float"]}`, "dimensions", schema.EmbedRequest{Input: []string{"a", "b"}, Dimensions: &two, Extra: map[string]json.RawMessage{"input_type": json.RawMessage(`"search_query"`), "truncate": json.RawMessage(`"END"`)}}},
		{"us.cohere.embed-v4:0", `{"texts":["a"],"input_type":"search_document","embedding_types":["float"],"output_dimension":2}`, "", schema.EmbedRequest{Input: []string{"a"}, Dimensions: &two}},
		{"amazon.nova-2-multimodal-embeddings-v1:0", `{"taskType":"SINGLE_EMBEDDING","singleEmbeddingParams":{"embeddingPurpose":"GENERIC_INDEX","embeddingDimension":2,"text":{"truncationMode":"END","value":"a\"b"}}}`, "", schema.EmbedRequest{Input: []string{`a"b`}, Dimensions: &two}},
	} {
		c.req.Model = c.model
		up, err := encodeEmbed(&c.req)
		if err != nil {
			t.Errorf("%s: %v", c.model, err)
			continue
		}
		if string(up.Body) != c.want || strings.Join(up.Dropped, " ") != c.dropped || up.Path != modelPath(c.model, "invoke") {
			t.Errorf("%s: %s %s, dropped %v", c.model, up.Path, up.Body, up.Dropped)
		}
	}
	for name, req := range map[string]schema.EmbedRequest{"two": {Input: []string{"a", "b"}}, "none": {}, "tokens": {Tokens: [][]int64{{1}}}} {
		req.Model = "amazon.titan-embed-text-v2:0"
		if _, err := encodeEmbed(&req); schema.AsError(err).Param != "input" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for body, want := range map[string][][]float32{
		`{"embedding":[0.5,-1],"inputTextTokenCount":3}`:                             {{0.5, -1}},
		`{"embedding":[1],"embeddingsByType":{"float":[1]}}`:                         {{1}},
		`{"embeddings":[[1,2],[3,4]],"response_type":"embeddings_floats"}`:           {{1, 2}, {3, 4}},
		`{"embeddings":{"float":[[1e-3],[2]]},"response_type":"embeddings_by_type"}`: {{0.001}, {2}},
		`{"embeddings":[{"embeddingType":"TEXT","embedding":[7]}]}`:                  {{7}},
	} {
		got, err := decodeEmbed([]byte(body))
		if err != nil || len(got.Data) != len(want) {
			t.Errorf("%s: %+v, %v", body, got, err)
			continue
		}
		for i := range want {
			if got.Data[i].Index != i || !slices.Equal(got.Data[i].Vector, want[i]) {
				t.Errorf("%s: %+v", body, got.Data)
			}
		}
		if reported := got.Usage.Source == schema.UsageReported; reported != strings.Contains(body, "TokenCount") {
			t.Errorf("%s: usage is %+v", body, got.Usage)
		}
	}
	for _, body := range []string{``, `{}`, `{"embedding":[]}`, `{"embedding":["a"]}`, `{"embeddings":[]}`, `{"embeddings":[[1],[]]}`} {
		if _, err := decodeEmbed([]byte(body)); schema.AsError(err).Class != schema.ClassInvalidOutput {
			t.Errorf("%s gives %v", body, err)
		}
	}
}

func TestRerank(t *testing.T) {
	one := int64(1)
	req := schema.RerankRequest{Model: "cohere.rerank-v3-5:0", Query: "q", Documents: []string{"a", "b"}, TopN: &one, Extra: map[string]json.RawMessage{"x": nil}}
	up, err := encodeRerank(&req)
	if err != nil || string(up.Body) != `{"query":"q","documents":["a","b"],"top_n":1,"api_version":2}` || up.Path != "/model/cohere.rerank-v3-5%3A0/invoke" || len(up.Dropped) != 1 {
		t.Errorf("%+v %s, %v", up, up.Body, err)
	}
	req.Model = "amazon.rerank-v1:0"
	if up, err = encodeRerank(&req); err != nil || strings.Contains(string(up.Body), "api_version") {
		t.Errorf("%s, %v", up.Body, err)
	}
	for param, bad := range map[string]schema.RerankRequest{"query": {Documents: []string{"a"}}, "documents": {Query: "q"}} {
		if _, err := encodeRerank(&bad); schema.AsError(err).Param != param {
			t.Errorf("%s: %v", param, err)
		}
	}
	got, err := decodeRerank([]byte(`{"id":"i","results":[{"index":0,"relevance_score":0.1},{"index":1,"relevance_score":0.9}]}`))
	if err != nil || got.ID != "i" || got.Results[0] != (schema.Ranked{Index: 1, Score: 0.9}) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, body := range []string{``, `{}`, `{"results":[{"index":0}]}`, `{"results":[{"index":-1,"relevance_score":1}]}`} {
		if _, err := decodeRerank([]byte(body)); schema.AsError(err).Class != schema.ClassInvalidOutput {
			t.Errorf("%s gives %v", body, err)
		}
	}
}

func TestCount(t *testing.T) {
	req, err := openai.Dialect.Client.DecodeChat([]byte(`{"model":"m","messages":[{"role":"system","content":"S"},{"role":"user","content":"Q"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"reasoning":{"max_tokens":2000}}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Model = "us.anthropic.claude-sonnet-4-20250514-v1:0"
	up, err := encodeCount(req)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"input":{"converse":{"messages":[{"role":"user","content":[{"text":"Q"}]}],"system":[{"text":"S"}],"toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object"}}}}]},"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":2000}}}}}`
	if string(up.Body) != want || up.Path != "/model/anthropic.claude-sonnet-4-20250514-v1%3A0/count-tokens" {
		t.Errorf("%s %s\nwant %s", up.Path, up.Body, want)
	}
	for body, want := range map[string]int64{`{"inputTokens":18}`: 18, `{"inputTokens":-1}`: -1, `{}`: -1, `x`: -1} {
		n, err := decodeCount([]byte(body))
		if want >= 0 && (n != want || err != nil) || want < 0 && !errors.As(err, new(*schema.Error)) {
			t.Errorf("%s counts %d, %v", body, n, err)
		}
	}
}

func TestModelPathStaysInItsPlace(t *testing.T) {
	for model, want := range map[string]string{"..": "/model/%2E%2E/invoke", "%2E%2E": "/model/%2E%2E/invoke", "a%2F..": "/model/a%2F../invoke"} {
		if got := modelPath(model, "invoke"); got != want {
			t.Errorf("%s goes to %s", model, got)
		}
	}
}
