package anthropic

import (
	"sluice/providers/dialect"
)

// Name is the dialect's name.
const Name = "anthropic"

// Version is the value of the anthropic-version header that every request
// carries.
const Version = "2023-06-01"

// AnswerTool is the reserved name of the tool that carries a JSON answer on
// models without structured outputs. The decoders turn a call of it back into
// the answer's text.
const AnswerTool = "sluice_structured_answer"

// The paths of the API.
const (
	messagesPath = "/v1/messages"
	countPath    = "/v1/messages/count_tokens"
)

// Dialect is the Messages API.
var Dialect = dialect.Dialect{
	Name: Name,
	Chat: &dialect.Chat{
		Framing: dialect.FramingSSE,
		Encode:  encode,
		Prefill: prefills,
		Decode:  decode,
		Stream:  newStream,
		Path:    func(string, bool) string { return messagesPath },
		Splice:  splice,
		Usage:   rawUsage,
		Scan:    newScanner,
	},
	Count: &dialect.Count{
		Encode: encodeCount,
		Decode: decodeCount,
		Path:   func(string) string { return countPath },
		Splice: spliceCount,
	},
	Error:  decodeError,
	Header: []dialect.Field{{Name: "anthropic-version", Value: Version}},
	Client: &dialect.Client{
		Head:        head,
		DecodeChat:  decodeRequest,
		EncodeChat:  encodeAnswer,
		Stream:      newWriter,
		EncodeCount: appendCount,
		Foreign:     foreign,
		Forward:     []string{"anthropic-version", "anthropic-beta"},
		Error:       appendError,
		StreamError: appendStreamError,
		Words:       map[string]string{"stop": "stop_sequences", "user": "metadata.user_id", "response_format": "output_config.format", "reasoning_effort": "thinking"},
	},
}
