package anthropic

import (
	"encoding/json"
	"regexp"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

type tool struct {
	Name         string          `json:"name"`
	Description  string          `json:"description,omitempty"`
	InputSchema  json.RawMessage `json:"input_schema"`
	Strict       bool            `json:"strict,omitempty"`
	CacheControl json.RawMessage `json:"cache_control,omitempty"`
}

type toolChoice struct {
	Type            string `json:"type"` // auto, any, tool, none
	Name            string `json:"name,omitempty"`
	DisableParallel bool   `json:"disable_parallel_tool_use,omitempty"`
}

// serverTool is what the types of Anthropic's own tools look like:
// web_search_20250305, bash_20250124, mcp_toolset.
var serverTool = regexp.MustCompile(`^([a-z0-9_]+_20\d{6}|mcp_toolset)$`)

// tools writes the functions and Anthropic's own server-side tools; those of
// other providers are dropped.
func (e *encoder) tools() {
	for i := range e.req.Tools {
		t := &e.req.Tools[i]
		if t.Name == "" && t.Raw != nil {
			if !serverTool.MatchString(gjson.GetBytes(t.Raw, "type").String()) {
				e.drop("tools")
				continue
			}
			e.toolList = append(e.toolList, t.Raw)
			continue
		}
		e.tool(tool{Name: t.Name, Description: t.Description, InputSchema: t.Parameters,
			Strict: t.Strict != nil && *t.Strict, CacheControl: t.CacheControl}, t.Extra)
	}
}

// tool writes a function; extra is what else the caller's dialect says of it.
func (e *encoder) tool(t tool, extra map[string]json.RawMessage) {
	t.InputSchema = objectSchema(t.InputSchema)
	if t.Strict {
		closed, ok := closeSchema(t.InputSchema)
		t.Strict = ok && e.traits.structured
		if t.Strict {
			t.InputSchema = closed
		} else {
			e.drop("tools.strict")
		}
	}
	raw, err := wire.Marshal(t)
	if err != nil { // only a schema that is not JSON can bring this about
		e.drop("tools")
		return
	}
	raw = raw[:len(raw)-1]
	if e.own() {
		raw = appendExtra(raw, extra)
	} else if len(extra) > 0 {
		e.drop("tools")
	}
	e.toolList = append(e.toolList, append(raw, '}'))
}

// objectSchema gives a schema the object type that the API demands at its root.
func objectSchema(raw json.RawMessage) json.RawMessage {
	if !isSet(raw) {
		return json.RawMessage(`{"type":"object"}`)
	}
	if gjson.GetBytes(raw, "type").String() == "object" {
		return raw
	}
	if fixed, err := sjson.SetBytes(raw, "type", "object"); err == nil {
		return fixed
	}
	return raw
}

// toolChoice writes tool_choice and parallel_tool_calls. A choice that
// responseFormat made stays.
func (e *encoder) toolChoice() {
	if len(e.toolList) == 0 {
		return
	}
	if e.out.ToolChoice == nil && e.req.ToolChoice != nil {
		switch c := e.req.ToolChoice; c.Mode {
		case "none":
			e.out.ToolChoice = &toolChoice{Type: "none"}
		case "required":
			e.out.ToolChoice = &toolChoice{Type: "any"}
		case "function":
			e.out.ToolChoice = &toolChoice{Type: "tool", Name: c.Name}
		default:
			e.out.ToolChoice = &toolChoice{Type: "auto"}
		}
	}
	if p := e.req.ParallelToolCalls; p != nil && !*p {
		if e.out.ToolChoice == nil {
			e.out.ToolChoice = &toolChoice{Type: "auto"}
		}
		e.out.ToolChoice.DisableParallel = e.out.ToolChoice.Type != "none"
	}
}

// responseFormat asks for a JSON answer: natively, by a forced tool, or, in
// plain JSON mode, in words.
func (e *encoder) responseFormat() error {
	f := e.req.ResponseFormat
	if f == nil {
		return nil
	}
	switch f.Type {
	case "", "text":
	case "json_object":
		e.instruct("Answer with one valid JSON object and nothing else: no code fence, no words before or after it.")
	case "json_schema":
		if len(f.Schema) == 0 || !json.Valid(f.Schema) {
			return schema.Invalid("response_format.json_schema.schema", "response_format.json_schema.schema is missing")
		}
		if closed, ok := closeSchema(f.Schema); ok && e.traits.structured {
			return e.setOutput("format", map[string]any{"type": "json_schema", "schema": closed})
		}
		if gjson.GetBytes(f.Schema, "type").String() != "object" { // no tool's input can be that
			e.instruct("Answer with JSON that satisfies this JSON Schema and nothing else: " + string(f.Schema))
			return nil
		}
		e.answerTool(f)
	default:
		return schema.Invalid("response_format.type", "response_format.type: unknown type %q", f.Type)
	}
	return nil
}

func (e *encoder) instruct(text string) {
	e.systemBlocks = append(e.systemBlocks, block{Type: "text", Text: text})
}

// answerTool makes the answer the input of a reserved tool. A caller's own
// tools stay in the choice, one that it forced stays forced.
func (e *encoder) answerTool(f *schema.ResponseFormat) {
	choice := e.req.ToolChoice
	if choice != nil && choice.Mode == "function" {
		e.drop("response_format")
		return
	}
	only := len(e.toolList) == 0 || choice != nil && choice.Mode == "none"
	about := f.Description
	if about == "" {
		about = "Give the final answer in the form that was asked for."
	}
	e.tool(tool{Name: AnswerTool, Description: about, InputSchema: f.Schema}, nil)
	e.out.ToolChoice = &toolChoice{Type: "any"}
	if only {
		e.out.ToolChoice = &toolChoice{Type: "tool", Name: AnswerTool}
	}
}

// setOutput sets a field of output_config that the caller's own does not set.
func (e *encoder) setOutput(name string, value any) error {
	if err := e.ownOutput(); err != nil {
		return err
	}
	if _, taken := e.out.OutputConfig[name]; taken {
		return nil
	}
	raw, err := wire.Marshal(value)
	if err != nil {
		return err
	}
	e.out.OutputConfig[name] = raw
	return nil
}

// ownOutput begins output_config with the caller's own.
func (e *encoder) ownOutput() error {
	if e.out.OutputConfig != nil {
		return nil
	}
	e.out.OutputConfig = map[string]json.RawMessage{}
	raw, ok := e.req.Extra["output_config"]
	if !ok || !e.own() {
		return nil
	}
	if err := json.Unmarshal(raw, &e.out.OutputConfig); err != nil {
		return schema.Invalid("output_config", "output_config must be an object")
	}
	return nil
}
