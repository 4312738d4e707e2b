package responses

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// The types of tools that a caller runs.
const (
	toolFunction = "function"
	toolCustom   = "custom"
)

// customParameters is what a custom tool looks like to models that know
// functions only.
const customParameters = `{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}`

func decodeTools(v gjson.Result) ([]schema.Tool, error) {
	if !v.IsArray() {
		return nil, schema.Invalid("tools", "tools must be an array")
	}
	var out []schema.Tool
	for i, item := range v.Array() {
		at := fmt.Sprintf("tools[%d]", i)
		kind := item.Get("type").Str
		if kind == "" {
			return nil, schema.Invalid(at+".type", "%s.type must be a non-empty string", at)
		}
		t := schema.Tool{Type: kind, Raw: json.RawMessage(item.Raw)}
		if kind == toolFunction || kind == toolCustom {
			t.Name, t.Description = item.Get("name").Str, item.Get("description").Str
			if t.Name == "" {
				return nil, schema.Invalid(at+".name", "%s.name must be a non-empty string", at)
			}
		}
		switch kind {
		case toolFunction:
			t.Raw = nil
			if err := decodeFunction(&t, item, at); err != nil {
				return nil, err
			}
		case toolCustom:
			t.Parameters = json.RawMessage(customParameters)
			if f := item.Get("format"); f.Get("type").Str == "grammar" {
				t.Description += fmt.Sprintf("\n\nThe input must match this grammar (%s):\n%s", f.Get("syntax").Str, f.Get("definition").Str)
			}
		}
		out = append(out, t)
	}
	return out, nil
}

func decodeFunction(t *schema.Tool, item gjson.Result, at string) error {
	switch p := item.Get("parameters"); {
	case p.IsObject():
		t.Parameters = json.RawMessage(p.Raw)
	case p.Exists() && p.Type != gjson.Null:
		return schema.Invalid(at+".parameters", "%s.parameters must be an object", at)
	}
	if strict := item.Get("strict"); strict.IsBool() {
		on := strict.Bool()
		t.Strict = &on
	}
	t.CacheControl = wire.RawObject(item.Get("cache_control"))
	t.Extra = wire.Others(item, "type", "name", "description", "parameters", "strict", "cache_control")
	return nil
}

// decodeToolChoice reads tool_choice. One that names a tool of OpenAI's own is
// kept as it is.
func decodeToolChoice(req *schema.ChatRequest, v gjson.Result) error {
	if v.Type == gjson.String {
		switch v.Str {
		case "auto", "none", "required":
			req.ToolChoice = &schema.ToolChoice{Mode: v.Str}
			return nil
		}
		return schema.Invalid("tool_choice", "tool_choice must be auto, none, required or an object")
	}
	switch kind := v.Get("type").Str; kind {
	case toolFunction, toolCustom:
		name := v.Get("name").Str
		if name == "" {
			return schema.Invalid("tool_choice.name", "tool_choice.name must be a non-empty string")
		}
		req.ToolChoice = &schema.ToolChoice{Mode: toolFunction, Name: name}
	case "allowed_tools":
		mode := v.Get("mode").Str
		if mode != "auto" && mode != "required" {
			return schema.Invalid("tool_choice.mode", "tool_choice.mode must be auto or required")
		}
		req.ToolChoice = &schema.ToolChoice{Mode: mode}
	case "":
		return schema.Invalid("tool_choice.type", "tool_choice.type must be a non-empty string")
	default:
		keep(req, "tool_choice", v)
	}
	return nil
}

// allowOnly leaves out the tools that an allowed_tools does not name.
func allowOnly(req *schema.ChatRequest, allowed gjson.Result) {
	names := map[string]bool{} // of functions and custom tools; else types
	wire.Each(allowed, func(t gjson.Result) {
		if name := t.Get("name").Str; name != "" {
			names[name] = true
		} else {
			names[t.Get("type").Str] = true
		}
	})
	req.Tools = slices.DeleteFunc(req.Tools, func(t schema.Tool) bool {
		return t.Name != "" && !names[t.Name] || t.Name == "" && !names[t.Type]
	})
}
