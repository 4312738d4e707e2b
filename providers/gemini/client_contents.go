package gemini

import (
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// turns reads a conversation. Calls and results find each other by id, or,
// where the caller gives none, by name and order.
type turns struct {
	out     []schema.Message
	waiting []openCall // calls without a result yet
	made    int
}

// openCall is a call that waits for its result.
type openCall struct{ name, id, unified string }

func (t *turns) read(v gjson.Result) ([]schema.Message, error) {
	err := list(v, "contents", t.turn)
	return t.out, err
}

func (t *turns) turn(c gjson.Result, at string) error {
	switch role := c.Get("role").String(); role {
	case "model":
		return t.model(c.Get("parts"), at)
	case "user", "function", "":
		return t.user(c.Get("parts"), at)
	default:
		return schema.Invalid(at+".role", "%s.role must be user or model, not %q", at, role)
	}
}

// model reads a turn of the model's. Turns in a row become one message: a
// client that streamed has one for each piece.
func (t *turns) model(parts gjson.Result, at string) error {
	if n := len(t.out); n == 0 || t.out[n-1].Role != schema.RoleAssistant {
		t.out = append(t.out, schema.Message{Role: schema.RoleAssistant})
	}
	m := &t.out[len(t.out)-1]
	return list(parts, at+".parts", func(v gjson.Result, where string) error {
		p := readPart(v)
		switch {
		case p.wrong != "":
			return wrongPart(&p, where)
		case p.call != nil:
			if p.call.Name == "" {
				return schema.Invalid(at, "%s: a functionCall has no name", at)
			}
			m.ToolCalls = append(m.ToolCalls, t.call(&p))
		case p.thought:
			addThought(m, &p)
		case p.known:
			m.Parts = append(m.Parts, schema.Part{Type: schema.PartRaw, Raw: p.raw, Text: p.inWords()})
		default:
			addSignature(m, p.signature)
			if p.media != nil {
				m.Parts = append(m.Parts, mediaPart(p.media))
			} else if n := len(m.Parts); n > 0 && m.Parts[n-1].Type == schema.PartText {
				m.Parts[n-1].Text += p.text
			} else if p.text != "" {
				m.Parts = append(m.Parts, schema.Part{Type: schema.PartText, Text: p.text})
			}
		}
		return nil
	})
}

// wrongPart refuses a part of which a field is not of its type.
func wrongPart(p *piece, at string) error {
	kind := "an object"
	switch p.wrong {
	case "text", "thoughtSignature":
		kind = "a string"
	case "thought":
		kind = "a boolean"
	}
	at += "." + p.wrong
	return schema.Invalid(at, "%s must be %s", at, kind)
}

// addThought adds a piece of thinking. What was streamed in pieces is put
// together, up to the signature; another model's signature and redacted
// thinking are as it wrote them.
func addThought(m *schema.Message, p *piece) {
	if data, ok := strings.CutPrefix(p.signature, redactedMark); ok {
		m.Parts = append(m.Parts, schema.Part{Type: schema.PartRedactedThinking, Data: data})
		return
	}
	if n := len(m.Parts); n == 0 || m.Parts[n-1].Type != schema.PartThinking || m.Parts[n-1].Signature != "" {
		m.Parts = append(m.Parts, schema.Part{Type: schema.PartThinking})
	}
	last := &m.Parts[len(m.Parts)-1]
	last.Text += p.text
	last.Signature = p.signature
}

func (t *turns) call(p *piece) schema.ToolCall {
	id := p.call.ID
	if id == "" {
		t.made++
		id = "call_" + strconv.Itoa(t.made)
	}
	c := openCall{name: p.call.Name, id: p.call.ID, unified: wire.SignCall(id, p.signature)}
	t.waiting = append(t.waiting, c)
	return schema.ToolCall{ID: c.unified, Type: schema.ToolTypeFunction,
		Function: schema.FunctionCall{Name: p.call.Name, Arguments: string(p.call.Args)}}
}

// user reads a turn of the user's: results of functions first, which are
// messages of their own, then the rest.
func (t *turns) user(parts gjson.Result, at string) error {
	m := schema.Message{Role: schema.RoleUser}
	if at += ".parts"; parts.Type == gjson.Null || isEmpty(parts) {
		return schema.Invalid(at, "%s must be a non-empty array", at)
	}
	err := list(parts, at, func(v gjson.Result, where string) error {
		p := readPart(v)
		switch {
		case p.wrong != "":
			return wrongPart(&p, where)
		case p.result.IsObject():
			result, err := t.result(p.result, where)
			t.out = append(t.out, result)
			return err
		case p.media != nil:
			if p.media.Data == "" && p.media.URL == "" {
				return schema.Invalid(where, "%s has neither data nor fileUri", where)
			}
			m.Parts = append(m.Parts, mediaPart(p.media))
		case p.known:
			m.Parts = append(m.Parts, schema.Part{Type: schema.PartRaw, Raw: p.raw, Text: p.inWords()})
		case p.textual:
			m.Parts = append(m.Parts, schema.Part{Type: schema.PartText, Text: p.text})
		default:
			return schema.Invalid(where, "%s has neither text nor data", where)
		}
		return nil
	})
	if len(m.Parts) > 0 {
		t.out = append(t.out, m)
	}
	return err
}

// result reads a functionResponse.
func (t *turns) result(v gjson.Result, at string) (schema.Message, error) {
	m := schema.Message{Role: schema.RoleTool, Name: v.Get("name").String()}
	id := v.Get("id").String()
	for i, c := range t.waiting {
		if id != "" && c.id == id || (id == "" || c.id == "") && c.name == m.Name {
			m.ToolCallID = c.unified
			t.waiting = append(t.waiting[:i:i], t.waiting[i+1:]...)
			break
		}
	}
	if m.ToolCallID == "" {
		return m, schema.Invalid(at, "%s: there is no functionCall before it that the functionResponse of %q answers", at, m.Name)
	}
	var text string
	text, m.IsError = resultText(v.Get("response"))
	m.Parts = schema.TextParts(text)
	each(v.Get("parts"), func(v gjson.Result) {
		if p := readPart(v); p.media != nil {
			m.Parts = append(m.Parts, mediaPart(p.media))
		}
	})
	return m, nil
}

// resultText is what a function gave: the API's words for an outcome (output,
// error) and its SDKs' (result) are taken off, other objects stay.
func resultText(v gjson.Result) (text string, failed bool) {
	keys, only := 0, gjson.Result{}
	name := ""
	v.ForEach(func(key, x gjson.Result) bool {
		keys++
		name, only = key.Str, x
		return true
	})
	if keys == 1 && (name == "output" || name == "error" || name == "result") {
		return only.String(), name == "error"
	}
	if !v.Exists() {
		return "{}", false
	}
	return v.Raw, false
}

// readSystem reads a systemInstruction: a content, or a bare text.
func readSystem(v gjson.Result) (schema.Message, error) {
	m := schema.Message{Role: schema.RoleSystem}
	if v.Type == gjson.String {
		m.Parts = schema.TextParts(v.Str)
		return m, nil
	}
	err := list(v, "systemInstruction", func(content gjson.Result, at string) error {
		return list(content.Get("parts"), at+".parts", func(p gjson.Result, _ string) error {
			text := p.Get("text")
			if text.Type != gjson.String {
				return schema.Invalid(at+".parts", "%s.parts can hold text only", at)
			}
			m.Parts = append(m.Parts, schema.Part{Type: schema.PartText, Text: text.Str})
			return nil
		})
	})
	return m, err
}
