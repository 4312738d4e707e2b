package gemini

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// call is a function call that a result may answer.
type call struct {
	name string
	id   string // as the API gets it
}

// messages sorts the request's messages into the system instruction and turns.
// Results of tools in a row become one turn, as the API wants the answers to
// parallel calls, with their media in the turn behind it; other turns may
// follow one of the same role.
func (e *encoder) messages() error {
	var results, media []part // of the run of results that is being read
	flush := func() {
		e.add("user", results)
		e.add("user", media)
		results, media = nil, nil
	}
	for i := range e.req.Messages {
		m := &e.req.Messages[i]
		at := fmt.Sprintf("messages[%d]", i)
		switch m.Role {
		case schema.RoleSystem, schema.RoleDeveloper:
			if err := e.systemText(at, m); err != nil {
				return err
			}
		case schema.RoleAssistant:
			parts, err := e.assistant(at, m)
			if err != nil {
				return err
			}
			flush()
			e.add("model", parts)
		case schema.RoleTool, "function":
			result, beside, err := e.toolResult(at, m)
			if err != nil {
				return err
			}
			results, media = append(results, result), append(media, beside...)
		case schema.RoleUser:
			parts, err := e.parts(at+".content", m.Parts)
			if err != nil {
				return err
			}
			flush()
			e.add("user", parts)
		default:
			return schema.Invalid(at+".role", "%s.role: unknown role %q", at, m.Role)
		}
		e.dropIf(m.Name != "" && m.Role != schema.RoleTool, "name")
	}
	flush()
	return nil
}

func (e *encoder) add(role string, parts []part) {
	if len(parts) > 0 {
		e.turns = append(e.turns, content{Role: role, Parts: parts})
	}
}

func (e *encoder) systemText(at string, m *schema.Message) error {
	parts, err := e.parts(at+".content", m.Parts)
	if err != nil {
		return err
	}
	for i := range parts {
		if parts[i].Text == nil {
			return schema.Invalid(at+".content", "%s.content: a %s message can hold text only", at, m.Role)
		}
	}
	e.system = append(e.system, parts...)
	return nil
}

// assistant writes a turn of the model's. A thinking part of Gemini's own is
// shown to it again; its signature goes on the text that follows, or stands
// alone behind the last one, which is where the API had put it.
func (e *encoder) assistant(at string, m *schema.Message) ([]part, error) {
	var out []part
	signature := ""
	for i := range m.Parts {
		p := &m.Parts[i]
		switch p.Type {
		case schema.PartRedactedThinking:
			continue
		case schema.PartThinking:
			if sig := own(p.Signature); sig != "" {
				signature = sig
				if p.Text != "" {
					out = append(out, part{Text: &p.Text, Thought: true})
				}
			}
			continue
		}
		more, err := e.parts(at+".content", m.Parts[i:i+1])
		if err != nil {
			return nil, err
		}
		if len(more) > 0 && more[0].raw == nil && signature != "" {
			more[0].ThoughtSignature, signature = signature, ""
		}
		out = append(out, more...)
	}
	if m.Refusal != "" {
		out = append(out, part{Text: &m.Refusal})
	}
	if signature != "" {
		out = append(out, part{Text: new(string), ThoughtSignature: signature})
	}
	for i := range m.ToolCalls {
		p, err := e.functionCall(at, m, i)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// functionCall writes a call that the model made earlier. Of parallel calls
// only the first is signed; where it is not, another model made it, or the
// signature is lost.
func (e *encoder) functionCall(at string, m *schema.Message, i int) (part, error) {
	c := &m.ToolCalls[i]
	id, signature := callSignature(m, c.ID)
	args := json.RawMessage(strings.TrimSpace(c.Function.Arguments))
	if len(args) == 0 {
		args = json.RawMessage("{}")
	}
	if !json.Valid(args) || args[0] != '{' {
		field := fmt.Sprintf("%s.tool_calls[%d].function.arguments", at, i)
		return part{}, schema.Invalid(field, "%s is not a JSON object", field)
	}
	if signature == "" && i == 0 && e.traits.signed {
		signature = noSignature
	}
	e.calls[c.ID] = call{name: c.Function.Name, id: id}
	return part{FunctionCall: &functionCall{ID: id, Name: c.Function.Name, Args: args}, ThoughtSignature: signature}, nil
}

// toolResult writes a tool's answer. Media go into it where the model takes
// them there (files by address on Vertex only); else beside it, in a turn that
// follows.
func (e *encoder) toolResult(at string, m *schema.Message) (result part, beside []part, err error) {
	c, known := e.calls[m.ToolCallID]
	if !known {
		if m.Name == "" {
			return part{}, nil, schema.Invalid(at+".tool_call_id", "%s.tool_call_id %q names no tool call before it", at, m.ToolCallID)
		}
		c = call{name: m.Name, id: m.ToolCallID}
	}
	r := &functionResponse{ID: c.id, Name: c.name, Response: response(m)}
	for i := range m.Parts {
		if m.Parts[i].Media == nil {
			e.dropIf(isSet(m.Parts[i].CacheControl), "cache_control")
			continue
		}
		media, err := e.parts(fmt.Sprintf("%s.content[%d]", at, i), m.Parts[i:i+1])
		if err != nil {
			return part{}, nil, err
		}
		if e.traits.resultMedia && (media[0].InlineData != nil || e.q.Vertex) {
			r.Parts = append(r.Parts, media...)
		} else {
			beside = append(beside, media...)
		}
	}
	return part{FunctionResponse: r}, beside, nil
}

// response is a result as the object that the API wants: its own, or its text
// as output or error, which the API has these words for.
func response(m *schema.Message) json.RawMessage {
	text := m.Text()
	v := gjson.Parse(text)
	object := v.IsObject() && json.Valid([]byte(text))
	if object && !m.IsError {
		return json.RawMessage(text)
	}
	key := "output"
	if m.IsError {
		key = "error"
	}
	var value any = text
	if object {
		value = json.RawMessage(text)
	}
	raw, err := wire.Marshal(map[string]any{key: value})
	if err != nil { // neither a text nor valid JSON can fail
		return json.RawMessage("{}")
	}
	return raw
}
