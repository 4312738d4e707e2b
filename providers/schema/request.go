package schema

import (
	"encoding/json"

	openai "github.com/sashabaranov/go-openai"
)

// Operation is what a caller asks of a model.
type Operation uint8

// The operations that the edge serves.
const (
	OpNone Operation = iota
	OpChat
	OpEmbed
	OpModels
	OpCount
	OpRerank
	OpModerate   // the operations from here on are passed on: see PassRequest
	OpImage      // pictures made or changed
	OpSpeech     // text spoken
	OpTranscribe // speech written down, or translated
	OpFile
	OpBatch
	OpRealtime // a session over a WebSocket
)

// String is the operation's name in records and metrics.
func (o Operation) String() string {
	switch o {
	case OpChat:
		return "chat"
	case OpEmbed:
		return "embed"
	case OpModels:
		return "models"
	case OpCount:
		return "count"
	case OpRerank:
		return "rerank"
	case OpModerate:
		return "moderate"
	case OpImage:
		return "image"
	case OpSpeech:
		return "speech"
	case OpTranscribe:
		return "transcribe"
	case OpFile:
		return "file"
	case OpBatch:
		return "batch"
	case OpRealtime:
		return "realtime"
	}
	return "none"
}

// Span is a range of bytes [From, To) in Request.Raw; the zero Span is absent.
type Span struct{ From, To int }

// Present tells whether the span names any bytes.
func (s Span) Present() bool { return s.To > s.From }

// Head is what every stage reads of a request body, found in one strict walk
// without decoding the rest. Spans point into the raw body, so that an edit is
// a splice.
type Head struct {
	Model      string
	PromptID   string // of a prompt that the request calls, as LiteLLM's clients do; such a request may lack the rest
	Stream     bool
	WantsUsage bool  // stream_options.include_usage, or a dialect that always tells
	MaxTokens  int64 // 0: the caller set none
	N          int64 // choices asked for, at least 1
	User       string
	Tags       []string // from metadata, as key:value
	HasMedia   bool     // images, audio or documents in the messages
	PromptSize int      // bytes of messages and tools, for cheap estimates
	// ServiceTier is what the caller asks to be served at, in the caller's
	// dialect's words; empty: it does not say.
	ServiceTier string

	ModelAt, MaxTokensAt, StreamOptionsAt Span
	MaxTokensName                         string // the field that set MaxTokens
	BodyAt                                int    // where a new first field can be spliced in (just after "{")
}

// ChatRequest is a chat request in unified form, as decoded from any client
// dialect or rendered from a prompt. Pointers are nil where the caller was
// silent: a zero is a zero.
type ChatRequest struct {
	Model             string
	Messages          []Message
	Tools             []Tool
	ToolChoice        *ToolChoice
	ParallelToolCalls *bool
	ResponseFormat    *ResponseFormat
	MaxTokens         *int64
	Temperature       *float64
	TopP              *float64
	TopK              *int64
	MinP              *float64
	FrequencyPenalty  *float64
	PresencePenalty   *float64
	Seed              *int64
	Stop              []string
	N                 *int64
	Logprobs          *bool
	TopLogprobs       *int64
	LogitBias         json.RawMessage
	User              string
	Metadata          map[string]string
	ServiceTier       string
	Reasoning         *Reasoning
	Modalities        []string
	Audio             json.RawMessage // OpenAI's audio output settings
	Prediction        json.RawMessage
	Store             *bool
	Verbosity         string
	PromptCacheKey    string
	Stream            bool
	// Extra holds the body's other fields by their own name, verbatim.
	Extra map[string]json.RawMessage
	// Dialect names the client dialect whose words Extra, raw parts, raw tools
	// and the Extra of messages, parts and tools are in; empty: not known,
	// perhaps the provider's own. A provider of another dialect leaves them
	// out and names them as dropped.
	Dialect string
}

// Reasoning is how much a model should think before it answers.
type Reasoning struct {
	Effort  string // none, minimal, low, medium, high, xhigh; empty: not said
	Budget  *int64 // tokens; nil: not said
	Exclude bool   // think, but do not show it
	Off     bool   // do not think
	// EffortOnly says that Effort is about the answer and thinking was not
	// asked for: Anthropic's effort alone, which no one else tells apart.
	EffortOnly bool
}

// ToolChoice is OpenAI's tool_choice.
type ToolChoice struct {
	Mode string // auto, none, required; "function" when Name is set
	Name string
}

// ResponseFormat asks for JSON. Schema is nil in plain JSON mode.
type ResponseFormat struct {
	Type        string // text, json_object, json_schema
	Name        string
	Description string
	Schema      json.RawMessage
	Strict      *bool
}

// Tool is a function that the model may call, or, with Raw set and no Name, a
// provider's own server-side tool kept verbatim.
type Tool struct {
	Name         string
	Description  string
	Parameters   json.RawMessage // JSON Schema; nil: no parameters
	Strict       *bool
	CacheControl json.RawMessage
	Type         string // function, or the provider's own word
	Raw          json.RawMessage
	// Extra holds a function's other fields by their own name, verbatim.
	Extra map[string]json.RawMessage
}

// Roles of messages, in OpenAI's words.
const (
	RoleSystem    = openai.ChatMessageRoleSystem
	RoleDeveloper = openai.ChatMessageRoleDeveloper
	RoleUser      = openai.ChatMessageRoleUser
	RoleAssistant = openai.ChatMessageRoleAssistant
	RoleTool      = openai.ChatMessageRoleTool
)

// Message is one turn. An assistant's thinking parts come first, then its
// text, then its tool calls. A message of RoleTool answers ToolCallID.
type Message struct {
	Role       string
	Name       string
	Parts      []Part
	ToolCalls  []openai.ToolCall
	ToolCallID string
	IsError    bool // a tool's result that is a failure
	Refusal    string
	Extra      map[string]json.RawMessage
	// CallExtra holds the other fields of tool calls: an object by call id.
	CallExtra map[string]json.RawMessage
}

// ToolCall is a model's call of a tool, by go-openai's name for those who do
// not import it; its Type is ToolTypeFunction.
type ToolCall = openai.ToolCall

// FunctionCall is the name and the arguments of a ToolCall.
type FunctionCall = openai.FunctionCall

// FinishReason is why a choice ended, by go-openai's name likewise.
type FinishReason = openai.FinishReason

// ToolTypeFunction is the type of every tool call.
const ToolTypeFunction = openai.ToolTypeFunction

// PartType says what a Part holds.
type PartType string

// The kinds of part.
const (
	PartText             PartType = "text"
	PartImage            PartType = "image"
	PartAudio            PartType = "audio"
	PartDocument         PartType = "document"
	PartThinking         PartType = "thinking"
	PartRedactedThinking PartType = "redacted_thinking"
	// PartRaw is a provider's own part, kept verbatim in Raw. Text, where set,
	// says the same in words, for models that do not know the part.
	PartRaw PartType = "raw"
)

// Part is one piece of a message's content.
type Part struct {
	Type         PartType
	Text         string // text, or the thinking itself
	Media        *Media
	Signature    string          // of a thinking part, opaque
	Data         string          // redacted thinking, opaque
	Citations    json.RawMessage // as the provider wrote them
	CacheControl json.RawMessage // Anthropic's mark {"type":"ephemeral",…}
	Raw          json.RawMessage
	// Extra holds an image's or document's other fields by their own name.
	Extra map[string]json.RawMessage
}

// Media is an image, a sound or a document: by URL, by a provider's file id,
// or as base64 data.
type Media struct {
	URL      string
	FileID   string
	MIME     string // such as image/png; empty: not known
	Data     string // base64, standard alphabet
	Detail   string // OpenAI's image detail
	Filename string
}

// AnswerOnly puts a JSON answer in the place of the texts said around it.
func (m *Message) AnswerOnly(answer string) {
	kept := m.Parts[:0]
	for _, p := range m.Parts {
		if p.Type != PartText {
			kept = append(kept, p)
		}
	}
	m.Parts = append(kept, Part{Type: PartText, Text: answer})
}

// Text joins the text parts of a message.
func (m *Message) Text() string {
	if len(m.Parts) == 1 && m.Parts[0].Type == PartText {
		return m.Parts[0].Text
	}
	var out []byte
	for i := range m.Parts {
		if m.Parts[i].Type == PartText {
			out = append(out, m.Parts[i].Text...)
		}
	}
	return string(out)
}

// TextParts is the content of a message that is plain text; empty text has no part.
func TextParts(text string) []Part {
	if text == "" {
		return nil
	}
	return []Part{{Type: PartText, Text: text}}
}

// EmbedRequest asks for embeddings.
type EmbedRequest struct {
	Model          string
	Input          []string  // texts
	Tokens         [][]int64 // or token ids, one list an input
	EncodingFormat string    // float (default) or base64
	Dimensions     *int64
	User           string
	Extra          map[string]json.RawMessage
}

// RerankRequest asks to rank documents by how well they answer a query.
type RerankRequest struct {
	Model     string
	Query     string
	Documents []string
	TopN      *int64 // nil: all
	Return    bool   // the documents too, not their places only
	Extra     map[string]json.RawMessage
}
