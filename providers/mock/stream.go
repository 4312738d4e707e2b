package mock

import (
	"context"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	openai "github.com/sashabaranov/go-openai"

	"sluice/providers/schema"
)

// argumentPiece is how many bytes of a call's arguments come at a time.
const argumentPiece = 12

// stream is one streamed answer.
type stream struct {
	m      *Mock
	ctx    context.Context
	answer answer
	usage  schema.Usage
	pieces []string // of the text, or of the arguments
	start  time.Time
	paced  int // pieces sent so far, over all choices

	choices int
	choice  int // the one being told
	at      int // next piece of it; -1: its beginning
	over    bool

	chunk schema.Chunk
	delta [1]schema.ChoiceDelta
	call  [1]openai.ToolCall
}

// ChatStream answers a request word by word, with the usage in the last
// chunk. next returns io.EOF after it; its chunk is valid until the next call.
// next may not be called from two goroutines at once, and ends with an error
// as soon as ctx is done. There is nothing to close.
func (m *Mock) ChatStream(ctx context.Context, req *schema.ChatRequest) (next func() (*schema.Chunk, error), err error) {
	n, err := m.begin(ctx, req.Model)
	if err != nil {
		return nil, err
	}
	a, err := m.answer(n, req)
	if err != nil {
		return nil, err
	}
	s := &stream{m: m, ctx: ctx, answer: a, usage: m.usage(req, &a), choices: choicesOf(req), at: -1, start: m.o.Now()}
	s.pieces = words(a.text)
	if len(a.calls) > 0 {
		s.pieces = segments(a.calls[0].Function.Arguments, argumentPiece)
	}
	s.chunk = schema.Chunk{ID: answerID(n), Model: req.Model, Created: s.start.Unix()}
	return s.next, nil
}

func (s *stream) next() (*schema.Chunk, error) {
	if err := s.ctx.Err(); err != nil {
		return nil, gone(err)
	}
	if s.over {
		return nil, io.EOF
	}
	s.chunk.Choices = s.delta[:]
	d := &s.delta[0]
	*d = schema.ChoiceDelta{Index: s.choice}
	switch {
	case s.choice == s.choices:
		s.over = true
		s.chunk.Choices, s.chunk.Usage = nil, &s.usage
	case s.at < 0:
		s.begin(d)
	case s.at < len(s.pieces):
		if err := s.pace(); err != nil {
			return nil, gone(err)
		}
		s.piece(d)
	default:
		d.FinishReason, d.StopSequence = s.answer.finish, s.answer.stop
		s.choice, s.at = s.choice+1, -1
	}
	return &s.chunk, nil
}

func (s *stream) begin(d *schema.ChoiceDelta) {
	d.Role = schema.RoleAssistant
	if len(s.answer.calls) > 0 {
		c := s.answer.calls[0]
		c.Index = new(int)
		c.Function.Arguments = ""
		s.call[0] = c
		d.ToolCalls = s.call[:]
	}
	s.at = 0
}

func (s *stream) piece(d *schema.ChoiceDelta) {
	if len(s.answer.calls) == 0 {
		d.Text = s.pieces[s.at]
	} else {
		s.call[0] = openai.ToolCall{Index: s.call[0].Index, Function: openai.FunctionCall{Arguments: s.pieces[s.at]}}
		d.ToolCalls = s.call[:]
	}
	s.at++
}

// pace waits until the next word is due. Due times are counted from the
// start, so that a slow reader does not slow the pace down.
func (s *stream) pace() error {
	if s.m.o.Rate <= 0 {
		return nil
	}
	due := s.start.Add(time.Duration(float64(s.paced) / s.m.o.Rate * float64(time.Second)))
	s.paced++
	if wait := due.Sub(s.m.o.Now()); wait > 0 {
		return s.m.o.Sleep(s.ctx, wait)
	}
	return nil
}

// words cuts a text into words, each with the space behind it.
func words(text string) []string {
	out := make([]string, 0, strings.Count(text, " ")+1)
	for text != "" {
		end := strings.IndexAny(text, " \n\t")
		if end < 0 {
			return append(out, text)
		}
		for end < len(text) && strings.IndexByte(" \n\t", text[end]) >= 0 {
			end++
		}
		out, text = append(out, text[:end]), text[end:]
	}
	return out
}

// segments cuts a text into pieces of about n bytes, never inside a rune.
func segments(text string, n int) []string {
	var out []string
	for len(text) > n {
		end := n
		for end < len(text) && !utf8.RuneStart(text[end]) {
			end++
		}
		out, text = append(out, text[:end]), text[end:]
	}
	if text != "" {
		out = append(out, text)
	}
	return out
}
