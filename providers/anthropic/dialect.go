package anthropic

import (
	"sluice/providers/dialect"
)

// Version is the value of the anthropic-version header that every request
// carries.
const Version = "2023-06-01"

// AnswerTool is the reserved name of the tool that carries a JSON answer on
// models without structured outputs. The decoders turn a call of it back into
// the answer's text.
const AnswerTool = "sluice_structured_answer"

// Dialect is the Messages API, provider side.
var Dialect = dialect.Dialect{
	Name: "anthropic",
	Chat: &dialect.Chat{
		Framing: dialect.FramingSSE,
		Encode:  encode,
		Decode:  decode,
		Stream:  newStream,
	},
	Error: decodeError,
}
