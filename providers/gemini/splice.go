package gemini

import (
	"bytes"
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// edit puts text in the place of a range of the body; an empty range inserts.
type edit struct {
	at   schema.Span
	text string
}

// apply copies raw to dst with the edits in it, which are at most two.
func apply(dst, raw []byte, edits ...edit) []byte {
	if len(edits) == 2 && edits[1].at.From < edits[0].at.From {
		edits[0], edits[1] = edits[1], edits[0]
	}
	from := 0
	for _, e := range edits {
		dst = append(append(dst, raw[from:e.at.From]...), e.text...)
		from = e.at.To
	}
	return append(dst, raw[from:]...)
}

// splice makes the provider's body of the caller's: its model, if the body has
// one beside the path's, and the limit of the output.
func (q Quirks) splice(dst, raw []byte, h *schema.Head, model string, maxTokens int64) []byte {
	var edits [2]edit
	n := 0
	if h.ModelAt.Present() {
		edits[n] = edit{h.ModelAt, string(wire.AppendString(nil, q.resource(model)))}
		n++
	}
	if maxTokens > 0 {
		edits[n] = limitEdit(raw, h, strconv.FormatInt(maxTokens, 10))
		n++
	}
	return apply(dst, raw, edits[:n]...)
}

// limitEdit sets maxOutputTokens, in the generationConfig that is there or in
// a new one.
func limitEdit(raw []byte, h *schema.Head, limit string) edit {
	if h.MaxTokensAt.Present() {
		return edit{h.MaxTokensAt, limit}
	}
	field := `"maxOutputTokens":` + limit
	for _, name := range []string{"generationConfig", "generation_config"} {
		config := gjson.Get(wire.View(raw), name)
		switch {
		case !config.Exists():
			continue
		case !config.IsObject(): // null
			return edit{schema.Span{From: config.Index, To: config.Index + len(config.Raw)}, "{" + field + "}"}
		case !isEmpty(config):
			field += ","
		}
		return edit{schema.Span{From: config.Index + 1, To: config.Index + 1}, field}
	}
	return edit{schema.Span{From: h.BodyAt, To: h.BodyAt}, `"generationConfig":{` + field + `},`}
}

// spliceCount makes a count's body of the caller's. Vertex takes the request
// that is counted itself, not wrapped.
func (q Quirks) spliceCount(dst, raw []byte, h *schema.Head, model string) []byte {
	var edits []edit
	if h.ModelAt.Present() {
		edits = append(edits, edit{h.ModelAt, string(wire.AppendString(nil, q.resource(model)))})
	}
	if !q.Vertex {
		return apply(dst, raw, edits...)
	}
	body := bytes.TrimSpace(apply(nil, raw, edits...))
	if inner := field(gjson.Parse(wire.View(body)), "generateContentRequest"); inner.IsObject() {
		return append(dst, inner.Raw...)
	}
	return append(dst, body...)
}
