package bedrock

import (
	"net/url"

	"sluice/providers/anthropic"
	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// Name is the dialect's name.
const Name = "bedrock"

// answerTool is the reserved name of the tool that carries a JSON answer on
// models without structured outputs.
const answerTool = anthropic.AnswerTool

// Dialect is Bedrock's runtime.
var Dialect = dialect.Dialect{
	Name: Name,
	Chat: &dialect.Chat{
		Framing: dialect.FramingEventStream,
		Encode:  encode,
		Prefill: prefills,
		Decode:  decode,
		Stream:  newStream,

		NeedsBytes: func(*schema.Part) bool { return true },
	},
	Embed:  &dialect.Embed{Encode: encodeEmbed, Decode: decodeEmbed},
	Count:  &dialect.Count{Encode: encodeCount, Decode: decodeCount},
	Rerank: &dialect.Rerank{Encode: encodeRerank, Decode: decodeRerank},
	Error:  decodeError,
}

// prefills is Chat.Prefill: Claude does what it does elsewhere, and of the other
// makers' models it is not known.
func prefills(req *schema.ChatRequest) bool {
	own := *req
	own.Model = claudeName(req.Model)
	return anthropic.Dialect.Chat.Prefill(&own)
}

// modelPath is where an operation on a model goes. The model is one segment of
// the path, the slashes and colons of an ARN escaped as AWS's SDKs do; a name
// that is escaped already stays.
func modelPath(model, operation string) string {
	if plain, err := url.PathUnescape(model); err == nil {
		model = plain
	}
	return "/model/" + wire.Segment(model) + "/" + operation
}
