package responses

import (
	"encoding/json"

	openai "github.com/sashabaranov/go-openai"
	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// The events of a stream (reference of streaming events).
const (
	eventCreated       = "response.created"
	eventInProgress    = "response.in_progress"
	eventItemAdded     = "response.output_item.added"
	eventItemDone      = "response.output_item.done"
	eventPartAdded     = "response.content_part.added"
	eventPartDone      = "response.content_part.done"
	eventText          = "response.output_text.delta"
	eventTextDone      = "response.output_text.done"
	eventAnnotation    = "response.output_text.annotation.added"
	eventRefusal       = "response.refusal.delta"
	eventRefusalDone   = "response.refusal.done"
	eventSummaryPart   = "response.reasoning_summary_part.added"
	eventSummaryEnd    = "response.reasoning_summary_part.done"
	eventSummary       = "response.reasoning_summary_text.delta"
	eventSummaryDone   = "response.reasoning_summary_text.done"
	eventReasoning     = "response.reasoning_text.delta"
	eventArguments     = "response.function_call_arguments.delta"
	eventArgumentsDone = "response.function_call_arguments.done"
	eventCustomInput   = "response.custom_tool_call_input.delta"
	eventCustomDone    = "response.custom_tool_call_input.done"
	eventCompleted     = "response.completed"
	eventIncomplete    = "response.incomplete"
	eventFailed        = "response.failed"
	eventError         = "error"
)

// outputItem is an item that the stream has begun.
type outputItem struct {
	call int    // index of a call, in OpenAI's counting
	told string // the event that told the item's text, the first of its kind
}

// stream decodes one streamed answer.
type stream struct {
	id, model string
	created   int64
	items     map[int64]*outputItem
	calls     int
	runes     int64 // of the texts before the open one
	text      int64 // runes of the open text
	done      bool
}

func newStream() dialect.StreamDecoder { return &stream{items: map[int64]*outputItem{}} }

// Done is dialect.StreamDecoder's.
func (s *stream) Done() bool { return s.done }

// Decode is dialect.StreamDecoder's. Events not known yet are passed over, and
// so is [DONE], which some hosts send after the end.
func (s *stream) Decode(f dialect.Frame, out []schema.Chunk) ([]schema.Chunk, error) {
	if string(f.Data) == "[DONE]" {
		return out, nil
	}
	if !wire.Valid(f.Data) {
		return out, wire.NotAnswer("an event of the provider's stream is not valid JSON")
	}
	v := gjson.ParseBytes(f.Data)
	name := v.Get("type").Str
	if name == "" {
		name = f.Event
	}
	switch name {
	case eventCreated, eventInProgress:
		return s.begin(v.Get("response"), out), nil
	case eventCompleted, eventIncomplete:
		return s.end(v.Get("response"), out), nil
	case eventFailed:
		return out, failure(v.Get("response"))
	case eventError:
		return out, failure(v)
	}
	if name == "" && v.Get("error").Exists() {
		return out, failure(v)
	}
	return s.step(name, v, out), nil
}

// chunk is a chunk with one delta.
func (s *stream) chunk(d schema.ChoiceDelta) schema.Chunk {
	return schema.Chunk{ID: s.id, Model: s.model, Created: s.created, Choices: []schema.ChoiceDelta{d}}
}

func (s *stream) begin(response gjson.Result, out []schema.Chunk) []schema.Chunk {
	if s.id != "" {
		return out
	}
	s.learn(response)
	c := s.chunk(schema.ChoiceDelta{Role: schema.RoleAssistant})
	return append(out, c)
}

func (s *stream) learn(response gjson.Result) {
	s.id, s.model, s.created = response.Get("id").String(), response.Get("model").String(), response.Get("created_at").Int()
}

// end tells the finish reason and the usage.
func (s *stream) end(response gjson.Result, out []schema.Chunk) []schema.Chunk {
	if s.id == "" {
		s.learn(response)
	}
	s.done = true
	c := s.chunk(schema.ChoiceDelta{FinishReason: finish(response, s.calls > 0)})
	c.ServiceTier = response.Get("service_tier").Str
	if response.Get("usage").IsObject() {
		usage := usageOf(response)
		c.Usage = &usage
	}
	return append(out, c)
}

func (s *stream) item(v gjson.Result) *outputItem {
	at := v.Get("output_index").Int()
	if s.items[at] == nil {
		s.items[at] = &outputItem{call: -1}
	}
	return s.items[at]
}

// step reads an event that adds to an item.
func (s *stream) step(name string, v gjson.Result, out []schema.Chunk) []schema.Chunk {
	switch name {
	case eventItemAdded:
		if item := v.Get("item"); item.Get("type").Str == itemCall {
			return s.beginCall(s.item(v), item, out)
		}
	case eventItemDone:
		return s.itemDone(s.item(v), v.Get("item"), out)
	case eventPartAdded:
		if v.Get("part.type").Str == "output_text" {
			s.beginText()
		}
	case eventText:
		d := schema.ChoiceDelta{Text: v.Get("delta").Str}
		addLogprobs(&d.Logprobs, v.Get("logprobs"))
		return s.said(s.item(v), d, out)
	case eventRefusal:
		return s.said(s.item(v), schema.ChoiceDelta{Refusal: v.Get("delta").Str}, out)
	case eventAnnotation:
		return append(out, s.chunk(schema.ChoiceDelta{Citations: appendNested(nil, v.Get("annotation"), s.runes)}))
	case eventSummaryPart:
		if v.Get("summary_index").Int() > 0 {
			return s.thought(s.item(v), eventSummary, separator, out)
		}
	case eventSummary, eventReasoning:
		return s.thought(s.item(v), name, v.Get("delta").Str, out)
	case eventArguments:
		return s.arguments(s.item(v), v.Get("delta").Str, out)
	}
	return out
}

// beginText notes where a new text of the answer begins.
func (s *stream) beginText() {
	s.runes, s.text = s.runes+s.text, 0
}

func (s *stream) said(item *outputItem, d schema.ChoiceDelta, out []schema.Chunk) []schema.Chunk {
	if d.Text == "" && d.Refusal == "" {
		return out
	}
	item.told = eventText
	for range d.Text {
		s.text++
	}
	return append(out, s.chunk(d))
}

// thought tells a piece of reasoning; a host that gives both the reasoning and
// its summary is taken at the first of them.
func (s *stream) thought(item *outputItem, name, text string, out []schema.Chunk) []schema.Chunk {
	if item.told == "" {
		item.told = name
	}
	if text == "" || item.told != name {
		return out
	}
	return append(out, s.chunk(schema.ChoiceDelta{Thinking: text}))
}

func (s *stream) beginCall(item *outputItem, v gjson.Result, out []schema.Chunk) []schema.Chunk {
	if item.call >= 0 {
		return out
	}
	item.call = s.calls
	s.calls++
	index := item.call
	call := openai.ToolCall{Index: &index, ID: callID(v), Type: openai.ToolTypeFunction, Function: openai.FunctionCall{Name: v.Get("name").Str}}
	out = append(out, s.chunk(schema.ChoiceDelta{ToolCalls: []openai.ToolCall{call}}))
	return s.arguments(item, v.Get("arguments").Str, out)
}

func (s *stream) arguments(item *outputItem, piece string, out []schema.Chunk) []schema.Chunk {
	if piece == "" || item.call < 0 {
		return out
	}
	item.told = eventArguments
	index := item.call
	call := openai.ToolCall{Index: &index, Function: openai.FunctionCall{Arguments: piece}}
	return append(out, s.chunk(schema.ChoiceDelta{ToolCalls: []openai.ToolCall{call}}))
}

// itemDone tells what an item holds that no delta told: some hosts send few.
func (s *stream) itemDone(item *outputItem, v gjson.Result, out []schema.Chunk) []schema.Chunk {
	switch v.Get("type").Str {
	case itemMessage:
		if item.told != "" {
			return out
		}
		wire.Each(v.Get("content"), func(part gjson.Result) {
			s.beginText()
			out = s.said(item, schema.ChoiceDelta{Text: part.Get("text").Str, Refusal: part.Get("refusal").Str}, out)
		})
	case itemReasoning:
		p := thought(v)
		if item.told == "" && p.Text != "" {
			out = append(out, s.chunk(schema.ChoiceDelta{Thinking: p.Text}))
		}
		if p.Signature != "" || p.Data != "" {
			out = append(out, s.chunk(schema.ChoiceDelta{Signature: p.Signature, Redacted: p.Data}))
		}
	case itemCall:
		out = s.beginCall(item, v, out)
		if item.told == "" {
			out = s.arguments(item, v.Get("arguments").Str, out)
		}
	default:
		out = append(out, s.chunk(schema.ChoiceDelta{Raw: json.RawMessage(v.Raw)}))
	}
	return out
}
