package wire

import (
	"bytes"
	"strings"
)

// A tool call has one field that every client of every dialect sends back
// unchanged: its id. Gemini signs its calls and wants the signature back, so
// it travels in the id: "call_x__ts_" and the signature in base64url without
// padding, or "__tu_" where it was base64url
// from the start.
const (
	markStd = "__ts_"
	markURL = "__tu_"
	// maxCallSignature bounds what an id may carry; a longer signature is left
	// out, which the API forgives where its absence is marked.
	maxCallSignature = 16 << 10
)

var (
	toURL = strings.NewReplacer("+", "-", "/", "_", "=", "")
	toStd = strings.NewReplacer("-", "+", "_", "/")
)

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// SignCall puts a call's signature, which is base64, into its id.
func SignCall(id, signature string) string {
	if signature == "" || len(signature) > maxCallSignature || strings.Contains(id, markStd) || strings.Contains(id, markURL) {
		return id
	}
	switch {
	case madeOf(signature, letters+"+/="):
		return id + markStd + toURL.Replace(signature)
	case madeOf(signature, letters+"-_="):
		return id + markURL + strings.TrimRight(signature, "=")
	}
	return id
}

// SplitCall takes the signature out of an id that SignCall made: the id as it
// was and the signature as it was, padded, or the id alone.
func SplitCall(id string) (plain, signature string) {
	std, url := strings.Index(id, markStd), strings.Index(id, markURL)
	switch {
	case std >= 0 && (url < 0 || std < url):
		return id[:std], padded(toStd.Replace(id[std+len(markStd):]))
	case url >= 0:
		return id[:url], padded(id[url+len(markURL):])
	}
	return id, ""
}

func padded(base64 string) string {
	if rest := len(base64) % 4; rest > 1 {
		base64 += "==="[:4-rest]
	}
	return base64
}

func madeOf(s, set string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(set, r) })
}

// SignedCalls tells whether a body holds ids that SignCall made: to a provider
// that did not sign them it goes translated, for some refuse ids so long.
func SignedCalls(body []byte) bool {
	return bytes.Contains(body, []byte(markStd)) || bytes.Contains(body, []byte(markURL))
}

// The marks begin the signature of a thinking part that is not Anthropic's:
// base64 of "gemini" and of "openai", so that the whole stays base64. OpenAI's
// is the encrypted_content of the Responses API.
const (
	geminiMark = "Z2VtaW5p"
	openaiMark = "b3BlbmFp"
)

// MarkGemini marks a thinking part's signature as Gemini's. Other models must
// not be shown it, nor Gemini theirs: each refuses what it did not sign.
func MarkGemini(signature string) string { return geminiMark + signature }

// UnmarkGemini takes the mark off; ok is false for a signature of others.
func UnmarkGemini(marked string) (signature string, ok bool) {
	return strings.CutPrefix(marked, geminiMark)
}

// MarkOpenAI marks a thinking part's signature as OpenAI's.
func MarkOpenAI(signature string) string { return openaiMark + signature }

// UnmarkOpenAI takes the mark off; ok is false for a signature of others.
func UnmarkOpenAI(marked string) (signature string, ok bool) {
	return strings.CutPrefix(marked, openaiMark)
}

// Anthropics tells whether a thinking part's signature may be Anthropic's: it
// is there, and nobody else's mark is on it.
func Anthropics(signature string) bool {
	return signature != "" && !strings.HasPrefix(signature, geminiMark) && !strings.HasPrefix(signature, openaiMark)
}
