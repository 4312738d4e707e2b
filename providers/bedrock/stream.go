package bedrock

import (
	"encoding/json"
	"fmt"

	openai "github.com/sashabaranov/go-openai"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// event is the body of any event of ConverseStream; the frame's name says
// which it is.
type event struct {
	Index int `json:"contentBlockIndex"`
	Start struct {
		ToolUse    *toolUse        `json:"toolUse"`
		ToolResult json.RawMessage `json:"toolResult"` // of Bedrock's own tools
	} `json:"start"`
	Delta struct {
		Text      string          `json:"text"`
		ToolUse   *toolUse        `json:"toolUse"`
		Reasoning *reasoning      `json:"reasoningContent"`
		Citation  json.RawMessage `json:"citation"`
	} `json:"delta"`
	StopReason  string      `json:"stopReason"`
	More        moreFields  `json:"additionalModelResponseFields"`
	Usage       *usage      `json:"usage"`
	ServiceTier serviceTier `json:"serviceTier"`
}

// openCall is a tool call that the stream is in.
type openCall struct {
	answer bool // a call of answerTool
	index  int  // in OpenAI's counting
	inputs bool // a piece of the input came
}

// stream decodes one streamed answer.
type stream struct {
	open          map[int]*openCall
	calls         int
	stopped, done bool
}

func newStream() dialect.StreamDecoder { return &stream{open: map[int]*openCall{}} }

// Done tells whether the event metadata was seen, which comes last.
func (s *stream) Done() bool { return s.done }

// Ended tells whether the answer is whole but for its usage.
func (s *stream) Ended() bool { return s.stopped }

// Decode reads one message. Events of kinds not known yet are passed over.
func (s *stream) Decode(f dialect.Frame, out []schema.Chunk) ([]schema.Chunk, error) {
	if f.Failed {
		return out, errorOf(0, f.Event, noHeader, f.Data)
	}
	if len(f.Data) == 0 {
		return out, nil
	}
	var e event
	if err := json.Unmarshal(f.Data, &e); err != nil {
		return out, wire.NotUnderstood(fmt.Errorf("event %q: %w", f.Event, err))
	}
	switch f.Event {
	case "messageStart":
		return append(out, chunk(schema.ChoiceDelta{Role: schema.RoleAssistant})), nil
	case "contentBlockStart":
		return s.start(&e, out), nil
	case "contentBlockDelta":
		return s.delta(&e, out), nil
	case "contentBlockStop":
		return s.close(e.Index, out), nil
	case "messageStop":
		s.stopped = true
		return append(out, chunk(schema.ChoiceDelta{FinishReason: finish(e.StopReason, s.calls > 0), StopSequence: e.More.stop})), nil
	case "metadata":
		s.done = s.stopped
		c := schema.Chunk{ServiceTier: e.ServiceTier.Type}
		if e.Usage != nil {
			u := e.Usage.at(e.ServiceTier)
			c.Usage = &u
		}
		return append(out, c), nil
	}
	return out, nil
}

// chunk is a chunk with one delta. The stream names neither an id nor a model.
func chunk(d schema.ChoiceDelta) schema.Chunk {
	return schema.Chunk{Choices: []schema.ChoiceDelta{d}}
}

func (s *stream) start(e *event, out []schema.Chunk) []schema.Chunk {
	t := e.Start.ToolUse
	switch {
	case t == nil, t.own(): // Bedrock's own tools are not the caller's business
		return out
	case t.Name == answerTool:
		s.open[e.Index] = &openCall{answer: true}
		return out
	}
	call := &openCall{index: s.calls}
	s.open[e.Index] = call
	s.calls++
	return append(out, callDelta(call.index, t.ID, t.Name, ""))
}

func (s *stream) delta(e *event, out []schema.Chunk) []schema.Chunk {
	d := &e.Delta
	if d.Text != "" {
		out = append(out, chunk(schema.ChoiceDelta{Text: d.Text}))
	}
	if r := d.Reasoning; r != nil {
		delta := schema.ChoiceDelta{Thinking: r.Text, Signature: r.Signature, Redacted: redacted(r.Redacted)}
		if delta.Thinking+delta.Signature+delta.Redacted != "" {
			out = append(out, chunk(delta))
		}
	}
	if len(d.Citation) > 0 {
		out = append(out, chunk(schema.ChoiceDelta{Citations: d.Citation}))
	}
	if d.ToolUse != nil {
		out = s.piece(e.Index, d.ToolUse.Input, out)
	}
	return out
}

// piece is a piece of a tool's input: a string that holds a piece of JSON.
func (s *stream) piece(index int, raw json.RawMessage, out []schema.Chunk) []schema.Chunk {
	call := s.open[index]
	if call == nil {
		return out
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		text = string(raw) // whole, as an object
	}
	if text == "" {
		return out
	}
	call.inputs = true
	return append(out, input(call, text))
}

// close ends a block; a call without input gets the empty object, so that its
// arguments are JSON.
func (s *stream) close(index int, out []schema.Chunk) []schema.Chunk {
	call := s.open[index]
	delete(s.open, index)
	if call != nil && !call.inputs {
		out = append(out, input(call, "{}"))
	}
	return out
}

// input is a piece of a call's arguments, or of the answer.
func input(call *openCall, piece string) schema.Chunk {
	if call.answer {
		return chunk(schema.ChoiceDelta{Text: piece})
	}
	return callDelta(call.index, "", "", piece)
}

func callDelta(index int, id, name, piece string) schema.Chunk {
	call := openai.ToolCall{Index: &index, ID: id, Function: openai.FunctionCall{Name: name, Arguments: piece}}
	if id != "" {
		call.Type = openai.ToolTypeFunction
	}
	return chunk(schema.ChoiceDelta{ToolCalls: []openai.ToolCall{call}})
}
