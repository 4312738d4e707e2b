package providers

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// Request is what a caller asked, shared by all attempts of a call. Either
// Client and Raw are set (a program speaks a dialect), or Unified is (a
// prompt was rendered) and the answer is wanted unified.
type Request struct {
	Op     schema.Operation
	Client *dialect.Dialect
	Raw    []byte // owned by the caller of this package until the call is over
	Head   schema.Head

	Unified *schema.ChatRequest

	// Translate has the answer written by us where its bytes could be passed
	// on.
	Translate bool

	// Continues is the id of the answer that Raw was made to go on from; empty:
	// none. Answers that repeat what was asked name it.
	Continues string

	// Filter makes what the chunks of a streamed answer go through on their way
	// to the caller, for each stream anew; nil: nothing. It is for requests that
	// are translated or unified.
	Filter func() Filter

	once   sync.Once
	chat   *schema.ChatRequest
	embed  *schema.EmbedRequest
	rerank *schema.RerankRequest
	err    error

	fetched fetched // media by URL, where a provider needs their bytes
}

// Chat is the request in unified form, decoded once for all attempts. It must
// not be changed.
func (r *Request) Chat() (*schema.ChatRequest, error) {
	if r.Unified != nil {
		return r.Unified, nil
	}
	r.once.Do(func() { r.chat, r.err = r.Client.Client.DecodeChat(r.Raw) })
	return r.chat, r.err
}

// Replace puts another request in the place of the one that the caller made;
// it is then translated.
func (r *Request) Replace(chat *schema.ChatRequest) {
	if r.Unified != nil {
		r.Unified = chat
		return
	}
	r.once.Do(func() {})
	r.chat, r.err, r.Translate = chat, nil, true
}

// ReplaceEmbed is Replace for a request for embeddings.
func (r *Request) ReplaceEmbed(embed *schema.EmbedRequest) {
	r.once.Do(func() {})
	r.embed, r.err, r.Translate = embed, nil, true
}

// ReplaceRerank is Replace for a request to rank.
func (r *Request) ReplaceRerank(rerank *schema.RerankRequest) {
	r.once.Do(func() {})
	r.rerank, r.err, r.Translate = rerank, nil, true
}

// asked is what an answer repeats of a request.
func (r *Request) asked(req *schema.ChatRequest) *schema.ChatRequest {
	if r.Continues == "" || req == nil {
		return req
	}
	whole := *req
	whole.Extra = maps.Clone(req.Extra)
	if whole.Extra == nil {
		whole.Extra = map[string]json.RawMessage{}
	}
	whole.Extra["previous_response_id"] = wire.AppendString(nil, r.Continues)
	return &whole
}

// Embed is the embeddings request in unified form; see Chat.
func (r *Request) Embed() (*schema.EmbedRequest, error) {
	r.once.Do(func() { r.embed, r.err = r.Client.Client.DecodeEmbed(r.Raw) })
	return r.embed, r.err
}

// Rerank is the request to rank in unified form; see Chat.
func (r *Request) Rerank() (*schema.RerankRequest, error) {
	r.once.Do(func() { r.rerank, r.err = r.Client.Client.DecodeRerank(r.Raw) })
	return r.rerank, r.err
}

// Call is one attempt of a request at one provider.
type Call struct {
	Request   *Request
	Model     string          // the provider's own name for it
	Secret    string          // the provider's key; empty: none
	MaxTokens int64           // > 0: the limit to send instead of the caller's
	Header    []dialect.Field // that the caller's dialect forwards
	// Sent is told: whether the request went to the provider, whatever came of it.
	Sent bool
	// Spent is told: how long the provider says beside its answer, or its
	// refusal, that nothing is left of one of its rate limits; 0: it does not.
	Spent time.Duration
	// NoReasoning: the model does not reason; a translated request to is made
	// without, and the drop named.
	NoReasoning bool
	Refuse      bool      // a parameter that the provider has not is an error, and not dropped
	Resumes     bool      // a stream keeps what it says, for another to go on with: see Stream.Resume
	Deadline    time.Time // of the whole answer; zero: the provider's own total timeout only
	ID          string    // for answers whose provider gives no id
	Now         time.Time
	// Trace and TraceState are the headers of W3C Trace Context; empty: none.
	Trace, TraceState string
}

// fit is the request without what the model has not.
func (c *Call) fit(req *schema.ChatRequest) *schema.ChatRequest {
	if !c.unreasonable(req) {
		return req
	}
	plain := *req
	plain.Reasoning = nil
	return &plain
}

func (c *Call) unreasonable(req *schema.ChatRequest) bool {
	return c.NoReasoning && req.Reasoning != nil && !req.Reasoning.Off
}

// drops names all that the target has not, and refuses it if the call wants
// nothing dropped.
func (c *Call) drops(req *schema.ChatRequest, up *dialect.Upstream) error {
	if c.unreasonable(req) {
		up.Dropped = append(up.Dropped, "reasoning_effort")
	}
	c.reword(up)
	if !c.Refuse || len(up.Dropped) == 0 {
		return nil
	}
	return &schema.Error{Code: schema.CodeUnsupported, Status: 400, Origin: schema.OriginGateway, Param: up.Dropped[0],
		Class: schema.ClassInvalidRequest, Message: "the target does not support " + strings.Join(up.Dropped, ", ")}
}

// reword puts the names of what is dropped in the words of the caller's dialect.
func (c *Call) reword(up *dialect.Upstream) {
	if c.Request.Client == nil || c.Request.Unified != nil || c.Request.Client.Client.Words == nil {
		return
	}
	named := up.Dropped
	up.Dropped = nil
	for _, name := range named {
		if name = c.Request.Client.Client.Word(name); !slices.Contains(up.Dropped, name) {
			up.Dropped = append(up.Dropped, name)
		}
	}
}

// Answer is a whole answer. It must be released.
type Answer struct {
	// Body is the answer in the caller's dialect, valid until Release; nil
	// where the request is unified.
	Body []byte
	// Chat is the unified answer; nil where bytes passed through unread.
	Chat    *schema.ChatResponse
	Tally   dialect.Tally
	Dropped []string

	buf *buffer // Body's memory
}

// Encode writes Body again from Chat, which was changed.
func (a *Answer) Encode(r *Request) error {
	if r.Unified != nil {
		return nil
	}
	req, err := r.Chat()
	if err != nil {
		return err
	}
	a.encode(r, req)
	return nil
}

func (a *Answer) encode(r *Request, req *schema.ChatRequest) {
	if a.buf == nil {
		a.buf = newBuffer()
	}
	b := a.buf.b[:0]
	if client := r.Client.Client; client.EncodeFor != nil {
		b = client.EncodeFor(b, r.asked(req), a.Chat)
	} else {
		b = client.EncodeChat(b, a.Chat)
	}
	a.buf.b, a.Body = b, b
}

// Swap hands Body over, with its memory, to who gives other memory for it.
func (a *Answer) Swap(with func(body []byte) (spare []byte)) {
	spare := with(a.Body)
	if a.buf != nil {
		a.buf.b = spare
	}
	a.Body = nil
}

// Release gives the answer's memory back. Body must not be used after it.
func (a *Answer) Release() {
	if a.buf != nil {
		a.buf.free()
		a.buf, a.Body = nil, nil
	}
}
