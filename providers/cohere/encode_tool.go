package cohere

import (
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// appendTools writes tools, strict_tools and tool_choice. Server-side tools of
// other providers are dropped.
func (e *encoder) appendTools(b []byte) []byte {
	choice := e.req.ToolChoice
	only := ""
	if choice != nil && choice.Mode == "function" {
		only = choice.Name // the API cannot name one, but it can be the only one
	}
	strict, lax := 0, 0
	list := []byte{'['}
	for i := range e.req.Tools {
		t := &e.req.Tools[i]
		if t.Name == "" {
			e.dropped.Add("tools")
			continue
		}
		if only != "" && t.Name != only {
			continue
		}
		if t.Strict != nil && *t.Strict {
			strict++
		} else {
			lax++
		}
		list = appendTool(wire.AppendComma(list), t)
		e.tools++
	}
	if e.tools == 0 {
		return b
	}
	b = append(append(wire.AppendKey(b, "tools"), list...), ']')
	switch {
	case e.own("strict_tools"):
		b = wire.AppendRaw(b, "strict_tools", e.req.Extra["strict_tools"])
	case strict > 0 && lax == 0:
		b = append(b, `,"strict_tools":true`...)
	case strict > 0: // it would hold the others to it too
		e.dropped.Add("tools.strict")
	}
	switch {
	case choice == nil:
	case choice.Mode == "required", only != "":
		b = append(b, `,"tool_choice":"REQUIRED"`...)
	case choice.Mode == "none":
		b = append(b, `,"tool_choice":"NONE"`...)
	}
	return b
}

func appendTool(b []byte, t *schema.Tool) []byte {
	b = append(b, `{"type":"function","function":{"name":`...)
	b = wire.AppendString(b, t.Name)
	b = wire.AppendText(b, "description", t.Description)
	parameters := t.Parameters
	if !wire.Says(parameters) {
		parameters = []byte(`{"type":"object","properties":{}}`)
	}
	return append(wire.AppendRaw(b, "parameters", parameters), '}', '}')
}

// appendFormat writes response_format, which the API refuses beside tools and
// documents.
func (e *encoder) appendFormat(b []byte) []byte {
	f := e.req.ResponseFormat
	if f == nil || f.Type == "text" || f.Type == "" {
		return b
	}
	if len(e.documents) > 0 || e.own("documents") || e.tools > 0 {
		e.dropped.Add("response_format")
		return b
	}
	b = append(b, `,"response_format":{"type":"json_object"`...)
	return append(wire.AppendRaw(b, "json_schema", f.Schema), '}')
}
