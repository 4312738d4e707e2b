package guard

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"sluice/providers/wire"
)

// Redactor takes what must not be kept out of what is kept of calls: what it
// finds is replaced by its kind in brackets. It may be used by any number of
// goroutines.
type Redactor struct{ matcher Matcher }

// NewRedactor looks for kinds; without any it changes nothing.
func NewRedactor(kinds Kinds) *Redactor { return &Redactor{Matcher{Kinds: kinds}} }

// Text is a text without what must not be kept. Of one that was cut, what may
// be the beginning of that goes too.
func (r *Redactor) Text(s string, cut bool) string {
	if r.matcher.Kinds == 0 {
		return s
	}
	list, safe := r.matcher.Find(s, 0, !cut, nil)
	if len(list) == 0 {
		return s[:safe]
	}
	var b strings.Builder
	at := 0
	for _, m := range list {
		b.WriteString(s[at:m.From])
		b.WriteString("[" + m.Kind.label() + "]")
		at = m.To
	}
	b.WriteString(s[at:safe])
	return b.String()
}

// JSON appends a text in JSON without what must not be kept in its strings, in
// whatever way they are written, and in its numbers. It need not be well formed,
// and may be cut.
func (r *Redactor) JSON(dst, text []byte, cut bool) []byte {
	for len(text) > 0 {
		quote := bytes.IndexByte(text, '"')
		if quote < 0 {
			return r.plain(dst, text, cut)
		}
		dst = r.plain(dst, text[:quote], false)
		text = text[quote+1:]
		end, whole := stringEnd(text)
		if !whole && !cut {
			cut = true // it does not end as it should
		}
		dst = r.quoted(dst, text[:end], !whole)
		if !whole {
			return dst
		}
		text = text[end+1:]
	}
	return dst
}

// plain appends what stands outside strings.
func (r *Redactor) plain(dst, text []byte, cut bool) []byte {
	s := wire.View(text)
	out := r.Text(s, cut)
	if out == s || cut {
		return append(dst, out...)
	}
	// A number that was replaced becomes a string.
	return append(dst, strings.NewReplacer("[CARD]", `"[CARD]"`, "[PHONE]", `"[PHONE]"`).Replace(out)...)
}

// stringEnd is where a string ends whose first quote is left out; false: it does
// not.
func stringEnd(s []byte) (int, bool) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i, true
		}
	}
	return len(s), false
}

// quoted appends a string, given as it is written.
func (r *Redactor) quoted(dst, written []byte, cut bool) []byte {
	s := wire.View(written)
	if cut || bytes.IndexByte(written, '\\') >= 0 {
		var ok bool
		if s, ok = unquoted(written, cut); !ok {
			return append(dst, `"[?]"`...)
		}
	}
	out := r.Text(s, cut)
	if out == s && !cut {
		return append(append(append(dst, '"'), written...), '"')
	}
	return wire.AppendString(dst, out)
}

// unquoted is what a string says; of one that was cut, what it says before.
func unquoted(written []byte, cut bool) (s string, ok bool) {
	for range 12 { // the longest escape, a pair of surrogates
		if json.Unmarshal([]byte(`"`+string(written)+`"`), &s) == nil {
			return s, true
		}
		if !cut || len(written) == 0 {
			return "", false
		}
		written = written[:len(written)-1]
		for len(written) > 0 && !utf8.RuneStart(written[len(written)-1]) {
			written = written[:len(written)-1]
		}
	}
	return "", false
}
