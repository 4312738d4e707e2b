package providertest

import (
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// Spliced is a caller's body as a Chat.Splice makes it the provider's.
func Spliced(splice func(*wire.Patch, []byte, *schema.Head, string, int64), raw []byte, head *schema.Head, model string, maxTokens int64) []byte {
	var p wire.Patch
	splice(&p, raw, head, model, maxTokens)
	return p.Bytes(raw)
}

// SplicedCount is Spliced for a Count.Splice or an Embed.Splice.
func SplicedCount(splice func(*wire.Patch, []byte, *schema.Head, string), raw []byte, head *schema.Head, model string) []byte {
	var p wire.Patch
	splice(&p, raw, head, model)
	return p.Bytes(raw)
}
