package upstream

import (
	"encoding/json"
)

// object is a JSON object whose keys the order of which does not matter.
type object = map[string]any

const created = 1_760_000_000

func (r *answer) openaiUsage() object {
	return object{
		"prompt_tokens": r.in, "completion_tokens": r.out, "total_tokens": r.in + r.out,
		"prompt_tokens_details":     object{"cached_tokens": 0, "audio_tokens": 0},
		"completion_tokens_details": object{"reasoning_tokens": 0, "audio_tokens": 0},
	}
}

func (r *answer) openaiFinish() string {
	switch {
	case r.cut:
		return "length"
	case len(r.calls) > 0:
		return "tool_calls"
	}
	return "stop"
}

// openaiBody is a chat.completion.
func openaiBody(a *ask, r *answer) []byte {
	message := object{"role": "assistant", "content": r.text(), "refusal": nil}
	if len(r.calls) > 0 {
		var calls []object
		for _, c := range r.calls {
			calls = append(calls, object{"id": c.id, "type": "function", "function": object{"name": c.name, "arguments": c.args}})
		}
		message["content"], message["tool_calls"] = nil, calls
	}
	if r.think != "" { // as DeepSeek and its likes tell it
		message["reasoning_content"] = r.think
	}
	return encode(object{
		"id": nextID("chatcmpl-fake"), "object": "chat.completion", "created": created, "model": a.model,
		"choices": []object{{"index": 0, "message": message, "logprobs": nil, "finish_reason": r.openaiFinish()}},
		"usage":   r.openaiUsage(), "service_tier": "default", "system_fingerprint": "fp_fake",
	})
}

// openaiFrames are the events of a stream, [DONE] the last.
func openaiFrames(a *ask, r *answer) [][]byte {
	id := nextID("chatcmpl-fake")
	var frames [][]byte
	send := func(choices []object, usage any) {
		chunk := object{"id": id, "object": "chat.completion.chunk", "created": created, "model": a.model,
			"service_tier": "default", "system_fingerprint": "fp_fake", "choices": choices}
		if a.usage {
			chunk["usage"] = usage
		}
		frames = append(frames, frame("", encode(chunk)))
	}
	delta := func(d object, finish any) {
		send([]object{{"index": 0, "delta": d, "logprobs": nil, "finish_reason": finish}}, nil)
	}
	delta(object{"role": "assistant", "content": "", "refusal": nil}, nil)
	if r.think != "" {
		for _, piece := range split(r.think) {
			delta(object{"reasoning_content": piece}, nil)
		}
	}
	for _, piece := range r.pieces {
		delta(object{"content": piece}, nil)
	}
	for i, c := range r.calls {
		delta(object{"tool_calls": []object{{"index": i, "id": c.id, "type": "function",
			"function": object{"name": c.name, "arguments": ""}}}}, nil)
		for _, part := range thirds(c.args) {
			delta(object{"tool_calls": []object{{"index": i, "function": object{"arguments": part}}}}, nil)
		}
	}
	delta(object{}, r.openaiFinish())
	if a.usage {
		send([]object{}, r.openaiUsage())
	}
	return append(frames, frame("", []byte("[DONE]")))
}

// openaiError is the body of an error.
func openaiError(status int, message string) []byte {
	kind, code := "invalid_request_error", any(nil)
	switch {
	case status == 401:
		code = "invalid_api_key"
	case status == 404:
		code = "model_not_found"
	case status == 429:
		kind, code = "requests", "rate_limit_exceeded"
	case status >= 500:
		kind = "server_error"
	}
	return encode(object{"error": object{"message": message, "type": kind, "param": nil, "code": code}})
}

// thirds cuts a string in up to three parts.
func thirds(s string) []string {
	n := len(s)/3 + 1
	var parts []string
	for len(s) > n {
		parts, s = append(parts, s[:n]), s[n:]
	}
	return append(parts, s)
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // a value of our own making
	}
	return b
}

// frame is one server-sent event.
func frame(event string, data []byte) []byte {
	var b []byte
	if event != "" {
		b = append(append(append(b, "event: "...), event...), '\n')
	}
	b = append(append(b, "data: "...), data...)
	return append(b, "\n\n"...)
}
