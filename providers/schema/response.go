package schema

import (
	"encoding/json"

	openai "github.com/sashabaranov/go-openai"
)

// ChatResponse is a whole answer in unified form.
type ChatResponse struct {
	ID                string
	Model             string // as the provider wrote it
	Created           int64  // Unix seconds; 0: not told
	Choices           []Choice
	Usage             Usage
	Billed            *Usage // what is charged for, where that is not Usage; nil: it is
	ServiceTier       string
	SystemFingerprint string
}

// Choice is one of the answers.
type Choice struct {
	Index        int
	Message      Message
	FinishReason openai.FinishReason
	StopSequence string          // the stop string that ended it, where told
	Logprobs     json.RawMessage // OpenAI's shape
	Audio        json.RawMessage // OpenAI's message.audio
	Annotations  json.RawMessage // OpenAI's message.annotations
}

// Chunk is one step of a streamed answer. A chunk without choices may carry
// Usage; usage may come in several chunks, each replacing what it names.
type Chunk struct {
	ID          string
	Model       string
	Created     int64
	Choices     []ChoiceDelta
	Usage       *Usage
	Billed      *Usage // as in ChatResponse
	ServiceTier string
	Fingerprint string
}

// ChoiceDelta is what a chunk adds to one choice.
type ChoiceDelta struct {
	Index        int
	Role         string
	Text         string
	Thinking     string
	Signature    string // closes a thinking part
	Redacted     string // a whole redacted thinking part
	Refusal      string
	ToolCalls    []openai.ToolCall // Index set; ID and name in the first delta of a call, argument pieces after
	FinishReason openai.FinishReason
	StopSequence string
	Logprobs     json.RawMessage
	Citations    json.RawMessage // one citation, as the provider wrote it
	Audio        json.RawMessage
	Raw          json.RawMessage // a whole part of the provider's own, as PartRaw
	// NewPart says that the delta begins a new part, though the last one was of
	// the same type: citations belong to one part of a text.
	NewPart bool
}

// Embedding is one vector; exactly one of Vector and Base64 is set.
type Embedding struct {
	Index  int
	Vector []float32
	Base64 string // little-endian float32, as OpenAI packs them
}

// EmbedResponse is the answer to an EmbedRequest.
type EmbedResponse struct {
	Model string
	Data  []Embedding
	Usage Usage
}

// Vectors are the embeddings in the order of the inputs.
func (r *EmbedResponse) Vectors() [][]float32 {
	out := make([][]float32, len(r.Data))
	for i := range r.Data {
		if at := r.Data[i].Index; at >= 0 && at < len(out) {
			out[at] = r.Data[i].Vector
		}
	}
	return out
}

// RerankResponse is the answer to a RerankRequest, best first.
type RerankResponse struct {
	ID      string
	Model   string
	Results []Ranked
	Usage   Usage
}

// Ranked is one document's place.
type Ranked struct {
	Index    int // among the request's documents
	Score    float64
	Document string // where it was asked for
}
