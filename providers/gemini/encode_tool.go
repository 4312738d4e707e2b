package gemini

import (
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
)

// function is a functionDeclaration. parametersJsonSchema takes JSON Schema as
// other dialects write it; parameters, its elder, a dialect of OpenAPI's.
type function struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parametersJsonSchema,omitempty"`
}

// ownTools are the API's server-side tools.
var ownTools = map[string]bool{
	"googleSearch": true, "googleSearchRetrieval": true, "codeExecution": true, "urlContext": true, "fileSearch": true,
	"googleMaps": true, "computerUse": true, "retrieval": true, "enterpriseWebSearch": true, "mcpServers": true,
	"parallelAiSearch": true,
}

// tools writes the functions and the API's own tools. Other providers' web
// search and code execution become the API's, where it can have them beside
// the caller's functions.
func (e *encoder) tools() {
	var functions []function
	var list []any
	strict := false
	for i := range e.req.Tools {
		t := &e.req.Tools[i]
		e.dropIf(isSet(t.CacheControl), "cache_control")
		if t.Name == "" && t.Raw != nil {
			if own := e.serverTool(t.Raw); own != nil {
				list = append(list, own)
			} else {
				e.drop("tools")
			}
			continue
		}
		f := function{Name: t.Name, Description: t.Description}
		if isSet(t.Parameters) {
			f.Parameters = cleanSchema(t.Parameters)
		}
		functions = append(functions, f)
		strict = strict || t.Strict != nil && *t.Strict
	}
	if len(functions) > 0 {
		list = append([]any{map[string]any{"functionDeclarations": functions}}, list...)
		e.callingConfig(strict)
	}
	if len(list) > 0 {
		e.body["tools"] = list
	}
}

// serverTool is the tool as the API has it, or nil.
func (e *encoder) serverTool(raw json.RawMessage) json.RawMessage {
	tool := gjson.ParseBytes(raw)
	known := false
	tool.ForEach(func(key, _ gjson.Result) bool {
		known = ownTools[camelCase(key.Str)]
		return known
	})
	if known {
		return raw
	}
	for i := range e.req.Tools {
		if e.req.Tools[i].Name != "" {
			return nil
		}
	}
	switch kind := tool.Get("type").Str; {
	case strings.HasPrefix(kind, "web_search"):
		return json.RawMessage(`{"googleSearch":{}}`)
	case strings.HasPrefix(kind, "code_interpreter"), strings.HasPrefix(kind, "code_execution"):
		return json.RawMessage(`{"codeExecution":{}}`)
	}
	return nil
}

func (e *encoder) toolConfig() map[string]any {
	if c, ok := e.body["toolConfig"].(map[string]any); ok {
		return c
	}
	c := map[string]any{}
	e.body["toolConfig"] = c
	return c
}

// callingConfig writes tool_choice. Strict functions are what the mode
// VALIDATED is for; ANY holds the model to the schemas by itself.
func (e *encoder) callingConfig(strict bool) {
	config := map[string]any{}
	mode := "AUTO"
	if c := e.req.ToolChoice; c != nil {
		switch c.Mode {
		case "none":
			mode = "NONE"
		case "required":
			mode = "ANY"
		case "function":
			mode = "ANY"
			config["allowedFunctionNames"] = []string{c.Name}
		}
	}
	if mode == "AUTO" && strict {
		if e.traits.validated {
			mode = "VALIDATED"
		} else {
			e.drop("tools.strict")
		}
	}
	if mode == "AUTO" && e.req.ToolChoice == nil {
		return
	}
	config["mode"] = mode
	e.toolConfig()["functionCallingConfig"] = config
}

// responseFormat asks for a JSON answer. Models before Gemini 3 refuse that
// together with functions; they are asked in words.
func (e *encoder) responseFormat() error {
	f := e.req.ResponseFormat
	if f == nil || f.Type == "" || f.Type == "text" {
		return nil
	}
	switch f.Type {
	case "json_object":
	case "json_schema":
		if len(f.Schema) == 0 || !json.Valid(f.Schema) {
			return schema.Invalid("response_format.json_schema.schema", "response_format.json_schema.schema is missing")
		}
	default:
		return schema.Invalid("response_format.type", "response_format.type: unknown type %q", f.Type)
	}
	if _, functions := e.body["tools"]; functions && !e.traits.jsonTools {
		text := "When you give the final answer, give one valid JSON value and nothing else: no code fence, no words before or after it."
		if f.Schema != nil {
			text += " It must satisfy this JSON Schema: " + string(f.Schema)
		}
		e.system = append(e.system, part{Text: &text})
		e.drop("response_format")
		return nil
	}
	e.config["responseMimeType"] = "application/json"
	if f.Schema != nil {
		e.config["responseJsonSchema"] = cleanSchema(f.Schema)
	}
	return nil
}
