// Package dialect is the contract that a wire format fulfils.
//
// A Dialect is a struct of functions, not an interface to implement: a nil
// field says that the format has no such thing, and one place (package
// providers) turns that into an error. A dialect is pure: bytes in, bytes out.
// It does no I/O, reads no clock and no environment, starts no goroutine, logs
// nothing; its functions may be called from many goroutines at once, the
// decoders and encoders that they return belong to one stream.
package dialect

import (
	"strings"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// Framing says how a stream's events are cut out of its bytes.
type Framing uint8

// The framings.
const (
	FramingSSE         Framing = iota // text/event-stream
	FramingNDJSON                     // a JSON value a line
	FramingEventStream                // application/vnd.amazon.eventstream: binary messages with a length and checksums
)

// Dialect is one wire format.
type Dialect struct {
	Name string // openai, anthropic, …

	Chat   *Chat   // provider side: chat
	Embed  *Embed  // provider side: embeddings
	Count  *Count  // provider side: tokens counted before a call
	Rerank *Rerank // provider side: documents ranked by a query

	// Pass is the provider side of operations that have no unified form.
	Pass map[schema.Operation]*Pass

	// Error reads a provider's answer with a status of 400 or more. header
	// gives a response header by its canonical name, or "". It fills Status,
	// Code, Class, Message, Type, RetryAfter and UpstreamStatus; the caller
	// adds Origin and Provider.
	Error func(status int, header func(string) string, body []byte) *schema.Error

	// Header stands on every request whose bytes are passed on, unless the
	// caller forwards a header of that name.
	Header []Field

	Client *Client // nil: no client speaks it
}

// Field is one header.
type Field struct{ Name, Value string }

// Upstream is a request to a provider, relative to its base URL.
type Upstream struct {
	Path    string // begins with "/"; may hold a query
	Header  []Field
	Body    []byte
	Dropped []string // parameters of the caller that the provider has not, by OpenAI's names
}

// Chat is the provider side of chat.
type Chat struct {
	Framing Framing

	// Encode writes a unified request for the provider. req.Model is the
	// provider's own name for the model; req.Stream says whether to stream.
	// It must not change req. Defaults are the quirks of the provider.
	Encode func(req *schema.ChatRequest) (*Upstream, error)
	// NeedsBytes tells whether the provider takes the media of a part as data
	// only, and not by http or https URL: they are then fetched before Encode
	// is asked. nil: the provider takes URLs, or none of these parts at all.
	NeedsBytes func(part *schema.Part) bool
	// RawNeedsBytes says that NeedsBytes holds for bodies that could be passed
	// on too: one that has such media is translated.
	RawNeedsBytes bool
	// Prefill tells whether the model goes on with a last turn of its own as if
	// it had just written it. nil: never. One that does not is asked in words to
	// go on with an answer.
	Prefill func(req *schema.ChatRequest) bool
	// Decode reads a whole answer. An answer that is not one is an Error of
	// class invalid_output.
	Decode func(body []byte) (*schema.ChatResponse, error)
	// Stream makes the decoder of one streamed answer.
	Stream func() StreamDecoder

	// The raw side: the caller speaks this dialect too.

	// Path is where a raw body goes for this model.
	Path func(model string, stream bool) string
	// Splice says what changes in raw: the model's name, the output limit
	// (maxTokens > 0) and what the meter needs.
	Splice func(p *wire.Patch, raw []byte, head *schema.Head, model string, maxTokens int64)
	// Usage reads usage and finish reason out of a whole raw answer.
	Usage func(body []byte, t *Tally) error
	// Scan makes the scanner of one raw stream. wantsUsage says whether the
	// caller asked for the usage that Splice always asks for.
	Scan func(wantsUsage bool) Scanner
}

// Frame is one event of a stream. Its bytes are valid until the next frame.
type Frame struct {
	Event string
	Data  []byte
	// Failed says that the transport itself marks the frame as an error, as
	// AWS's event streams do; Event is then the error's name.
	Failed bool
}

// StreamDecoder turns the frames of one provider's stream into chunks.
type StreamDecoder interface {
	// Decode appends what the frame says to out. A failure that the provider
	// reports in its stream is an Error.
	Decode(f Frame, out []schema.Chunk) ([]schema.Chunk, error)
	// Done tells whether the provider's terminal event was seen: a stream
	// that ends before is cut.
	Done() bool
}

// Scanner looks at the frames of a stream that goes to the caller unchanged.
type Scanner interface {
	// Scan looks at one whole frame, its ending blank line included, and adds
	// to t what it tells. keep is false for a frame that the caller must not
	// see. A failure that the provider reports in its stream is an Error.
	Scan(frame []byte, t *Tally) (keep bool, err error)
}

// Ender is what a Scanner or StreamDecoder may also be, where a format's
// terminal event is not always sent. Ended tells whether a stream whose
// transport ends properly here is whole all the same.
type Ender interface{ Ended() bool }

// Follower is what a StreamEncoder may also be: one that can go on with a stream
// whose frames the caller was given as they came. Follow takes note of such a
// frame, and of what it says.
type Follower interface {
	Follow(f Frame, says []schema.Chunk)
}

// Tally is what passing by an answer told us of it.
type Tally struct {
	Usage  schema.Usage
	Billed *schema.Usage // what is charged for, where that is not Usage; nil: it is
	Finish string        // finish reason of the first choice, in OpenAI's words
	Done   bool          // the terminal event was seen
	Text   schema.TextMeter
}

// Embed is the provider side of embeddings.
type Embed struct {
	Encode func(req *schema.EmbedRequest) (*Upstream, error)
	Decode func(body []byte) (*schema.EmbedResponse, error)

	// The raw side, as in Chat.
	Path   func(model string) string
	Splice func(p *wire.Patch, raw []byte, head *schema.Head, model string)
	Usage  func(body []byte, t *Tally) error
}

// Count is the provider side of counting a request's tokens.
type Count struct {
	Encode func(req *schema.ChatRequest) (*Upstream, error)
	Decode func(body []byte) (tokens int64, err error)

	// The raw side, as in Chat; nil where there is none.
	Path   func(model string) string
	Splice func(p *wire.Patch, raw []byte, head *schema.Head, model string)
}

// Rerank is the provider side of ranking documents.
type Rerank struct {
	Encode func(req *schema.RerankRequest) (*Upstream, error)
	Decode func(body []byte) (*schema.RerankResponse, error)
}

// Pass is the provider side of an operation whose requests and answers go
// through as they are, but for the model's name.
type Pass struct {
	// Path is where a request goes, of the caller's path, which may hold a
	// query, and the provider's name for the model, if the request names one;
	// nil: the caller's path it is.
	Path func(model, path string) string
	// Usage reads what a whole answer tells; it need not be JSON. What it
	// does not tell stays zero, and Usage.Source UsageNone.
	Usage func(body []byte, t *Tally) error
	// Scan makes the scanner of an answer that is a stream of events; nil:
	// none is.
	Scan func() Scanner
}

// Client is the side that a caller's program speaks.
type Client struct {
	// Head finds what every stage reads, in one strict walk: a body that is
	// not JSON is invalid_json; a field twice or in another case, of those
	// that the gateway acts on, and a field of the wrong type are
	// invalid_request with Param set.
	Head func(op schema.Operation, raw []byte) (schema.Head, error)

	DecodeChat func(raw []byte) (*schema.ChatRequest, error)
	EncodeChat func(dst []byte, resp *schema.ChatResponse) []byte
	// EncodeFor is EncodeChat of a dialect whose answers repeat what was asked;
	// nil: there is no need of it.
	EncodeFor   func(dst []byte, req *schema.ChatRequest, resp *schema.ChatResponse) []byte
	Stream      func(o StreamOptions) StreamEncoder
	DecodeEmbed func(raw []byte) (*schema.EmbedRequest, error)
	EncodeEmbed func(dst []byte, req *schema.EmbedRequest, resp *schema.EmbedResponse) []byte

	// EncodeCount answers a request to count tokens, whose body is that of a
	// chat; nil: the dialect has none.
	EncodeCount  func(dst []byte, tokens int64) []byte
	DecodeRerank func(raw []byte) (*schema.RerankRequest, error)
	EncodeRerank func(dst []byte, resp *schema.RerankResponse) []byte

	// Forward names the request headers that say how the body is to be read,
	// in lower case. On the raw side they go from the caller to a provider of
	// the same dialect, in the place of a header of that name that the
	// provider's settings have; they are never credentials.
	Forward []string

	// Foreign tells whether a body holds what a provider of another dialect
	// made in an earlier turn, and what one of this dialect refuses: such a body
	// goes translated even there. It may say so of a body that does not. nil:
	// never.
	Foreign func(raw []byte) bool

	// Words are the dialect's own words for parameters, by OpenAI's; nil, and
	// those that are not there: the same. What a word says is true of what stands
	// below it (messages.content of messages.content.file).
	Words map[string]string

	// Error writes the body of an error answer.
	Error func(dst []byte, e *schema.Error, requestID string) []byte
	// StreamError writes the event that ends a stream that failed.
	StreamError func(dst []byte, e *schema.Error, requestID string) []byte
}

// Word is the dialect's word for a parameter.
func (c *Client) Word(name string) string {
	for at := name; ; {
		if word, ok := c.Words[at]; ok {
			return word
		}
		i := strings.LastIndexByte(at, '.')
		if i < 0 {
			return name
		}
		at = at[:i]
	}
}

// StreamOptions is what an encoder must know of the call.
type StreamOptions struct {
	ID         string // of the answer, where the provider gives none
	Model      string // where the provider names none
	Created    int64  // Unix seconds
	WantsUsage bool
	// Request is what was asked, for a dialect whose answers repeat it; nil: not
	// known.
	Request *schema.ChatRequest
}

// StreamEncoder writes one stream in the caller's dialect.
type StreamEncoder interface {
	// Chunk appends the frames that tell c.
	Chunk(dst []byte, c *schema.Chunk) []byte
	// End appends the stream's proper end. usage is the whole call's.
	End(dst []byte, usage *schema.Usage) []byte
}

// Failer is a StreamEncoder or a Scanner of a dialect whose streams end in
// failure with events that go on with what the stream said before. Its frames
// stand for those of Client.StreamError.
type Failer interface {
	Fail(dst []byte, e *schema.Error, requestID string) []byte
}
