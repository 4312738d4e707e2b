package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// expected is what the index says that an answer tells, in the provider's own
// words and figures.
type expected struct {
	Text            *string `json:"text"`
	Reasoning       *string `json:"reasoning"`
	ReasoningCut    bool    `json:"reasoning_truncated"`
	ReasoningSHA256 string  `json:"reasoning_sha256"`
	ToolCalls       []struct {
		ID, Name  string
		Arguments json.RawMessage
	} `json:"tool_calls"`
	Finish *string `json:"finish"`
	Usage  *struct {
		Input, Output, Total *int64
		Cached, Reasoning    int64
		CacheWrite           int64  `json:"cache_write"`
		InputTotal           *int64 `json:"input_total"`
		OutputTotal          *int64 `json:"output_total"`
	} `json:"usage"`
}

// told is what a client makes of an answer: finish in OpenAI's words, input
// with cached tokens in it, output with reasoning in it.
type told struct {
	text, reasoning, finish string
	calls                   []toldCall
	in, out, cached         int64
	usage                   bool
}

type toldCall struct{ id, name, args string }

// clientDialect is how a client asks, and reads what it gets.
type clientDialect struct {
	name   string
	ask    func(model string, stream bool) (path, body string)
	whole  func(gjson.Result) told
	stream func(body string) told
}

var dialects = []clientDialect{
	{"openai", func(model string, stream bool) (string, string) {
		extra := ""
		if stream {
			extra = `,"stream":true,"stream_options":{"include_usage":true}`
		}
		return "/v1/chat/completions", chatBody(model, "hi", extra)
	}, tellOpenAI, tellOpenAIStream},
	{"anthropic", func(model string, stream bool) (string, string) {
		return "/v1/messages", chatBody(model, "hi", `,"max_tokens":1000,"stream":`+strconv.FormatBool(stream))
	}, tellAnthropic, tellAnthropicStream},
	{"gemini", func(model string, stream bool) (string, string) {
		method := ":generateContent"
		if stream {
			method = ":streamGenerateContent?alt=sse"
		}
		return "/v1beta/models/" + model + method, `{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`
	}, tellGemini, tellGeminiStream},
	{"responses", func(model string, stream bool) (string, string) {
		return "/v1/responses", `{"model":` + quote(model) + `,"input":"hi","store":false,"stream":` + strconv.FormatBool(stream) + `}`
	}, tellResponses, tellResponsesStream},
}

// events calls each with the data of every event of a stream.
func eachEvent(body string, each func(gjson.Result)) {
	for line := range strings.Lines(strings.ReplaceAll(body, "\r\n", "\n")) {
		if data, ok := strings.CutPrefix(line, "data:"); ok {
			each(gjson.Parse(strings.TrimSpace(data)))
		}
	}
}

func tellOpenAI(root gjson.Result) (r told) {
	r.openaiUsage(root.Get("usage"))
	choice := root.Get("choices.0")
	r.finish = choice.Get("finish_reason").String()
	r.openaiDelta(choice.Get("message"))
	return r
}

func tellOpenAIStream(body string) (r told) {
	eachEvent(body, func(e gjson.Result) {
		r.openaiUsage(e.Get("usage"))
		for _, choice := range e.Get("choices").Array() {
			if choice.Get("index").Int() != 0 {
				continue
			}
			if f := choice.Get("finish_reason").String(); f != "" {
				r.finish = f
			}
			r.openaiDelta(choice.Get("delta"))
		}
	})
	return r
}

func (r *told) openaiDelta(m gjson.Result) {
	content := m.Get("content")
	if content.IsArray() { // Mistral's way
		r.text += textsOf(content, "text")
	} else {
		r.text += content.String()
	}
	for _, name := range []string{"reasoning_content", "reasoning"} {
		if v := m.Get(name); v.Type == gjson.String && v.Str != "" {
			r.reasoning += v.Str
			break
		}
	}
	for i, c := range m.Get("tool_calls").Array() {
		if at := c.Get("index"); at.Exists() {
			i = int(at.Int())
		}
		for len(r.calls) <= i {
			r.calls = append(r.calls, toldCall{})
		}
		r.calls[i].id += c.Get("id").String()
		r.calls[i].name += c.Get("function.name").String()
		r.calls[i].args += c.Get("function.arguments").String()
	}
}

func (r *told) openaiUsage(u gjson.Result) {
	if !u.IsObject() {
		return
	}
	r.usage = true
	r.in, r.out = u.Get("prompt_tokens").Int(), u.Get("completion_tokens").Int()
	r.cached = u.Get("prompt_tokens_details.cached_tokens").Int()
}

func textsOf(list gjson.Result, field string) string {
	var b strings.Builder
	list.ForEach(func(_, p gjson.Result) bool {
		b.WriteString(p.Get(field).String())
		return true
	})
	return b.String()
}

func tellAnthropic(root gjson.Result) (r told) {
	r.anthropicUsage(root.Get("usage"))
	for _, b := range root.Get("content").Array() {
		r.anthropicBlock(b)
	}
	r.finish = anthropicFinish(root.Get("stop_reason").String())
	for i := range r.calls {
		r.calls[i].args = orEmpty(r.calls[i].args)
	}
	return r
}

func (r *told) anthropicBlock(b gjson.Result) {
	switch b.Get("type").String() {
	case "text":
		r.text += b.Get("text").String()
	case "thinking":
		r.reasoning += b.Get("thinking").String()
	case "tool_use":
		args := b.Get("input").Raw
		if args == "{}" {
			args = ""
		}
		r.calls = append(r.calls, toldCall{b.Get("id").String(), b.Get("name").String(), args})
	}
}

func tellAnthropicStream(body string) (r told) {
	client := map[int64]bool{} // blocks that are calls of the client's tools
	eachEvent(body, func(e gjson.Result) {
		switch e.Get("type").String() {
		case "message_start":
			r.anthropicUsage(e.Get("message.usage"))
		case "content_block_start":
			client[e.Get("index").Int()] = e.Get("content_block.type").String() == "tool_use"
			r.anthropicBlock(e.Get("content_block"))
		case "content_block_delta":
			r.text += e.Get("delta.text").String()
			r.reasoning += e.Get("delta.thinking").String()
			if part := e.Get("delta.partial_json"); part.Exists() && client[e.Get("index").Int()] {
				r.calls[len(r.calls)-1].args += part.String()
			}
		case "message_delta":
			r.finish = anthropicFinish(e.Get("delta.stop_reason").String())
			r.anthropicUsage(e.Get("usage"))
		}
	})
	return r
}

func anthropicFinish(word string) string {
	switch word {
	case "end_turn", "stop_sequence", "pause_turn":
		return "stop"
	case "max_tokens", "model_context_window_exceeded":
		return "length"
	case "tool_use":
		return "tool_calls"
	case "refusal":
		return "content_filter"
	}
	return word
}

func (r *told) anthropicUsage(u gjson.Result) {
	if !u.IsObject() {
		return
	}
	r.usage = true
	if in := u.Get("input_tokens"); in.Exists() {
		r.cached = u.Get("cache_read_input_tokens").Int()
		r.in = in.Int() + r.cached + u.Get("cache_creation_input_tokens").Int()
	}
	r.out = u.Get("output_tokens").Int()
}

func tellGemini(root gjson.Result) (r told) {
	r.geminiChunk(root)
	return r
}

func tellGeminiStream(body string) (r told) {
	eachEvent(body, r.geminiChunk)
	return r
}

func (r *told) geminiChunk(e gjson.Result) {
	candidate := e.Get("candidates.0")
	for _, p := range candidate.Get("content.parts").Array() {
		if call := p.Get("functionCall"); call.Exists() {
			r.calls = append(r.calls, toldCall{call.Get("id").String(), call.Get("name").String(), call.Get("args").Raw})
		} else if p.Get("thought").Bool() {
			r.reasoning += p.Get("text").String()
		} else {
			r.text += p.Get("text").String()
		}
	}
	if word := candidate.Get("finishReason").String(); word != "" {
		r.finish = geminiFinish(word)
	}
	if e.Get("promptFeedback.blockReason").Exists() {
		r.finish = "content_filter"
	}
	if r.finish == "stop" && len(r.calls) > 0 {
		r.finish = "tool_calls"
	}
	if u := e.Get("usageMetadata"); u.IsObject() {
		r.usage = true
		r.in = u.Get("promptTokenCount").Int() + u.Get("toolUsePromptTokenCount").Int()
		r.out = u.Get("candidatesTokenCount").Int() + u.Get("thoughtsTokenCount").Int()
		r.cached = u.Get("cachedContentTokenCount").Int()
	}
}

func geminiFinish(word string) string {
	switch word {
	case "STOP":
		return "stop"
	case "MAX_TOKENS":
		return "length"
	case "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR":
		return "content_filter"
	}
	return word
}

func tellResponses(root gjson.Result) (r told) {
	for _, item := range root.Get("output").Array() {
		switch item.Get("type").String() {
		case "message":
			r.text += textsOf(item.Get("content"), "text")
		case "reasoning":
			var texts []string
			for _, name := range []string{"content", "summary"} {
				for _, p := range item.Get(name).Array() {
					texts = append(texts, p.Get("text").String())
				}
				if texts != nil {
					break
				}
			}
			r.reasoning += strings.Join(texts, "\n\n")
		case "function_call":
			r.calls = append(r.calls, toldCall{item.Get("call_id").String(), item.Get("name").String(), item.Get("arguments").String()})
		}
	}
	r.finish = "stop"
	if len(r.calls) > 0 {
		r.finish = "tool_calls"
	}
	switch root.Get("incomplete_details.reason").String() {
	case "max_output_tokens":
		r.finish = "length"
	case "content_filter":
		r.finish = "content_filter"
	}
	if u := root.Get("usage"); u.IsObject() {
		r.usage = true
		r.in, r.out, r.cached = u.Get("input_tokens").Int(), u.Get("output_tokens").Int(), u.Get("input_tokens_details.cached_tokens").Int()
	}
	return r
}

// tellResponsesStream reads the response in the last event, and holds the deltas
// against it.
func tellResponsesStream(body string) (r told) {
	text := ""
	eachEvent(body, func(e gjson.Result) {
		switch e.Get("type").String() {
		case "response.output_text.delta":
			text += e.Get("delta").String()
		case "response.completed", "response.incomplete":
			r = tellResponses(e.Get("response"))
		}
	})
	if r.text != text {
		r.text = "deltas: " + text + "; last event: " + r.text
	}
	return r
}

// ownWords are the providers' words for an end, in OpenAI's.
func ownWord(word string) string {
	switch word {
	case "completed", "COMPLETE", "eos", "stop_sequence", "end_turn", "STOP", "pause_turn":
		return "stop"
	case "max_tokens", "max_output_tokens", "MAX_TOKENS":
		return "length"
	case "tool_use", "function_call", "TOOL_CALL":
		return "tool_calls"
	case "refusal", "guardrail_intervened", "SAFETY", "prompt:MODEL_ARMOR":
		return "content_filter"
	}
	return word
}

var toolPrompt = regexp.MustCompile(`"toolUsePromptTokenCount":\s*(\d+)`)

// totals are all tokens in and out: some providers count cached tokens beside
// the input, or reasoning beside the output.
func (c *capture) totals() (in, out []int64) {
	u := c.Expect.Usage
	if u.InputTotal != nil {
		u.Input, u.Output = u.InputTotal, u.OutputTotal
	}
	if u.Input != nil {
		in = []int64{*u.Input}
	}
	if u.Output != nil {
		out = []int64{*u.Output}
	}
	switch {
	case u.Input == nil || u.Output == nil:
	case c.kind == "anthropic" || c.kind == "bedrock":
		in[0] += u.Cached + u.CacheWrite
	case c.kind == "gemini" || c.kind == "vertex":
		out[0] += u.Reasoning
		if all := toolPrompt.FindAllSubmatch(c.body, -1); all != nil {
			n, _ := strconv.ParseInt(string(all[len(all)-1][1]), 10, 64)
			in[0] += n
		}
	default: // some hosts count cached tokens, sound or reasoning beside the rest, and their total says so
		in = append(in, *u.Input+u.Cached)
		out = append(out, *u.Output+u.Reasoning)
		if u.Total != nil {
			in = append(in, *u.Total-*u.Output)
		}
	}
	return in, out
}

// compare holds what a client was told against what the index expects; usage
// says that it had to be told the usage.
func (r *told) compare(t *testing.T, c *capture, client string, usage bool) {
	t.Helper()
	want := c.Expect
	if want.Text != nil && r.text != *want.Text && !(inWords[c.ID] == client && strings.HasSuffix(r.text, *want.Text)) {
		t.Errorf("text is %q, want %q", r.text, *want.Text)
	}
	r.compareReasoning(t, want)
	legacy := want.Finish != nil && *want.Finish == "function_call" // whose one call the index leaves out
	if len(r.calls) != len(want.ToolCalls) && !legacy {
		t.Errorf("%d tool calls (%v), want %d", len(r.calls), r.calls, len(want.ToolCalls))
	} else {
		for i, w := range want.ToolCalls {
			g := r.calls[i]
			if g.name != w.Name || !strings.HasPrefix(g.id, w.ID) && g.id != "" || canonical(g.args) != canonicalRaw(w.Arguments) {
				t.Errorf("tool call %d is %s %s(%s), want %s %s(%s)", i, g.id, g.name, g.args, w.ID, w.Name, w.Arguments)
			}
		}
	}
	if want.Finish != nil {
		finish := ownWord(*want.Finish)
		if finish == "stop" && len(r.calls) > 0 && (c.dialect == "gemini" || c.dialect == "responses") {
			finish = "tool_calls"
		}
		if ownWord(r.finish) != finish {
			t.Errorf("finish reason is %q, want %q", r.finish, finish)
		}
	}
	if want.Usage == nil || !usage {
		return
	}
	in, out := c.totals()
	if c.Provider == "moonshot" { // its cached tokens stand where the index does not look
		want.Usage.Cached = r.cached
	}
	if in != nil && !slices.Contains(in, r.in) || out != nil && !slices.Contains(out, r.out) || r.cached != want.Usage.Cached {
		t.Errorf("usage is %d in, %d out, %d cached; want %d, %d, %d", r.in, r.out, r.cached, in, out, want.Usage.Cached)
	}
}

func (r *told) compareReasoning(t *testing.T, want *expected) {
	t.Helper()
	switch {
	case want.Reasoning == nil || *want.Reasoning == "":
	case want.ReasoningSHA256 != "":
		if sum := sha256.Sum256([]byte(r.reasoning)); hex.EncodeToString(sum[:]) != want.ReasoningSHA256 {
			t.Errorf("the reasoning's digest is %x, want %s", sum, want.ReasoningSHA256)
		}
	case want.ReasoningCut && strings.HasPrefix(r.reasoning, *want.Reasoning):
	case squeeze(r.reasoning) != squeeze(*want.Reasoning):
		t.Errorf("reasoning is %q, want %q", r.reasoning, *want.Reasoning)
	}
}

// squeeze leaves out the white space by which parts of reasoning are joined.
func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }

func orEmpty(args string) string {
	if args == "" {
		return "{}"
	}
	return args
}

// canonicalRaw is the index's form of arguments: JSON, or a string that holds it.
func canonicalRaw(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		text = string(raw)
	}
	return canonical(text)
}

// canonical is JSON without insignificant differences; none is the empty object.
func canonical(text string) string {
	if strings.TrimSpace(text) == "" {
		return "{}"
	}
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	b, err := json.Marshal(v)
	if err != nil {
		return text
	}
	return string(b)
}
