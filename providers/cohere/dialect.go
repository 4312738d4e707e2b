package cohere

import (
	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// Name is the dialect's name.
const Name = "cohere"

// Dialect is Cohere's API v2. Paths are below https://api.cohere.com; the key
// is a bearer token.
var Dialect = dialect.Dialect{
	Name: Name,
	Chat: &dialect.Chat{
		Framing: dialect.FramingSSE,
		Encode:  encode,
		Decode:  decode,
		Stream:  func() dialect.StreamDecoder { return &stream{} },

		// Of documents the API reads text; pictures it takes by URL.
		NeedsBytes: func(p *schema.Part) bool { return p.Type == schema.PartDocument && !wire.IsPDF(p.Media) },
	},
	Embed:  &dialect.Embed{Encode: encodeEmbed, Decode: decodeEmbed},
	Rerank: &dialect.Rerank{Encode: encodeRerank, Decode: decodeRerank},
	Error:  decodeError,
}
