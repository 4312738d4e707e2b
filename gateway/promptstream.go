package gateway

import (
	"bytes"
	"io"
	"strings"

	"sluice/providers"
	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// maxStreamedOutput bounds what a streamed prompt keeps of its output in order
// to check it and to give it whole at the end.
const maxStreamedOutput = 4 << 20

// promptFrames is a prompt's stream: the model's text as delta events, then one
// event with the whole output, checked, its usage and its cost.
type promptFrames struct {
	c       *Call
	from    *providers.Stream
	text    strings.Builder
	pending []byte // frames that did not fit the last read
	ended   bool
	tally   dialect.Tally

	partials bool // beside the deltas, the object so far
	seen     int  // bytes of text when it was looked at last
	shown    []byte
}

// streamPrompt gets the prompt's stream going.
func (c *Call) streamPrompt() error {
	if out, ok, err := c.keptOutput(); ok || err != nil {
		if err == nil {
			c.streamKept(out)
		}
		return err
	}
	stream, err := c.startStream()
	if err != nil {
		return err
	}
	c.answerHeaders(stream.Dropped())
	c.sendStream(&promptFrames{c: c, from: stream, partials: c.wantsPartials()}, promptFault)
	return nil
}

// Tally is the model's, but that the stream is done only once the last event
// is given.
func (f *promptFrames) Tally() *dialect.Tally {
	f.tally = *f.from.Tally()
	f.tally.Done = f.ended
	return &f.tally
}

// Close gives up the model's stream.
func (f *promptFrames) Close() error { return f.from.Close() }

// Read gives the next events.
func (f *promptFrames) Read(p []byte) (int, error) {
	for len(f.pending) == 0 {
		if f.ended {
			return 0, io.EOF
		}
		if err := f.step(); err != nil {
			return 0, err
		}
	}
	n := copy(p, f.pending)
	f.pending = f.pending[n:]
	return n, nil
}

// step takes one chunk of the model's stream in.
func (f *promptFrames) step() error {
	chunk, err := f.from.Next()
	if err == io.EOF {
		return f.finish()
	}
	if err != nil {
		return err
	}
	for i := range chunk.Choices {
		d := &chunk.Choices[i]
		if d.Index != 0 || d.Text == "" {
			continue
		}
		if f.text.Len()+len(d.Text) > maxStreamedOutput {
			return &schema.Error{Code: schema.CodeInvalidOutput, Status: 502, Origin: schema.OriginProvider,
				Class: schema.ClassInvalidOutput, Message: "the model's output is too long"}
		}
		f.text.WriteString(d.Text)
		f.pending = wire.AppendString(append(f.pending[:0], `data: {"delta":`...), d.Text)
		f.pending = append(f.pending, "}\n\n"...)
		if f.partials {
			f.partial()
		}
	}
	return nil
}

// partial adds the object that the text holds so far, if there is more of it.
// The longer the text, the more it must have grown: all of them together cost
// what a fixed number of readings of the whole output does.
func (f *promptFrames) partial() {
	if f.text.Len()-f.seen < f.text.Len()/16 {
		return
	}
	f.seen = f.text.Len()
	so := f.c.prompt.Template.Partial(f.text.String())
	if so == nil || bytes.Equal(so, f.shown) {
		return
	}
	f.shown = so
	f.pending = append(append(append(f.pending, "event: partial\ndata: "...), so...), "\n\n"...)
}

// wantsPartials tells whether the caller wants to see a JSON output grow.
func (c *Call) wantsPartials() bool {
	return string(c.rc.QueryArgs().Peek("stream")) == "partial" || strings.Contains(string(c.rc.Request.Header.Peek("Prefer")), "partial")
}

// finish checks the output, mends it if need be, and gives the last event.
func (f *promptFrames) finish() error {
	c := f.c
	c.endAttempt(nil) // unless it broke, but for its end
	c.charge(f.from.Tally())
	c.done.charged = true
	f.ended = true
	out, faults := c.checkOutput(f.text.String())
	if faults == nil {
		c.reusableOutput(f.whole())
		c.answeredWith(&out)
	}
	if faults != nil {
		turn, err := 1, error(nil)
		if c.prompt.Template.Sluice.Repair == 0 {
			turn, err = 0, c.askFallback(c.req.Unified, errOutput(faults))
		} else {
			err = c.askAgain(f.text.String(), faults)
		}
		if err != nil {
			return err
		}
		if out, err = c.promptOutput(turn); err != nil {
			return err
		}
	}
	c.record()
	f.pending = append(c.envelope(append(f.pending[:0], "event: done\ndata: "...), out, false), "\n\n"...)
	return nil
}

// whole is the answer as one that was not streamed.
func (f *promptFrames) whole() *schema.ChatResponse {
	r := &schema.ChatResponse{ID: f.c.entry.Call, Model: f.c.target.Model, Created: f.c.now.Unix(), Usage: f.c.entry.Usage, Choices: make([]schema.Choice, 1)}
	r.Choices[0].Message = schema.Message{Role: schema.RoleAssistant, Parts: schema.TextParts(f.text.String())}
	r.Choices[0].FinishReason = schema.FinishReason(f.from.Tally().Finish)
	return r
}

// promptFault is the event that ends a prompt's stream that failed.
func promptFault(dst []byte, e *schema.Error, requestID string) []byte {
	dst = append(dst, "event: error\ndata: "...)
	return append(append(dst, problem(e, "", requestID, nil)...), "\n\n"...)
}
