package gemini

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// encoder is the state of one translation.
type encoder struct {
	q       Quirks
	req     *schema.ChatRequest
	traits  traits
	body    map[string]any
	config  map[string]any // generationConfig
	system  []part
	turns   []content
	calls   map[string]call // by id
	dropped []string
}

// content is one turn.
type content struct {
	Role  string `json:"role,omitempty"`
	Parts []part `json:"parts"`
}

// drop names a parameter that the provider will not see.
func (e *encoder) drop(name string) {
	if !slices.Contains(e.dropped, name) {
		e.dropped = append(e.dropped, name)
	}
}

func (e *encoder) dropIf(set bool, name string) {
	if set {
		e.drop(name)
	}
}

// encode is Chat.Encode.
func (q Quirks) encode(req *schema.ChatRequest) (*dialect.Upstream, error) {
	e, err := q.translate(req)
	if err != nil {
		return nil, err
	}
	body, err := wire.Marshal(e.body)
	if err != nil {
		return nil, fmt.Errorf("cannot encode request for model %q: %w", req.Model, err)
	}
	return &dialect.Upstream{Path: q.chatPath(req.Model, req.Stream), Body: body, Dropped: e.dropped}, nil
}

// translate makes the fields of the body.
func (q Quirks) translate(req *schema.ChatRequest) (*encoder, error) {
	e := &encoder{q: q, req: req, traits: traitsOf(req.Model), body: map[string]any{}, config: map[string]any{}, calls: map[string]call{}}
	if err := e.messages(); err != nil {
		return nil, err
	}
	e.tools()
	e.sampling()
	if err := e.responseFormat(); err != nil {
		return nil, err
	}
	e.thinking()
	e.rest()
	if err := e.extra(); err != nil {
		return nil, err
	}
	if len(e.turns) == 0 { // the API wants a turn, callers may have told all in a system message
		e.turns, e.system = []content{{Role: "user", Parts: e.system}}, nil
	}
	if len(e.turns[0].Parts) == 0 {
		return nil, schema.Invalid("messages", "messages: there is no message with content")
	}
	e.body["contents"] = e.turns
	if len(e.system) > 0 {
		e.body["systemInstruction"] = content{Parts: e.system}
	}
	if len(e.config) > 0 {
		e.body["generationConfig"] = e.config
	}
	return e, nil
}

// sampling sets the numbers of generationConfig.
func (e *encoder) sampling() {
	req := e.req
	setValue(e.config, "temperature", req.Temperature)
	setValue(e.config, "topP", req.TopP)
	setValue(e.config, "topK", req.TopK)
	setValue(e.config, "seed", req.Seed)
	setValue(e.config, "presencePenalty", req.PresencePenalty)
	setValue(e.config, "frequencyPenalty", req.FrequencyPenalty)
	setValue(e.config, "maxOutputTokens", req.MaxTokens)
	if req.N != nil && *req.N > 1 {
		e.config["candidateCount"] = *req.N
	}
	if req.Logprobs != nil && *req.Logprobs {
		e.config["responseLogprobs"] = true
		if req.TopLogprobs != nil && *req.TopLogprobs > 0 {
			e.config["logprobs"] = *req.TopLogprobs
		}
	}
	if len(req.Stop) > 0 {
		e.config["stopSequences"] = req.Stop
	}
	if len(req.Modalities) > 0 {
		list := make([]string, len(req.Modalities))
		for i, m := range req.Modalities {
			list[i] = strings.ToUpper(m)
		}
		e.config["responseModalities"] = list
	}
}

func setValue[T any](m map[string]any, name string, v *T) {
	if v != nil {
		m[name] = *v
	}
}

// tiers are OpenAI's words for the service tiers (page priority-inference).
var tiers = map[string]string{"default": "standard", "standard": "standard", "flex": "flex", "priority": "priority", "auto": ""}

// rest sets service tier and labels, and names what the API has not.
func (e *encoder) rest() {
	req := e.req
	if tier, known := tiers[strings.ToLower(req.ServiceTier)]; !known || e.q.Vertex {
		e.dropIf(req.ServiceTier != "" && req.ServiceTier != "auto", "service_tier")
	} else if tier != "" {
		e.body["serviceTier"] = tier
	}
	if len(req.Metadata) > 0 {
		if e.q.Vertex && areLabels(req.Metadata) {
			e.body["labels"] = req.Metadata
		} else {
			e.drop("metadata")
		}
	}
	e.dropIf(req.User != "", "user")
	e.dropIf(isSet(req.LogitBias), "logit_bias")
	e.dropIf(req.MinP != nil, "min_p")
	e.dropIf(isSet(req.Audio), "audio")
	e.dropIf(isSet(req.Prediction), "prediction")
	e.dropIf(req.Store != nil && *req.Store, "store")
	e.dropIf(req.Verbosity != "", "verbosity")
	e.dropIf(req.PromptCacheKey != "", "prompt_cache_key")
	e.dropIf(req.ParallelToolCalls != nil && !*req.ParallelToolCalls && len(req.Tools) > 0, "parallel_tool_calls")
}

// areLabels tells whether all pairs keep to Google Cloud's rules for labels;
// one that does not would have the whole request refused.
func areLabels(pairs map[string]string) bool {
	fits := func(s string) bool {
		return len(s) <= 63 && !strings.ContainsFunc(s, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_')
		})
	}
	for k, v := range pairs {
		if k == "" || k[0] < 'a' || k[0] > 'z' || !fits(k) || !fits(v) {
			return false
		}
	}
	return true
}

// isSet tells whether a raw field says anything.
func isSet(raw json.RawMessage) bool {
	s := strings.TrimSpace(string(raw))
	return s != "" && s != "null" && s != "{}"
}

// ownFields are the API's fields that OpenAI has not: they pass as they came.
var ownFields = map[string]bool{"safetySettings": true, "cachedContent": true, "labels": true, "modelArmorConfig": true}

// ownConfig are such fields of generationConfig; a caller of another dialect
// may set them beside the rest.
var ownConfig = map[string]bool{
	"thinkingConfig": true, "speechConfig": true, "mediaResolution": true, "imageConfig": true, "audioTimestamp": true,
	"responseModalities": true, "enableEnhancedCivicAnswers": true, "modelSelectionConfig": true, "routingConfig": true,
}

// extra passes the caller's own Gemini fields, whatever dialect it speaks, and
// names the others.
func (e *encoder) extra() error {
	for _, name := range slices.Sorted(maps.Keys(e.req.Extra)) {
		raw := e.req.Extra[name]
		switch camel := camelCase(name); {
		case ownFields[camel]:
			e.body[camel] = raw
		case ownConfig[camel]:
			e.config[camel] = raw
		case camel == "generationConfig" || camel == "toolConfig":
			var fields map[string]json.RawMessage
			if err := json.Unmarshal(raw, &fields); err != nil {
				return schema.Invalid(name, "%s must be an object", name)
			}
			into := e.config
			if camel == "toolConfig" {
				into = e.toolConfig()
			}
			for key, v := range fields {
				into[camelCase(key)] = v
			}
		case name == "stream_options": // usage is always told
		case (name == "thinking" || name == "reasoning") && e.req.Reasoning != nil: // read where it belongs
		default:
			e.drop(name)
		}
	}
	return nil
}

// camelCase is a field's name as the API's documents have it.
func camelCase(name string) string {
	if !strings.Contains(name, "_") {
		return name
	}
	words := strings.Split(name, "_")
	for i, w := range words[1:] {
		if w != "" {
			words[i+1] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}
