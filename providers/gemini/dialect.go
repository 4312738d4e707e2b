package gemini

import (
	"net/url"
	"strings"

	"sluice/providers/dialect"
)

// Name is the dialect's name. All its variants share it: a client's bytes can
// go to any of them.
const Name = "gemini"

// Quirks are how a host of the API differs. The zero value is the Gemini API's.
type Quirks struct {
	// Path is where a method of a model is called, relative to the base URL;
	// method is such as generateContent. Nil: /v1beta/models/MODEL:METHOD.
	Path func(model, method string) string
	// Vertex: the host is Vertex AI, which knows labels, has the older
	// embedding models behind predict, and no service tier in the body.
	Vertex bool
}

// Dialect is the Gemini API.
var Dialect = *New(Quirks{})

// New makes the dialect of a host with these quirks.
func New(q Quirks) *dialect.Dialect {
	if q.Path == nil {
		q.Path = developerPath
	}
	return &dialect.Dialect{
		Name: Name,
		Chat: &dialect.Chat{
			Framing: dialect.FramingSSE,
			Encode:  q.encode,
			Prefill: prefills,
			Decode:  decode,
			Stream:  func() dialect.StreamDecoder { return &stream{} },
			Path:    q.chatPath,
			Splice:  q.splice,
			Usage:   chatUsage,
			Scan:    func(bool) dialect.Scanner { return &scanner{} },

			NeedsBytes: needsBytes,
		},
		Embed: &dialect.Embed{Encode: q.encodeEmbed, Decode: decodeEmbed},
		Count: &dialect.Count{
			Encode: q.encodeCount,
			Decode: decodeCount,
			Path:   func(model string) string { return q.Path(model, "countTokens") },
			Splice: q.spliceCount,
		},
		Error: decodeError,
		Client: &dialect.Client{
			Head:        head,
			DecodeChat:  decodeRequest,
			EncodeChat:  encodeResponse,
			Stream:      newEncoder,
			DecodeEmbed: decodeEmbedRequest,
			EncodeEmbed: encodeEmbedResponse,
			EncodeCount: encodeTokens,
			Error:       appendError,
			StreamError: appendStreamError,
			Words:       words,
		},
	}
}

// words are the API's for what callers of OpenAI's set.
var words = map[string]string{
	"messages": "contents", "messages.content": "contents.parts", "tool_choice": "toolConfig",
	"temperature": "temperature", "top_p": "topP", "top_k": "topK", "max_tokens": "maxOutputTokens", "n": "candidateCount", "stop": "stopSequences",
	"presence_penalty": "presencePenalty", "frequency_penalty": "frequencyPenalty", "logprobs": "responseLogprobs", "top_logprobs": "logprobs",
	"response_format": "responseSchema", "reasoning_effort": "thinkingConfig", "thinking": "thinkingConfig", "modalities": "responseModalities",
	"metadata": "labels", "service_tier": "serviceTier", "dimensions": "outputDimensionality",
}

func (q Quirks) chatPath(model string, stream bool) string {
	if stream {
		return q.Path(model, "streamGenerateContent") + "?alt=sse"
	}
	return q.Path(model, "generateContent")
}

// developerPath is the Gemini API's: models/x and tunedModels/x.
func developerPath(model, method string) string {
	collection := "models"
	if tuned, ok := strings.CutPrefix(model, "tunedModels/"); ok {
		collection, model = "tunedModels", tuned
	}
	return "/v1beta/" + collection + "/" + segment(model) + ":" + method
}

// VertexPath makes Quirks.Path for a project and a location of Vertex AI,
// whose base URL is https://LOCATION-aiplatform.googleapis.com, or
// https://aiplatform.googleapis.com for the location global.
func VertexPath(project, location string) func(model, method string) string {
	base := "/v1/projects/" + url.PathEscape(project) + "/locations/" + url.PathEscape(location)
	return func(model, method string) string {
		if id, ok := strings.CutPrefix(model, "endpoints/"); ok {
			return base + "/endpoints/" + segment(id) + ":" + method
		}
		return base + "/publishers/google/models/" + segment(model) + ":" + method
	}
}

// segment is a model's name as one segment of a path: a caller may have chosen
// it, and must not choose the path.
func segment(model string) string {
	model = strings.TrimPrefix(model, "models/")
	if model == "." || model == ".." {
		return "%2E"
	}
	return strings.ReplaceAll(url.PathEscape(model), ":", "%3A")
}

// resource is a model's name as bodies have it: the path of its methods
// without version and method.
func (q Quirks) resource(model string) string {
	path := strings.TrimPrefix(q.Path(model, ""), "/")
	_, path, _ = strings.Cut(path, "/")
	return strings.TrimSuffix(path, ":")
}
