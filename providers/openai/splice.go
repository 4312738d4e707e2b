package openai

import (
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

const includeUsage = `"include_usage":true`

// edit puts text in the place of a range of the body; an empty range inserts.
// The text is a number, or the JSON string of text, or text itself.
type edit struct {
	at     schema.Span
	text   string
	quote  bool
	name   string // the field to insert
	number int64  // > 0: instead of text
}

// edits is a list of at most four, in the order of the body.
type edits struct {
	list [4]edit
	n    int
}

func (e *edits) add(x edit) {
	i := e.n
	for ; i > 0 && e.list[i-1].at.From > x.at.From; i-- {
		e.list[i] = e.list[i-1]
	}
	e.list[i] = x
	e.n++
}

// apply copies raw to dst with the edits in it.
func (e *edits) apply(dst, raw []byte) []byte {
	from := 0
	for i := range e.list[:e.n] {
		x := &e.list[i]
		dst = append(dst, raw[from:x.at.From]...)
		if x.name != "" {
			dst = append(dst, '"')
			dst = append(dst, x.name...)
			dst = append(dst, '"', ':')
		}
		switch {
		case x.number > 0:
			dst = strconv.AppendInt(dst, x.number, 10)
		case x.quote:
			dst = wire.AppendString(dst, x.text)
		default:
			dst = append(dst, x.text...)
		}
		if x.name != "" { // the body holds a model, so another field follows
			dst = append(dst, ',')
		}
		from = x.at.To
	}
	return append(dst, raw[from:]...)
}

// splice makes the provider's body of the caller's.
func (q Quirks) splice(dst, raw []byte, h *schema.Head, model string, maxTokens int64) []byte {
	var e edits
	first := schema.Span{From: h.BodyAt, To: h.BodyAt}
	if model != h.Model {
		e.add(edit{at: h.ModelAt, text: model, quote: true})
	}
	if maxTokens > 0 {
		if h.MaxTokensAt.Present() {
			e.add(edit{at: h.MaxTokensAt, number: maxTokens})
		} else {
			e.add(edit{at: first, name: q.MaxTokensField, number: maxTokens})
		}
	}
	if h.Stream && !h.WantsUsage && !q.NoStreamOptions {
		if h.StreamOptionsAt.Present() {
			e.add(usageEdit(raw, h.StreamOptionsAt))
		} else {
			e.add(edit{at: first, name: "stream_options", text: "{" + includeUsage + "}"})
		}
	}
	return e.apply(dst, raw)
}

// usageEdit turns include_usage on in a stream_options that has it off, as
// null, or not at all.
func usageEdit(raw []byte, at schema.Span) edit {
	options := gjson.Parse(wire.View(raw[at.From:at.To]))
	if !options.IsObject() {
		return edit{at: at, text: "{" + includeUsage + "}"}
	}
	var old schema.Span
	empty := true
	options.ForEach(func(key, value gjson.Result) bool {
		empty = false
		if key.Str == "include_usage" {
			old = schema.Span{From: at.From + value.Index, To: at.From + value.Index + len(value.Raw)}
		}
		return true
	})
	inside := schema.Span{From: at.From + 1, To: at.From + 1}
	switch {
	case old.Present():
		return edit{at: old, text: "true"}
	case empty:
		return edit{at: inside, text: includeUsage}
	}
	return edit{at: inside, text: includeUsage + ","}
}

// spliceEmbed puts the provider's model into an embeddings request.
func spliceEmbed(dst, raw []byte, h *schema.Head, model string) []byte {
	var e edits
	if model != h.Model {
		e.add(edit{at: h.ModelAt, text: model, quote: true})
	}
	return e.apply(dst, raw)
}
