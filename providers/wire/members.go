package wire

import (
	"strings"

	"github.com/tidwall/gjson"
)

// Members gives f the members of the object that a document is, each value as
// it stands, until f says false or the text is no JSON any more. It looks into
// no value, which makes it several times as fast as a parser.
func Members(doc string, f func(name, value string) bool) {
	i := afterSpace(doc, 0)
	if i == len(doc) || doc[i] != '{' {
		return
	}
	for {
		i = afterSpace(doc, i+1)
		end := afterString(doc, i)
		if end == 0 {
			return
		}
		name := doc[i+1 : end-1]
		i = afterSpace(doc, end)
		if i == len(doc) || doc[i] != ':' {
			return
		}
		i = afterSpace(doc, i+1)
		if end = afterValue(doc, i); end == 0 {
			return
		}
		if strings.IndexByte(name, '\\') >= 0 {
			name = gjson.Parse(`"` + name + `"`).Str
		}
		if !f(name, doc[i:end]) {
			return
		}
		i = afterSpace(doc, end)
		if i == len(doc) || doc[i] != ',' {
			return
		}
	}
}

// Whole reads a number that is not negative and has no fraction, as gjson
// would; what is none is 0.
func Whole(value string) (n int64) {
	if len(value) == 0 || len(value) > 18 {
		return max(0, gjson.Parse(value).Int())
	}
	for i := range len(value) {
		d := value[i] - '0'
		if d > 9 {
			return max(0, gjson.Parse(value).Int())
		}
		n = n*10 + int64(d)
	}
	return n
}

func afterSpace(doc string, i int) int {
	for i < len(doc) && (doc[i] == ' ' || doc[i] == '\n' || doc[i] == '\r' || doc[i] == '\t') {
		i++
	}
	return i
}

// afterString is where the string at i has ended; 0: there is none.
func afterString(doc string, i int) int {
	if i >= len(doc) || doc[i] != '"' {
		return 0
	}
	for from := i + 1; ; {
		quote := strings.IndexByte(doc[from:], '"')
		if quote < 0 {
			return 0
		}
		quote += from
		escapes := 0
		for doc[quote-1-escapes] == '\\' { // the opening quote stops it
			escapes++
		}
		if from = quote + 1; escapes%2 == 0 {
			return from
		}
	}
}

// afterValue is where the value at i has ended; 0: there is none.
func afterValue(doc string, i int) int {
	if i == len(doc) {
		return 0
	}
	switch doc[i] {
	case '"':
		return afterString(doc, i)
	case '{', '[':
		return afterNested(doc, i)
	}
	from := i
	for i < len(doc) {
		switch doc[i] {
		case ',', '}', ']', ' ', '\n', '\r', '\t':
			if i == from {
				return 0
			}
			return i
		}
		i++
	}
	return 0
}

// Value is what gjson makes of a member's value, sooner where that is a string
// without escapes.
func Value(value string) gjson.Result {
	if n := len(value); n >= 2 && value[0] == '"' && strings.IndexByte(value, '\\') < 0 {
		return gjson.Result{Type: gjson.String, Raw: value, Str: value[1 : n-1]}
	}
	return gjson.Parse(value)
}

// afterNested is where the object or array at i has ended; 0: it has not.
func afterNested(doc string, i int) int {
	for depth := 0; i < len(doc); i++ {
		switch doc[i] {
		case '"':
			end := afterString(doc, i)
			if end == 0 {
				return 0
			}
			i = end - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}
