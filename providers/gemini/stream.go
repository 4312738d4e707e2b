package gemini

import (
	"encoding/json"
	"strings"

	openai "github.com/sashabaranov/go-openai"
	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// stream decodes one streamed answer. Each frame is an answer of its own with
// what is new, and the usage so far.
type stream struct {
	ends
	ids   ids
	calls map[int]int // of each candidate
}

// Done is dialect.StreamDecoder's: the API has no terminal event.
func (s *stream) Done() bool { return false }

// Decode is dialect.StreamDecoder's.
func (s *stream) Decode(f dialect.Frame, out []schema.Chunk) ([]schema.Chunk, error) {
	if !wire.Valid(f.Data) {
		return out, wire.NotAnswer("an event of the provider's stream is not valid JSON")
	}
	root := gjson.ParseBytes(f.Data)
	if root.Get("error").IsObject() || root.IsArray() {
		return out, bodyError(f.Data)
	}
	c := schema.Chunk{ID: root.Get("responseId").String(), Model: root.Get("modelVersion").String(), Created: created(root)}
	if s.ids.answer == "" {
		s.ids.answer = c.ID
	}
	var usage schema.Usage
	if usage, c.ServiceTier = readUsage(root); usage.Source == schema.UsageReported {
		c.Usage = &usage
	}
	at := 0
	each(root.Get("candidates"), func(v gjson.Result) {
		c.Choices = s.candidate(c.Choices, v, at, f.Data)
		at++
	})
	if at == 0 && root.Get("promptFeedback.blockReason").Exists() {
		s.end(0)
		c.Choices = []schema.ChoiceDelta{{Role: schema.RoleAssistant, Refusal: blocked(root)}, {FinishReason: openai.FinishReasonContentFilter}}
	}
	if len(c.Choices) == 0 && c.Usage == nil {
		return out, nil
	}
	return append(out, c), nil
}

// candidate appends what a frame says of one candidate.
func (s *stream) candidate(out []schema.ChoiceDelta, v gjson.Result, at int, data []byte) []schema.ChoiceDelta {
	if i := v.Get("index"); i.Type == gjson.Number {
		at = int(i.Int())
	}
	role := ""
	if s.begin(at) {
		role = schema.RoleAssistant
	}
	add := func(d schema.ChoiceDelta) {
		d.Index, d.Role = at, role
		role = ""
		out = append(out, d)
	}
	each(v.Get("content.parts"), func(v gjson.Result) {
		p := readPart(v)
		switch {
		case p.call != nil:
			call := p.toolCall(&s.ids, data)
			call.Index = s.nextCall(at)
			add(schema.ChoiceDelta{ToolCalls: []openai.ToolCall{call}})
		case p.thought:
			add(schema.ChoiceDelta{Thinking: p.text})
			s.sign(add, p.signature)
		case p.media != nil && strings.HasPrefix(p.media.MIME, "audio/"):
			add(schema.ChoiceDelta{Audio: audio(s.ids.answer, p.media)})
		case p.known:
			add(schema.ChoiceDelta{Raw: p.raw})
		default:
			s.sign(add, p.signature)
			if p.media != nil {
				add(schema.ChoiceDelta{Raw: p.raw})
			} else if p.text != "" {
				add(schema.ChoiceDelta{Text: p.text})
			}
		}
	})
	if l := readLogprobs(v.Get("logprobsResult")); l != nil {
		add(schema.ChoiceDelta{Logprobs: l})
	}
	gjson.ParseBytes(annotations(v, "")).ForEach(func(_, a gjson.Result) bool {
		add(schema.ChoiceDelta{Citations: json.RawMessage(a.Raw)})
		return true
	})
	if reason := finish(v.Get("finishReason").String(), s.calls[at] > 0); reason != "" {
		s.end(at)
		add(schema.ChoiceDelta{FinishReason: reason, Refusal: stopMessage(v, reason)})
	}
	return out
}

func (s *stream) sign(add func(schema.ChoiceDelta), signature string) {
	if signature != "" {
		add(schema.ChoiceDelta{Signature: wire.MarkGemini(signature)})
	}
}

// nextCall numbers the calls of a candidate.
func (s *stream) nextCall(candidate int) *int {
	if s.calls == nil {
		s.calls = map[int]int{}
	}
	n := s.calls[candidate]
	s.calls[candidate]++
	return &n
}

// ends keeps which candidates were begun and which have finished.
type ends struct{ begun, over uint64 }

// Ended is dialect.Ender's.
func (e *ends) Ended() bool { return e.over != 0 && e.begun&^e.over == 0 }

// begin notes a candidate; first tells that it is new.
func (e *ends) begin(candidate int) (first bool) {
	bit := uint64(1) << uint(candidate&63)
	first = e.begun&bit == 0
	e.begun |= bit
	return first
}

func (e *ends) end(candidate int) { e.over |= 1 << uint(candidate&63) }
