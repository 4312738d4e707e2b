package cohere

import (
	"encoding/json"

	openai "github.com/sashabaranov/go-openai"
	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// stream decodes one streamed answer. Its events name themselves in the data;
// the field event is not always there.
type stream struct {
	id    string
	calls int  // begun so far
	bare  bool // the last one has no arguments yet
	done  bool
}

// Done tells whether message-end was seen. A [DONE] may follow it.
func (s *stream) Done() bool { return s.done }

// Decode reads one event; kinds that are not known yet are passed over.
func (s *stream) Decode(f dialect.Frame, out []schema.Chunk) ([]schema.Chunk, error) {
	if len(f.Data) == 0 || string(f.Data) == "[DONE]" {
		return out, nil
	}
	if !wire.Valid(f.Data) {
		return out, wire.NotAnswer("an event of the provider's stream is not valid JSON")
	}
	e := gjson.ParseBytes(f.Data)
	message := e.Get("delta.message")
	switch e.Get("type").Str {
	case "message-start":
		s.id = e.Get("id").Str
		return append(out, s.chunk(schema.ChoiceDelta{Role: schema.RoleAssistant})), nil
	case "tool-plan-delta":
		return s.say(out, schema.ChoiceDelta{Thinking: message.Get("tool_plan").Str}), nil
	case "content-start", "content-delta":
		return s.say(out, schema.ChoiceDelta{Text: message.Get("content.text").Str,
			Thinking: message.Get("content.thinking").Str, Logprobs: logprobs(e.Get("logprobs"))}), nil
	case "citation-start":
		return s.citations(out, message.Get("citations")), nil
	case "tool-call-start":
		return s.call(out, message.Get("tool_calls")), nil
	case "tool-call-delta":
		return s.arguments(out, message.Get("tool_calls.function.arguments").Str), nil
	case "tool-call-end":
		return s.callEnd(out), nil
	case "message-end":
		return s.end(out, e.Get("delta"))
	case "":
		if text := e.Get("message"); text.Type == gjson.String { // an error's body
			return out, failed(text.Str)
		}
	}
	return out, nil
}

func (s *stream) chunk(d schema.ChoiceDelta) schema.Chunk {
	return schema.Chunk{ID: s.id, Choices: []schema.ChoiceDelta{d}}
}

// say appends a delta that says something.
func (s *stream) say(out []schema.Chunk, d schema.ChoiceDelta) []schema.Chunk {
	if d.Text == "" && d.Thinking == "" && d.Logprobs == nil {
		return out
	}
	return append(out, s.chunk(d))
}

func (s *stream) citations(out []schema.Chunk, v gjson.Result) []schema.Chunk {
	for _, c := range v.Array() { // a single object counts as one
		if c.IsObject() {
			out = append(out, s.chunk(schema.ChoiceDelta{Citations: json.RawMessage(c.Raw)}))
		}
	}
	return out
}

func (s *stream) call(out []schema.Chunk, v gjson.Result) []schema.Chunk {
	out = s.callEnd(out)
	index := s.calls
	s.calls++
	args := v.Get("function.arguments").Str
	s.bare = args == ""
	return append(out, s.chunk(schema.ChoiceDelta{ToolCalls: []openai.ToolCall{{Index: &index, ID: v.Get("id").Str, Type: openai.ToolTypeFunction,
		Function: openai.FunctionCall{Name: v.Get("function.name").Str, Arguments: args}}}}))
}

// arguments appends a piece of the last call's arguments.
func (s *stream) arguments(out []schema.Chunk, piece string) []schema.Chunk {
	if piece == "" || s.calls == 0 {
		return out
	}
	s.bare = false
	index := s.calls - 1
	return append(out, s.chunk(schema.ChoiceDelta{ToolCalls: []openai.ToolCall{{Index: &index, Function: openai.FunctionCall{Arguments: piece}}}}))
}

// callEnd gives a call without arguments the empty object, so that they are
// JSON.
func (s *stream) callEnd(out []schema.Chunk) []schema.Chunk {
	if !s.bare {
		return out
	}
	return s.arguments(out, "{}")
}

func (s *stream) end(out []schema.Chunk, delta gjson.Result) ([]schema.Chunk, error) {
	reason := delta.Get("finish_reason").Str
	if reason == "ERROR" || reason == "TIMEOUT" {
		return out, ended(reason, delta.Get("error").String())
	}
	out = s.callEnd(out)
	s.done = true
	c := s.chunk(schema.ChoiceDelta{FinishReason: finish(reason)})
	if u := readUsage(delta.Get("usage")); u.Source == schema.UsageReported {
		c.Usage, c.Billed = &u, readBilled(delta.Get("usage"))
	}
	return append(out, c), nil
}
