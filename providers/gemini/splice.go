package gemini

import (
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// splice makes the provider's body of the caller's: its model, if the body has
// one beside the path's, and the limit of the output.
func (q Quirks) splice(p *wire.Patch, raw []byte, h *schema.Head, model string, maxTokens int64) {
	if h.ModelAt.Present() {
		p.String(h.ModelAt, q.resource(model))
	}
	if maxTokens > 0 {
		limit(p, raw, h, maxTokens)
	}
}

// limit sets maxOutputTokens, in the generationConfig that is there or in a
// new one.
func limit(p *wire.Patch, raw []byte, h *schema.Head, n int64) {
	if h.MaxTokensAt.Present() {
		p.Number(h.MaxTokensAt, n)
		return
	}
	field := `"maxOutputTokens":` + strconv.FormatInt(n, 10)
	for _, name := range []string{"generationConfig", "generation_config"} {
		config := gjson.Get(wire.View(raw), name)
		switch {
		case !config.Exists():
			continue
		case !config.IsObject(): // null
			p.Text(schema.Span{From: config.Index, To: config.Index + len(config.Raw)}, "{"+field+"}")
			return
		case !isEmpty(config):
			field += ","
		}
		p.Text(schema.Span{From: config.Index + 1, To: config.Index + 1}, field)
		return
	}
	p.Text(schema.Span{From: h.BodyAt, To: h.BodyAt}, `"generationConfig":{`+field+`},`)
}

// spliceCount makes a count's body of the caller's. Vertex takes the request
// that is counted itself, not wrapped.
func (q Quirks) spliceCount(p *wire.Patch, raw []byte, h *schema.Head, model string) {
	q.splice(p, raw, h, model, 0)
	if !q.Vertex {
		return
	}
	if inner := field(gjson.Parse(wire.View(raw)), "generateContentRequest"); inner.IsObject() {
		p.Text(schema.Span{To: inner.Index}, "")
		p.Text(schema.Span{From: inner.Index + len(inner.Raw), To: len(raw)}, "")
	}
}
