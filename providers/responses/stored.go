package responses

import (
	"encoding/json"
	"slices"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// Stored is what must be kept of an answer so that a later request can go on
// from it: all the items of its conversation, in order. Instructions are not
// among them: the API does not carry them over (guide on conversation state).
type Stored struct {
	ID    string            // of the response
	Items []json.RawMessage // the input's, earlier ones first, then the output's
}

// NewStored makes what is to be kept of an answer. request is the body that was
// answered, after Continue; response is the whole response object. What is kept
// holds no memory of theirs. An answer that failed, or is none, is an Error of
// class invalid_output.
func NewStored(request, response []byte) (Stored, error) {
	var s Stored
	if !wire.Valid(response) {
		return s, wire.NotAnswer("the answer is not valid JSON")
	}
	root := gjson.ParseBytes(response)
	if err := fault(root); err != nil {
		return s, err
	}
	input, err := inputItems(request)
	if err != nil {
		return s, err
	}
	s = Stored{ID: root.Get("id").Str, Items: input}
	wire.Each(root.Get("output"), func(item gjson.Result) { s.Items = append(s.Items, json.RawMessage(item.Raw)) })
	return s, nil
}

// InputOf is the items that a kept response answers, each with an id and in the
// API's whole form, as it lists them.
func InputOf(s Stored, response []byte) []json.RawMessage {
	made := int(gjson.GetBytes(response, "output.#").Int())
	items := slices.Clone(s.Items[:max(len(s.Items)-made, 0)])
	for i, item := range items {
		items[i] = listed(item, itemID("item", responseID(s.ID), i))
	}
	return items
}

// listed is an item as the API lists it: what a request may leave out is there.
func listed(item json.RawMessage, id string) json.RawMessage {
	v := gjson.ParseBytes(item)
	set := func(name, raw string) {
		if out, err := sjson.SetRawBytes(item, name, []byte(raw)); err == nil {
			item = out
		}
	}
	if v.Get("type").Str == "" {
		set("type", `"`+itemMessage+`"`)
	}
	if v.Get("id").Str == "" {
		set("id", string(wire.AppendString(nil, id)))
	}
	if text := v.Get("content"); text.Type == gjson.String {
		kind := "input_text"
		if v.Get("role").Str == schema.RoleAssistant {
			kind = "output_text"
		}
		set("content", `[{"type":"`+kind+`","text":`+text.Raw+`}]`)
	}
	return item
}

// PreviousOf is the id of the response that a request goes on from, or "".
func PreviousOf(raw []byte) string { return gjson.GetBytes(raw, "previous_response_id").Str }

// Continue makes a request whole that names prev as its previous response: its
// input is the conversation so far and what it adds, and it names no previous
// response any more. All else stays as it is.
//
// The items of OpenAI's own answers name each other by ids that only the
// account knows that made them. Without ids they stand for themselves, as long
// as reasoning is encrypted; reasoning that is not is left out.
func Continue(prev Stored, raw []byte) ([]byte, error) {
	added, err := inputItems(raw)
	if err != nil {
		return nil, err
	}
	input := []byte{'['}
	for _, item := range prev.Items {
		if item = portable(item); item != nil {
			input = append(wire.AppendComma(input), item...)
		}
	}
	for _, item := range added {
		input = append(wire.AppendComma(input), item...)
	}
	out, err := sjson.DeleteBytes(raw, "previous_response_id")
	if err == nil {
		out, err = sjson.SetRawBytes(out, "input", append(input, ']'))
	}
	if err != nil {
		return nil, schema.Invalid("previous_response_id", "cannot continue response %q: %v", prev.ID, err)
	}
	return out, nil
}

// inputItems are the items of a request's input; a string is a user's message.
func inputItems(raw []byte) ([]json.RawMessage, error) {
	if !wire.Valid(raw) {
		return nil, schema.Invalid("", "the body is not valid JSON")
	}
	switch input := gjson.GetBytes(raw, "input"); {
	case !input.Exists(), input.Type == gjson.Null:
		return nil, nil
	case input.Type == gjson.String:
		return []json.RawMessage{json.RawMessage(`{"type":"message","role":"user","content":` + input.Raw + `}`)}, nil
	case input.IsArray():
		var out []json.RawMessage
		wire.Each(input, func(item gjson.Result) { out = append(out, json.RawMessage(item.Raw)) })
		return out, nil
	}
	return nil, schema.Invalid("input", "input must be a string or an array of items")
}

// portable is an item without what only its maker knows; nil where nothing is
// left.
func portable(item json.RawMessage) json.RawMessage {
	v := gjson.ParseBytes(item)
	kind := v.Get("type").Str
	switch kind {
	case itemMessage, itemCall, itemCustom, itemReasoning:
	case "item_reference":
		return nil
	default:
		return item
	}
	if kind == itemReasoning && v.Get("encrypted_content").Str == "" {
		if joined(v.Get("content")) == "" {
			return nil
		}
		return item // of a host that keeps nothing
	}
	b := []byte{'{'}
	v.ForEach(func(key, v gjson.Result) bool {
		if key.Str != "id" && key.Str != "status" {
			b = append(wire.AppendString(wire.AppendComma(b), key.Str), ':')
			b = append(b, v.Raw...)
		}
		return true
	})
	return append(b, '}')
}

// FinalResponse is the response object in the last event of a stream, which
// holds the whole answer, or nil: frame is another event, or one of a failure.
// It is part of frame where the event has one line of data.
func FinalResponse(frame []byte) []byte {
	_, data, ok := wire.Event(frame)
	if !ok {
		data, _ = wire.JoinData(nil, frame)
	}
	v := gjson.Parse(wire.View(data))
	switch v.Get("type").Str {
	case eventCompleted, eventIncomplete:
		if r := v.Get("response"); r.IsObject() && wire.Valid(data) {
			return data[r.Index : r.Index+len(r.Raw)]
		}
	}
	return nil
}
