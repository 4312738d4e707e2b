package anthropic

import (
	"encoding/json"
	"fmt"

	openai "github.com/sashabaranov/go-openai"
	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// decodeSystem reads what is said to the model from above: a string or text
// blocks. Anthropic's API refuses other blocks there.
func decodeSystem(v gjson.Result, at string) ([]schema.Part, error) {
	parts, err := decodeContent(v, at)
	if err != nil {
		return nil, err
	}
	for i := range parts {
		if parts[i].Type != schema.PartText {
			at := fmt.Sprintf("%s[%d]", at, i)
			return nil, schema.Invalid(at, "%s must be a text block", at)
		}
	}
	return parts, nil
}

// decodeTurns appends the turns to out as unified messages. A user's turn may
// hold results of tools, each a message of its own here.
func decodeTurns(v gjson.Result, out []schema.Message) ([]schema.Message, error) {
	if !v.IsArray() {
		return nil, schema.Invalid("messages", "messages must be an array")
	}
	for i, turn := range v.Array() {
		at := fmt.Sprintf("messages[%d]", i)
		content := turn.Get("content")
		var err error
		switch role := turn.Get("role").Str; role {
		case "user":
			out, err = decodeUser(content, at+".content", out)
		case "assistant":
			m := schema.Message{Role: schema.RoleAssistant}
			if err = decodeAssistant(content, at+".content", &m); err == nil {
				out = append(out, m)
			}
		case "system": // since 2026 also among the turns
			m := schema.Message{Role: schema.RoleSystem}
			if m.Parts, err = decodeSystem(content, at+".content"); err == nil {
				out = append(out, m)
			}
		default:
			err = schema.Invalid(at+".role", "%s.role must be user, assistant or system", at)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// decodeUser reads a user's turn: the results of tools first, as every
// dialect wants them right after the calls, then what the user says.
func decodeUser(v gjson.Result, at string, out []schema.Message) ([]schema.Message, error) {
	m := schema.Message{Role: schema.RoleUser}
	results := 0
	err := blocks(v, at, func(b gjson.Result, at string) error {
		if b.Get("type").Str == "tool_result" {
			result, err := decodeResult(b, at)
			out, results = append(out, result), results+1
			return err
		}
		return decodeBlock(b, at, &m.Parts)
	})
	if err == nil && (len(m.Parts) > 0 || results == 0) {
		out = append(out, m)
	}
	return out, err
}

// decodeResult reads a tool's result.
func decodeResult(b gjson.Result, at string) (m schema.Message, err error) {
	m = schema.Message{Role: schema.RoleTool, ToolCallID: b.Get("tool_use_id").Str, IsError: b.Get("is_error").Bool(),
		Extra: wire.Others(b, "type", "tool_use_id", "is_error", "content", "cache_control")}
	if m.ToolCallID == "" {
		return m, schema.Invalid(at+".tool_use_id", "%s.tool_use_id must be a non-empty string", at)
	}
	if c := b.Get("content"); c.Exists() && c.Type != gjson.Null {
		m.Parts, err = decodeContent(c, at+".content")
	}
	if mark := wire.RawObject(b.Get("cache_control")); mark != nil {
		if len(m.Parts) == 0 {
			m.Parts = []schema.Part{{Type: schema.PartText}}
		}
		m.Parts[len(m.Parts)-1].CacheControl = mark
	}
	return m, err
}

// decodeAssistant reads a turn of the model.
func decodeAssistant(v gjson.Result, at string, m *schema.Message) error {
	return blocks(v, at, func(b gjson.Result, at string) error {
		if b.Get("type").Str == "tool_use" {
			return decodeCall(b, at, m)
		}
		return decodeBlock(b, at, &m.Parts)
	})
}

// decodeCall reads a call that the model made.
func decodeCall(b gjson.Result, at string, m *schema.Message) error {
	call := openai.ToolCall{ID: b.Get("id").Str, Type: openai.ToolTypeFunction,
		Function: openai.FunctionCall{Name: b.Get("name").Str, Arguments: "{}"}}
	if call.ID == "" || call.Function.Name == "" {
		return schema.Invalid(at, "%s must have an id and a name", at)
	}
	switch input := b.Get("input"); {
	case input.IsObject():
		call.Function.Arguments = input.Raw
	case input.Exists() && input.Type != gjson.Null:
		return schema.Invalid(at+".input", "%s.input must be an object", at)
	}
	m.ToolCalls = append(m.ToolCalls, call)
	keepCallExtra(m, call.ID, b)
	return nil
}

// keepCallExtra keeps the fields of a call that have no place in the unified
// one. That the model itself is the caller goes without saying.
func keepCallExtra(m *schema.Message, id string, b gjson.Result) {
	others := wire.Others(b, "type", "id", "name", "input")
	if b.Get("caller.type").Str == "direct" {
		delete(others, "caller")
	}
	if len(others) == 0 {
		return
	}
	raw, err := json.Marshal(others)
	if err != nil {
		return // not JSON: the body was not checked
	}
	if m.CallExtra == nil {
		m.CallExtra = make(map[string]json.RawMessage)
	}
	m.CallExtra[id] = raw
}

// decodeContent reads a content: a string or blocks.
func decodeContent(v gjson.Result, at string) (parts []schema.Part, err error) {
	err = blocks(v, at, func(b gjson.Result, at string) error { return decodeBlock(b, at, &parts) })
	return parts, err
}

// blocks gives f the blocks of a content; a string is one block of text.
func blocks(v gjson.Result, at string, f func(b gjson.Result, at string) error) error {
	if v.Type == gjson.String {
		if v.Str == "" {
			return nil
		}
		return f(gjson.Result{Type: gjson.JSON, Raw: `{"type":"text","text":` + v.Raw + `}`}, at)
	}
	if !v.IsArray() {
		return schema.Invalid(at, "%s must be a string or an array of content blocks", at)
	}
	for i, b := range v.Array() {
		at := fmt.Sprintf("%s[%d]", at, i)
		if !b.IsObject() {
			return schema.Invalid(at, "%s must be an object", at)
		}
		if err := f(b, at); err != nil {
			return err
		}
	}
	return nil
}
