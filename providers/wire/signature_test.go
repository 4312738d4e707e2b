package wire

import (
	"strings"
	"testing"
)

func TestSignCall(t *testing.T) {
	for signature, id := range map[string]string{
		"": "call_1", "Cq+/AA==": "call_1__ts_Cq-_AA", "Cq-_AA==": "call_1__tu_Cq-_AA", "AAAA": "call_1__ts_AAAA",
		"skip_thought_signature_validator": "call_1__tu_skip_thought_signature_validator", "no base64": "call_1",
		"+-": "call_1", strings.Repeat("A", maxCallSignature+4): "call_1",
	} {
		signed := SignCall("call_1", signature)
		if signed != id {
			t.Errorf("%q gives %q, want %q", signature, signed, id)
		}
		plain, back := SplitCall(signed)
		if plain != "call_1" || signed != "call_1" && back != signature {
			t.Errorf("%q came apart as %q and %q, want %q", signed, plain, back, signature)
		}
		if SignedCalls([]byte(signed)) != (signed != "call_1") {
			t.Errorf("SignedCalls is wrong of %q", signed)
		}
	}
	if got := SignCall("a__ts_b", "AAAA"); got != "a__ts_b" {
		t.Errorf("an id that looks signed became %q", got)
	}
	if s, ok := UnmarkGemini(MarkGemini("AAAA")); s != "AAAA" || !ok {
		t.Errorf("the mark came off as %q, %v", s, ok)
	}
	if _, ok := UnmarkGemini("AAAA"); ok {
		t.Error("another's signature is taken for Gemini's")
	}
}
