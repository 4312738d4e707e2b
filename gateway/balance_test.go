package gateway

import (
	"strings"
	"testing"

	"sluice/providers"
	"sluice/providers/schema"
)

func prefixOf(body string) uint64 {
	c := Call{req: providers.Request{Raw: []byte(body)}}
	return c.prefix()
}

// A conversation has one prefix from its first turn on, in every dialect,
// whatever marks move in it while it grows; another one has another.
func TestPrefixOfGrowingConversation(t *testing.T) {
	for name, turns := range map[string][]string{
		"openai": {
			`{"model":"m","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]}`,
			`{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"Hi"}]},{"role":"assistant","content":"Hello"},{"role":"user","content":"And?"}],"model":"m"}`,
			`{"messages":[{"role":"developer","content":"Be brief."},{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"}]}`,
		},
		"anthropic": {
			`{"system":[{"type":"text","text":"Be kind.","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"text","text":"Hi","cache_control":{"type":"ephemeral"}}]}]}`,
			`{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"},{"role":"user","content":"And?"}],"system":"Be kind."}`,
		},
		"gemini": {
			`{"systemInstruction":{"parts":[{"text":"Be glad."}]},"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}`,
			`{"systemInstruction":{"parts":[{"text":"Be glad."}]},"contents":[{"parts":[{"text":"Hi"}]},{"role":"model","parts":[{"text":"Hello"}]}]}`,
		},
		"responses": {
			`{"instructions":"Be quick.","input":"Hi"}`,
			`{"instructions":"Be quick.","input":[{"role":"user","content":[{"type":"input_text","text":"Hi"}]},{"role":"assistant","content":[{"type":"output_text","text":"Hello"}]}]}`,
		},
	} {
		first := prefixOf(turns[0])
		if first == 0 {
			t.Errorf("%s: no prefix", name)
		}
		for _, turn := range turns[1:] {
			if prefixOf(turn) != first {
				t.Errorf("%s: another prefix for %s", name, turn)
			}
		}
		for _, change := range []string{"Hi", "Be "} {
			if prefixOf(strings.Replace(turns[0], change, "Well, ", 1)) == first {
				t.Errorf("%s: the same prefix without %q", name, change)
			}
		}
	}
	for _, nothing := range []string{``, `{}`, `[]`, `{"messages":[]}`, `{"messages":[{"role":"user","content":null}]}`, `{"input":7}`} {
		if prefixOf(nothing) != 0 {
			t.Errorf("%s has a prefix", nothing)
		}
	}
}

func TestPrefixOfPrompt(t *testing.T) {
	say := func(parts ...string) uint64 {
		r := &schema.ChatRequest{}
		for i, text := range parts {
			role := []string{schema.RoleSystem, schema.RoleUser, schema.RoleAssistant, schema.RoleUser}[i]
			r.Messages = append(r.Messages, schema.Message{Role: role, Parts: []schema.Part{{Type: schema.PartText, Text: text}}})
		}
		c := Call{req: providers.Request{Unified: r}}
		return c.prefix()
	}
	if say("a", "b") != say("a", "b", "c", "d") || say("a", "b") == say("a", "c") || say() != 0 {
		t.Error("a prompt's prefix is not its instructions and first message")
	}
}

// However long it is, and whatever it holds, the prefix of a body is found
// within bounds.
func FuzzPrefix(f *testing.F) {
	f.Add([]byte(`{"messages":[{"role":"system","content":"x"},{"role":"user","content":[{"text":"y"}]}]}`))
	f.Add([]byte(`{"input":[{"content":[{"content":[{"content":"z"}]}]}],"system":{"parts":[{"text":1}]}}`))
	f.Add([]byte(`{"prompt":["a","b"],"contents":"` + strings.Repeat("x", 100_000) + `"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if a, b := prefixOf(string(raw)), prefixOf(string(raw)); a != b {
			t.Errorf("%d and %d", a, b)
		}
	})
}
