package openai

import (
	"encoding/json"
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
)

// decodeRequest reads a client's request. The body has passed head; it is
// copied once, and every string of the result is part of that copy.
func decodeRequest(raw []byte) (*schema.ChatRequest, error) {
	root := gjson.ParseBytes(raw)
	if !root.IsObject() {
		return nil, schema.Invalid("", "the body is not a JSON object")
	}
	req := &schema.ChatRequest{}
	var err error
	root.ForEach(func(key, v gjson.Result) bool {
		if v.Type != gjson.Null {
			err = decodeField(req, key.Str, v)
		}
		return err == nil
	})
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
		req.MaxTokens, err = integer(name, v)
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
		req.Temperature, err = number(name, v)
	case "top_p":
		req.TopP, err = number(name, v)
	case "top_k":
		req.TopK, err = integer(name, v)
	case "min_p":
		req.MinP, err = number(name, v)
	case "frequency_penalty":
		req.FrequencyPenalty, err = number(name, v)
	case "presence_penalty":
		req.PresencePenalty, err = number(name, v)
	case "seed":
		req.Seed, err = integer(name, v)
	case "n":
		req.N, err = integer(name, v)
	case "top_logprobs":
		req.TopLogprobs, err = integer(name, v)
	case "logprobs":
		req.Logprobs, err = boolean(name, v)
	case "parallel_tool_calls":
		req.ParallelToolCalls, err = boolean(name, v)
	case "store":
		req.Store, err = boolean(name, v)
	case "user":
		req.User, err = text(name, v)
	case "service_tier":
		req.ServiceTier, err = text(name, v)
	case "verbosity":
		req.Verbosity, err = text(name, v)
	case "prompt_cache_key":
		req.PromptCacheKey, err = text(name, v)
	default:
		if req.Extra == nil {
			req.Extra = make(map[string]json.RawMessage)
		}
		req.Extra[name] = json.RawMessage(v.Raw)
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
		r.Effort, err = text(name, v)
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
		if r.Budget, err = integer(name+".budget", budget); err != nil {
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

func number(name string, v gjson.Result) (*float64, error) {
	if v.Type != gjson.Number {
		return nil, schema.Invalid(name, "%s must be a number", name)
	}
	return &v.Num, nil
}

func integer(name string, v gjson.Result) (*int64, error) {
	n, err := strconv.ParseInt(v.Raw, 10, 64)
	if err != nil && v.Type == gjson.Number && v.Num == float64(int64(v.Num)) {
		n, err = int64(v.Num), nil // 1.0, 1e3
	}
	if v.Type != gjson.Number || err != nil {
		return nil, schema.Invalid(name, "%s must be an integer", name)
	}
	return &n, nil
}

func boolean(name string, v gjson.Result) (*bool, error) {
	if !v.IsBool() {
		return nil, schema.Invalid(name, "%s must be a boolean", name)
	}
	on := v.Bool()
	return &on, nil
}

func text(name string, v gjson.Result) (string, error) {
	if v.Type != gjson.String {
		return "", schema.Invalid(name, "%s must be a string", name)
	}
	return v.Str, nil
}

// list reads a string or a list of strings.
func list(name string, v gjson.Result) ([]string, error) {
	if v.Type == gjson.String {
		return []string{v.Str}, nil
	}
	var out []string
	for _, item := range v.Array() {
		if item.Type != gjson.String {
			return nil, schema.Invalid(name, "%s must be a string or a list of strings", name)
		}
		out = append(out, item.Str)
	}
	return out, nil
}

func pairs(name string, v gjson.Result) (map[string]string, error) {
	out := make(map[string]string)
	var err error
	v.ForEach(func(key, value gjson.Result) bool {
		if value.Type != gjson.String {
			err = schema.Invalid(name, "%s.%s must be a string", name, key.Str)
			return false
		}
		out[key.Str] = value.Str
		return true
	})
	if !v.IsObject() {
		err = schema.Invalid(name, "%s must be an object of strings", name)
	}
	return out, err
}
