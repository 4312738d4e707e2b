package openai

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
)

// A request of another dialect keeps to what OpenAI's API takes.
func TestForeignRequestsFit(t *testing.T) {
	document := func(mime, data, title string) schema.Part {
		return schema.Part{Type: schema.PartDocument, Media: &schema.Media{MIME: mime, Data: base64.StdEncoding.EncodeToString([]byte(data)), Filename: title}}
	}
	req := &schema.ChatRequest{
		Dialect: "anthropic", Model: "m", User: strings.Repeat("u", 65), Stop: []string{"1", "2", "3", "4", "5"},
		Reasoning: &schema.Reasoning{Effort: "max"},
		Messages: []schema.Message{
			{Role: schema.RoleUser, Parts: []schema.Part{document("text/plain", "words", "T"), document("text/plain", "more", ""), document("application/pdf", "%PDF-", "")}},
			{Role: schema.RoleTool, ToolCallID: "a", IsError: true, Parts: schema.TextParts("no such file")},
			{Role: schema.RoleTool, ToolCallID: "b", IsError: true, Parts: schema.TextParts("<error>x</error>")},
			{Role: schema.RoleTool, ToolCallID: "c", Parts: schema.TextParts("fine")},
		},
	}
	up, err := Quirks{MaxTokensField: "max_tokens"}.encodeRequest(req)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"messages.0.content.0.text": "T\n\nwords", "messages.0.content.1.text": "more", "messages.0.content.2.type": "file",
		"messages.1.content": "Error: no such file", "messages.2.content": "<error>x</error>", "messages.3.content": "fine",
		"stop.#": "4", "reasoning_effort": "high",
	} {
		if got := gjson.GetBytes(up.Body, path).String(); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	if user := gjson.GetBytes(up.Body, "user").Str; len(user) != 64 || user == req.User[:64] {
		t.Errorf("the user is %q", user)
	}
	if !slices.Equal(up.Dropped, []string{"stop"}) {
		t.Errorf("dropped are %q", up.Dropped)
	}
	if req.Reasoning.Effort != "max" || len(req.Stop) != 5 || len(req.Messages[1].Parts) != 1 {
		t.Error("the request was changed")
	}
}
