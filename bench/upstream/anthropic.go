package upstream

import "encoding/json"

func (r *answer) anthropicUsage(out int) object {
	return object{"input_tokens": r.in, "output_tokens": out,
		"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "service_tier": "standard"}
}

func (r *answer) anthropicStop() string {
	switch {
	case r.cut:
		return "max_tokens"
	case len(r.calls) > 0:
		return "tool_use"
	}
	return "end_turn"
}

// anthropicBody is a message.
func anthropicBody(a *ask, r *answer) []byte {
	content := []object{}
	if r.think != "" {
		content = append(content, object{"type": "thinking", "thinking": r.think, "signature": anthropicSignature})
	}
	if len(r.pieces) > 0 {
		content = append(content, object{"type": "text", "text": r.text()})
	}
	for _, c := range r.calls {
		content = append(content, object{"type": "tool_use", "id": c.id, "name": c.name, "input": json.RawMessage(c.args)})
	}
	return encode(object{
		"id": nextID("msg_fake"), "type": "message", "role": "assistant", "model": a.model, "content": content,
		"stop_reason": r.anthropicStop(), "stop_sequence": nil, "usage": r.anthropicUsage(r.out),
	})
}

// anthropicFrames are the events of a stream.
func anthropicFrames(a *ask, r *answer) [][]byte {
	s := &anthropicStream{}
	s.send("message_start", object{"message": object{
		"id": nextID("msg_fake"), "type": "message", "role": "assistant", "model": a.model, "content": []object{},
		"stop_reason": nil, "stop_sequence": nil, "usage": r.anthropicUsage(1),
	}})
	s.send("ping", object{})
	if r.think != "" {
		s.block(object{"type": "thinking", "thinking": "", "signature": ""},
			append(deltas("thinking_delta", "thinking", split(r.think)),
				object{"type": "signature_delta", "signature": anthropicSignature}))
	}
	if len(r.pieces) > 0 {
		s.block(object{"type": "text", "text": ""}, deltas("text_delta", "text", r.pieces))
	}
	for _, c := range r.calls {
		parts := append([]string{""}, thirds(c.args)...)
		s.block(object{"type": "tool_use", "id": c.id, "name": c.name, "input": object{}},
			deltas("input_json_delta", "partial_json", parts))
	}
	s.send("message_delta", object{
		"delta": object{"stop_reason": r.anthropicStop(), "stop_sequence": nil},
		"usage": r.anthropicUsage(r.out),
	})
	s.send("message_stop", object{})
	return s.frames
}

type anthropicStream struct {
	frames [][]byte
	index  int
}

func (s *anthropicStream) send(event string, data object) {
	data["type"] = event
	s.frames = append(s.frames, frame(event, encode(data)))
}

func (s *anthropicStream) block(start object, deltas []object) {
	s.send("content_block_start", object{"index": s.index, "content_block": start})
	for _, d := range deltas {
		s.send("content_block_delta", object{"index": s.index, "delta": d})
	}
	s.send("content_block_stop", object{"index": s.index})
	s.index++
}

func deltas(kind, field string, parts []string) []object {
	all := make([]object, 0, len(parts))
	for _, p := range parts {
		all = append(all, object{"type": kind, field: p})
	}
	return all
}

// anthropicError is the body of an error; the types are those of the
// provider's page on errors.
func anthropicError(status int, message string) []byte {
	kind := map[int]string{
		400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
		404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 504: "timeout_error", 529: "overloaded_error",
	}[status]
	switch {
	case kind == "" && status < 500:
		kind = "invalid_request_error"
	case kind == "":
		kind = "api_error"
	}
	return encode(object{"type": "error", "error": object{"type": kind, "message": message}, "request_id": nextID("req_fake")})
}
