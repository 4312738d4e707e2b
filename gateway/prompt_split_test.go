package gateway

import (
	"strings"
	"testing"

	"sluice/prompts"
	"sluice/providers/schema"
)

// split makes version 2 of the prompt label and shares its calls.
func (e *edge) split(second string, shares map[int]int) {
	e.t.Helper()
	if _, _, err := e.prompts.Publish(e.t.Context(), prompts.Publication{Name: "label", Source: []byte(second)}); err != nil {
		e.t.Fatal(err)
	}
	if err := e.store.SetSplit(e.t.Context(), "label", shares); err != nil {
		e.t.Fatal(err)
	}
	if err := e.prompts.Refresh(e.t.Context()); err != nil {
		e.t.Fatal(err)
	}
}

func TestSplitServesItsVersions(t *testing.T) {
	e := newEdge(t, twoPrompts)
	e.model.say = func(int, *schema.ChatRequest) (string, error) { return `{"label":"x"}`, nil }
	e.split(strings.Replace(labelPrompt, "Label it", "Label it well", 1), map[int]int{1: 1})
	served := func(a reply) string { return a.header.Get("X-Sluice-Prompt") }
	for name, c := range map[string]struct {
		path, header, value, want string
	}{
		"bare path":  {"/label", "X-Other", "1", "label@1"}, // although production is 2
		"by path":    {"/label@2", "X-Other", "1", "label@2"},
		"by version": {"/label", "X-Prompt-Version", "2", "label@2"},
		"by label":   {"/label", "X-Prompt-Label", "production", "label@2"},
	} {
		if a := e.call("POST", c.path, `{"text":"a"}`, c.header, c.value); a.status != 200 || served(a) != c.want {
			t.Errorf("%s: %d %s, want %s", name, a.status, served(a), c.want)
		}
	}
	if a := e.call("POST", "/v1/chat/completions", chatBody("prompt/label", "x", "")); served(a) != "label@1" {
		t.Errorf("as a model: %s", served(a))
	}
	if a := e.call("POST", "/v1/chat/completions", chatBody("prompt/label@2", "x", "")); served(a) != "label@2" {
		t.Errorf("as a model with a version: %s", served(a))
	}
	if a := e.call("POST", "/label", `[{"text":"a"},{"text":"b"}]`); a.status != 200 || served(a) != "label@1" {
		t.Errorf("an array: %d %s", a.status, served(a))
	}
	for _, en := range e.recorded()[:1] {
		if en.Version == 0 {
			t.Errorf("entry without a version: %+v", en)
		}
	}
}

// A version that fewer may call is not opened by a split.
func TestSplitKeepsAccess(t *testing.T) {
	public := strings.Replace(labelPrompt, "sluice.path", "sluice.access: public\nsluice.path", 1)
	e := newEdge(t, map[string]string{"label": labelPrompt})
	e.split(public, map[int]int{1: 1})
	if a := e.call("POST", "/label", `{"text":"a"}`, "Authorization", "none"); a.status != 401 {
		t.Errorf("a version for keys, without one: %d %s", a.status, a.body)
	}
	if a := e.call("POST", "/label", `{"text":"a"}`); a.status != 200 || a.header.Get("X-Sluice-Prompt") != "label@1" {
		t.Errorf("with one: %d %s", a.status, a.body)
	}
}
