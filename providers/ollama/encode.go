package ollama

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// ownFields are the API's fields that OpenAI has not: they pass as they came.
var ownFields = map[string]bool{"keep_alive": true, "truncate": true, "shift": true}

// optionFields are the runtime's options, which a caller may name in options or
// beside the other fields.
var optionFields = map[string]bool{"num_ctx": true, "num_keep": true, "num_batch": true, "num_gpu": true, "num_thread": true, "main_gpu": true,
	"use_mmap": true, "repeat_penalty": true, "repeat_last_n": true, "typical_p": true, "tfs_z": true, "mirostat": true, "mirostat_eta": true,
	"mirostat_tau": true, "penalize_newline": true}

// encoder is the state of one translation.
type encoder struct {
	req     *schema.ChatRequest
	names   map[string]string // of tools, by the ids of their calls
	dropped wire.Dropped
}

// encode is Chat.Encode. stream is always said: it is on by default.
func encode(req *schema.ChatRequest) (*dialect.Upstream, error) {
	e := &encoder{req: req, names: make(map[string]string)}
	b := append(make([]byte, 0, 1<<10), `{"model":`...)
	b = wire.AppendString(b, req.Model)
	b, err := e.appendMessages(wire.AppendKey(b, "messages"))
	if err != nil {
		return nil, err
	}
	b = e.appendTools(b)
	b = e.appendFormat(b)
	b = e.appendThink(b)
	b = wire.AppendBool(b, "stream", &req.Stream)
	if req.Logprobs != nil && *req.Logprobs {
		b = wire.AppendBool(b, "logprobs", req.Logprobs)
		b = wire.AppendInt(b, "top_logprobs", req.TopLogprobs)
	}
	b = e.appendOptions(b)
	for _, name := range slices.Sorted(maps.Keys(req.Extra)) {
		switch raw := req.Extra[name]; {
		case name == "options" && !wire.Foreign(e.req, Name), optionFields[name] && !wire.Foreign(e.req, Name): // written already
		case ownFields[name] && !wire.Foreign(e.req, Name):
			b = wire.AppendRaw(b, name, raw)
		case wire.Says(raw):
			e.dropped.Add(name)
		}
	}
	e.dropped.Add(wire.Absent(req, "n", "logit_bias", "modalities", "audio", "prediction", "store", "verbosity", "prompt_cache_key",
		"service_tier", "user", "metadata", "parallel_tool_calls")...)
	return &dialect.Upstream{Path: "/api/chat", Body: append(b, '}'), Dropped: e.dropped}, nil
}

// appendTools writes the functions. The API cannot force a call; a choice of
// none needs no tools.
func (e *encoder) appendTools(b []byte) []byte {
	only := ""
	if c := e.req.ToolChoice; c != nil {
		switch c.Mode {
		case "none":
			return b
		case "required", "function":
			e.dropped.Add("tool_choice")
			only = c.Name
		}
	}
	list := []byte{'['}
	for i := range e.req.Tools {
		t := &e.req.Tools[i]
		if t.Name == "" {
			e.dropped.Add("tools")
			continue
		}
		if only != "" && t.Name != only {
			continue
		}
		if t.Strict != nil && *t.Strict {
			e.dropped.Add("tools.strict")
		}
		list = append(wire.AppendComma(list), `{"type":"function","function":{"name":`...)
		list = wire.AppendString(list, t.Name)
		list = wire.AppendText(list, "description", t.Description)
		parameters := t.Parameters
		if !wire.Says(parameters) {
			parameters = json.RawMessage(`{"type":"object","properties":{}}`)
		}
		list = append(wire.AppendRaw(list, "parameters", parameters), '}', '}')
	}
	if len(list) == 1 {
		return b
	}
	return append(append(wire.AppendKey(b, "tools"), list...), ']')
}

func (e *encoder) appendFormat(b []byte) []byte {
	f := e.req.ResponseFormat
	switch {
	case f == nil:
	case f.Type == "json_object":
		return wire.AppendText(b, "format", "json")
	case f.Type == "json_schema":
		return wire.AppendRaw(b, "format", f.Schema)
	}
	return b
}

// appendThink writes think: on, off, or how much on the models that grade it.
func (e *encoder) appendThink(b []byte) []byte {
	r := e.req.Reasoning
	if r == nil {
		return b
	}
	on := !r.Off
	if on && strings.Contains(e.req.Model, "gpt-oss") {
		level := r.Effort
		switch level {
		case "low", "medium", "high":
		case "minimal":
			level = "low"
		case "":
			level = "medium"
		default:
			level = "high"
		}
		return wire.AppendText(b, "think", level)
	}
	return wire.AppendBool(b, "think", &on)
}

// appendOptions writes the options: the request's own parameters and, behind
// them, the caller's.
func (e *encoder) appendOptions(b []byte) []byte {
	req := e.req
	o := []byte{'{'}
	o = wire.AppendInt(o, "num_predict", req.MaxTokens)
	o = wire.AppendFloat(o, "temperature", req.Temperature)
	o = wire.AppendInt(o, "top_k", req.TopK)
	o = wire.AppendFloat(o, "top_p", req.TopP)
	o = wire.AppendFloat(o, "min_p", req.MinP)
	o = wire.AppendInt(o, "seed", req.Seed)
	o = wire.AppendTexts(o, "stop", req.Stop)
	o = wire.AppendFloat(o, "frequency_penalty", req.FrequencyPenalty)
	o = wire.AppendFloat(o, "presence_penalty", req.PresencePenalty)
	if !wire.Foreign(e.req, Name) {
		gjson.ParseBytes(req.Extra["options"]).ForEach(func(key, v gjson.Result) bool {
			o = appendOption(o, key.Str, v.Raw)
			return true
		})
		for _, name := range slices.Sorted(maps.Keys(req.Extra)) {
			if optionFields[name] {
				o = appendOption(o, name, string(req.Extra[name]))
			}
		}
	}
	if len(o) == 1 {
		return b
	}
	return append(append(wire.AppendKey(b, "options"), o...), '}')
}

// appendOption adds an option to those in the open object o, unless it is there.
func appendOption(o []byte, name, raw string) []byte {
	if gjson.GetBytes(append(slices.Clone(o), '}'), gjson.Escape(name)).Exists() {
		return o
	}
	o = append(wire.AppendString(wire.AppendComma(o), name), ':')
	return append(o, raw...)
}
