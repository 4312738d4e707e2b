package gateway

import (
	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// inputMessages are what a request asks, as the GenAI conventions write it: of
// OpenAI's, Anthropic's and Gemini's format, and of the Responses API. nil: it
// has none, or was cut.
func inputMessages(request []byte, cut bool) []byte {
	if cut || !gjson.ValidBytes(request) {
		return nil
	}
	q := gjson.ParseBytes(request)
	for _, name := range [...]string{"messages", "contents", "input", "prompt"} {
		if v := q.Get(name); v.Exists() {
			return messages(v, "user")
		}
	}
	return nil
}

// outputMessages are what an answer says; text is that of a stream.
func outputMessages(response []byte, text string, cut bool) []byte {
	if text != "" {
		b := wire.AppendString([]byte(`[{"role":"assistant","parts":[{"type":"text","content":`), text)
		return append(b, `}]}]`...)
	}
	if cut || !gjson.ValidBytes(response) {
		return nil
	}
	a := gjson.ParseBytes(response)
	for _, name := range [...]string{"choices", "candidates", "output"} {
		if v := a.Get(name); v.IsArray() {
			return messages(v, "assistant")
		}
	}
	if a.Get("content").IsArray() { // Anthropic's answer is the message itself
		b := appendMessage([]byte{'['}, a, "assistant")
		return append(b, ']')
	}
	return nil
}

// rendered are the messages that a prompt has become; nil: they are the caller's,
// or too large to be told.
func (c *Call) rendered() []byte {
	if c.prompt == nil {
		return nil
	}
	req, err := c.req.Chat()
	if err != nil {
		return nil
	}
	b := []byte{'['}
	for i := range req.Messages {
		m := &req.Messages[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(wire.AppendString(append(b, `{"role":`...), m.Role), `,"parts":[`...)
		for j := range m.Parts {
			if j > 0 {
				b = append(b, ',')
			}
			b = wire.AppendString(append(b, `{"type":`...), string(m.Parts[j].Type))
			if m.Parts[j].Type == schema.PartText {
				b = wire.AppendString(append(b, `,"content":`...), m.Parts[j].Text)
			}
			b = append(b, '}')
		}
		b = append(b, "]}"...)
	}
	if len(b) > mostBody {
		return nil
	}
	return append(b, ']')
}

// messages writes a list of messages, or the one that a text stands for.
func messages(v gjson.Result, role string) []byte {
	b := []byte{'['}
	if !v.IsArray() {
		b = append(appendParts(append(append(append(b, `{"role":"`...), role...), '"'), v), '}')
		return append(b, ']')
	}
	v.ForEach(func(_, m gjson.Result) bool {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = appendMessage(b, m, role)
		return true
	})
	return append(b, ']')
}

// appendMessage writes a message, or the choice that holds one.
func appendMessage(b []byte, m gjson.Result, role string) []byte {
	finish := first(m, "finish_reason", "finishReason", "stop_reason")
	if inner := first(m, "message"); inner.IsObject() {
		m = inner
	} else if inner := m.Get("content"); inner.IsObject() { // Gemini's candidate
		m = inner
	}
	if r := m.Get("role"); r.Type == gjson.String {
		role = r.Str
	}
	b = wire.AppendString(append(b, `{"role":`...), role)
	parts := first(m, "content", "parts", "text")
	if !m.IsObject() {
		parts = m
	}
	b = appendParts(b, parts, m.Get("tool_calls").Array()...)
	if finish.Type == gjson.String {
		b = wire.AppendString(append(b, `,"finish_reason":`...), finish.Str)
	}
	return append(b, '}')
}

func first(v gjson.Result, names ...string) (found gjson.Result) {
	for _, name := range names {
		if found = v.Get(name); found.Exists() && found.Type != gjson.Null {
			return found
		}
	}
	return gjson.Result{}
}

// appendParts writes the parts of a message: its text is told, of what else
// there is only the kind.
func appendParts(b []byte, v gjson.Result, calls ...gjson.Result) []byte {
	b = append(b, `,"parts":[`...)
	empty := len(b)
	next := func() {
		if len(b) > empty {
			b = append(b, ',')
		}
	}
	part := func(p gjson.Result) {
		next()
		switch text := first(p, "text"); {
		case p.Type == gjson.String:
			b = append(wire.AppendString(append(b, `{"type":"text","content":`...), p.Str), '}')
		case text.Type == gjson.String:
			b = append(wire.AppendString(append(b, `{"type":"text","content":`...), text.Str), '}')
		default:
			kind := p.Get("type").Str
			if kind == "" {
				kind = "blob"
			}
			b = append(wire.AppendString(append(b, `{"type":`...), kind), '}')
		}
	}
	switch {
	case v.IsArray():
		v.ForEach(func(_, p gjson.Result) bool { part(p); return true })
	case v.Exists() && v.Type != gjson.Null:
		part(v)
	}
	for _, call := range calls {
		next()
		b = wire.AppendString(append(b, `{"type":"tool_call","id":`...), call.Get("id").Str)
		b = wire.AppendString(append(b, `,"name":`...), call.Get("function.name").Str)
		b = append(wire.AppendString(append(b, `,"arguments":`...), call.Get("function.arguments").Str), '}')
	}
	return append(b, ']')
}
