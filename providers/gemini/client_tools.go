package gemini

import (
	"encoding/json"
	"fmt"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// readTools reads functions and the API's server-side tools; of a tool that
// holds several, each becomes one.
func readTools(v gjson.Result) (out []schema.Tool, err error) {
	each(v, func(tool gjson.Result) {
		tool.ForEach(func(key, v gjson.Result) bool {
			name := camelCase(key.Str)
			switch {
			case v.Type == gjson.Null:
			case name == "functionDeclarations":
				each(v, func(f gjson.Result) {
					t, fault := readFunction(f, fmt.Sprintf("tools.functionDeclarations[%d]", len(out)))
					if fault != nil && err == nil {
						err = fault
					}
					out = append(out, t)
				})
			default:
				raw, fault := wire.Marshal(map[string]json.RawMessage{name: json.RawMessage(v.Raw)})
				if fault != nil && err == nil {
					err = schema.Invalid("tools", "tools: %s is not valid", name)
				}
				out = append(out, schema.Tool{Type: name, Raw: raw})
			}
			return true
		})
	})
	return out, err
}

func readFunction(f gjson.Result, at string) (schema.Tool, error) {
	t := schema.Tool{Type: "function", Name: f.Get("name").String(), Description: f.Get("description").String()}
	if t.Name == "" {
		return t, schema.Invalid(at+".name", "%s.name must be a non-empty string", at)
	}
	if p := field(f, "parametersJsonSchema"); p.IsObject() {
		t.Parameters = json.RawMessage(p.Raw)
	} else if p := f.Get("parameters"); p.IsObject() {
		t.Parameters = jsonSchema(nil, p)
	}
	return t, nil
}

// toolConfig reads how functions may be called.
func (d *requestDecoder) toolConfig(v gjson.Result) error {
	if !v.IsObject() {
		return schema.Invalid("toolConfig", "toolConfig must be an object")
	}
	config := field(v, "functionCallingConfig")
	var names []string
	each(field(config, "allowedFunctionNames"), func(n gjson.Result) { names = append(names, n.String()) })
	switch mode := config.Get("mode").String(); mode {
	case "":
	case "AUTO", "VALIDATED", "MODE_UNSPECIFIED":
		d.req.ToolChoice = &schema.ToolChoice{Mode: "auto"}
	case "NONE":
		d.req.ToolChoice = &schema.ToolChoice{Mode: "none"}
	case "ANY":
		d.req.ToolChoice = &schema.ToolChoice{Mode: "required"}
		if len(names) == 1 {
			d.req.ToolChoice = &schema.ToolChoice{Mode: "function", Name: names[0]}
		} else {
			d.allowed = names
		}
	default:
		return schema.Invalid("toolConfig.functionCallingConfig.mode", "toolConfig.functionCallingConfig.mode: unknown mode %q", mode)
	}
	return nil
}
