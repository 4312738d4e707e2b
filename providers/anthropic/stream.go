package anthropic

import (
	"encoding/json"
	"fmt"

	openai "github.com/sashabaranov/go-openai"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

// event is any event of a stream (page streaming).
type event struct {
	Type    string  `json:"type"`
	Index   int     `json:"index"`
	Message *answer `json:"message"`
	Block   content `json:"content_block"`
	Delta   struct {
		Type         string          `json:"type"`
		Text         string          `json:"text"`
		Thinking     string          `json:"thinking"`
		Signature    string          `json:"signature"`
		PartialJSON  string          `json:"partial_json"`
		Citation     json.RawMessage `json:"citation"`
		StopReason   string          `json:"stop_reason"`
		StopSequence string          `json:"stop_sequence"`
	} `json:"delta"`
	Usage *usage `json:"usage"`
}

// openBlock is the content block that the stream is in.
type openBlock struct {
	kind   string // its type; "answer" for a call of AnswerTool
	call   int    // index of a tool call, in OpenAI's counting
	inputs bool   // a piece of the input came
}

// stream decodes one streamed answer.
type stream struct {
	id, model string
	usage     usage
	blocks    map[int]openBlock
	calls     int
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
		return out, notAnAnswer(fmt.Errorf("event %q: %w", f.Event, err))
	}
	switch e.Type {
	case "message_start":
		return s.start(&e, out)
	case "content_block_start":
		return s.open(&e, out), nil
	case "content_block_delta":
		return s.delta(&e, out), nil
	case "content_block_stop":
		return s.close(&e, out), nil
	case "message_delta":
		s.usage.merge(e.Usage)
		u := s.usage.unified()
		d := schema.ChoiceDelta{FinishReason: finish(e.Delta.StopReason, s.calls > 0), StopSequence: e.Delta.StopSequence}
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
		return out, notAnAnswer(fmt.Errorf("message_start without a message"))
	}
	s.id, s.model, s.done = e.Message.ID, e.Message.Model, false
	s.usage.merge(&e.Message.Usage)
	u := s.usage.unified()
	c := s.chunk(schema.ChoiceDelta{Role: schema.RoleAssistant})
	c.Usage, c.ServiceTier = &u, e.Message.Usage.ServiceTier
	return append(out, c), nil
}

func (s *stream) open(e *event, out []schema.Chunk) []schema.Chunk {
	b := openBlock{kind: e.Block.Type}
	switch e.Block.Type {
	case "text":
		if e.Block.Text != "" {
			out = append(out, s.chunk(schema.ChoiceDelta{Text: e.Block.Text}))
		}
	case "thinking":
		if e.Block.Thinking != "" || e.Block.Signature != "" {
			out = append(out, s.chunk(schema.ChoiceDelta{Thinking: e.Block.Thinking, Signature: e.Block.Signature}))
		}
	case "redacted_thinking":
		out = append(out, s.chunk(schema.ChoiceDelta{Redacted: e.Block.Data}))
	case "tool_use":
		if e.Block.Name == AnswerTool {
			b.kind = "answer"
			break
		}
		b.call = s.calls
		s.calls++
		out = append(out, s.callDelta(b.call, e.Block.ID, e.Block.Name, ""))
	}
	if in := arguments(e.Block.Input); in != "{}" && (b.kind == "tool_use" || b.kind == "answer") {
		b.inputs = true // some servers of this API send the input whole
		out = append(out, s.input(b, in))
	}
	s.blocks[e.Index] = b
	return out
}

func (s *stream) delta(e *event, out []schema.Chunk) []schema.Chunk {
	d := &e.Delta
	switch d.Type {
	case "text_delta":
		return append(out, s.chunk(schema.ChoiceDelta{Text: d.Text}))
	case "thinking_delta":
		return append(out, s.chunk(schema.ChoiceDelta{Thinking: d.Thinking}))
	case "signature_delta":
		return append(out, s.chunk(schema.ChoiceDelta{Signature: d.Signature}))
	case "citations_delta":
		return append(out, s.chunk(schema.ChoiceDelta{Citations: d.Citation}))
	case "input_json_delta":
		b := s.blocks[e.Index]
		if d.PartialJSON == "" || b.kind != "tool_use" && b.kind != "answer" {
			return out // server-side tools' input is not the caller's business
		}
		b.inputs = true
		s.blocks[e.Index] = b
		return append(out, s.input(b, d.PartialJSON))
	}
	return out
}

// close ends a block; a call without input gets the empty object, so that its
// arguments are JSON.
func (s *stream) close(e *event, out []schema.Chunk) []schema.Chunk {
	b := s.blocks[e.Index]
	delete(s.blocks, e.Index)
	if (b.kind == "tool_use" || b.kind == "answer") && !b.inputs {
		out = append(out, s.input(b, "{}"))
	}
	return out
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
