package anthropic

import (
	"encoding/json"
	"fmt"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// decodeTools reads the tools: functions, and Anthropic's own kept verbatim.
func decodeTools(v gjson.Result) ([]schema.Tool, error) {
	if !v.IsArray() {
		return nil, schema.Invalid("tools", "tools must be an array")
	}
	var out []schema.Tool
	for i, item := range v.Array() {
		at := fmt.Sprintf("tools[%d]", i)
		if !item.IsObject() {
			return nil, schema.Invalid(at, "%s must be an object", at)
		}
		if kind := item.Get("type").Str; kind != "" && kind != "custom" {
			out = append(out, schema.Tool{Type: kind, Raw: json.RawMessage(item.Raw)})
			continue
		}
		t := schema.Tool{
			Type:         "function",
			Name:         item.Get("name").Str,
			Description:  item.Get("description").Str,
			Parameters:   wire.RawObject(item.Get("input_schema")),
			CacheControl: wire.RawObject(item.Get("cache_control")),
			Extra:        wire.Others(item, "type", "name", "description", "input_schema", "cache_control", "strict"),
		}
		if t.Name == "" {
			return nil, schema.Invalid(at+".name", "%s.name must be a non-empty string", at)
		}
		if t.Parameters == nil {
			return nil, schema.Invalid(at+".input_schema", "%s.input_schema must be an object", at)
		}
		if strict := item.Get("strict"); strict.IsBool() {
			on := strict.Bool()
			t.Strict = &on
		}
		out = append(out, t)
	}
	return out, nil
}

// decodeToolChoice reads tool_choice, which also says whether calls may be
// made at once.
func decodeToolChoice(req *schema.ChatRequest, v gjson.Result) error {
	switch v.Get("type").Str {
	case "auto", "none":
		req.ToolChoice = &schema.ToolChoice{Mode: v.Get("type").Str}
	case "any":
		req.ToolChoice = &schema.ToolChoice{Mode: "required"}
	case "tool":
		name := v.Get("name").Str
		if name == "" {
			return schema.Invalid("tool_choice.name", "tool_choice.name must be a non-empty string")
		}
		req.ToolChoice = &schema.ToolChoice{Mode: "function", Name: name}
	default:
		return schema.Invalid("tool_choice.type", "tool_choice.type must be auto, any, tool or none")
	}
	if one := v.Get("disable_parallel_tool_use"); one.IsBool() {
		many := !one.Bool()
		req.ParallelToolCalls = &many
	}
	return nil
}
