package responses

import (
	"strconv"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// splice makes the provider's body of the caller's: the model's name and the
// output limit, in their places or as the first fields.
func splice(dst, raw []byte, h *schema.Head, model string, maxTokens int64) []byte {
	from := 0
	upTo := func(at schema.Span) {
		dst = append(dst, raw[from:at.From]...)
		from = at.To
	}
	first := schema.Span{From: h.BodyAt, To: h.BodyAt}
	if !h.ModelAt.Present() { // of a prompt, which names it
		upTo(first)
		dst = wire.AppendString(append(dst, `"model":`...), model)
		dst = append(dst, ',')
	}
	if maxTokens > 0 && !h.MaxTokensAt.Present() {
		upTo(first)
		dst = strconv.AppendInt(append(dst, `"`+fieldMaxTokens+`":`...), maxTokens, 10)
		dst = append(dst, ',')
	}
	limit := func() {
		if maxTokens > 0 && h.MaxTokensAt.Present() {
			upTo(h.MaxTokensAt)
			dst = strconv.AppendInt(dst, maxTokens, 10)
		}
	}
	limitFirst := h.MaxTokensAt.From < h.ModelAt.From
	if limitFirst {
		limit()
	}
	if h.ModelAt.Present() && model != h.Model {
		upTo(h.ModelAt)
		dst = wire.AppendString(dst, model)
	}
	if !limitFirst {
		limit()
	}
	return append(dst, raw[from:]...)
}
