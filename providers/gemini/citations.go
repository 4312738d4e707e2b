package gemini

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// annotations turns what a candidate says of its sources (groundingMetadata,
// citationMetadata) into OpenAI's annotations, nil where there are none. The
// API counts bytes, OpenAI characters; where text is not known, bytes are told.
func annotations(candidate gjson.Result, text string) json.RawMessage {
	b := []byte{'['}
	grounding := candidate.Get("groundingMetadata")
	chunks := grounding.Get("groundingChunks").Array()
	used := make([]bool, len(chunks))
	each(grounding.Get("groundingSupports"), func(s gjson.Result) {
		each(s.Get("groundingChunkIndices"), func(i gjson.Result) {
			if n := i.Int(); n >= 0 && n < int64(len(chunks)) {
				used[n] = true
				b = appendAnnotation(b, source(chunks[n]), s.Get("segment"), text)
			}
		})
	})
	for i, c := range chunks {
		if !used[i] {
			b = appendAnnotation(b, source(c), gjson.Result{}, text)
		}
	}
	for _, path := range []string{"citationMetadata.citationSources", "citationMetadata.citations"} {
		each(candidate.Get(path), func(c gjson.Result) { b = appendAnnotation(b, c, c, text) })
	}
	if len(b) == 1 {
		return nil
	}
	return append(b, ']')
}

// source is a grounding chunk's web page or document.
func source(chunk gjson.Result) gjson.Result {
	for _, kind := range []string{"web", "retrievedContext", "maps"} {
		if v := chunk.Get(kind); v.IsObject() {
			return v
		}
	}
	return gjson.Result{}
}

func appendAnnotation(b []byte, source, segment gjson.Result, text string) []byte {
	uri := source.Get("uri").String()
	if uri == "" {
		return b // a document without an address has no place in OpenAI's form
	}
	b = append(wire.AppendComma(b), `{"type":"url_citation","url_citation":{"start_index":`...)
	b = strconv.AppendInt(b, characters(text, segment.Get("startIndex").Int()), 10)
	b = append(b, `,"end_index":`...)
	b = strconv.AppendInt(b, characters(text, segment.Get("endIndex").Int()), 10)
	b = wire.AppendString(append(b, `,"title":`...), source.Get("title").String())
	b = wire.AppendString(append(b, `,"url":`...), uri)
	return append(b, '}', '}')
}

// characters turns an offset in bytes into one in characters.
func characters(text string, at int64) int64 {
	if at < 0 || at > int64(len(text)) {
		return max(0, at)
	}
	return int64(utf8.RuneCountInString(text[:at]))
}

// appendCitations writes the sources that an answer of another dialect names
// by URL, of OpenAI's annotations and of Anthropic's citations.
func appendCitations(b []byte, c *schema.Choice) []byte {
	text := c.Message.Text()
	open := false
	add := func(uri, title string, from, to int64) {
		if uri == "" {
			return
		}
		if !open {
			b = append(wire.AppendKey(b, "citationMetadata"), `{"citationSources":[`...)
			open = true
		}
		b = strconv.AppendInt(append(wire.AppendComma(b), `{"startIndex":`...), from, 10)
		b = strconv.AppendInt(append(b, `,"endIndex":`...), to, 10)
		b = wire.AppendString(append(b, `,"uri":`...), uri)
		if title != "" {
			b = wire.AppendString(append(b, `,"title":`...), title)
		}
		b = append(b, '}')
	}
	each(gjson.ParseBytes(c.Annotations), func(a gjson.Result) {
		u := a.Get("url_citation")
		if !u.Exists() { // of a stream, as Anthropic writes them
			u = a
		}
		add(u.Get("url").String(), u.Get("title").String(), bytesBefore(text, u.Get("start_index").Int()), bytesBefore(text, u.Get("end_index").Int()))
	})
	at := 0
	for i := range c.Message.Parts {
		p := &c.Message.Parts[i]
		if p.Type != schema.PartText {
			continue
		}
		each(gjson.ParseBytes(p.Citations), func(v gjson.Result) {
			add(v.Get("url").String(), v.Get("title").String(), int64(at), int64(at+len(p.Text)))
		})
		at += len(p.Text)
	}
	if open {
		b = append(b, ']', '}')
	}
	return b
}

// bytesBefore turns an offset in characters into one in bytes.
func bytesBefore(text string, at int64) int64 {
	for i := range text {
		if at <= 0 {
			return int64(i)
		}
		at--
	}
	return int64(len(text))
}
