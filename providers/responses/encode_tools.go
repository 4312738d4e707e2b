package responses

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// maxUser is the longest user that OpenAI takes; a longer one becomes its
// digest, which tells users apart as well.
const maxUser = 64

func user(name string) string {
	if len(name) <= maxUser {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

func (e *encoder) appendTools(b []byte) []byte {
	start := len(b)
	b = append(wire.AppendKey(b, "tools"), '[')
	empty := len(b)
	for i := range e.req.Tools {
		b = e.appendTool(b, &e.req.Tools[i])
	}
	if len(b) == empty {
		return b[:start]
	}
	b = e.appendToolChoice(append(b, ']'))
	return wire.AppendBool(b, "parallel_tool_calls", e.req.ParallelToolCalls)
}

func (e *encoder) appendTool(b []byte, t *schema.Tool) []byte {
	if t.Raw == nil || t.Name != "" && !e.own {
		return e.appendFunction(b, t)
	}
	raw := t.Raw
	if !e.own {
		raw = e.serverTool(raw)
	}
	if raw == nil {
		e.dropped.Add("tools")
		return b
	}
	e.custom[t.Name] = t.Type == toolCustom
	return append(wire.AppendComma(b), raw...)
}

// serverTool is the tool of OpenAI's that does what another provider's does, or
// nil. A caller of Chat Completions may name OpenAI's own, all but custom ones,
// whose calls that API tells otherwise.
func (e *encoder) serverTool(raw json.RawMessage) json.RawMessage {
	kind := gjson.GetBytes(raw, "type").Str
	switch {
	case e.req.Dialect == "openai" && kind != toolCustom && kind != "":
		return raw
	case strings.HasPrefix(kind, "web_search_20"), gjson.GetBytes(raw, "googleSearch").Exists(), gjson.GetBytes(raw, "google_search").Exists():
		return json.RawMessage(`{"type":"web_search"}`)
	case strings.HasPrefix(kind, "code_execution_20"), gjson.GetBytes(raw, "codeExecution").Exists(), gjson.GetBytes(raw, "code_execution").Exists():
		return json.RawMessage(`{"type":"code_interpreter","container":{"type":"auto"}}`)
	}
	return nil
}

func (e *encoder) appendFunction(b []byte, t *schema.Tool) []byte {
	b = wire.AppendText(append(wire.AppendComma(b), '{'), "type", toolFunction)
	b = wire.AppendText(b, "name", t.Name)
	b = wire.AppendText(b, "description", t.Description)
	parameters := t.Parameters
	if len(parameters) == 0 {
		parameters = json.RawMessage(`{"type":"object","properties":{}}`)
	}
	b = wire.AppendRaw(b, "parameters", parameters)
	switch {
	case t.Strict != nil:
		b = wire.AppendBool(b, "strict", t.Strict)
	case e.req.Dialect != Name: // here the default is to be strict, everywhere else not to be
		b = append(wire.AppendKey(b, "strict"), "false"...)
	}
	if e.own {
		b, _ = wire.AppendOwn(b, t.Extra, ownFields(t.Extra))
	} else if len(t.Extra) > 0 {
		e.dropped.Add("tools")
	}
	return append(b, '}')
}

func ownFields(extra map[string]json.RawMessage) map[string]bool {
	own := make(map[string]bool, len(extra))
	for name := range extra {
		own[name] = true
	}
	return own
}

func (e *encoder) appendToolChoice(b []byte) []byte {
	if raw := e.req.Extra["tool_choice"]; raw != nil && e.own {
		return wire.AppendRaw(b, "tool_choice", raw)
	}
	c := e.req.ToolChoice
	switch {
	case c == nil:
		return b
	case c.Name == "":
		return wire.AppendText(b, "tool_choice", c.Mode)
	}
	kind := toolFunction
	if e.custom[c.Name] {
		kind = toolCustom
	}
	b = wire.AppendText(append(wire.AppendKey(b, "tool_choice"), '{'), "type", kind)
	return append(wire.AppendText(b, "name", c.Name), '}')
}
