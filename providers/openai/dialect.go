package openai

import (
	"sluice/providers/dialect"
	"sluice/providers/wire"
)

// Name is the dialect's name. All its variants share it: a client's bytes can
// go to any of them.
const Name = "openai"

// Quirks are what a host lacks of OpenAI's API. The zero value is OpenAI's own.
type Quirks struct {
	// MaxTokensField is the field that limits the output where the caller
	// named none: max_completion_tokens (OpenAI's, the default) or max_tokens,
	// which most other hosts know alone.
	MaxTokensField string
	// NoStreamOptions: the host refuses stream_options.
	NoStreamOptions bool
	// NoDeveloperRole: the host knows the role system alone.
	NoDeveloperRole bool
	// MoreSampling: the host knows top_k and min_p.
	MoreSampling bool
}

// Dialect is OpenAI's own API.
var Dialect = *New(Quirks{})

// New makes the dialect of a host with these quirks.
func New(q Quirks) *dialect.Dialect {
	if q.MaxTokensField == "" {
		q.MaxTokensField = fieldMaxCompletionTokens
	}
	return &dialect.Dialect{
		Name: Name,
		Chat: &dialect.Chat{
			Framing: dialect.FramingSSE,
			Encode:  q.encodeRequest,
			Decode:  decodeResponse,
			Stream:  func() dialect.StreamDecoder { return &decoder{} },
			Path:    func(string, bool) string { return "/chat/completions" },
			Splice:  q.splice,
			Usage:   chatUsage,
			Scan:    func(wantsUsage bool) dialect.Scanner { return &scanner{wantsUsage: wantsUsage} },

			NeedsBytes: needsBytes,
		},
		Embed: &dialect.Embed{
			Encode: encodeEmbedRequest,
			Decode: decodeEmbedResponse,
			Path:   func(string) string { return "/embeddings" },
			Splice: spliceEmbed,
			Usage:  embedUsage,
		},
		Pass:  passes,
		Error: wire.DecodeError,
		Client: &dialect.Client{
			Foreign:     wire.SignedCalls,
			Head:        head,
			DecodeChat:  decodeRequest,
			EncodeChat:  encodeResponse,
			Stream:      newEncoder,
			DecodeEmbed: decodeEmbedRequest,
			EncodeEmbed: encodeEmbedResponse,
			Error:       wire.AppendError,
			StreamError: appendStreamError,

			DecodeRerank: decodeRerankRequest,
			EncodeRerank: encodeRerankResponse,
		},
	}
}
