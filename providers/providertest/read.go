package providertest

import (
	"bytes"
	"fmt"
	"io"
	"testing/iotest"

	openai "github.com/sashabaranov/go-openai"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

// answer is what came of a call, whole or streamed, in one shape.
type answer struct {
	Text      string
	Reasoning string
	Calls     []openai.ToolCall
	Finish    string
	Usage     schema.Usage
	Done      bool
	Chunks    []schema.Chunk
}

// fromWhole reads an answer that came at once.
func fromWhole(r *schema.ChatResponse) answer {
	a := answer{Usage: r.Usage, Done: true}
	if len(r.Choices) == 0 {
		return a
	}
	c := &r.Choices[0]
	a.Text, a.Calls, a.Finish = c.Message.Text(), c.Message.ToolCalls, string(c.FinishReason)
	for _, p := range c.Message.Parts {
		if p.Type == schema.PartThinking {
			a.Reasoning += p.Text
		}
	}
	return a
}

// readStream decodes a stream's bytes to their end. Chunks are copied: a
// decoder may use its memory again.
func readStream(c *dialect.Chat, r io.Reader) (answer, error) {
	decoder := c.Stream()
	frames := newFrames(c.Framing, r)
	defer frames.Close()
	var a answer
	var out []schema.Chunk
	for {
		f, err := frames.Next()
		if err == io.EOF {
			ender, ok := decoder.(dialect.Ender)
			a.Done = decoder.Done() || ok && ender.Ended()
			return a, nil
		}
		if err != nil {
			return a, err
		}
		if out, err = decoder.Decode(f, out[:0]); err != nil {
			return a, err
		}
		for i := range out {
			if err := a.add(&out[i]); err != nil {
				return a, err
			}
		}
	}
}

// add takes in a chunk, as a client does that puts a stream together.
func (a *answer) add(c *schema.Chunk) error {
	kept := *c
	kept.Choices = append([]schema.ChoiceDelta(nil), c.Choices...)
	if c.Usage != nil {
		u := *c.Usage
		kept.Usage = &u
		a.Usage.Merge(u)
	}
	for i := range kept.Choices {
		d := &kept.Choices[i]
		d.ToolCalls = append([]openai.ToolCall(nil), d.ToolCalls...)
		if d.Index != 0 {
			continue
		}
		a.Text += d.Text
		a.Reasoning += d.Thinking
		if d.FinishReason != "" {
			a.Finish = string(d.FinishReason)
		}
		for _, call := range d.ToolCalls {
			if err := a.call(call); err != nil {
				return err
			}
		}
	}
	a.Chunks = append(a.Chunks, kept)
	return nil
}

// call takes in a piece of a tool call. A call must begin with its id and
// name, at the next index.
func (a *answer) call(piece openai.ToolCall) error {
	switch {
	case piece.Index == nil:
		return fmt.Errorf("a tool call without an index: %+v", piece)
	case *piece.Index == len(a.Calls):
		if piece.Function.Name == "" || piece.ID == "" {
			return fmt.Errorf("tool call %d begins without id or name: %+v", *piece.Index, piece)
		}
		a.Calls = append(a.Calls, piece)
	case *piece.Index < 0 || *piece.Index > len(a.Calls):
		return fmt.Errorf("tool call index %d after %d calls", *piece.Index, len(a.Calls))
	default:
		a.Calls[*piece.Index].Function.Arguments += piece.Function.Arguments
	}
	return nil
}

// variants are ways in which the same stream may arrive.
func variants(framing dialect.Framing, body []byte) map[string]io.Reader {
	if framing == dialect.FramingEventStream {
		return map[string]io.Reader{
			"whole":        bytes.NewReader(body),
			"byte by byte": iotest.OneByteReader(bytes.NewReader(body)),
			"halves":       iotest.HalfReader(bytes.NewReader(body)),
		}
	}
	crlf := bytes.ReplaceAll(bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	return map[string]io.Reader{
		"whole":          bytes.NewReader(body),
		"byte by byte":   iotest.OneByteReader(bytes.NewReader(body)),
		"halves":         iotest.HalfReader(bytes.NewReader(body)),
		"CRLF":           bytes.NewReader(crlf),
		"CRLF, by bytes": iotest.OneByteReader(bytes.NewReader(crlf)),
	}
}

// cuts are the places where a stream is cut for the test: after every frame
// and at some fifty bytes between.
func cuts(framing dialect.Framing, body []byte) []int {
	var at []int
	if framing == dialect.FramingEventStream {
		at = messageEnds(body)
	}
	for i := range body {
		if bytes.HasSuffix(body[:i], []byte("\n\n")) || bytes.HasSuffix(body[:i], []byte("\r\n\r\n")) {
			at = append(at, i)
		}
	}
	for i := 0; i < len(body); i += max(1, len(body)/50) {
		at = append(at, i)
	}
	return at
}
