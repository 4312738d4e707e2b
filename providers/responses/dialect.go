package responses

import (
	"sluice/providers/dialect"
	"sluice/providers/wire"
)

// Name is the dialect's name.
const Name = "openai-responses"

// responsesPath is the API's path below a base URL that ends in /v1.
const responsesPath = "/responses"

// Dialect is the Responses API.
var Dialect = dialect.Dialect{
	Name: Name,
	Chat: &dialect.Chat{
		Framing: dialect.FramingSSE,
		Encode:  encode,
		Decode:  decode,
		Stream:  newStream,
		Path:    func(string, bool) string { return responsesPath },
		Splice:  splice,
		Usage:   rawUsage,
		Scan:    func(bool) dialect.Scanner { return &scanner{} },
	},
	Error: wire.DecodeError,
	Client: &dialect.Client{
		Head:        head,
		DecodeChat:  decodeRequest,
		EncodeChat:  encodeAnswer,
		EncodeFor:   encodeFor,
		Stream:      newWriter,
		EncodeCount: appendCount,
		Foreign:     foreign,
		Error:       wire.AppendError,
		StreamError: appendStreamError,
		Words: map[string]string{"messages": "input", "max_tokens": fieldMaxTokens, "response_format": "text.format", "verbosity": "text.verbosity",
			"reasoning_effort": "reasoning", "thinking": "reasoning", "logprobs": "include"},
	},
}
