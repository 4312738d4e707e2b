package openai

import (
	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

const includeUsage = `"include_usage":true`

// splice makes the provider's body of the caller's.
func (q Quirks) splice(p *wire.Patch, raw []byte, h *schema.Head, model string, maxTokens int64) {
	if model != h.Model {
		p.String(h.ModelAt, model)
	}
	if maxTokens > 0 {
		if h.MaxTokensAt.Present() {
			p.Number(h.MaxTokensAt, maxTokens)
		} else {
			p.Field(h.BodyAt, q.MaxTokensField, maxTokens)
		}
	}
	if h.Stream && !h.WantsUsage && !q.NoStreamOptions {
		if h.StreamOptionsAt.Present() {
			wantUsage(p, raw, h.StreamOptionsAt)
		} else { // the body holds a model, so another field follows
			p.Text(schema.Span{From: h.BodyAt, To: h.BodyAt}, `"stream_options":{`+includeUsage+`},`)
		}
	}
}

// wantUsage turns include_usage on in a stream_options that has it off, as
// null, or not at all.
func wantUsage(p *wire.Patch, raw []byte, at schema.Span) {
	options := gjson.Parse(wire.View(raw[at.From:at.To]))
	if !options.IsObject() {
		p.Text(at, "{"+includeUsage+"}")
		return
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
		p.Text(old, "true")
	case empty:
		p.Text(inside, includeUsage)
	default:
		p.Text(inside, includeUsage+",")
	}
}

// spliceEmbed puts the provider's model into an embeddings request.
func spliceEmbed(p *wire.Patch, _ []byte, h *schema.Head, model string) {
	if model != h.Model {
		p.String(h.ModelAt, model)
	}
}
