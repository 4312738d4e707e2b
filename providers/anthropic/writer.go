package anthropic

import (
	openai "github.com/sashabaranov/go-openai"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

// kinds of steps, and of the block that each belongs to.
type stepKind uint8

const (
	noStep stepKind = iota
	textStep
	citationStep
	thinkingStep
	signatureStep
	redactedStep
	rawStep
	callStep
)

// step is one thing that a chunk adds to the answer.
type step struct {
	kind     stepKind
	text     string // or thinking, signature, opaque data, citation, raw block, piece of a call's input
	newPart  bool
	call     int // its index, in OpenAI's counting
	id, name string
}

// writer writes one stream for a client: blocks one after another, as the API
// does it and its SDKs expect. Of calls that a provider tells at once the first
// goes out as it comes; the others, and what else comes meanwhile, wait until
// its input is a whole JSON object.
type writer struct {
	dialect.StreamOptions
	begun bool
	told  bool // how the answer ended
	usage schema.Usage
	tier  string
	end   ending

	open   stepKind // of the open block: textStep, thinkingStep, callStep or none
	index  int      // of the open block, or of the next
	call   int      // the open call
	input  progress // of the open call
	closed map[int]bool
	held   []step
}

func newWriter(o dialect.StreamOptions) dialect.StreamEncoder {
	return &writer{StreamOptions: o, closed: map[int]bool{}}
}

// Chunk is dialect.StreamEncoder's.
func (w *writer) Chunk(b []byte, c *schema.Chunk) []byte {
	if c.Usage != nil {
		w.usage.Merge(*c.Usage)
	}
	if c.ServiceTier != "" {
		w.tier = c.ServiceTier
	}
	if !w.begun {
		b = w.begin(b, c)
	}
	for i := range c.Choices {
		if d := &c.Choices[i]; d.Index == 0 { // the API makes one answer
			b = w.delta(b, d)
		}
	}
	return b
}

// End is dialect.StreamEncoder's.
func (w *writer) End(b []byte, usage *schema.Usage) []byte {
	if !w.begun {
		b = w.begin(b, &schema.Chunk{})
	}
	for len(w.held) > 0 {
		b = w.emit(b, w.unhold())
	}
	b = w.close(b)
	if w.told {
		return append(b, messageStop...)
	}
	b = append(b, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{"...)
	b = w.end.appendTo(b)
	b = append(b, `},"usage":`...)
	b = appendUsage(b, usage, "")
	return append(append(b, "}\n\n"...), messageStop...)
}

const messageStop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"

// begin writes message_start, with what is known of the usage by then.
func (w *writer) begin(b []byte, c *schema.Chunk) []byte {
	w.begun = true
	if c.ID != "" {
		w.ID = c.ID
	}
	if c.Model != "" {
		w.Model = c.Model
	}
	w.end.id = w.ID
	b = append(b, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":"...)
	b = appendEnvelope(b, w.ID, w.Model)
	b = append(b, `,"content":[],"stop_reason":null,"stop_sequence":null,"stop_details":null,"usage":`...)
	b = appendUsage(b, &w.usage, w.tier)
	return append(b, "}}\n\n"...)
}

// delta takes a delta apart into its steps.
func (w *writer) delta(b []byte, d *schema.ChoiceDelta) []byte {
	put := func(kind stepKind, text string) {
		if text != "" {
			b = w.put(b, step{kind: kind, text: text, newPart: d.NewPart})
		}
	}
	if d.FinishReason != "" {
		w.end.finish, w.end.sequence = d.FinishReason, d.StopSequence
	}
	put(thinkingStep, d.Thinking)
	put(signatureStep, d.Signature)
	put(redactedStep, d.Redacted)
	if isOwnBlock(d.Raw) {
		put(rawStep, oneLine(d.Raw))
	}
	if len(d.Citations) > 0 {
		b = w.put(b, step{kind: citationStep, text: oneLine(d.Citations), newPart: d.NewPart && d.Text == ""})
	}
	put(textStep, d.Text)
	if d.Refusal != "" && w.end.refuse(d.Refusal) {
		put(textStep, d.Refusal)
	}
	for i := range d.ToolCalls {
		b = w.put(b, callStepOf(&d.ToolCalls[i], i))
	}
	return b
}

func callStepOf(c *openai.ToolCall, at int) step {
	if c.Index != nil {
		at = *c.Index
	}
	return step{kind: callStep, call: at, id: c.ID, name: c.Function.Name, text: c.Function.Arguments}
}

// put writes a step, or holds it until the open call is whole.
func (w *writer) put(b []byte, s step) []byte {
	mine := s.kind == callStep && w.open == callStep && s.call == w.call
	switch {
	case s.kind == callStep && w.closed[s.call]:
		return b // its input was whole: what follows can only be space
	case !mine && w.open == callStep && !w.input.whole():
		w.hold(s)
		return b
	}
	b = w.emit(b, s)
	for len(w.held) > 0 && (w.open != callStep || w.input.whole()) {
		b = w.emit(b, w.unhold())
	}
	return b
}

// hold keeps a step, joined to one that it goes on with.
func (w *writer) hold(s step) {
	for i := len(w.held) - 1; i >= 0; i-- {
		h := &w.held[i]
		same := h.kind == s.kind && h.call == s.call && !s.newPart
		if same && (s.kind == callStep || i == len(w.held)-1 && (s.kind == textStep || s.kind == thinkingStep)) {
			h.text += s.text
			return
		}
		if s.kind != callStep {
			break
		}
	}
	w.held = append(w.held, s)
}

func (w *writer) unhold() step {
	s := w.held[0]
	w.held = w.held[1:]
	return s
}
