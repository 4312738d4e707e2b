package cache

import (
	"reflect"
	"testing"

	"sluice/providers/anthropic"
	"sluice/providers/dialect"
	"sluice/providers/openai"
	"sluice/providers/responses"
	"sluice/providers/schema"
	"sluice/providers/sse"
)

func whole() *schema.ChatResponse {
	return &schema.ChatResponse{ID: "x", Model: "m", Created: 7, Choices: []schema.Choice{{
		Message: schema.Message{Role: schema.RoleAssistant, Parts: []schema.Part{
			{Type: schema.PartThinking, Text: "hm", Signature: "sig"}, {Type: schema.PartThinking, Text: "so"},
			{Type: schema.PartRedactedThinking, Data: "zz"},
			{Type: schema.PartText, Text: "a", Citations: []byte(`[{"n":1},{"n":2}]`)}, {Type: schema.PartText, Text: "b"}},
			ToolCalls: []schema.ToolCall{
				{ID: "c1", Type: schema.ToolTypeFunction, Function: schema.FunctionCall{Name: "f", Arguments: `{"a":1}`}},
				{ID: "c2", Type: schema.ToolTypeFunction, Function: schema.FunctionCall{Name: "g", Arguments: `{}`}}}},
		FinishReason: "tool_calls",
	}, {Index: 1, Message: schema.Message{Role: schema.RoleAssistant, Refusal: "no"}, FinishReason: "stop"}}}
}

// What is told as chunks is what they are put together to.
func TestReplayAndGather(t *testing.T) {
	var g Gather
	if !Replay(whole(), g.Add) {
		t.Fatal("it cannot be told")
	}
	got, want := g.Whole(), whole()
	for i := range got.Choices {
		for j := range got.Choices[i].Message.ToolCalls {
			got.Choices[i].Message.ToolCalls[j].Index = nil
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if !Complete(got, false) {
		t.Error("it is complete")
	}
}

func TestWhatIsNotComplete(t *testing.T) {
	for _, c := range []struct {
		reason string
		own    bool
		want   bool
	}{{"stop", false, true}, {"length", true, true}, {"length", false, false}, {"content_filter", true, false}, {"", true, false}} {
		r := &schema.ChatResponse{Choices: make([]schema.Choice, 1)}
		reflect.ValueOf(&r.Choices[0]).Elem().FieldByName("FinishReason").SetString(c.reason)
		if got := Complete(r, c.own); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	if Complete(&schema.ChatResponse{}, true) {
		t.Error("no choice is no answer")
	}
	audio := whole()
	audio.Choices[0].Audio = []byte(`{}`)
	if Complete(audio, true) || Replay(audio, func(*schema.Chunk) {}) {
		t.Error("sounds are not kept")
	}
}

// Whatever stream a decoder takes, gathering it neither panics nor grows without
// bound.
func FuzzGather(f *testing.F) {
	for _, d := range []*dialect.Dialect{&openai.Dialect, &anthropic.Dialect, &responses.Dialect} {
		enc := d.Client.Stream(dialect.StreamOptions{ID: "x", Model: "m", WantsUsage: true})
		var b []byte
		r := whole()
		r.Choices = r.Choices[:1]
		Replay(r, func(c *schema.Chunk) { b = enc.Chunk(b, c) })
		f.Add(enc.End(b, &schema.Usage{Input: 1, Output: 2}))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, d := range []*dialect.Dialect{&openai.Dialect, &anthropic.Dialect, &responses.Dialect} {
			var g Gather
			dec := d.Chat.Stream()
			_ = sse.Events(b, func(f dialect.Frame) error {
				chunks, err := dec.Decode(f, nil)
				for i := range chunks {
					g.Add(&chunks[i])
				}
				return err
			})
			if r := g.Whole(); r != nil && len(r.Choices) > maxChoices {
				t.Errorf("%d choices", len(r.Choices))
			}
		}
	})
}
