package openai

import (
	"encoding/json"
	"fmt"

	openai "github.com/sashabaranov/go-openai"
	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

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
		kind, err := wire.TextIn(item, at, "type")
		if err != nil {
			return nil, err
		}
		if kind != "function" && kind != "" {
			out = append(out, schema.Tool{Type: kind, Raw: json.RawMessage(item.Raw)})
			continue
		}
		f := item.Get("function")
		t, err := decodeFunction(f, at+".function")
		if err != nil {
			return nil, err
		}
		t.CacheControl = wire.RawObject(item.Get("cache_control"))
		if t.CacheControl == nil {
			t.CacheControl = wire.RawObject(f.Get("cache_control"))
		}
		out = append(out, t)
	}
	return out, nil
}

// decodeFunctions reads the tools of the time before tools.
func decodeFunctions(v gjson.Result) ([]schema.Tool, error) {
	if !v.IsArray() {
		return nil, schema.Invalid("functions", "functions must be an array")
	}
	var out []schema.Tool
	for i, f := range v.Array() {
		t, err := decodeFunction(f, fmt.Sprintf("functions[%d]", i))
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

func decodeFunction(f gjson.Result, at string) (schema.Tool, error) {
	t := schema.Tool{Type: "function", Name: f.Get("name").Str}
	var err error
	if t.Description, err = wire.TextIn(f, at, "description"); err != nil {
		return t, err
	}
	if t.Name == "" {
		return t, schema.Invalid(at+".name", "%s.name must be a non-empty string", at)
	}
	switch p := f.Get("parameters"); {
	case p.IsObject():
		t.Parameters = json.RawMessage(p.Raw)
	case p.Exists() && p.Type != gjson.Null:
		return t, schema.Invalid(at+".parameters", "%s.parameters must be an object", at)
	}
	if strict := f.Get("strict"); strict.IsBool() {
		on := strict.Bool()
		t.Strict = &on
	}
	return t, nil
}

// decodeToolChoice reads tool_choice, and function_call, its elder.
func decodeToolChoice(field string, v gjson.Result) (*schema.ToolChoice, error) {
	if v.Type == gjson.String {
		switch v.Str {
		case "auto", "none", "required":
			return &schema.ToolChoice{Mode: v.Str}, nil
		case "any": // Mistral's word
			return &schema.ToolChoice{Mode: "required"}, nil
		}
		return nil, schema.Invalid(field, "%s must be auto, none, required or an object", field)
	}
	name := v.Get("function.name").Str
	if name == "" {
		name = v.Get("name").Str
	}
	if name != "" {
		return &schema.ToolChoice{Mode: "function", Name: name}, nil
	}
	if mode := v.Get("allowed_tools.mode").Str; mode == "auto" || mode == "required" {
		return &schema.ToolChoice{Mode: mode}, nil
	}
	return nil, schema.Invalid(field, "%s must name a function", field)
}

// checkCalls refuses calls of a caller's message that decodeToolCalls would pass
// over.
func checkCalls(v gjson.Result, at string) error {
	if v.Type == gjson.Null {
		return nil
	}
	if !v.IsArray() {
		return schema.Invalid(at, "%s must be an array", at)
	}
	for i, c := range v.Array() {
		if f := c.Get("function"); !f.IsObject() && !c.Get("custom").IsObject() {
			where := fmt.Sprintf("%s[%d].function", at, i)
			return schema.Invalid(where, "%s must be an object", where)
		}
	}
	return nil
}

// decodeToolCalls reads the calls in a message or a delta. Arguments are a
// string; hosts that send an object are taken at its text.
func decodeToolCalls(v gjson.Result, out []openai.ToolCall) []openai.ToolCall {
	each(v, func(c gjson.Result) {
		call := openai.ToolCall{ID: c.Get("id").Str, Type: openai.ToolTypeFunction}
		f := c.Get("function")
		if custom := c.Get("custom"); custom.IsObject() {
			call.Type = "custom"
			call.Function = openai.FunctionCall{Name: custom.Get("name").Str, Arguments: custom.Get("input").Str}
		} else {
			call.Function = decodeCall(f)
		}
		if i := c.Get("index"); i.Type == gjson.Number {
			n := int(i.Int())
			call.Index = &n
		}
		out = append(out, call)
	})
	return out
}

// each walks an array; what is none (a null, most often) has no elements.
func each(v gjson.Result, f func(gjson.Result)) {
	if v.IsArray() {
		v.ForEach(func(_, item gjson.Result) bool { f(item); return true })
	}
}

func decodeCall(f gjson.Result) openai.FunctionCall {
	call := openai.FunctionCall{Name: f.Get("name").Str}
	switch args := f.Get("arguments"); args.Type {
	case gjson.String:
		call.Arguments = args.Str
	case gjson.JSON:
		call.Arguments = args.Raw
	}
	return call
}
