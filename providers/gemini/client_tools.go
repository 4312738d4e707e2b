package gemini

import (
	"encoding/json"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// readTools reads functions and the API's server-side tools; of a tool that
// holds several, each becomes one.
func readTools(v gjson.Result) (out []schema.Tool, err error) {
	err = list(v, "tools", func(tool gjson.Result, at string) error {
		return wire.EachField(tool, func(key string, v gjson.Result) error {
			name := camelCase(key)
			if name == "functionDeclarations" {
				return list(v, at+"."+name, func(f gjson.Result, at string) error {
					t, err := readFunction(f, at)
					out = append(out, t)
					return err
				})
			}
			raw, err := wire.Marshal(map[string]json.RawMessage{name: json.RawMessage(v.Raw)})
			if err != nil {
				return schema.Invalid(at, "%s.%s is not valid", at, name)
			}
			out = append(out, schema.Tool{Type: name, Raw: raw})
			return nil
		})
	})
	return out, err
}

func readFunction(f gjson.Result, at string) (schema.Tool, error) {
	t := schema.Tool{Type: "function", Name: f.Get("name").Str}
	if t.Name == "" {
		return t, schema.Invalid(at+".name", "%s.name must be a non-empty string", at)
	}
	if d := f.Get("description"); d.Type != gjson.Null {
		var err error
		if t.Description, err = wire.Text(at+".description", d); err != nil {
			return t, err
		}
	}
	for _, name := range []string{"parametersJsonSchema", "parameters"} {
		p := field(f, name)
		switch {
		case p.Type == gjson.Null:
			continue
		case !p.IsObject():
			return t, schema.Invalid(at+"."+name, "%s.%s must be an object", at, name)
		case name == "parameters":
			t.Parameters = jsonSchema(nil, p)
		default:
			t.Parameters = json.RawMessage(p.Raw)
		}
		break
	}
	return t, nil
}

// toolConfig reads how functions may be called.
func (d *requestDecoder) toolConfig(v gjson.Result) error {
	if !v.IsObject() {
		return schema.Invalid("toolConfig", "toolConfig must be an object")
	}
	const at = "toolConfig.functionCallingConfig"
	config := field(v, "functionCallingConfig")
	if config.Type != gjson.Null && !config.IsObject() {
		return schema.Invalid(at, "%s must be an object", at)
	}
	var names []string
	if allowed := field(config, "allowedFunctionNames"); allowed.Type != gjson.Null {
		var err error
		if names, err = wire.Texts(at+".allowedFunctionNames", allowed); err != nil {
			return err
		}
	}
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
		return schema.Invalid(at+".mode", "%s.mode: unknown mode %q", at, mode)
	}
	return nil
}
