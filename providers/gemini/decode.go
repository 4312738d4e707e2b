package gemini

import (
	"encoding/json"
	"strings"

	openai "github.com/sashabaranov/go-openai"
	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// decode is Chat.Decode.
func decode(body []byte) (*schema.ChatResponse, error) {
	if !wire.Valid(body) {
		return nil, wire.NotAnswer("the provider's answer is not valid JSON")
	}
	root := gjson.ParseBytes(body)
	if err := answerError(root, body); err != nil {
		return nil, err
	}
	out := &schema.ChatResponse{
		ID:      root.Get("responseId").String(),
		Model:   root.Get("modelVersion").String(),
		Created: created(root),
	}
	out.Usage, out.ServiceTier = readUsage(root)
	id := &ids{answer: out.ID}
	each(root.Get("candidates"), func(v gjson.Result) {
		out.Choices = append(out.Choices, candidate(v, len(out.Choices), id, body))
	})
	if len(out.Choices) == 0 {
		out.Choices = []schema.Choice{{FinishReason: openai.FinishReasonContentFilter,
			Message: schema.Message{Role: schema.RoleAssistant, Refusal: blocked(root)}}}
	}
	return out, nil
}

// answerError tells why a body is no answer, nil where it is one.
func answerError(root gjson.Result, body []byte) error {
	if root.IsArray() && root.Get("0.error").IsObject() || root.Get("error").IsObject() {
		return bodyError(body)
	}
	if root.Get("candidates.0").IsObject() || root.Get("promptFeedback.blockReason").Exists() {
		return nil
	}
	return wire.NotAnswer("the provider's answer has no candidates")
}

// blocked is why a prompt was not answered at all.
func blocked(root gjson.Result) string {
	f := root.Get("promptFeedback")
	if text := f.Get("blockReasonMessage").String(); text != "" {
		return text
	}
	return "the prompt was blocked: " + f.Get("blockReason").String()
}

func candidate(v gjson.Result, at int, id *ids, body []byte) schema.Choice {
	c := schema.Choice{Index: at, Message: schema.Message{Role: schema.RoleAssistant}, Logprobs: readLogprobs(v.Get("logprobsResult"))}
	if i := v.Get("index"); i.Type == gjson.Number {
		c.Index = int(i.Int())
	}
	m := &c.Message
	each(v.Get("content.parts"), func(v gjson.Result) {
		p := readPart(v)
		switch {
		case p.call != nil:
			m.ToolCalls = append(m.ToolCalls, p.toolCall(id, body))
		case p.thought:
			m.Parts = append(m.Parts, schema.Part{Type: schema.PartThinking, Text: p.text})
			addSignature(m, p.signature)
		case p.media != nil && strings.HasPrefix(p.media.MIME, "audio/"):
			c.Audio = audio(id.answer, p.media)
		case p.known:
			m.Parts = append(m.Parts, schema.Part{Type: schema.PartRaw, Raw: p.raw, Text: p.inWords()})
		default:
			addSignature(m, p.signature)
			if p.media != nil {
				m.Parts = append(m.Parts, mediaPart(p.media))
			} else if p.text != "" {
				m.Parts = append(m.Parts, schema.Part{Type: schema.PartText, Text: p.text})
			}
		}
	})
	c.FinishReason = finish(v.Get("finishReason").String(), len(m.ToolCalls) > 0)
	m.Refusal = stopMessage(v, c.FinishReason)
	c.Annotations = annotations(v, m.Text())
	return c
}

// stopMessage is why a candidate was stopped for what it says; empty: it was not,
// or nothing tells.
func stopMessage(candidate gjson.Result, reason openai.FinishReason) string {
	if reason != openai.FinishReasonContentFilter {
		return ""
	}
	return candidate.Get("finishMessage").String()
}

// addSignature keeps a part's signature as that of the thinking before it.
func addSignature(m *schema.Message, signature string) {
	if signature == "" {
		return
	}
	if n := len(m.Parts); n == 0 || m.Parts[n-1].Type != schema.PartThinking || m.Parts[n-1].Signature != "" {
		m.Parts = append(m.Parts, schema.Part{Type: schema.PartThinking})
	}
	m.Parts[len(m.Parts)-1].Signature = wire.MarkGemini(signature)
}

// audio is OpenAI's message.audio.
func audio(id string, m *schema.Media) json.RawMessage {
	b := wire.AppendString([]byte(`{"id":`), "audio_"+id)
	b = wire.AppendString(append(b, `,"data":`...), m.Data)
	return append(b, `,"expires_at":0,"transcript":""}`...)
}

// finish puts a finish reason in OpenAI's words. A candidate that calls
// functions ends with STOP as well. What went wrong on the way (a malformed
// call, an unexpected one) is an end like any other: its text is all there is.
func finish(reason string, calls bool) openai.FinishReason {
	switch reason {
	case "", "FINISH_REASON_UNSPECIFIED":
		return ""
	case "MAX_TOKENS":
		return openai.FinishReasonLength
	case "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "LANGUAGE",
		"IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION":
		return openai.FinishReasonContentFilter
	}
	if calls {
		return openai.FinishReasonToolCalls
	}
	return openai.FinishReasonStop // STOP, MALFORMED_FUNCTION_CALL, UNEXPECTED_TOOL_CALL, OTHER, …
}
