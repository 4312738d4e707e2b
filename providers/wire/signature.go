package wire

import "strings"

// A tool call has one field that every client of every dialect sends back
// unchanged: its id. Gemini signs its calls and wants the signature back, so
// it travels in the id: "call_x__ts_" and the signature in base64url without
// padding, or "__tu_" where it was base64url from the start.
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
	case madeOf(signature, letters+"-_"):
		return id + markURL + signature
	}
	return id
}

// SplitCall takes the signature out of an id that SignCall made: the id as it
// was and the signature as it was, or the id alone.
func SplitCall(id string) (plain, signature string) {
	std, url := strings.Index(id, markStd), strings.Index(id, markURL)
	switch {
	case std >= 0 && (url < 0 || std < url):
		signature = toStd.Replace(id[std+len(markStd):])
		if rest := len(signature) % 4; rest > 1 {
			signature += "==="[:4-rest]
		}
		return id[:std], signature
	case url >= 0:
		return id[:url], id[url+len(markURL):]
	}
	return id, ""
}

func madeOf(s, set string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(set, r) })
}
