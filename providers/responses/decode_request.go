package responses

import (
	"encoding/json"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// decodeRequest reads a client's request. The body has passed head; it is
// copied once, and every string of the result is part of that copy.
func decodeRequest(raw []byte) (*schema.ChatRequest, error) {
	root := gjson.ParseBytes(raw)
	req := &schema.ChatRequest{Dialect: Name}
	if v := root.Get("instructions"); v.Type == gjson.String && v.Str != "" {
		req.Messages = append(req.Messages, instructions(v.Str))
	}
	err := wire.EachField(root, func(name string, v gjson.Result) error { return decodeField(req, name, v) })
	if err != nil {
		return nil, err
	}
	if c := root.Get("tool_choice"); c.Get("type").Str == "allowed_tools" {
		allowOnly(req, c.Get("tools"))
	}
	return req, nil
}

// instructionsMark tells the field instructions from an item that says the same.
const instructionsMark = "instructions"

func instructions(text string) schema.Message {
	return schema.Message{Role: schema.RoleSystem, Parts: []schema.Part{{Type: schema.PartText, Text: text,
		Extra: map[string]json.RawMessage{instructionsMark: json.RawMessage("true")}}}}
}

// instructionsOf is what a request's field instructions says, or "".
func instructionsOf(req *schema.ChatRequest) string {
	if len(req.Messages) == 0 {
		return ""
	}
	if m := &req.Messages[0]; len(m.Parts) == 1 && m.Parts[0].Extra[instructionsMark] != nil {
		return m.Text()
	}
	return ""
}

func decodeField(req *schema.ChatRequest, name string, v gjson.Result) (err error) {
	switch name {
	case "model":
		req.Model, err = wire.Text(name, v)
	case "input":
		req.Messages, err = decodeInput(v, req.Messages)
	case "tools":
		req.Tools, err = decodeTools(v)
	case "tool_choice":
		err = decodeToolChoice(req, v)
	case "text":
		err = decodeText(req, v)
	case "reasoning":
		err = decodeReasoning(req, v)
	case "include":
		err = decodeInclude(req, v)
	case "metadata":
		req.Metadata = make(map[string]string)
		err = wire.Pairs(name, v, func(key, value string) { req.Metadata[key] = value })
	case "stream":
		req.Stream = v.Type == gjson.True
	case "instructions", "stream_options": // read before; about the framing
	case "truncation":
		if v.Str != "disabled" {
			keep(req, name, v)
		}
	case "background":
		if v.Type != gjson.False {
			keep(req, name, v)
		}
	default:
		return decodeScalar(req, name, v)
	}
	return err
}

// decodeScalar reads the fields that are a number, a boolean or a string, and
// keeps those that have no place in a unified request.
func decodeScalar(req *schema.ChatRequest, name string, v gjson.Result) (err error) {
	switch name {
	case fieldMaxTokens:
		req.MaxTokens, err = wire.Integer(name, v)
	case "temperature":
		req.Temperature, err = wire.Number(name, v)
	case "top_p":
		req.TopP, err = wire.Number(name, v)
	case "top_logprobs":
		if req.TopLogprobs, err = wire.Integer(name, v); err == nil && *req.TopLogprobs > 0 {
			on := true
			req.Logprobs = &on
		}
	case "parallel_tool_calls":
		req.ParallelToolCalls, err = boolean(name, v)
	case "store":
		req.Store, err = boolean(name, v)
	case "user":
		req.User, err = wire.Text(name, v)
	case "safety_identifier":
		var id string
		if id, err = wire.Text(name, v); req.User == "" {
			req.User = id
		}
	case "service_tier":
		req.ServiceTier, err = wire.Text(name, v)
	case "prompt_cache_key":
		req.PromptCacheKey, err = wire.Text(name, v)
	default:
		keep(req, name, v)
	}
	return err
}

func keep(req *schema.ChatRequest, name string, v gjson.Result) {
	if req.Extra == nil {
		req.Extra = make(map[string]json.RawMessage)
	}
	req.Extra[name] = json.RawMessage(v.Raw)
}

func boolean(name string, v gjson.Result) (*bool, error) {
	on, err := wire.Boolean(name, v)
	return &on, err
}

// decodeText reads the field text: the answer's format and verbosity.
func decodeText(req *schema.ChatRequest, v gjson.Result) error {
	if !v.IsObject() {
		return schema.Invalid("text", "text must be an object")
	}
	var err error
	if req.Verbosity, err = wire.TextIn(v, "text", "verbosity"); err != nil {
		return err
	}
	format := v.Get("format")
	if !format.Exists() || format.Type == gjson.Null {
		return nil
	}
	f := &schema.ResponseFormat{Type: format.Get("type").Str, Name: format.Get("name").Str, Description: format.Get("description").Str,
		Schema: wire.RawObject(format.Get("schema"))}
	if strict := format.Get("strict"); strict.IsBool() {
		on := strict.Bool()
		f.Strict = &on
	}
	switch f.Type {
	case "text":
		return nil
	case "json_object":
	case "json_schema":
		if f.Schema == nil {
			return schema.Invalid("text.format.schema", "text.format.schema must be an object")
		}
	default:
		return schema.Invalid("text.format.type", "text.format.type must be text, json_object or json_schema")
	}
	req.ResponseFormat = f
	return nil
}

// decodeReasoning reads the field reasoning. Who asks for no summary is shown
// no reasoning; words that have no place in the unified request are kept.
func decodeReasoning(req *schema.ChatRequest, v gjson.Result) error {
	if !v.IsObject() {
		return schema.Invalid("reasoning", "reasoning must be an object")
	}
	for _, name := range []string{"effort", "summary", "generate_summary"} {
		if _, err := wire.TextIn(v, "reasoning", name); err != nil {
			return err
		}
	}
	summary := v.Get("summary").Str
	if summary == "" {
		summary = v.Get("generate_summary").Str // its name of before
	}
	r := &schema.Reasoning{Effort: v.Get("effort").Str, Exclude: summary == ""}
	r.Off = r.Effort == "none"
	if r.Effort != "" || summary != "" {
		req.Reasoning = r
	}
	if summary != "" && summary != "auto" || len(wire.Others(v, "effort", "summary", "generate_summary")) > 0 {
		keep(req, "reasoning", v)
	}
	return nil
}

// The entries of include that the unified form carries anyway.
const (
	includeEncrypted = "reasoning.encrypted_content"
	includeLogprobs  = "message.output_text.logprobs"
)

func decodeInclude(req *schema.ChatRequest, v gjson.Result) error {
	if _, err := wire.Texts("include", v); err != nil {
		return err
	}
	others := false
	wire.Each(v, func(entry gjson.Result) {
		switch entry.Str {
		case includeEncrypted:
		case includeLogprobs:
			on := true
			req.Logprobs = &on
		default:
			others = true
		}
	})
	if others {
		keep(req, "include", v)
	}
	return nil
}
