package gateway

import (
	"encoding/json"
	"reflect"
	"testing"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// Nothing that a copy of a request holds is in memory of the request's own.
func TestDeepCopy(t *testing.T) {
	body := []byte("abcdef")
	text, limit := wire.View(body), int64(7)
	from := &schema.ChatRequest{Model: text, Stop: []string{text}, MaxTokens: &limit, Metadata: map[string]string{text: text}, LogitBias: body,
		Messages: []schema.Message{{Role: text, Parts: []schema.Part{{Text: text, Media: &schema.Media{URL: text}, Raw: body}},
			ToolCalls: []schema.ToolCall{{ID: text, Function: schema.FunctionCall{Name: text}}}}},
		Tools: []schema.Tool{{Name: text, Parameters: body}}, ResponseFormat: &schema.ResponseFormat{Schema: body}}
	from.Extra = map[string]json.RawMessage{"x": body}
	want := deepCopy(from)
	if !reflect.DeepEqual(from, want) {
		t.Fatalf("%+v, not %+v", want, from)
	}
	copy(body, "zzzzzz")
	limit = 9
	own := []byte("abcdef")
	for name, s := range map[string]string{"model": want.Model, "stop": want.Stop[0], "metadata": want.Metadata["abcdef"], "bias": string(want.LogitBias),
		"role": want.Messages[0].Role, "text": want.Messages[0].Parts[0].Text, "media": want.Messages[0].Parts[0].Media.URL,
		"raw": string(want.Messages[0].Parts[0].Raw), "call": want.Messages[0].ToolCalls[0].Function.Name, "tool": want.Tools[0].Name,
		"parameters": string(want.Tools[0].Parameters), "schema": string(want.ResponseFormat.Schema), "extra": string(want.Extra["x"])} {
		if s != string(own) {
			t.Errorf("%s is %q now", name, s)
		}
	}
	if *want.MaxTokens != 7 {
		t.Errorf("max_tokens is %d now", *want.MaxTokens)
	}
	var none *schema.ChatRequest
	if deepCopy(none) != nil {
		t.Error("a copy of nothing is something")
	}
}

// What is not exported cannot be copied: no request may have any.
func TestRequestsCanBeCopied(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var look func(at reflect.Type)
	look = func(at reflect.Type) {
		if seen[at] {
			return
		}
		seen[at] = true
		switch at.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array:
			look(at.Elem())
		case reflect.Map:
			look(at.Key())
			look(at.Elem())
		case reflect.Struct:
			for f := range at.Fields() {
				if !f.IsExported() {
					t.Errorf("%s.%s is not exported", at, f.Name)
				}
				look(f.Type)
			}
		}
	}
	for _, v := range []any{schema.ChatRequest{}, schema.EmbedRequest{}, schema.RerankRequest{}, schema.Head{}} {
		look(reflect.TypeOf(v))
	}
}

// The bytes of requests are bounded as their number is.
func TestRoomForShadows(t *testing.T) {
	var s shadows
	for range 8 {
		if !s.enter(mostShadowBytes / 8) {
			t.Fatal("there is no room")
		}
	}
	if s.enter(1) {
		t.Error("there is room for more bytes")
	}
	s.leave(mostShadowBytes / 8)
	if !s.enter(1) || s.enter(mostShadowBytes/8) {
		t.Error("what has ended takes room, or too little is left")
	}
}
