package responses

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// encodeAnswer is Client.EncodeChat: the first choice as a response object.
func encodeAnswer(b []byte, resp *schema.ChatResponse) []byte { return encodeFor(b, nil, resp) }

// encodeFor writes an answer to a request, whose fields it repeats; nil: it is
// not known.
func encodeFor(b []byte, req *schema.ChatRequest, resp *schema.ChatResponse) []byte {
	var none schema.Choice
	c := &none
	if len(resp.Choices) > 0 {
		c = &resp.Choices[0]
	}
	e := envelope{id: resp.ID, model: resp.Model, created: resp.Created, tier: resp.ServiceTier, usage: &resp.Usage, req: req}
	e.ended(c.FinishReason)
	e.output = appendOutput(nil, c, &e)
	return e.appendTo(b)
}

// items numbers the items of an answer.
type items struct {
	response string
	n        int
}

// id is the next item's.
func (i *items) id(prefix string) string {
	i.n++
	return itemID(prefix, i.response, i.n-1)
}

// itemID is the id of an answer's nth item.
func itemID(prefix, response string, n int) string {
	return prefix + "_" + response[len("resp_"):] + "_" + strconv.Itoa(n)
}

// appendOutput writes a choice as items, in their order: texts that follow each
// other are parts of one message.
func appendOutput(b []byte, c *schema.Choice, e *envelope) []byte {
	number := items{response: responseID(e.id)}
	m := &c.Message
	var said []byte // the parts of the open message
	at := span{}
	logprobs := logprobsOf(c.Logprobs)
	flush := func() {
		if said != nil {
			b = appendMessageItem(separated(b), number.id("msg"), said, e.status)
			said = nil
		}
	}
	for i := range m.Parts {
		p := &m.Parts[i]
		switch p.Type {
		case schema.PartText:
			at = span{at.to, at.to + int64(utf8.RuneCountInString(p.Text))}
			said = separated(said)
			said, logprobs = appendTextPart(said, p.Text, annotationsOf(p, c.Annotations, at), logprobs), nil
		case schema.PartThinking, schema.PartRedactedThinking:
			flush()
			b = appendThoughtItem(separated(b), p, &number)
		case schema.PartRaw:
			if isItem(p.Raw) {
				flush()
				number.n++
				b = append(separated(b), oneLine(p.Raw)...)
			}
		}
	}
	if m.Refusal != "" {
		said = appendRefusalPart(separated(said), m.Refusal)
	}
	flush()
	custom := customNames(e.req)
	for i := range m.ToolCalls {
		call := m.ToolCalls[i]
		if call.ID == "" {
			call.ID = itemID("call", number.response, i)
		}
		b = appendCallItem(separated(b), number.id("fc"), &call, custom[call.Function.Name], "completed")
	}
	return b
}

// separated is a list's inside, ready for one more.
func separated(b []byte) []byte {
	if len(b) > 0 {
		return append(b, ',')
	}
	return b
}

func appendThoughtItem(b []byte, p *schema.Part, number *items) []byte {
	if p.Raw != nil {
		number.n++
		return append(b, oneLine(p.Raw)...)
	}
	return appendReasoningItem(b, number.id("rs"), p.Text, encrypted(p))
}

func appendReasoningItem(b []byte, id, text, encrypted string) []byte {
	b = wire.AppendText(append(b, '{'), "id", id)
	b = appendReasoning(append(b, `,"type":"reasoning"`...), text, encrypted)
	return append(b, '}')
}

func appendMessageItem(b []byte, id string, content []byte, status string) []byte {
	b = wire.AppendText(append(b, '{'), "id", id)
	b = append(append(append(b, `,"type":"message","status":"`...), status...), `","role":"assistant","content":[`...)
	return append(append(b, content...), ']', '}')
}

// appendTextPart writes an output_text; annotations and logprobs are lists'
// insides.
func appendTextPart(b []byte, text string, annotations, logprobs []byte) []byte {
	b = append(append(append(b, `{"type":"output_text","annotations":[`...), annotations...), `],"logprobs":[`...)
	b = append(append(b, logprobs...), `],"text":`...)
	return append(wire.AppendString(b, text), '}')
}

func appendRefusalPart(b []byte, text string) []byte {
	return append(wire.AppendString(append(b, `{"type":"refusal","refusal":`...), text), '}')
}

// appendCallItem writes a call, of a custom tool as one of those. call.ID is
// the call's, id the item's.
func appendCallItem(b []byte, id string, call *schema.ToolCall, custom bool, status string) []byte {
	b = wire.AppendText(append(b, '{'), "id", id)
	if custom {
		b = append(b, `,"type":"custom_tool_call"`...)
		b = wire.AppendString(wire.AppendKey(b, "input"), customInput(call.Function.Arguments))
	} else {
		b = append(b, `,"type":"function_call"`...)
		b = wire.AppendString(wire.AppendKey(b, "arguments"), call.Function.Arguments)
	}
	b = wire.AppendText(b, "status", status)
	b = wire.AppendString(wire.AppendKey(b, "call_id"), call.ID)
	return append(wire.AppendString(wire.AppendKey(b, "name"), call.Function.Name), '}')
}

// customNames are the names of a request's custom tools.
func customNames(req *schema.ChatRequest) map[string]bool {
	if req == nil {
		return nil
	}
	out := map[string]bool{}
	for i := range req.Tools {
		if t := &req.Tools[i]; t.Type == toolCustom {
			out[t.Name] = true
		}
	}
	return out
}

// logprobsOf is the inside of the list in Chat Completions' logprobs.
func logprobsOf(raw json.RawMessage) []byte {
	content := gjson.GetBytes(raw, "content")
	if !content.IsArray() {
		return nil
	}
	list := oneLine(json.RawMessage(content.Raw))
	return list[1 : len(list)-1]
}

// oneLine is JSON without line ends, which would cut an event in two.
func oneLine(raw json.RawMessage) []byte {
	if !bytes.ContainsAny(raw, "\r\n") {
		return bytes.TrimSpace(raw)
	}
	var out bytes.Buffer
	if json.Compact(&out, raw) != nil {
		return []byte("null")
	}
	return out.Bytes()
}
