// Package lenient finds the JSON in what a model answered.
//
// Models wrap JSON in code fences and prose, leave a comma at the end, add
// comments, quote with single quotes, leave keys unquoted, write True and
// None, and put raw line breaks into strings. All of that is read; what is
// ambiguous or cut short is not guessed at.
package lenient

import (
	"encoding/json"
	"strings"

	"sluice/prompts/ordered"
)

// maxTries bounds how many places of a text are tried.
const maxTries = 64

// Values are the JSON values that a text may mean, the likeliest first:
// the whole text, the contents of its code fences, then every object or list
// in it from front to back. A text that is strict JSON means only itself.
// Values are ordered values; of a key given twice, the last counts.
func Values(text string) []any {
	text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	if json.Valid([]byte(text)) {
		if v, err := ordered.Decode([]byte(text)); err == nil {
			return []any{v}
		}
		return nil // nested too deep
	}
	var out []any
	if v, end, ok := parse(text, 0); ok && strings.TrimSpace(text[end:]) == "" {
		return []any{v}
	}
	rest := text
	for range maxTries {
		inside, after, ok := fence(rest)
		if !ok {
			break
		}
		if v, end, ok := parse(inside, 0); ok && strings.TrimSpace(inside[end:]) == "" {
			out = append(out, v)
		}
		rest = after
	}
	for from, tries := 0, 0; tries < maxTries; tries++ {
		i := strings.IndexAny(text[from:], "{[")
		if i < 0 {
			break
		}
		from += i
		if v, end, ok := parse(text, from); ok {
			out = append(out, v)
			from = end
			continue
		}
		from++
	}
	return out
}

// fence takes the contents of the first code fence off a text.
func fence(text string) (inside, after string, ok bool) {
	_, rest, ok := strings.Cut(text, "```")
	if !ok {
		return "", "", false
	}
	if i := strings.IndexAny(rest, "\n{["); i >= 0 && !strings.Contains(rest[:i], "`") {
		rest = rest[i:] // what stands here is the language
	}
	inside, after, ok = strings.Cut(rest, "```")
	return inside, after, ok
}
