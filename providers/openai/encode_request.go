package openai

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// encodeRequest writes a unified request for a host.
func (q Quirks) encodeRequest(req *schema.ChatRequest) (*dialect.Upstream, error) {
	up := &dialect.Upstream{Path: "/chat/completions"}
	req = understood(req, up)
	b := append(make([]byte, 0, 1<<10), `{"model":`...)
	b = wire.AppendString(b, req.Model)
	b = append(b, `,"messages":`...)
	b = q.appendMessages(b, req.Messages)
	b = appendTools(b, req)
	b = appendFormat(b, req.ResponseFormat)
	b = q.appendNumbers(b, req, up)
	b = q.appendSettings(b, req)
	b = appendReasoning(b, req.Reasoning, up)
	if req.Stream {
		b = append(b, `,"stream":true`...)
		if !q.NoStreamOptions {
			b = append(b, `,"stream_options":{`+includeUsage+`}`...)
		}
	}
	up.Body = append(appendExtra(b, req.Extra), '}')
	return up, nil
}

// appendExtra writes the fields that the vocabulary does not have, in the order
// of their names. Most requests have none.
func appendExtra(b []byte, extra map[string]json.RawMessage) []byte {
	if len(extra) == 0 {
		return b
	}
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		b = wire.AppendString(append(b, ','), name)
		b = append(b, ':')
		b = append(b, extra[name]...)
	}
	return b
}

func appendTools(b []byte, req *schema.ChatRequest) []byte {
	if len(req.Tools) > 0 {
		b = wire.AppendKey(b, "tools")
		b = append(b, '[')
		for i := range req.Tools {
			b = appendTool(wire.AppendComma(b), &req.Tools[i])
		}
		b = append(b, ']')
	}
	if c := req.ToolChoice; c != nil && len(req.Tools) > 0 {
		b = wire.AppendKey(b, "tool_choice")
		if c.Name != "" {
			b = append(b, `{"type":"function","function":{"name":`...)
			b = wire.AppendString(b, c.Name)
			b = append(b, '}', '}')
		} else {
			b = wire.AppendString(b, c.Mode)
		}
	}
	if req.ParallelToolCalls != nil && len(req.Tools) > 0 {
		b = wire.AppendKey(b, "parallel_tool_calls")
		b = strconv.AppendBool(b, *req.ParallelToolCalls)
	}
	return b
}

func appendTool(b []byte, t *schema.Tool) []byte {
	if t.Raw != nil && t.Name == "" {
		return append(b, t.Raw...)
	}
	b = append(b, `{"type":"function","function":{"name":`...)
	b = wire.AppendString(b, t.Name)
	if t.Description != "" {
		b = wire.AppendKey(b, "description")
		b = wire.AppendString(b, t.Description)
	}
	if t.Parameters != nil {
		b = wire.AppendKey(b, "parameters")
		b = append(b, t.Parameters...)
	}
	if t.Strict != nil {
		b = wire.AppendKey(b, "strict")
		b = strconv.AppendBool(b, *t.Strict)
	}
	return append(b, '}', '}')
}

func appendFormat(b []byte, f *schema.ResponseFormat) []byte {
	if f == nil {
		return b
	}
	b = append(b, `,"response_format":{"type":`...)
	b = wire.AppendString(b, f.Type)
	if f.Schema != nil {
		name := f.Name
		if name == "" {
			name = "answer" // OpenAI demands one
		}
		b = append(b, `,"json_schema":{"name":`...)
		b = wire.AppendString(b, name)
		if f.Description != "" {
			b = wire.AppendKey(b, "description")
			b = wire.AppendString(b, f.Description)
		}
		b = wire.AppendKey(b, "schema")
		b = append(b, f.Schema...)
		if f.Strict != nil {
			b = wire.AppendKey(b, "strict")
			b = strconv.AppendBool(b, *f.Strict)
		}
		b = append(b, '}')
	}
	return append(b, '}')
}

func (q Quirks) appendNumbers(b []byte, req *schema.ChatRequest, up *dialect.Upstream) []byte {
	b = appendInt(b, q.MaxTokensField, req.MaxTokens)
	b = appendFloat(b, "temperature", req.Temperature)
	b = appendFloat(b, "top_p", req.TopP)
	b = appendFloat(b, "frequency_penalty", req.FrequencyPenalty)
	b = appendFloat(b, "presence_penalty", req.PresencePenalty)
	b = appendInt(b, "seed", req.Seed)
	b = appendInt(b, "n", req.N)
	b = appendInt(b, "top_logprobs", req.TopLogprobs)
	b = appendBool(b, "logprobs", req.Logprobs)
	b = appendBool(b, "store", req.Store)
	if q.MoreSampling {
		b = appendInt(b, "top_k", req.TopK)
		return appendFloat(b, "min_p", req.MinP)
	}
	if req.TopK != nil {
		up.Dropped = append(up.Dropped, "top_k")
	}
	if req.MinP != nil {
		up.Dropped = append(up.Dropped, "min_p")
	}
	return b
}

func (q Quirks) appendSettings(b []byte, req *schema.ChatRequest) []byte {
	b = appendStrings(b, "stop", req.Stop)
	b = appendStrings(b, "modalities", req.Modalities)
	b = appendText(b, "user", req.User)
	b = appendText(b, "service_tier", req.ServiceTier)
	b = appendText(b, "verbosity", req.Verbosity)
	b = appendText(b, "prompt_cache_key", req.PromptCacheKey)
	b = appendRaw(b, "logit_bias", req.LogitBias)
	b = appendRaw(b, "audio", req.Audio)
	b = appendRaw(b, "prediction", req.Prediction)
	if len(req.Metadata) > 0 {
		b = append(b, `,"metadata":{`...)
		for _, name := range slices.Sorted(maps.Keys(req.Metadata)) {
			b = wire.AppendString(wire.AppendComma(b), name)
			b = append(b, ':')
			b = wire.AppendString(b, req.Metadata[name])
		}
		b = append(b, '}')
	}
	return b
}

// appendReasoning writes reasoning_effort. A budget of tokens has no place in
// this API; it becomes the effort that comes nearest.
func appendReasoning(b []byte, r *schema.Reasoning, up *dialect.Upstream) []byte {
	switch {
	case r == nil:
		return b
	case r.Effort != "":
		return appendText(b, "reasoning_effort", r.Effort)
	case r.Off:
		up.Dropped = append(up.Dropped, "thinking")
	case r.Budget != nil:
		effort := "high"
		if *r.Budget <= 2048 {
			effort = "low"
		} else if *r.Budget <= 16384 {
			effort = "medium"
		}
		return appendText(b, "reasoning_effort", effort)
	}
	return b
}

func appendInt(b []byte, name string, v *int64) []byte {
	if v == nil {
		return b
	}
	return strconv.AppendInt(wire.AppendKey(b, name), *v, 10)
}

func appendFloat(b []byte, name string, v *float64) []byte {
	if v == nil {
		return b
	}
	return strconv.AppendFloat(wire.AppendKey(b, name), *v, 'g', -1, 64)
}

func appendBool(b []byte, name string, v *bool) []byte {
	if v == nil {
		return b
	}
	return strconv.AppendBool(wire.AppendKey(b, name), *v)
}

func appendText(b []byte, name, v string) []byte {
	if v == "" {
		return b
	}
	return wire.AppendString(wire.AppendKey(b, name), v)
}

func appendRaw(b []byte, name string, v []byte) []byte {
	if len(v) == 0 {
		return b
	}
	return append(wire.AppendKey(b, name), v...)
}

func appendStrings(b []byte, name string, list []string) []byte {
	if len(list) == 0 {
		return b
	}
	b = append(wire.AppendKey(b, name), '[')
	for _, s := range list {
		b = wire.AppendString(wire.AppendComma(b), s)
	}
	return append(b, ']')
}
