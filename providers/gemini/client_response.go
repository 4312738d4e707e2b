package gemini

import (
	"encoding/json"
	"strconv"

	"github.com/tidwall/gjson"

	openai "github.com/sashabaranov/go-openai"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// encodeResponse is Client.EncodeChat.
func encodeResponse(b []byte, resp *schema.ChatResponse) []byte {
	b = append(b, `{"candidates":[`...)
	for i := range resp.Choices {
		c := &resp.Choices[i]
		b = append(wire.AppendComma(b), `{"content":{"parts":[`...)
		b = appendMessage(b, c)
		b = append(b, `],"role":"model"}`...)
		b = appendFinish(b, c.FinishReason, c.Message.Refusal)
		b = strconv.AppendInt(append(b, `,"index":`...), int64(c.Index), 10)
		b = appendCitations(b, c)
		b = appendLogprobs(b, c.Logprobs)
		b = append(b, '}')
	}
	b = append(b, ']')
	return appendTail(b, &resp.Usage, resp.ServiceTier, resp.Model, resp.ID)
}

// appendTail writes what stands beside the candidates, and ends the object.
func appendTail(b []byte, u *schema.Usage, tier, model, id string) []byte {
	if u != nil {
		b = appendUsage(append(b, `,"usageMetadata":`...), u, tier)
	}
	b = wire.AppendString(append(b, `,"modelVersion":`...), model)
	b = wire.AppendString(append(b, `,"responseId":`...), id)
	return append(b, '}')
}

// appendMessage writes the parts of an answer.
func appendMessage(b []byte, c *schema.Choice) []byte {
	m := &c.Message
	signature := ""
	for i := range m.Parts {
		p := &m.Parts[i]
		switch p.Type {
		case schema.PartText:
			b = appendText(b, p.Text, false, signature)
			signature = ""
		case schema.PartThinking:
			if signature = own(p.Signature); signature != "" { // goes on the part that follows
				if p.Text != "" {
					b = appendText(b, p.Text, true, "")
				}
				continue
			}
			b = appendText(b, p.Text, true, p.Signature)
		case schema.PartRedactedThinking:
			b = appendText(b, "", true, redactedMark+p.Data)
		case schema.PartRaw:
			b = appendRaw(b, p.Raw, p.Text)
		default:
			b = appendMedia(b, p.Media)
		}
	}
	if m.Refusal != "" && c.FinishReason != openai.FinishReasonContentFilter {
		b = appendText(b, m.Refusal, false, "")
	}
	if signature != "" {
		b = appendText(b, "", false, signature)
	}
	if data := gjson.GetBytes(c.Audio, "data").String(); data != "" {
		b = appendMedia(b, &schema.Media{MIME: "audio/wav", Data: data})
	}
	for i := range m.ToolCalls {
		b = appendCall(b, &m.ToolCalls[i])
	}
	return b
}

func appendText(b []byte, text string, thought bool, signature string) []byte {
	b = wire.AppendString(append(wire.AppendComma(b), `{"text":`...), text)
	if thought {
		b = append(b, `,"thought":true`...)
	}
	if signature != "" {
		b = wire.AppendString(append(b, `,"thoughtSignature":`...), signature)
	}
	return append(b, '}')
}

// appendRaw writes a part of this API's as it is, another's in words.
func appendRaw(b, raw []byte, words string) []byte {
	switch {
	case isRawPart(raw), gjson.GetBytes(raw, "inlineData").IsObject(), gjson.GetBytes(raw, "fileData").IsObject():
		return append(wire.AppendComma(b), raw...)
	case words != "":
		return appendText(b, words, false, "")
	}
	return b
}

func appendMedia(b []byte, m *schema.Media) []byte {
	if m == nil {
		return b
	}
	kind, data, uri := m.MIME, m.Data, m.URL
	if mime, inline, ok := wire.DataURL(uri); ok {
		kind, data, uri = mime, inline, ""
	}
	if data != "" {
		b = wire.AppendString(append(wire.AppendComma(b), `{"inlineData":{"mimeType":`...), kind)
		b = wire.AppendString(append(b, `,"data":`...), data)
		return append(b, '}', '}')
	}
	b = wire.AppendString(append(wire.AppendComma(b), `{"fileData":{"mimeType":`...), kind)
	b = wire.AppendString(append(b, `,"fileUri":`...), uri)
	return append(b, '}', '}')
}

// appendCall writes a function call; its signature comes out of its id.
// Arguments that are not a JSON object, as a model may write them, stand in
// one under the name arguments.
func appendCall(b []byte, c *openai.ToolCall) []byte {
	id, signature := wire.SplitCall(c.ID)
	b = wire.AppendString(append(wire.AppendComma(b), `{"functionCall":{"id":`...), id)
	b = wire.AppendString(append(b, `,"name":`...), c.Function.Name)
	b = append(b, `,"args":`...)
	switch args := json.RawMessage(c.Function.Arguments); {
	case len(args) == 0:
		b = append(b, '{', '}')
	case wire.Valid(args) && gjson.ParseBytes(args).IsObject():
		b = append(b, args...)
	default:
		b = append(wire.AppendString(append(b, `{"arguments":`...), c.Function.Arguments), '}')
	}
	b = append(b, '}')
	if signature != "" {
		b = wire.AppendString(append(b, `,"thoughtSignature":`...), signature)
	}
	return append(b, '}')
}

// appendFinish writes a finish reason in the API's words.
func appendFinish(b []byte, f openai.FinishReason, refusal string) []byte {
	word := "STOP" // also after function calls
	switch f {
	case openai.FinishReasonLength:
		word = "MAX_TOKENS"
	case openai.FinishReasonContentFilter:
		word = "SAFETY"
	case "":
		word = "OTHER"
	}
	b = append(append(append(b, `,"finishReason":"`...), word...), '"')
	if f == openai.FinishReasonContentFilter && refusal != "" {
		b = wire.AppendString(append(b, `,"finishMessage":`...), refusal)
	}
	return b
}

func appendUsage(b []byte, u *schema.Usage, tier string) []byte {
	b = append(b, '{')
	add := func(name string, n int64, always bool) {
		if always || n > 0 {
			b = strconv.AppendInt(wire.AppendKey(b, name), n, 10)
		}
	}
	add("promptTokenCount", u.Input, true)
	add("candidatesTokenCount", max(0, u.Output-u.Reasoning), true)
	add("totalTokenCount", u.Input+u.Output, true)
	add("cachedContentTokenCount", u.CachedInput, false)
	add("thoughtsTokenCount", u.Reasoning, false)
	b = appendModalities(b, "promptTokensDetails", u.Input, u.AudioInput)
	b = appendModalities(b, "candidatesTokensDetails", u.Output-u.Reasoning, u.AudioOutput)
	if word := tiers[tier]; word != "" {
		b = wire.AppendString(wire.AppendKey(b, "serviceTier"), word)
	}
	return append(b, '}')
}

// appendModalities tells text from sound where there was sound.
func appendModalities(b []byte, name string, all, audio int64) []byte {
	if audio <= 0 {
		return b
	}
	b = append(wire.AppendKey(b, name), `[{"modality":"TEXT","tokenCount":`...)
	b = strconv.AppendInt(b, max(0, all-audio), 10)
	b = append(b, `},{"modality":"AUDIO","tokenCount":`...)
	b = strconv.AppendInt(b, audio, 10)
	return append(b, '}', ']')
}
