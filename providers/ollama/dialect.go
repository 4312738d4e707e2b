package ollama

import (
	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// Name is the dialect's name.
const Name = "ollama"

// Dialect is Ollama's own API. Paths are below http://127.0.0.1:11434, where a
// server needs no key, or https://ollama.com with a bearer token.
var Dialect = dialect.Dialect{
	Name: Name,
	Chat: &dialect.Chat{
		Framing: dialect.FramingNDJSON,
		Encode:  encode,
		Decode:  decode,
		Stream:  func() dialect.StreamDecoder { return &stream{} },

		NeedsBytes: func(p *schema.Part) bool {
			return p.Type == schema.PartImage || p.Type == schema.PartDocument && !wire.IsPDF(p.Media)
		},
	},
	Embed: &dialect.Embed{Encode: encodeEmbed, Decode: decodeEmbed},
	Error: decodeError,
}
