package openai

import (
	"encoding/json"
	"maps"
	"slices"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

// understood leaves out of a request what it holds verbatim in another
// dialect's words, and names it as dropped. It gives req itself where there is
// nothing of the kind.
func understood(req *schema.ChatRequest, up *dialect.Upstream) *schema.ChatRequest {
	if req.Dialect == "" || req.Dialect == Name {
		return req
	}
	out := *req
	up.Dropped = append(up.Dropped, slices.Sorted(maps.Keys(req.Extra))...)
	out.Extra = nil
	out.Tools = slices.DeleteFunc(slices.Clone(req.Tools), func(t schema.Tool) bool { return t.Raw != nil && t.Name == "" })
	if len(out.Tools) < len(req.Tools) {
		up.Dropped = append(up.Dropped, "tools")
	}
	out.Messages = slices.Clone(req.Messages)
	lost := false
	for i := range out.Messages {
		m := &out.Messages[i]
		m.Extra = nil
		var gone bool
		m.Parts, gone = plainParts(m.Parts)
		lost = lost || gone
	}
	if lost {
		up.Dropped = append(up.Dropped, "messages.content")
	}
	return &out
}

// plainParts puts text in the place of raw parts that have it, and leaves out
// the others.
func plainParts(parts []schema.Part) (out []schema.Part, lost bool) {
	if !slices.ContainsFunc(parts, isRaw) {
		return parts, false
	}
	for _, p := range parts {
		switch {
		case !isRaw(p):
			out = append(out, p)
		case p.Text != "":
			out = append(out, schema.Part{Type: schema.PartText, Text: p.Text})
		default:
			lost = true
		}
	}
	return out, lost
}

func isRaw(p schema.Part) bool { return p.Type == schema.PartRaw }

// addExtra keeps a field that nobody knows.
func addExtra(to map[string]json.RawMessage, name, raw string) map[string]json.RawMessage {
	if to == nil {
		to = make(map[string]json.RawMessage)
	}
	to[name] = json.RawMessage(raw)
	return to
}
