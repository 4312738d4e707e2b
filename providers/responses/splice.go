package responses

import (
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// splice makes the provider's body of the caller's: the model's name and the
// output limit, in their places or as the first fields.
func splice(p *wire.Patch, _ []byte, h *schema.Head, model string, maxTokens int64) {
	switch {
	case !h.ModelAt.Present(): // of a prompt, which names it
		p.Text(schema.Span{From: h.BodyAt, To: h.BodyAt}, `"model":`)
		p.String(schema.Span{From: h.BodyAt, To: h.BodyAt}, model)
		p.Text(schema.Span{From: h.BodyAt, To: h.BodyAt}, ",")
	case model != h.Model:
		p.String(h.ModelAt, model)
	}
	switch {
	case maxTokens == 0:
	case h.MaxTokensAt.Present():
		p.Number(h.MaxTokensAt, maxTokens)
	default:
		p.Field(h.BodyAt, fieldMaxTokens, maxTokens)
	}
}
