package bedrock

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

func appendInt(dst []byte, n int) []byte { return strconv.AppendInt(dst, int64(n), 10) }

// toolSpec is a function in Converse's form.
type toolSpec struct {
	name, description string
	schema            json.RawMessage
	strict            bool
}

// tool adds a function, and a cache point behind it where it is marked.
func (e *encoder) tool(s toolSpec, mark json.RawMessage) {
	if !wire.Says(s.schema) || !gjson.ParseBytes(s.schema).IsObject() {
		s.schema = json.RawMessage(`{"type":"object","properties":{}}`)
	}
	if !gjson.GetBytes(s.schema, "type").Exists() { // the API demands it at the root
		if typed, err := sjson.SetBytes(s.schema, "type", "object"); err == nil {
			s.schema = typed
		}
	}
	b := wire.AppendText([]byte(`{"toolSpec":{`), "name", s.name)
	b = wire.AppendText(b, "description", s.description)
	b = append(wire.AppendRaw(append(wire.AppendKey(b, "inputSchema"), '{'), "json", s.schema), '}')
	if s.strict {
		b = append(b, `,"strict":true`...)
	}
	e.tools = append(e.tools, append(b, '}', '}'))
	if point := e.cachePoint(mark, e.traits.cacheTools); point != nil {
		e.tools = append(e.tools, point)
	}
	delete(e.toolNames, s.name)
}

// ownTool adds a tool that Bedrock itself runs, such as
// {"systemTool":{"name":"nova_grounding"}}; those of others are dropped.
func (e *encoder) ownTool(raw json.RawMessage) {
	own := gjson.GetBytes(raw, "systemTool")
	if !own.IsObject() || !json.Valid(raw) {
		e.drop("tools")
		return
	}
	e.tools = append(e.tools, append(wire.AppendRaw([]byte{'{'}, "systemTool", json.RawMessage(own.Raw)), '}'))
}

// other writes the settings of models that are not Claude.
func (e *encoder) other() error {
	for i := range e.req.Tools {
		t := &e.req.Tools[i]
		if t.Name == "" {
			e.ownTool(t.Raw)
			continue
		}
		strict := t.Strict != nil && *t.Strict
		if strict && !e.traits.structured {
			strict = false
			e.drop("tools.strict")
		}
		e.tool(toolSpec{t.Name, t.Description, t.Parameters, strict}, t.CacheControl)
	}
	if err := e.responseFormat(); err != nil {
		return err
	}
	e.choice()
	e.effort()
	e.sampling()
	return nil
}

// choice writes tool_choice; Converse has no none, so tools that must not be
// called are not shown.
func (e *encoder) choice() {
	if e.req.ParallelToolCalls != nil && !*e.req.ParallelToolCalls && len(e.tools) > 0 {
		e.drop("parallel_tool_calls")
	}
	c := e.req.ToolChoice
	if c == nil || len(e.tools) == 0 || e.toolChoice != "" {
		return
	}
	switch {
	case c.Mode == "none":
		e.noTools()
	case c.Mode == "required" && e.traits.force >= forceAny:
		e.toolChoice = `{"any":{}}`
	case c.Mode == "function" && e.traits.force == forceTool:
		e.toolChoice = string(append(wire.AppendText([]byte(`{"tool":{`), "name", c.Name), "}}"...))
	case c.Mode == "function" && e.traits.force == forceAny && len(e.req.Tools) == 1:
		e.toolChoice = `{"any":{}}`
	case c.Mode == "required" || c.Mode == "function":
		e.drop("tool_choice")
	}
}

// noTools is tool_choice none. Where earlier turns hold calls the tools must
// be told all the same.
func (e *encoder) noTools() {
	if e.calledBefore() {
		e.drop("tool_choice")
		return
	}
	e.tools = nil
}

func (e *encoder) calledBefore() bool {
	return slices.ContainsFunc(e.req.Messages, func(m schema.Message) bool { return len(m.ToolCalls) > 0 || m.Role == schema.RoleTool })
}

// usedTools describes the tools that earlier turns called and the request does
// not: Converse refuses calls without toolConfig.
func (e *encoder) usedTools() {
	if len(e.tools) > 0 || len(e.toolNames) == 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(e.toolNames)) {
		if name != "" {
			e.tool(toolSpec{name: name}, nil)
		}
	}
	if len(e.tools) == 0 {
		e.tool(toolSpec{name: "tool"}, nil)
	}
}

// responseFormat asks for a JSON answer: natively, by a forced tool, or in
// words.
func (e *encoder) responseFormat() error {
	f := e.req.ResponseFormat
	if f == nil || f.Type == "" || f.Type == "text" {
		return nil
	}
	if f.Type == "json_object" {
		e.instruct("Answer with one valid JSON object and nothing else: no code fence, no words before or after it.")
		return nil
	}
	if f.Type != "json_schema" {
		return schema.Invalid("response_format.type", "response_format.type: unknown type %q", f.Type)
	}
	if !gjson.ParseBytes(f.Schema).IsObject() || !json.Valid(f.Schema) {
		return schema.Invalid("response_format.json_schema.schema", "response_format.json_schema.schema is missing")
	}
	forced := e.req.ToolChoice != nil && e.req.ToolChoice.Mode == "function"
	switch {
	case e.traits.structured:
		e.jsonFormat(f.Name, f.Description, f.Schema)
	case forced:
		e.drop("response_format")
	case e.traits.force > forceNone && gjson.GetBytes(f.Schema, "type").Str == "object":
		only := len(e.tools) == 0
		e.tool(toolSpec{answerTool, "Give the final answer in the form that was asked for.", f.Schema, false}, nil)
		e.toolChoice = `{"any":{}}`
		if only && e.traits.force == forceTool {
			e.toolChoice = `{"tool":{"name":"` + answerTool + `"}}`
		}
	default:
		e.instruct("Answer with JSON that satisfies this JSON Schema and nothing else: " + string(f.Schema))
	}
	return nil
}

// jsonFormat is outputConfig.textFormat; the schema goes as a text.
func (e *encoder) jsonFormat(name, description string, s json.RawMessage) {
	if name == "" {
		name = "answer"
	}
	b := wire.AppendText([]byte(`{"type":"json_schema","structure":{"jsonSchema":{`), "schema", string(s))
	b = wire.AppendText(wire.AppendText(b, "name", name), "description", description)
	e.format = append(b, "}}}"...)
}

func (e *encoder) instruct(text string) { e.system = append(e.system, textBlock(text)) }
