package mistral

import (
	"encoding/json"
	"net/http"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/openai"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// finishError is the finish reason of an answer that broke off.
const finishError = "error"

// decode is Chat.Decode.
func decode(body []byte) (*schema.ChatResponse, error) {
	resp, err := base.Chat.Decode(body)
	if err != nil {
		return nil, err
	}
	for i := range resp.Choices {
		c := &resp.Choices[i]
		if c.FinishReason == finishError {
			return nil, brokeOff()
		}
		c.Message.Parts = cited(c.Message.Parts)
		for j := range c.Message.ToolCalls {
			if f := &c.Message.ToolCalls[j].Function; f.Arguments == "" {
				f.Arguments = "{}"
			}
		}
	}
	return resp, nil
}

// cited makes the references among the parts the citations of the text before
// them.
func cited(parts []schema.Part) []schema.Part {
	out := parts[:0]
	for _, p := range parts {
		if p.Type != schema.PartRaw || gjson.GetBytes(p.Raw, "type").Str != "reference" {
			out = append(out, p)
			continue
		}
		n := len(out)
		if n == 0 || out[n-1].Type != schema.PartText {
			out, n = append(out, schema.Part{Type: schema.PartText}), n+1
		}
		list := []byte{'['}
		if had := out[n-1].Citations; len(had) > 0 {
			list = append([]byte(nil), had[:len(had)-1]...)
		}
		out[n-1].Citations = json.RawMessage(append(append(wire.AppendComma(list), p.Raw...), ']'))
	}
	return out
}

// stream decodes one streamed answer as package openai does.
type stream struct{ dialect.StreamDecoder }

// Decode is dialect.StreamDecoder's.
func (s *stream) Decode(f dialect.Frame, out []schema.Chunk) ([]schema.Chunk, error) {
	from := len(out)
	out, err := s.StreamDecoder.Decode(f, out)
	if err != nil {
		return out, err
	}
	for i := from; i < len(out); i++ {
		for j := range out[i].Choices {
			if out[i].Choices[j].FinishReason == finishError {
				return out[:i], brokeOff()
			}
		}
	}
	return out, nil
}

// Ended is dialect.Ender's.
func (s *stream) Ended() bool {
	e, ok := s.StreamDecoder.(dialect.Ender)
	return ok && e.Ended()
}

func brokeOff() *schema.Error {
	return &schema.Error{Code: schema.CodeUpstream, Status: http.StatusBadGateway, UpstreamStatus: http.StatusOK, Origin: schema.OriginProvider,
		Class: schema.ClassServerError, Message: "the provider broke off the answer with an error", Type: finishError}
}

// decodeError is Dialect.Error. Beside {"object":"error","message":…} and
// {"detail":…} the API sends the detail in the message's place.
func decodeError(status int, header func(string) string, body []byte) *schema.Error {
	switch message := gjson.GetBytes(body, "message"); {
	case message.IsObject():
		body = []byte(message.Raw)
	case message.IsArray():
		body = []byte(`{"detail":` + message.Raw + `}`)
	}
	return openai.Dialect.Error(status, header, body)
}
