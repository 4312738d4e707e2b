package gemini

import (
	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

const (
	// redactedMark begins the thoughtSignature of a part that holds another
	// model's redacted thinking: base64 of "redacted:".
	redactedMark = "cmVkYWN0ZWQ6"
	// noSignature is what the API takes for the signature of a function call
	// that the model did not make, or whose signature is lost (page
	// thought-signatures, FAQ).
	noSignature = "skip_thought_signature_validator"
)

// own takes the mark off a signature of Gemini's; others are "".
func own(signature string) string {
	sig, ok := wire.UnmarkGemini(signature)
	if !ok {
		return ""
	}
	return sig
}

// callSignature is the signature of a call that the model made earlier: from
// its id, or from where Google's OpenAI-compatible endpoint puts it.
func callSignature(m *schema.Message, id string) (plain, signature string) {
	plain, signature = wire.SplitCall(id)
	if signature == "" && m.CallExtra != nil {
		signature = gjson.GetBytes(m.CallExtra[id], "extra_content.google.thought_signature").Str
	}
	return plain, signature
}
