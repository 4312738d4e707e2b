package mistral

import (
	"sluice/providers/dialect"
	"sluice/providers/openai"
	"sluice/providers/schema"
)

// Name is the dialect's name.
const Name = "mistral"

// base is OpenAI's dialect as far as Mistral speaks it.
var base = openai.New(openai.Quirks{MaxTokensField: "max_tokens", NoStreamOptions: true, NoDeveloperRole: true})

// Dialect is Mistral's API. Paths are below https://api.mistral.ai/v1; the key
// is a bearer token.
var Dialect = dialect.Dialect{
	Name: Name,
	Chat: &dialect.Chat{
		Framing: dialect.FramingSSE,
		Encode:  encode,
		Prefill: func(*schema.ChatRequest) bool { return true }, // a last turn of the model's is sent as a prefix
		Decode:  decode,
		Stream:  func() dialect.StreamDecoder { return &stream{base.Chat.Stream()} },

		// Pictures and documents it takes by URL.
		NeedsBytes: func(p *schema.Part) bool { return p.Type == schema.PartAudio },
	},
	Embed: &dialect.Embed{Encode: encodeEmbed, Decode: base.Embed.Decode},
	// As OpenAI's; batches have other paths, and pictures are made by agents.
	Pass: map[schema.Operation]*dialect.Pass{
		schema.OpModerate:   base.Pass[schema.OpModerate],
		schema.OpTranscribe: base.Pass[schema.OpTranscribe],
		schema.OpFile:       base.Pass[schema.OpFile],
	},
	Error: decodeError,
}
