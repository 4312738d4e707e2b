package responses

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// annotations gathers those of an answer's texts in the shape of Chat
// Completions, {"type":T,T:{…}}, whose places count from the first text on.
type annotations struct {
	b     []byte
	runes int64 // of the texts so far
}

// add takes those of one text.
func (a *annotations) add(list gjson.Result, text string) {
	wire.Each(list, func(v gjson.Result) {
		if a.b == nil {
			a.b = []byte{'['}
		}
		a.b = appendNested(wire.AppendComma(a.b), v, a.runes)
	})
	a.runes += int64(utf8.RuneCountInString(text))
}

func (a *annotations) list() json.RawMessage {
	if a.b == nil {
		return nil
	}
	return append(a.b, ']')
}

// places are the fields that count characters.
func isPlace(name string) bool { return name == "start_index" || name == "end_index" }

// appendNested writes an annotation of this API as one of Chat Completions.
func appendNested(b []byte, v gjson.Result, shift int64) []byte {
	kind := v.Get("type").Str
	b = append(b, `{"type":`...)
	b = append(wire.AppendString(b, kind), ',')
	b = append(wire.AppendString(b, kind), ':', '{')
	v.ForEach(func(key, v gjson.Result) bool {
		if key.Str == "type" {
			return true
		}
		b = append(wire.AppendString(wire.AppendComma(b), key.Str), ':')
		if isPlace(key.Str) && v.Type == gjson.Number {
			b = strconv.AppendInt(b, v.Int()+shift, 10)
		} else {
			b = append(b, v.Raw...)
		}
		return true
	})
	return append(b, '}', '}')
}

// span is a text's place among the characters of an answer.
type span struct{ from, to int64 }

// flat writes an annotation or a citation of any dialect as one of this API; ok
// is false where it has no such form. at is the place of the text that it
// belongs to, for those that do not tell theirs.
func flat(v gjson.Result, at span) (out json.RawMessage, ok bool) {
	kind := v.Get("type").Str
	inner := v.Get(gjson.Escape(kind))
	if kind == "" || !inner.IsObject() {
		return cited(v, at)
	}
	b := wire.AppendString([]byte(`{"type":`), kind)
	inner.ForEach(func(key, v gjson.Result) bool {
		b = append(wire.AppendString(wire.AppendComma(b), key.Str), ':')
		if isPlace(key.Str) && v.Type == gjson.Number {
			b = strconv.AppendInt(b, max(0, v.Int()-at.from), 10)
		} else {
			b = append(b, v.Raw...)
		}
		return true
	})
	return append(b, '}'), true
}

// cited makes a citation of Anthropic's, or another that has a URL, a
// url_citation of the whole text; one of this API stays.
func cited(v gjson.Result, at span) (out json.RawMessage, ok bool) {
	switch kind := v.Get("type").Str; kind {
	case "url_citation", "file_citation", "container_file_citation", "file_path":
		return json.RawMessage(v.Raw), true
	}
	url := v.Get("url").Str
	if url == "" {
		return nil, false
	}
	b := wire.AppendString([]byte(`{"type":"url_citation","url":`), url)
	b = wire.AppendString(append(b, `,"title":`...), v.Get("title").Str)
	b = append(b, `,"start_index":0,"end_index":`...)
	return append(strconv.AppendInt(b, at.to-at.from, 10), '}'), true
}

// belongs tells whether an annotation is of the text at this place; one that
// tells no place is of the first.
func belongs(v gjson.Result, at span) bool {
	start := v.Get(gjson.Escape(v.Get("type").Str) + ".start_index")
	if start.Type != gjson.Number {
		return at.from == 0
	}
	return start.Int() >= at.from && (start.Int() < at.to || at.from == 0 && at.to == 0)
}

// annotationsOf are those of one text of an answer, as a list's inside.
func annotationsOf(p *schema.Part, all json.RawMessage, at span) (b []byte) {
	add := func(v gjson.Result) {
		if a, ok := flat(v, at); ok {
			if len(b) > 0 {
				b = append(b, ',')
			}
			b = append(b, oneLine(a)...)
		}
	}
	wire.Each(gjson.ParseBytes(p.Citations), add)
	wire.Each(gjson.ParseBytes(all), func(v gjson.Result) {
		if belongs(v, at) {
			add(v)
		}
	})
	return b
}
