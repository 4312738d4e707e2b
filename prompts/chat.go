package prompts

import (
	"fmt"
	"maps"
	"slices"

	"sluice/prompts/ordered"
	"sluice/providers/schema"
)

// ChatRequest is the rendering as a request for a model: roles and parts in
// the unified vocabulary, the config under its own names, the tools, and the
// answer's JSON Schema. Marks of sections are left out. The request may be
// changed freely; Model is empty if the file names none.
func (r *Rendered) ChatRequest() (*schema.ChatRequest, error) {
	if r.invalid != nil {
		return nil, r.invalid
	}
	req := *r.request
	req.Tools = slices.Clone(req.Tools)
	req.Stop = slices.Clone(req.Stop)
	req.Extra = maps.Clone(req.Extra)
	req.Metadata = maps.Clone(req.Metadata)
	req.Messages = make([]schema.Message, 0, len(r.Messages))
	for _, m := range r.Messages {
		if err := appendMessage(&req, m); err != nil {
			return nil, fmt.Errorf("cannot use a part of a %s message: %w", m.Role, err)
		}
	}
	return &req, nil
}

// appendMessage adds one message; a tool message becomes one for each answer
// in it.
func appendMessage(req *schema.ChatRequest, m Message) error {
	out := schema.Message{Role: m.Role}
	if m.Role == "model" {
		out.Role = schema.RoleAssistant
	}
	var answers []schema.Message
	for _, p := range m.Content {
		switch {
		case p.Media != nil:
			part, err := mediaPart(p.Media)
			if err != nil {
				return err
			}
			out.Parts = append(out.Parts, part)
		case p.Other != nil:
			if call, ok := object(p.Other, "toolRequest"); ok {
				out.ToolCalls = append(out.ToolCalls, toolCall(call))
			} else if answer, ok := object(p.Other, "toolResponse"); ok {
				answers = append(answers, toolAnswer(answer))
			} else {
				return fmt.Errorf("a part of kind %q is not understood", p.Other[0].Key)
			}
		case p.Text != "":
			out.Parts = append(out.Parts, schema.Part{Type: schema.PartText, Text: p.Text})
		}
	}
	if m.Role == "tool" && len(out.Parts) > 0 {
		return fmt.Errorf("a tool message holds toolResponse parts only")
	}
	req.Messages = append(req.Messages, answers...)
	if len(out.Parts) > 0 || len(out.ToolCalls) > 0 {
		req.Messages = append(req.Messages, out)
	}
	return nil
}

func object(o ordered.Object, key string) (ordered.Object, bool) {
	v, _ := o.Get(key)
	inner, ok := v.(ordered.Object)
	return inner, ok
}

// toolID is the reference of a tool's call; a call without one goes by the
// tool's name.
func toolID(o ordered.Object) (id, name string) {
	n, _ := o.Get("name")
	name, _ = n.(string)
	ref, _ := o.Get("ref")
	if id, _ = ref.(string); id == "" {
		id = name
	}
	return id, name
}

func toolCall(o ordered.Object) schema.ToolCall {
	id, name := toolID(o)
	input, ok := o.Get("input")
	if !ok || input == nil {
		input = ordered.Object{}
	}
	return schema.ToolCall{ID: id, Type: schema.ToolTypeFunction,
		Function: schema.FunctionCall{Name: name, Arguments: jsonText(input)}}
}

func toolAnswer(o ordered.Object) schema.Message {
	id, name := toolID(o)
	output, _ := o.Get("output")
	text, ok := output.(string)
	if !ok {
		text = jsonText(output)
	}
	return schema.Message{Role: schema.RoleTool, Name: name, ToolCallID: id, Parts: schema.TextParts(text)}
}
