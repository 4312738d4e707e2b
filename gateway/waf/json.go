package waf

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// deepest is how far into nested values it is looked.
const deepest = 32

// prose are the fields at the top of a request to a model in which people write:
// of OpenAI's, Anthropic's, Gemini's, Cohere's and Ollama's APIs.
var prose = map[string]bool{"messages": true, "prompt": true, "input": true, "instructions": true, "system": true, "suffix": true,
	"contents": true, "system_instruction": true, "systemInstruction": true, "tools": true, "documents": true, "chat_history": true}

// isJSON tells whether a body, or the beginning of one, is an object or a list
// in JSON, whatever its headers say: its reader may not look at these.
func isJSON(body []byte, cut bool) bool {
	body = bytes.TrimLeft(body, " \t\r\n")
	return len(body) > 0 && (body[0] == '{' || body[0] == '[') && (cut || gjson.ValidBytes(body))
}

// addValues gives each value of a body, by its path, to add: but for numbers and
// words of JSON, and for prose.
func addValues(body []byte, add func(name, value string)) {
	w := walker{add: add, name: append(make([]byte, 0, 128), "json"...)}
	root := gjson.ParseBytes(body)
	if root.IsArray() {
		w.walk(root, 1)
		return
	}
	root.ForEach(func(key, value gjson.Result) bool {
		if !prose[key.Str] {
			w.below(key.Str, value, 1)
		}
		return true
	})
}

// isSentence tells whether a value reads as a text: several words, of which the
// first is none of a query, and no signs of one that speaks to a machine.
func isSentence(value string) bool {
	if strings.ContainsAny(value, "=<>`\\|#*%${}") || strings.Contains(value, "--") || strings.Contains(value, "';") {
		return false
	}
	words := strings.Fields(value)
	if len(words) < 6 {
		return false
	}
	for _, w := range words {
		if len(w) > 30 || strings.Trim(w, "'\"") == "" {
			return false
		}
	}
	first := words[0][0]
	return first >= 'A' && first <= 'Z' || first >= 'a' && first <= 'z' || first >= 0x80
}

type walker struct {
	add  func(name, value string)
	name []byte // of the value
}

// below walks a value under a key of the one that the walker is at.
func (w *walker) below(key string, value gjson.Result, depth int) {
	length := len(w.name)
	w.name = append(append(w.name, '.'), key...)
	w.walk(value, depth)
	w.name = w.name[:length]
}

func (w *walker) walk(value gjson.Result, depth int) {
	switch {
	case value.IsObject() && depth < deepest:
		value.ForEach(func(key, v gjson.Result) bool {
			w.below(key.Str, v, depth+1)
			return true
		})
	case value.IsArray() && depth < deepest:
		i := 0
		value.ForEach(func(_, v gjson.Result) bool {
			w.below(strconv.Itoa(i), v, depth+1)
			i++
			return true
		})
	case value.Type == gjson.String:
		w.add(string(w.name), value.Str)
	case value.Type == gjson.JSON: // too deep: as it is written
		w.add(string(w.name), value.Raw)
	}
}
