package ollama

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	openai "github.com/sashabaranov/go-openai"
	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	sluiceopenai "sluice/providers/openai"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// decode is Chat.Decode. It reads the answer of /api/generate too, whose text
// stands in response.
func decode(body []byte) (*schema.ChatResponse, error) {
	root, err := parse(body)
	if err != nil {
		return nil, err
	}
	message := root.Get("message")
	text, thinking := message.Get("content").Str, message.Get("thinking").Str
	if !message.IsObject() {
		if root.Get("response").Type != gjson.String {
			return nil, wire.NotAnswer("the provider's answer has no message")
		}
		text, thinking = root.Get("response").Str, root.Get("thinking").Str
	}
	m := schema.Message{Role: schema.RoleAssistant}
	if thinking != "" {
		m.Parts = append(m.Parts, schema.Part{Type: schema.PartThinking, Text: thinking})
	}
	m.Parts = append(m.Parts, schema.TextParts(text)...)
	m.ToolCalls = calls(message.Get("tool_calls"), root.Get("created_at").Str, 0)
	for i := range m.ToolCalls {
		m.ToolCalls[i].Index = nil
	}
	c := schema.Choice{Message: m, Logprobs: logprobs(root.Get("logprobs")), FinishReason: finish(root, len(m.ToolCalls) > 0)}
	return &schema.ChatResponse{Model: root.Get("model").Str, Created: created(root), Choices: []schema.Choice{c}, Usage: usage(root)}, nil
}

// parse reads an answer or a line of one; {"error":…} is that error, also in
// the middle of a stream that began well.
func parse(body []byte) (gjson.Result, error) {
	if !wire.Valid(body) {
		return gjson.Result{}, wire.NotAnswer("the provider's answer is not valid JSON")
	}
	root := gjson.ParseBytes(body)
	if !root.IsObject() {
		return root, wire.NotAnswer("the provider's answer is not a JSON object")
	}
	if fault := root.Get("error"); fault.Exists() && fault.Type != gjson.Null {
		status := http.StatusBadGateway
		if n := root.Get("status_code").Int(); n >= 400 && n < 600 {
			status = int(n)
		}
		none := func(string) string { return "" }
		e := decodeError(status, none, body)
		// A fault of the request is told by its words alone.
		if asked := decodeError(http.StatusBadRequest, none, body); asked.Class == schema.ClassContextLength {
			e = asked
		}
		e.UpstreamStatus = http.StatusOK
		return root, e
	}
	return root, nil
}

// calls reads tool calls, which come whole; first is the place of the first.
func calls(v gjson.Result, at string, first int) (out []openai.ToolCall) {
	if !v.IsArray() {
		return nil
	}
	v.ForEach(func(_, call gjson.Result) bool {
		index := first + len(out)
		id := call.Get("id").Str
		if id == "" {
			id = madeID(at, index)
		}
		args := call.Get("function.arguments")
		text := args.Raw // an object
		if args.Type == gjson.String {
			text = args.Str
		}
		if text == "" || args.Type == gjson.Null {
			text = "{}"
		}
		out = append(out, openai.ToolCall{Index: &index, ID: id, Type: openai.ToolTypeFunction,
			Function: openai.FunctionCall{Name: call.Get("function.name").Str, Arguments: text}})
		return true
	})
	return out
}

// madeID is the id of a call without one: the same for the same answer, and
// another in another answer, whose time differs.
func madeID(at string, index int) string {
	t, err := time.Parse(time.RFC3339Nano, at)
	if err != nil {
		return fmt.Sprintf("call_%d", index)
	}
	return fmt.Sprintf("call_%x_%d", t.UnixNano(), index)
}

func created(root gjson.Result) int64 {
	t, err := time.Parse(time.RFC3339Nano, root.Get("created_at").Str)
	if err != nil {
		return 0
	}
	return max(0, t.Unix())
}

// finish puts done_reason in OpenAI's words.
func finish(root gjson.Result, called bool) openai.FinishReason {
	switch reason := root.Get("done_reason").Str; {
	case !root.Get("done").Bool():
		return ""
	case reason == "length":
		return openai.FinishReasonLength
	case called:
		return openai.FinishReasonToolCalls
	}
	return openai.FinishReasonStop // stop, load, unload
}

// usage reads the counts beside an answer. Elder servers leave the prompt's out
// where all of it was in their cache.
func usage(root gjson.Result) schema.Usage {
	prompt, answer := root.Get("prompt_eval_count"), root.Get("eval_count")
	if !prompt.Exists() && !answer.Exists() {
		return schema.Usage{}
	}
	u := schema.Usage{Input: max(0, prompt.Int()), Output: max(0, answer.Int()), Source: schema.UsageReported}
	u.CachedInput = min(max(0, root.Get("prompt_eval_cached_count").Int()), u.Input)
	return u
}

// logprobs are in OpenAI's shape but for the list's name.
func logprobs(v gjson.Result) json.RawMessage {
	if !v.IsArray() || len(v.Array()) == 0 {
		return nil
	}
	return json.RawMessage(`{"content":` + v.Raw + `,"refusal":null}`)
}

// stream decodes one streamed answer, a line a frame.
type stream struct {
	begun, done bool
	calls       int
}

// Done tells whether the line with done was seen.
func (s *stream) Done() bool { return s.done }

// Decode reads one line.
func (s *stream) Decode(f dialect.Frame, out []schema.Chunk) ([]schema.Chunk, error) {
	root, err := parse(f.Data)
	if err != nil {
		return out, err
	}
	message := root.Get("message")
	d := schema.ChoiceDelta{Text: message.Get("content").Str, Thinking: message.Get("thinking").Str, Logprobs: logprobs(root.Get("logprobs"))}
	if !message.IsObject() {
		d.Text, d.Thinking = root.Get("response").Str, root.Get("thinking").Str
	}
	d.ToolCalls = calls(message.Get("tool_calls"), root.Get("created_at").Str, s.calls)
	s.calls += len(d.ToolCalls)
	if !s.begun {
		d.Role, s.begun = schema.RoleAssistant, true
	}
	d.FinishReason = finish(root, s.calls > 0)
	c := schema.Chunk{Model: root.Get("model").Str, Created: created(root), Choices: []schema.ChoiceDelta{d}}
	if root.Get("done").Bool() {
		s.done = true
		if u := usage(root); u.Source == schema.UsageReported {
			c.Usage = &u
		}
	}
	return append(out, c), nil
}

// decodeError is Dialect.Error. The bodies are {"error":"…"}, one of those that
// hosts of OpenAI's API send too.
func decodeError(status int, header func(string) string, body []byte) *schema.Error {
	return sluiceopenai.Dialect.Error(status, header, body)
}
