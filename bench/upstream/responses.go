package upstream

import (
	"encoding/json"

	"github.com/tidwall/gjson"
)

var responsesFormat = format{
	name: "responses", read: readResponses, body: responsesBody, frames: responsesFrames, stream: events, fault: openaiError,
	key: openaiFormat.key, check: openaiFormat.check, strict: strictResponses,
}

// encrypted is the content of the fake's reasoning, which it alone can read.
const encrypted = "ZW5jcnlwdGVkIHJlYXNvbmluZw=="

// readResponses reads a request to create a response.
func readResponses(_, body string) (a ask, ok bool) {
	root := gjson.Parse(body)
	a.model, a.stream, a.usage = root.Get("model").String(), root.Get("stream").Bool(), true
	a.max = int(root.Get("max_output_tokens").Int())
	a.words = wordCount(root.Get("instructions").String())
	a.messages = root.Get("input")
	if a.messages.Type == gjson.String {
		a.messages = gjson.Parse(string(encode([]object{{"role": "user", "content": a.messages.String()}})))
	}
	root.Get("tools").ForEach(func(_, t gjson.Result) bool {
		if t.Get("type").String() == "function" {
			a.tools = append(a.tools, tool{t.Get("name").String(), t.Get("parameters")})
		}
		return true
	})
	a.readChoice(root.Get("tool_choice"), "name")
	if a.choice == "auto" || a.choice == "required" {
		a.choice = ""
	}
	a.single = root.Get("parallel_tool_calls").Raw == "false"
	a.schema = root.Get("text.format.schema")
	a.metadata = json.RawMessage("{}")
	if m := root.Get("metadata"); m.IsObject() {
		a.metadata = json.RawMessage(m.Raw)
	}
	a.thinking = root.Get("reasoning.effort").Exists() && root.Get("reasoning.effort").String() != "none"
	return a, root.IsObject() && a.model != ""
}

// strictResponses wants a call for every output, an output for every call, and
// reasoning that is its own.
func strictResponses(a *ask) (fault string) {
	open := map[string]bool{}
	a.messages.ForEach(func(_, m gjson.Result) bool {
		id := m.Get("call_id").String()
		switch m.Get("type").String() {
		case "function_call":
			open[id] = true
		case "function_call_output":
			if !open[id] {
				fault = "No tool call found for function call output with call_id " + id + "."
			}
			delete(open, id)
		case "reasoning":
			if e := m.Get("encrypted_content"); e.Exists() && e.Type != gjson.Null && e.String() != encrypted {
				fault = "The encrypted content could not be verified."
			}
		}
		return fault == ""
	})
	for id := range open {
		if fault == "" {
			fault = "No tool output found for function call " + id + "."
		}
	}
	return fault
}

func (r *answer) responsesUsage() object {
	reasoning := 0
	if r.think != "" {
		reasoning = thoughts
	}
	return object{
		"input_tokens": r.in, "output_tokens": r.out + reasoning, "total_tokens": r.in + r.out + reasoning,
		"input_tokens_details": object{"cached_tokens": 0}, "output_tokens_details": object{"reasoning_tokens": reasoning},
	}
}

// items are the output.
func (r *answer) items() []object {
	items := []object{}
	if r.think != "" {
		items = append(items, object{"type": "reasoning", "id": nextID("rs_fake"), "encrypted_content": encrypted,
			"summary": []object{{"type": "summary_text", "text": r.think}}})
	}
	if len(r.pieces) > 0 {
		items = append(items, object{"type": "message", "id": nextID("msg_fake"), "role": "assistant", "status": "completed",
			"content": []object{{"type": "output_text", "text": r.text(), "annotations": []object{}, "logprobs": []object{}}}})
	}
	for _, c := range r.calls {
		items = append(items, object{"type": "function_call", "id": nextID("fc_fake"), "call_id": c.id, "name": c.name, "arguments": c.args, "status": "completed"})
	}
	return items
}

func (r *answer) response(a *ask, id string, items []object) object {
	status, details := "completed", any(nil)
	if r.cut {
		status, details = "incomplete", object{"reason": "max_output_tokens"}
	}
	return object{
		"id": id, "object": "response", "created_at": created, "status": status, "error": nil, "incomplete_details": details,
		"instructions": nil, "max_output_tokens": nil, "model": a.model, "output": items, "parallel_tool_calls": !a.single,
		"previous_response_id": nil, "reasoning": object{"effort": nil, "summary": nil}, "service_tier": "default", "store": true,
		"temperature": 1, "text": object{"format": object{"type": "text"}}, "tool_choice": "auto", "tools": []object{}, "top_p": 1,
		"truncation": "disabled", "usage": r.responsesUsage(), "user": nil, "metadata": a.metadata,
	}
}

// responsesBody is a response.
func responsesBody(a *ask, r *answer) []byte {
	return encode(r.response(a, nextID("resp_fake"), r.items()))
}

// responsesFrames are the events of a stream, numbered.
func responsesFrames(a *ask, r *answer) [][]byte {
	s := &responsesStream{}
	id := nextID("resp_fake")
	begun := r.response(a, id, []object{})
	begun["status"], begun["usage"], begun["incomplete_details"] = "in_progress", nil, nil
	s.send("response.created", object{"response": begun})
	s.send("response.in_progress", object{"response": begun})
	items := r.items()
	for i, item := range items {
		s.item(i, item, r)
	}
	done := r.response(a, id, items)
	s.send("response."+done["status"].(string), object{"response": done})
	return s.frames
}

type responsesStream struct {
	frames [][]byte
	n      int
}

func (s *responsesStream) send(event string, data object) {
	data["type"], data["sequence_number"] = event, s.n
	s.n++
	s.frames = append(s.frames, frame(event, encode(data)))
}

// item tells of one output item from its beginning to its end.
func (s *responsesStream) item(index int, item object, r *answer) {
	begun := object{}
	for k, v := range item {
		begun[k] = v
	}
	at := func(more object) object {
		more["item_id"], more["output_index"] = item["id"], index
		return more
	}
	added := func() {
		s.send("response.output_item.added", object{"output_index": index, "item": begun})
	}
	switch item["type"] {
	case "reasoning":
		begun["summary"] = []object{}
		added()
		part := func(text string) object { return object{"type": "summary_text", "text": text} }
		s.send("response.reasoning_summary_part.added", at(object{"summary_index": 0, "part": part("")}))
		for _, piece := range split(r.think) {
			s.send("response.reasoning_summary_text.delta", at(object{"summary_index": 0, "delta": piece}))
		}
		s.send("response.reasoning_summary_text.done", at(object{"summary_index": 0, "text": r.think}))
		s.send("response.reasoning_summary_part.done", at(object{"summary_index": 0, "part": part(r.think)}))
	case "message":
		begun["status"], begun["content"] = "in_progress", []object{}
		added()
		part := func(text string) object {
			return object{"type": "output_text", "text": text, "annotations": []object{}, "logprobs": []object{}}
		}
		s.send("response.content_part.added", at(object{"content_index": 0, "part": part("")}))
		for _, piece := range r.pieces {
			s.send("response.output_text.delta", at(object{"content_index": 0, "delta": piece, "logprobs": []object{}}))
		}
		s.send("response.output_text.done", at(object{"content_index": 0, "text": r.text(), "logprobs": []object{}}))
		s.send("response.content_part.done", at(object{"content_index": 0, "part": part(r.text())}))
	default:
		begun["status"], begun["arguments"] = "in_progress", ""
		added()
		args := item["arguments"].(string)
		for _, part := range thirds(args) {
			s.send("response.function_call_arguments.delta", at(object{"delta": part}))
		}
		s.send("response.function_call_arguments.done", at(object{"arguments": args, "name": item["name"]}))
	}
	s.send("response.output_item.done", object{"output_index": index, "item": item})
}
