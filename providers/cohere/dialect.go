package cohere

import "sluice/providers/dialect"

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
	},
	Embed:  &dialect.Embed{Encode: encodeEmbed, Decode: decodeEmbed},
	Rerank: &dialect.Rerank{Encode: encodeRerank, Decode: decodeRerank},
	Error:  decodeError,
}
