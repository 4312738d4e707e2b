package openai

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
	err := wire.EachField(root, func(name string, v gjson.Result) error { return decodeField(req, name, v) })
	return req, err
}

func decodeField(req *schema.ChatRequest, name string, v gjson.Result) (err error) {
	switch name {
	case "model":
		req.Model = v.String()
	case "messages":
		req.Messages, err = decodeMessages(v)
	case "tools":
		req.Tools, err = decodeTools(v)
	case "functions":
		req.Tools, err = decodeFunctions(v)
	case "tool_choice", "function_call":
		req.ToolChoice, err = decodeToolChoice(name, v)
	case "response_format":
		req.ResponseFormat, err = decodeFormat(v)
	case "reasoning_effort", "reasoning", "thinking":
		err = decodeReasoning(req, name, v)
	case fieldMaxTokens, fieldMaxCompletionTokens:
		req.MaxTokens, err = wire.Integer(name, v)
	case "stop":
		req.Stop, err = list(name, v)
	case "modalities":
		req.Modalities, err = list(name, v)
	case "metadata":
		req.Metadata, err = pairs(name, v)
	case "stream":
		req.Stream = v.Type == gjson.True
	case "stream_options": // about the framing, which each side has its own of
	case "logit_bias":
		req.LogitBias = json.RawMessage(v.Raw)
	case "audio":
		req.Audio = json.RawMessage(v.Raw)
	case "prediction":
		req.Prediction = json.RawMessage(v.Raw)
	default:
		return decodeScalar(req, name, v)
	}
	return err
}

// decodeScalar reads the fields that are a number, a boolean or a string, and
// keeps those that nobody knows.
func decodeScalar(req *schema.ChatRequest, name string, v gjson.Result) (err error) {
	switch name {
	case "temperature":
		req.Temperature, err = wire.Number(name, v)
	case "top_p":
		req.TopP, err = wire.Number(name, v)
	case "top_k":
		req.TopK, err = wire.Integer(name, v)
	case "min_p":
		req.MinP, err = wire.Number(name, v)
	case "frequency_penalty":
		req.FrequencyPenalty, err = wire.Number(name, v)
	case "presence_penalty":
		req.PresencePenalty, err = wire.Number(name, v)
	case "seed":
		req.Seed, err = wire.Integer(name, v)
	case "n":
		req.N, err = wire.Integer(name, v)
	case "top_logprobs":
		req.TopLogprobs, err = wire.Integer(name, v)
	case "logprobs":
		req.Logprobs, err = boolean(name, v)
	case "parallel_tool_calls":
		req.ParallelToolCalls, err = boolean(name, v)
	case "store":
		req.Store, err = boolean(name, v)
	case "user":
		req.User, err = wire.Text(name, v)
	case "service_tier":
		req.ServiceTier, err = wire.Text(name, v)
	case "verbosity":
		req.Verbosity, err = wire.Text(name, v)
	case "prompt_cache_key":
		req.PromptCacheKey, err = wire.Text(name, v)
	default:
		req.Extra = addExtra(req.Extra, name, v.Raw)
	}
	return err
}

// decodeReasoning reads OpenAI's reasoning_effort, OpenRouter's reasoning and
// Anthropic's thinking; they may stand together.
func decodeReasoning(req *schema.ChatRequest, name string, v gjson.Result) (err error) {
	if req.Reasoning == nil {
		req.Reasoning = &schema.Reasoning{}
	}
	r := req.Reasoning
	if name == "reasoning_effort" {
		r.Effort, err = wire.Text(name, v)
		r.Off = r.Off || r.Effort == "none"
		return err
	}
	if !v.IsObject() {
		return schema.Invalid(name, "%s must be an object", name)
	}
	if effort := v.Get("effort"); effort.Type == gjson.String {
		r.Effort = effort.Str
		r.Off = r.Off || r.Effort == "none"
	}
	budget := v.Get("max_tokens")
	if name == "thinking" {
		budget = v.Get("budget_tokens")
		r.Off = r.Off || v.Get("type").Str == "disabled"
	}
	if budget.Exists() && budget.Type != gjson.Null {
		if r.Budget, err = wire.Integer(name+".budget", budget); err != nil {
			return err
		}
	}
	r.Exclude = v.Get("exclude").Bool()
	r.Off = r.Off || v.Get("enabled").Type == gjson.False
	return nil
}

func decodeFormat(v gjson.Result) (*schema.ResponseFormat, error) {
	if !v.IsObject() {
		return nil, schema.Invalid("response_format", "response_format must be an object")
	}
	f := &schema.ResponseFormat{Type: v.Get("type").String()}
	if js := v.Get("json_schema"); js.IsObject() {
		f.Name, f.Description = js.Get("name").String(), js.Get("description").String()
		if s := js.Get("schema"); s.IsObject() {
			f.Schema = json.RawMessage(s.Raw)
		}
		if strict := js.Get("strict"); strict.IsBool() {
			on := strict.Bool()
			f.Strict = &on
		}
	}
	switch f.Type {
	case "text", "json_object":
	case "json_schema":
		if f.Schema == nil {
			return nil, schema.Invalid("response_format.json_schema", "response_format.json_schema.schema must be an object")
		}
	default:
		return nil, schema.Invalid("response_format.type", "response_format.type must be text, json_object or json_schema")
	}
	return f, nil
}

func boolean(name string, v gjson.Result) (*bool, error) {
	on, err := wire.Boolean(name, v)
	return &on, err
}

// list reads a string or a list of strings.
func list(name string, v gjson.Result) ([]string, error) {
	if v.Type == gjson.String {
		return []string{v.Str}, nil
	}
	return wire.Texts(name, v)
}

func pairs(name string, v gjson.Result) (map[string]string, error) {
	out := make(map[string]string)
	return out, wire.Pairs(name, v, func(key, value string) { out[key] = value })
}
