package anthropic

import (
	"encoding/json"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// decodeRequest is Client.DecodeChat, for answers and counts alike. The body
// has passed head; it is copied once, and every string of the result is part
// of that copy. What the unified form has no word for is kept in Extra.
func decodeRequest(raw []byte) (*schema.ChatRequest, error) {
	root := gjson.ParseBytes(raw)
	req := &schema.ChatRequest{Dialect: Name}
	err := wire.EachField(root, func(name string, v gjson.Result) error { return decodeField(req, name, v) })
	if err != nil {
		return nil, err
	}
	decodeEffort(req, root)
	return req, nil
}

func decodeField(req *schema.ChatRequest, name string, v gjson.Result) (err error) {
	switch name {
	case "model":
		req.Model, err = wire.Text(name, v)
	case "system":
		var parts []schema.Part
		if parts, err = decodeSystem(v, name); err == nil && len(parts) > 0 {
			system := schema.Message{Role: schema.RoleSystem, Parts: parts}
			req.Messages = append([]schema.Message{system}, req.Messages...)
		}
	case "messages":
		req.Messages, err = decodeTurns(v, req.Messages)
	case "tools":
		req.Tools, err = decodeTools(v)
	case "tool_choice":
		err = decodeToolChoice(req, v)
	case "max_tokens":
		req.MaxTokens, err = wire.Integer(name, v)
		if err == nil && *req.MaxTokens < 1 {
			err = schema.Invalid(name, "max_tokens must be at least 1: only Anthropic's own API fills a cache without an answer")
		}
	case "stop_sequences":
		req.Stop, err = wire.Texts(name, v)
	case "temperature":
		req.Temperature, err = wire.Number(name, v)
	case "top_p":
		req.TopP, err = wire.Number(name, v)
	case "top_k":
		req.TopK, err = wire.Integer(name, v)
	case "stream":
		req.Stream, err = wire.Boolean(name, v)
	case "metadata":
		req.User = v.Get("user_id").Str
		decodeMetadata(req, v)
	case "service_tier":
		err = decodeTier(req, v)
	case "thinking":
		err = decodeThinking(req, v)
	case "output_config":
		err = decodeOutputConfig(req, v)
	case "output_format": // the beta's name of output_config.format
		err = decodeFormat(req, name, v)
	default:
		keep(req, name, v.Raw)
	}
	return err
}

// keep puts a field into Extra.
func keep(req *schema.ChatRequest, name, raw string) {
	if req.Extra == nil {
		req.Extra = make(map[string]json.RawMessage)
	}
	req.Extra[name] = json.RawMessage(raw)
}

// decodeMetadata keeps what callers put beside user_id, as OpenAI's metadata.
func decodeMetadata(req *schema.ChatRequest, v gjson.Result) {
	v.ForEach(func(key, value gjson.Result) bool {
		if key.Str != "user_id" && value.Type == gjson.String {
			if req.Metadata == nil {
				req.Metadata = make(map[string]string)
			}
			req.Metadata[key.Str] = value.Str
		}
		return true
	})
}

// decodeTier puts the tier in OpenAI's words.
func decodeTier(req *schema.ChatRequest, v gjson.Result) (err error) {
	req.ServiceTier, err = wire.Text("service_tier", v)
	if req.ServiceTier == "standard_only" {
		req.ServiceTier = "default"
	}
	return err
}

// decodeThinking reads thinking. A kind that the unified form has no word for
// is kept as it is for those who know it.
func decodeThinking(req *schema.ChatRequest, v gjson.Result) (err error) {
	if !v.IsObject() {
		return schema.Invalid("thinking", "thinking must be an object")
	}
	r := &schema.Reasoning{Exclude: v.Get("display").Str == "omitted"}
	switch kind := v.Get("type").Str; kind {
	case "":
		return schema.Invalid("thinking.type", "thinking.type is missing")
	case "enabled":
		r.Budget, err = wire.Integer("thinking.budget_tokens", v.Get("budget_tokens"))
	case "disabled":
		r.Off = true
	case "adaptive":
	default:
		keep(req, "thinking", v.Raw)
	}
	req.Reasoning = r
	return err
}

// decodeOutputConfig reads output_config but for the effort, for whose meaning
// thinking must be known.
func decodeOutputConfig(req *schema.ChatRequest, v gjson.Result) error {
	if !v.IsObject() {
		return schema.Invalid("output_config", "output_config must be an object")
	}
	if _, err := wire.TextIn(v, "output_config", "effort"); err != nil {
		return err
	}
	if f := v.Get("format"); f.Exists() && f.Type != gjson.Null {
		if err := decodeFormat(req, "output_config.format", f); err != nil {
			return err
		}
	}
	if others := wire.Others(v, "format", "effort"); others != nil {
		raw, err := json.Marshal(others)
		if err != nil {
			return schema.Invalid("output_config", "output_config is not valid JSON")
		}
		keep(req, "output_config", string(raw))
	}
	return nil
}

// decodeEffort reads output_config.effort, which works on all that a model
// writes (page effort). With thinking it says how much to think; without, it is
// about the answer alone. Where thinking is turned off, only those who tell the
// two apart can heed it.
func decodeEffort(req *schema.ChatRequest, root gjson.Result) {
	effort := root.Get("output_config.effort")
	switch {
	case effort.Type != gjson.String || effort.Str == "":
	case req.Reasoning == nil:
		req.Reasoning = &schema.Reasoning{Effort: effort.Str, EffortOnly: true}
	case !req.Reasoning.Off:
		req.Reasoning.Effort = effort.Str
	default:
		own := map[string]json.RawMessage{}
		_ = json.Unmarshal(req.Extra["output_config"], &own) // absent, or what decodeOutputConfig wrote
		own["effort"] = json.RawMessage(effort.Raw)
		if raw, err := json.Marshal(own); err == nil {
			keep(req, "output_config", string(raw))
		}
	}
}

func decodeFormat(req *schema.ChatRequest, name string, v gjson.Result) error {
	s := v.Get("schema")
	if v.Get("type").Str != "json_schema" || !s.IsObject() {
		return schema.Invalid(name, "%s must be an object of type json_schema with a schema", name)
	}
	req.ResponseFormat = &schema.ResponseFormat{Type: "json_schema", Schema: json.RawMessage(s.Raw)}
	return nil
}
