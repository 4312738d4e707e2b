package wire

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"sluice/providers/schema"
)

// Dropped are the parameters that a provider will not see, each named once.
type Dropped []string

// Add names parameters.
func (d *Dropped) Add(names ...string) {
	for _, name := range names {
		if !slices.Contains(*d, name) {
			*d = append(*d, name)
		}
	}
}

// Foreign tells whether the words that req keeps verbatim (fields, parts) are
// another dialect's. An OpenAI client puts a provider's own beside its own.
func Foreign(req *schema.ChatRequest, dialect string) bool {
	return req.Dialect != "" && req.Dialect != "openai" && req.Dialect != dialect
}

// AppendOwn appends those of a request's other fields that are the provider's
// own, in order, and gives the names of the others.
func AppendOwn(dst []byte, extra map[string]json.RawMessage, own map[string]bool) (out []byte, others []string) {
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		if own[name] {
			dst = AppendRaw(dst, name, extra[name])
		} else if Says(extra[name]) {
			others = append(others, name)
		}
	}
	return dst, others
}

// NotAnswer is an answer of status 200 that cannot be understood.
func NotAnswer(message string) *schema.Error {
	return &schema.Error{Code: schema.CodeUpstream, Status: http.StatusBadGateway, Origin: schema.OriginProvider,
		Class: schema.ClassInvalidOutput, Message: message}
}

// NotUnderstood is an answer of status 200 that does not parse, for cause.
func NotUnderstood(cause error) *schema.Error {
	e := NotAnswer("the provider's answer could not be understood")
	e.Cause = cause
	return e
}

// NoTokens refuses embeddings of token ids, which few providers have.
func NoTokens(req *schema.EmbedRequest) error {
	if len(req.Tokens) == 0 {
		return nil
	}
	return schema.Invalid("input", "input must be texts: the provider takes no token ids")
}

// Absent names those of the parameters, by OpenAI's names, that req sets to
// something that would make a difference: what a provider without them drops.
// Names that it does not know are a mistake of the caller and are not named.
func Absent(req *schema.ChatRequest, parameters ...string) []string {
	var out []string
	for _, name := range parameters {
		if set, known := parameterSet[name]; known && set(req) {
			out = append(out, name)
		}
	}
	return out
}

var parameterSet = map[string]func(*schema.ChatRequest) bool{
	"n":                 func(r *schema.ChatRequest) bool { return r.N != nil && *r.N > 1 },
	"seed":              func(r *schema.ChatRequest) bool { return r.Seed != nil },
	"logprobs":          func(r *schema.ChatRequest) bool { return r.Logprobs != nil && *r.Logprobs },
	"top_logprobs":      func(r *schema.ChatRequest) bool { return r.TopLogprobs != nil && *r.TopLogprobs > 0 },
	"logit_bias":        func(r *schema.ChatRequest) bool { return Says(r.LogitBias) },
	"top_k":             func(r *schema.ChatRequest) bool { return r.TopK != nil },
	"min_p":             func(r *schema.ChatRequest) bool { return r.MinP != nil },
	"frequency_penalty": func(r *schema.ChatRequest) bool { return r.FrequencyPenalty != nil && *r.FrequencyPenalty != 0 },
	"presence_penalty":  func(r *schema.ChatRequest) bool { return r.PresencePenalty != nil && *r.PresencePenalty != 0 },
	"modalities":        func(r *schema.ChatRequest) bool { return slices.ContainsFunc(r.Modalities, notText) },
	"audio":             func(r *schema.ChatRequest) bool { return Says(r.Audio) },
	"prediction":        func(r *schema.ChatRequest) bool { return Says(r.Prediction) },
	"store":             func(r *schema.ChatRequest) bool { return r.Store != nil && *r.Store },
	"verbosity":         func(r *schema.ChatRequest) bool { return r.Verbosity != "" },
	"prompt_cache_key":  func(r *schema.ChatRequest) bool { return r.PromptCacheKey != "" },
	"service_tier":      func(r *schema.ChatRequest) bool { return r.ServiceTier != "" && r.ServiceTier != "auto" },
	"user":              func(r *schema.ChatRequest) bool { return r.User != "" },
	"metadata":          func(r *schema.ChatRequest) bool { return len(r.Metadata) > 0 },
	"parallel_tool_calls": func(r *schema.ChatRequest) bool {
		return r.ParallelToolCalls != nil && !*r.ParallelToolCalls && len(r.Tools) > 0
	},
	"reasoning_effort": func(r *schema.ChatRequest) bool { return r.Reasoning != nil && !r.Reasoning.Off },
}

func notText(modality string) bool { return modality != "text" }

// Says tells whether a raw field is there and is neither null nor empty.
func Says(raw json.RawMessage) bool {
	s := strings.TrimSpace(string(raw))
	return s != "" && s != "null" && s != "{}"
}
