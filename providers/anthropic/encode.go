package anthropic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// request is the body of POST /v1/messages but for system, messages and tools.
type request struct {
	Model         string                     `json:"model"`
	MaxTokens     int64                      `json:"max_tokens,omitempty"`
	ToolChoice    *toolChoice                `json:"tool_choice,omitempty"`
	StopSequences []string                   `json:"stop_sequences,omitempty"`
	Temperature   *float64                   `json:"temperature,omitempty"`
	TopP          *float64                   `json:"top_p,omitempty"`
	TopK          *int64                     `json:"top_k,omitempty"`
	Stream        bool                       `json:"stream,omitempty"`
	Metadata      *metadata                  `json:"metadata,omitempty"`
	ServiceTier   string                     `json:"service_tier,omitempty"`
	Thinking      json.RawMessage            `json:"thinking,omitempty"`
	OutputConfig  map[string]json.RawMessage `json:"output_config,omitempty"`
}

type metadata struct {
	UserID string `json:"user_id"`
}

// encoder is the state of one translation.
type encoder struct {
	req          *schema.ChatRequest
	out          request
	systemBlocks []block
	turns        []turn
	toolList     []json.RawMessage
	traits       traits
	betas        []string
	dropped      []string
}

// own tells whether what the request keeps verbatim may be in this dialect's
// words. Clients of OpenAI's speak them too, as LiteLLM has taught them.
func (e *encoder) own() bool {
	return e.req.Dialect == "" || e.req.Dialect == Name || e.req.Dialect == "openai"
}

// drop names a parameter that the provider will not see.
func (e *encoder) drop(name string) {
	if !slices.Contains(e.dropped, name) {
		e.dropped = append(e.dropped, name)
	}
}

func (e *encoder) beta(name string) {
	if !slices.Contains(e.betas, name) {
		e.betas = append(e.betas, name)
	}
}

// encode is Chat.Encode.
func encode(req *schema.ChatRequest) (*dialect.Upstream, error) {
	e, err := translate(req)
	if err != nil {
		return nil, err
	}
	return e.upstream(messagesPath, ownFields)
}

// translate fills an encoder with what the request says.
func translate(req *schema.ChatRequest) (*encoder, error) {
	e := &encoder{req: req, traits: traitsOf(req.Model)}
	e.out.Model, e.out.Stream = req.Model, req.Stream
	if err := e.messages(); err != nil {
		return nil, err
	}
	e.tools()
	if err := e.responseFormat(); err != nil {
		return nil, err
	}
	e.toolChoice()
	e.thinking()
	e.sampling()
	e.rest()
	return e, nil
}

// upstream writes the request. own are the API's own fields that the path
// takes.
func (e *encoder) upstream(path string, own map[string]bool) (*dialect.Upstream, error) {
	body, err := e.body(own)
	if err != nil {
		return nil, err
	}
	up := &dialect.Upstream{
		Path:    path,
		Header:  []dialect.Field{{Name: "anthropic-version", Value: Version}},
		Body:    body,
		Dropped: e.dropped,
	}
	if len(e.betas) > 0 {
		up.Header = append(up.Header, dialect.Field{Name: "anthropic-beta", Value: strings.Join(e.betas, ",")})
	}
	return up, nil
}

// sampling sets temperature, top_p, top_k and the stop sequences.
func (e *encoder) sampling() {
	req := e.req
	e.out.Temperature, e.out.TopP, e.out.TopK = req.Temperature, req.TopP, req.TopK
	if t := req.Temperature; t != nil && *t > 1 {
		one := 1.0 // OpenAI's range ends at 2, Anthropic's at 1
		e.out.Temperature = &one
		e.drop("temperature")
	}
	thinks := len(e.out.Thinking) > 0 && !bytes.Contains(e.out.Thinking, []byte(`"disabled"`))
	if !e.traits.sampling || thinks {
		e.noSampling(thinks && e.traits.sampling)
	}
	if e.traits.oneSampler && e.out.Temperature != nil && e.out.TopP != nil {
		e.out.TopP = nil
		e.drop("top_p")
	}
	for _, stop := range req.Stop {
		if strings.TrimSpace(stop) == "" { // the API refuses blank ones
			e.drop("stop")
			continue
		}
		e.out.StopSequences = append(e.out.StopSequences, stop)
	}
}

// noSampling takes out what does not go with thinking (a top_p of 0.95 and
// more does, as extended-thinking says) or with the model at all.
func (e *encoder) noSampling(keepHighTopP bool) {
	if e.out.Temperature != nil {
		if *e.out.Temperature != 1 {
			e.drop("temperature")
		}
		e.out.Temperature = nil
	}
	if e.out.TopK != nil {
		e.out.TopK = nil
		e.drop("top_k")
	}
	if p := e.out.TopP; p != nil && !(keepHighTopP && *p >= 0.95) {
		e.out.TopP = nil
		if *p != 1 {
			e.drop("top_p")
		}
	}
}

// rest sets the user and the service tier, and names what the API has not.
func (e *encoder) rest() {
	req := e.req
	user := req.User
	if user == "" {
		user = req.Metadata["user_id"]
	}
	if user != "" {
		e.out.Metadata = &metadata{UserID: user}
	}
	switch req.ServiceTier {
	case "":
	case "auto", "priority":
		e.out.ServiceTier = "auto"
	case "default", "standard_only":
		e.out.ServiceTier = "standard_only"
	default:
		e.drop("service_tier")
	}
	absent := []struct {
		name string
		set  bool
	}{
		{"n", req.N != nil && *req.N > 1},
		{"seed", req.Seed != nil},
		{"logprobs", req.Logprobs != nil && *req.Logprobs},
		{"top_logprobs", req.TopLogprobs != nil && *req.TopLogprobs > 0},
		{"logit_bias", isSet(req.LogitBias)},
		{"frequency_penalty", req.FrequencyPenalty != nil && *req.FrequencyPenalty != 0},
		{"presence_penalty", req.PresencePenalty != nil && *req.PresencePenalty != 0},
		{"min_p", req.MinP != nil},
		{"modalities", slices.ContainsFunc(req.Modalities, func(m string) bool { return m != "text" })},
		{"audio", isSet(req.Audio)},
		{"prediction", isSet(req.Prediction)},
		{"store", req.Store != nil && *req.Store},
		{"verbosity", req.Verbosity != ""},
		{"prompt_cache_key", req.PromptCacheKey != ""},
	}
	for _, a := range absent {
		if a.set {
			e.drop(a.name)
		}
	}
}

// isSet tells whether a raw field says anything.
func isSet(raw json.RawMessage) bool {
	s := strings.TrimSpace(string(raw))
	return s != "" && s != "null" && s != "{}"
}

// body writes the request, with the caller's own Anthropic fields behind it.
func (e *encoder) body(own map[string]bool) ([]byte, error) {
	extra := make(map[string]json.RawMessage)
	for _, name := range slices.Sorted(maps.Keys(e.req.Extra)) {
		raw := e.req.Extra[name]
		switch {
		case !e.own():
			e.drop(name)
		case own[name]:
			extra[name] = raw
		case name == "betas" || name == "anthropic_beta":
			var list []string
			if json.Unmarshal(raw, &list) != nil {
				return nil, schema.Invalid(name, "%s must be a list of strings", name)
			}
			for _, b := range list {
				e.beta(b)
			}
		case name == "thinking" || name == "output_config" || name == "stream_options":
			// read where they belong; usage is always told
		case name == "safety_identifier" && e.out.Metadata == nil:
			var id string
			if json.Unmarshal(raw, &id) == nil && id != "" {
				e.out.Metadata = &metadata{UserID: id}
			}
		default:
			e.drop(name)
		}
	}
	body, err := wire.Marshal(&e.out)
	if err != nil {
		return nil, fmt.Errorf("cannot encode request for model %q: %w", e.req.Model, err)
	}
	body = e.appendPrompt(body[:len(body)-1])
	return append(appendExtra(body, extra), '}'), nil
}
