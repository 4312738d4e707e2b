package wire

import (
	"testing"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
)

func TestMarks(t *testing.T) {
	for signature, anthropics := range map[string]bool{"": false, "EqQB": true, MarkGemini("EqQB"): false, MarkOpenAI("gAAA"): false} {
		if Anthropics(signature) != anthropics {
			t.Errorf("%q may be Anthropic's: %v", signature, !anthropics)
		}
	}
	if own, ok := UnmarkOpenAI(MarkOpenAI("gAAA")); own != "gAAA" || !ok {
		t.Errorf("unmarked it is %q", own)
	}
	if _, ok := UnmarkOpenAI(MarkGemini("gAAA")); ok {
		t.Error("Gemini's signature is taken for OpenAI's")
	}
}

func TestPairs(t *testing.T) {
	got := ""
	if err := Pairs("metadata", gjson.Parse(`{"a":"b","c":"d"}`), func(key, value string) { got += key + value }); err != nil || got != "abcd" {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []string{`[]`, `"x"`, `{"a":1}`} {
		if err := Pairs("metadata", gjson.Parse(bad), func(string, string) {}); schema.AsError(err).Param != "metadata" {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
