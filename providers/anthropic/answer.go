package anthropic

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// encodeAnswer is Client.EncodeChat: the first choice as a message.
func encodeAnswer(b []byte, resp *schema.ChatResponse) []byte {
	var none schema.Choice
	c := &none
	if len(resp.Choices) > 0 {
		c = &resp.Choices[0]
	}
	end := ending{finish: c.FinishReason, sequence: c.StopSequence, id: resp.ID}
	b = appendEnvelope(b, resp.ID, resp.Model)
	b = appendContent(append(b, `,"content":[`...), c, &end)
	b = append(b, ']')
	b = end.appendTo(b)
	b = append(b, `,"usage":`...)
	b = appendUsage(b, &resp.Usage, resp.ServiceTier)
	return append(b, '}')
}

// appendEnvelope begins a message, up to its content.
func appendEnvelope(b []byte, id, model string) []byte {
	if !strings.HasPrefix(id, "msg_") {
		id = "msg_" + id
	}
	b = append(b, `{"id":`...)
	b = wire.AppendString(b, id)
	b = append(b, `,"type":"message","role":"assistant","model":`...)
	return wire.AppendString(b, model)
}

// appendContent writes the blocks: thinking and text in their order, then the
// calls. It tells end what it met.
func appendContent(b []byte, c *schema.Choice, end *ending) []byte {
	m := &c.Message
	annotations := c.Annotations
	for i := range m.Parts {
		p := &m.Parts[i]
		if p.Type == schema.PartText && len(p.Citations) == 0 && len(annotations) > 0 {
			b = appendTextBlock(b, p.Text, citationsOf(annotations, p.Text))
			annotations = nil // their places count from the first text on
			continue
		}
		b = appendPart(b, p)
	}
	if m.Refusal != "" && end.refuse(m.Refusal) {
		b = appendTextBlock(b, m.Refusal, nil)
	}
	for i := range m.ToolCalls {
		call := &m.ToolCalls[i]
		end.calls = true
		b = appendToolUse(wire.AppendComma(b), callID(call.ID, end.id, i), call.Function.Name)
		b = append(b, toolInput(call.Function.Arguments)...)
		b = append(appendExtra(b, ownCallExtra(m.CallExtra[call.ID])), '}')
	}
	return b
}

// ownBlock are the types of blocks that this API has beside the common ones.
var ownBlock = regexp.MustCompile(`^([a-z_]+_tool_use|[a-z_]+_tool_result|container_upload|compaction)$`)

// appendPart writes a part as a block; what a client of this API would not
// know is left out, and so is empty text, which it could not send back.
func appendPart(b []byte, p *schema.Part) []byte {
	switch p.Type {
	case schema.PartText:
		return appendTextBlock(b, p.Text, p.Citations)
	case schema.PartThinking:
		b = append(wire.AppendComma(b), `{"type":"thinking","thinking":`...)
		b = wire.AppendString(b, p.Text)
		b = wire.AppendString(wire.AppendKey(b, "signature"), p.Signature)
		return append(b, '}')
	case schema.PartRedactedThinking:
		b = append(wire.AppendComma(b), `{"type":"redacted_thinking","data":`...)
		return append(wire.AppendString(b, p.Data), '}')
	case schema.PartRaw:
		if isOwnBlock(p.Raw) {
			return append(wire.AppendComma(b), p.Raw...)
		}
		return appendTextBlock(b, p.Text, nil)
	}
	return b
}

func isOwnBlock(raw json.RawMessage) bool {
	return ownBlock.MatchString(gjson.GetBytes(raw, "type").Str) && gjson.ValidBytes(raw)
}

// appendTextBlock writes a block of text, unless it is empty.
func appendTextBlock(b []byte, text string, citations json.RawMessage) []byte {
	if text == "" {
		return b
	}
	b = append(wire.AppendComma(b), `{"type":"text","text":`...)
	b = wire.AppendString(b, text)
	if len(citations) > 0 && citations[0] == '[' {
		b = append(wire.AppendKey(b, "citations"), citations...)
	}
	return append(b, '}')
}

// appendToolUse begins a call, up to its input.
func appendToolUse(b []byte, id, name string) []byte {
	b = append(b, `{"type":"tool_use","id":`...)
	b = wire.AppendString(b, id)
	b = wire.AppendString(wire.AppendKey(b, "name"), name)
	return wire.AppendKey(b, "input")
}

// callID is a call's id, made of the answer's where the provider gave none.
func callID(id, answer string, n int) string {
	if id != "" {
		return id
	}
	return "toolu_" + answer + "_" + strconv.Itoa(n)
}

// toolInput is the object that a call's arguments are. Those of a model that
// wrote none are empty; of one that wrote something else, or was cut off, they
// are kept as text under the name arguments.
func toolInput(arguments string) []byte {
	trimmed := strings.TrimSpace(arguments)
	switch {
	case trimmed == "", trimmed == "null":
		return []byte("{}")
	case trimmed[0] == '{' && gjson.Valid(trimmed):
		return []byte(trimmed)
	}
	return append(wire.AppendString([]byte(`{"arguments":`), arguments), '}')
}

// citationsOf puts OpenAI's annotations of a text into citations: a page of the
// web is cited by its address, and the cited text is that of the answer itself.
func citationsOf(annotations json.RawMessage, text string) json.RawMessage {
	runes := []rune(text)
	b := []byte{'['}
	each(gjson.ParseBytes(annotations), func(a gjson.Result) {
		u := a.Get("url_citation")
		if !u.IsObject() {
			return
		}
		from, to := min(max(u.Get("start_index").Int(), 0), int64(len(runes))), min(u.Get("end_index").Int(), int64(len(runes)))
		b = append(wire.AppendComma(b), `{"type":"web_search_result_location","url":`...)
		b = wire.AppendString(b, u.Get("url").Str)
		b = wire.AppendString(wire.AppendKey(b, "title"), u.Get("title").Str)
		b = wire.AppendString(wire.AppendKey(b, "cited_text"), string(runes[from:max(from, to)]))
		b = append(b, `,"encrypted_index":""}`...)
	})
	if len(b) == 1 {
		return nil
	}
	return append(b, ']')
}
