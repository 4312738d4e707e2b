package anthropic

import (
	"encoding/json"
	"fmt"

	openai "github.com/sashabaranov/go-openai"
	"github.com/tidwall/sjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// event is any event of a stream (page streaming).
type event struct {
	Type    string          `json:"type"`
	Index   int             `json:"index"`
	Message *answer         `json:"message"`
	Block   json.RawMessage `json:"content_block"`
	Delta   struct {
		Type         string          `json:"type"`
		Text         string          `json:"text"`
		Thinking     string          `json:"thinking"`
		Signature    string          `json:"signature"`
		PartialJSON  string          `json:"partial_json"`
		Citation     json.RawMessage `json:"citation"`
		StopReason   string          `json:"stop_reason"`
		StopSequence string          `json:"stop_sequence"`
		StopDetails  stopDetails     `json:"stop_details"`
	} `json:"delta"`
	Usage *usage `json:"usage"`
}

// openBlock is the content block that the stream is in.
type openBlock struct {
	kind   string // its type; "answer" for a call of AnswerTool
	call   int    // index of a tool call, in OpenAI's counting
	inputs bool   // a piece of the input came
	fresh  bool   // a text right after a text, of which nothing came yet
	raw    []byte // a block of the API's own tools
	input  []byte // and its input
}

// stream decodes one streamed answer.
type stream struct {
	id, model string
	usage     usage
	blocks    map[int]openBlock
	calls     int
	last      string // the kind of the last block
	done      bool
}

func newStream() dialect.StreamDecoder { return &stream{blocks: map[int]openBlock{}} }

// Done tells whether message_stop was seen.
func (s *stream) Done() bool { return s.done }

// Decode reads one event. Events and deltas of kinds not known yet are passed
// over, as the API's versioning page asks.
func (s *stream) Decode(f dialect.Frame, out []schema.Chunk) ([]schema.Chunk, error) {
	if len(f.Data) == 0 {
		return out, nil
	}
	if f.Event == "ping" {
		return out, nil
	}
	var e event
	if err := json.Unmarshal(f.Data, &e); err != nil {
		return out, wire.NotUnderstood(fmt.Errorf("event %q: %w", f.Event, err))
	}
	switch e.Type {
	case "message_start":
		return s.start(&e, out)
	case "content_block_start":
		return s.open(&e, out)
	case "content_block_delta":
		return s.delta(&e, out), nil
	case "content_block_stop":
		return s.close(&e, out), nil
	case "message_delta":
		s.usage.merge(e.Usage)
		u := s.usage.unified()
		d := schema.ChoiceDelta{FinishReason: Finish(e.Delta.StopReason, s.calls > 0), StopSequence: e.Delta.StopSequence,
			Refusal: e.Delta.StopDetails.Explanation}
		c := s.chunk(d)
		if d.FinishReason == "" {
			c.Choices = nil
		}
		c.Usage = &u
		return append(out, c), nil
	case "message_stop":
		s.done = true
	case "error":
		return out, decodeError(0, noHeader, f.Data)
	}
	return out, nil
}

// chunk is a chunk with one delta.
func (s *stream) chunk(d schema.ChoiceDelta) schema.Chunk {
	return schema.Chunk{ID: s.id, Model: s.model, Choices: []schema.ChoiceDelta{d}}
}

func (s *stream) start(e *event, out []schema.Chunk) ([]schema.Chunk, error) {
	if e.Message == nil {
		return out, wire.NotUnderstood(fmt.Errorf("message_start without a message"))
	}
	s.id, s.model, s.done = e.Message.ID, e.Message.Model, false
	s.usage.merge(&e.Message.Usage)
	u := s.usage.unified()
	c := s.chunk(schema.ChoiceDelta{Role: schema.RoleAssistant})
	c.Usage, c.ServiceTier = &u, e.Message.Usage.ServiceTier
	return append(out, c), nil
}

func (s *stream) open(e *event, out []schema.Chunk) ([]schema.Chunk, error) {
	var c content
	if err := json.Unmarshal(e.Block, &c); err != nil {
		return out, wire.NotUnderstood(fmt.Errorf("content_block: %w", err))
	}
	b := openBlock{kind: c.Type}
	switch c.Type {
	case "text":
		b.fresh = s.last == "text"
		if c.Text != "" {
			out = append(out, s.chunk(schema.ChoiceDelta{Text: c.Text, NewPart: b.fresh}))
			b.fresh = false
		}
	case "thinking":
		if c.Thinking != "" || c.Signature != "" {
			out = append(out, s.chunk(schema.ChoiceDelta{Thinking: c.Thinking, Signature: c.Signature}))
		}
	case "redacted_thinking":
		out = append(out, s.chunk(schema.ChoiceDelta{Redacted: c.Data}))
	case "tool_use":
		if c.Name == AnswerTool {
			b.kind = "answer"
			break
		}
		b.call = s.calls
		s.calls++
		out = append(out, s.callDelta(b.call, c.ID, c.Name, ""))
	default:
		b.raw = e.Block
	}
	if in := wire.Arguments(c.Input); in != "{}" && (b.kind == "tool_use" || b.kind == "answer") {
		b.inputs = true // some servers of this API send the input whole
		out = append(out, s.input(b, in))
	}
	s.blocks[e.Index], s.last = b, b.kind
	return out, nil
}

func (s *stream) delta(e *event, out []schema.Chunk) []schema.Chunk {
	d := &e.Delta
	b := s.blocks[e.Index]
	part := schema.ChoiceDelta{NewPart: b.fresh}
	switch d.Type {
	case "text_delta":
		part.Text = d.Text
	case "citations_delta":
		part.Citations = d.Citation
	case "thinking_delta":
		part.Thinking = d.Thinking
	case "signature_delta":
		part.Signature = d.Signature
	case "input_json_delta":
		return s.inputDelta(e, b, out)
	default:
		return out
	}
	if b.fresh {
		b.fresh = false
		s.blocks[e.Index] = b
	}
	return append(out, s.chunk(part))
}

// inputDelta is a piece of a call's input. That of the API's own tools is kept
// for their block.
func (s *stream) inputDelta(e *event, b openBlock, out []schema.Chunk) []schema.Chunk {
	piece := e.Delta.PartialJSON
	switch {
	case piece == "":
		return out
	case b.raw != nil:
		b.input = append(b.input, piece...)
	case b.kind == "tool_use" || b.kind == "answer":
		b.inputs = true
		out = append(out, s.input(b, piece))
	default:
		return out
	}
	s.blocks[e.Index] = b
	return out
}

// close ends a block; a call without input gets the empty object, so that its
// arguments are JSON, and a block of the API's own tools is told whole.
func (s *stream) close(e *event, out []schema.Chunk) []schema.Chunk {
	b := s.blocks[e.Index]
	delete(s.blocks, e.Index)
	if (b.kind == "tool_use" || b.kind == "answer") && !b.inputs {
		out = append(out, s.input(b, "{}"))
	}
	if b.raw == nil {
		return out
	}
	if json.Valid(b.input) {
		if whole, err := sjson.SetRawBytes(b.raw, "input", b.input); err == nil {
			b.raw = whole
		}
	}
	return append(out, s.chunk(schema.ChoiceDelta{Raw: b.raw}))
}

// input is a piece of a call's arguments, or of the answer.
func (s *stream) input(b openBlock, piece string) schema.Chunk {
	if b.kind == "answer" {
		return s.chunk(schema.ChoiceDelta{Text: piece})
	}
	return s.callDelta(b.call, "", "", piece)
}

func (s *stream) callDelta(index int, id, name, piece string) schema.Chunk {
	call := openai.ToolCall{Index: &index, ID: id, Function: openai.FunctionCall{Name: name, Arguments: piece}}
	if id != "" {
		call.Type = openai.ToolTypeFunction
	}
	return s.chunk(schema.ChoiceDelta{ToolCalls: []openai.ToolCall{call}})
}
