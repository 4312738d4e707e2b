package catalog

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Provider is how a provider is reached.
type Provider struct {
	Name    string   `json:"name"`
	Kind    string   `json:"kind"` // openai, openai-compatible, azure, anthropic, gemini, vertex, bedrock, mistral, cohere, ollama, voyage, jina, mock
	BaseURL string   `json:"base_url,omitempty"`
	KeyEnv  []string `json:"key_env,omitempty"` // environment variables that may hold the key, the first set one counts
	Auth    string   `json:"auth,omitempty"`    // bearer, x-api-key, x-goog-api-key, api-key, sigv4, google, none
	Quirks  Quirks   `json:"quirks,omitzero"`
	// Form is how the base URL looks where a part of it is the user's own.
	Form   string  `json:"base_url_form,omitempty"`
	Doc    string  `json:"doc,omitempty"`
	Models []Model `json:"models"`
}

// Quirks are what an OpenAI-compatible host lacks of OpenAI's API, in the
// words of openai.Quirks.
type Quirks struct {
	MaxTokensField  string `json:"max_tokens_field,omitempty"`
	NoStreamOptions bool   `json:"no_stream_options,omitempty"`
	NoDeveloperRole bool   `json:"no_developer_role,omitempty"`
}

// Model is one model of a provider.
type Model struct {
	ID            string   `json:"id"`
	Provider      string   `json:"provider"`
	Mode          string   `json:"mode"`           // chat, responses, completion, embedding, rerank, image, speech, transcription, moderation, realtime
	ContextWindow int64    `json:"context_window"` // tokens; 0: not known
	MaxOutput     int64    `json:"max_output"`     // tokens; 0: not known
	Prices        Prices   `json:"prices"`
	Capabilities  []string `json:"capabilities"` // vision, tools, reasoning, json_schema, documents, audio_input, audio_output, web_search, streaming
	Efforts       []string `json:"efforts,omitempty"`
	Source        string   `json:"source"` // where the prices are from
	Date          string   `json:"date"`   // when they were read, YYYY-MM-DD
}

// Prices are dollars per million tokens, but for Image (a picture) and Request
// (a call). Empty: not known; "0": free.
type Prices struct {
	Input        string `json:"input,omitempty"`
	Output       string `json:"output,omitempty"`
	CachedInput  string `json:"cached_input,omitempty"`
	CacheWrite   string `json:"cache_write,omitempty"`
	CacheWrite1h string `json:"cache_write_1h,omitempty"`
	Reasoning    string `json:"reasoning,omitempty"`
	AudioInput   string `json:"audio_input,omitempty"`
	AudioOutput  string `json:"audio_output,omitempty"`
	Image        string `json:"image,omitempty"`
	Request      string `json:"request,omitempty"`
	// Above are the prices of a whole call whose input is above so many
	// tokens; what is empty in them is as below.
	Above map[int64]Prices `json:"above,omitempty"`
	// Service are the prices of calls in another service tier: batch, flex,
	// priority or (Anthropic's) fast; what is empty in them is as without. They hold no Service.
	Service map[string]Prices `json:"service,omitempty"`
}

// Known tells whether the model has a price at all.
func (p *Prices) Known() bool {
	return p.Input != "" || p.Output != "" || p.Image != "" || p.Request != "" || p.AudioInput != "" || p.AudioOutput != ""
}

// Catalog is the whole, sorted by name. It is immutable and safe for
// concurrent use; what its methods return must not be changed.
type Catalog struct {
	providers []Provider
	byName    map[string]int
	models    map[string]map[string]int // provider, then id, to the place in its Models
	total     int
}

// Load reads the embedded catalogue, once; later calls give the same.
var Load = sync.OnceValue(build)

// Provider is the provider with this name.
func (c *Catalog) Provider(name string) (Provider, bool) {
	i, ok := c.byName[name]
	if !ok {
		return Provider{}, false
	}
	return c.providers[i], true
}

// Providers are all of them, by name.
func (c *Catalog) Providers() []Provider { return c.providers }

// dated is the ending of a name that pins a model's version: -2024-08-06,
// -20250929, or @20250929 on Vertex AI.
var dated = regexp.MustCompile(`(-20\d\d(-\d\d-\d\d|\d{4})|@[a-z0-9]+)$`)

// profile is the beginning of the name of an inference profile of Bedrock's,
// as in us.anthropic.claude-sonnet-4-6 or in its ARN.
var profile = regexp.MustCompile(`^(arn:[^/]*/)?((us|us-gov|eu|apac|jp|au|ca|global)\.)?`)

// Model is what is known of a provider's model. A dated name that is not
// listed is looked up without its date, a profile of Bedrock's by its model: a
// version or profile that costs something else is listed. mock's lorem-N is one
// model for every N.
func (c *Catalog) Model(provider, id string) (Model, bool) {
	found, ok := c.models[provider][c.Listed(provider, id)]
	if !ok {
		return Model{}, false
	}
	m := c.providers[c.byName[provider]].Models[found]
	m.ID = id
	return m, true
}

// Listed is the name under which Model finds a model; empty: it finds none.
func (c *Catalog) Listed(provider, id string) string {
	ids := c.models[provider]
	names := []string{id, dated.ReplaceAllString(id, "")}
	if provider == "bedrock" {
		names = append(names, profile.ReplaceAllString(id, ""))
	}
	if provider == "mock" && strings.HasPrefix(id, "lorem-") {
		names = append(names, "lorem-N")
	}
	for _, name := range names {
		if _, ok := ids[name]; ok {
			return name
		}
	}
	return ""
}

// Models are all models of all providers, by provider and id.
func (c *Catalog) Models() []Model {
	all := make([]Model, 0, c.total)
	for i := range c.providers {
		all = append(all, c.providers[i].Models...)
	}
	return all
}

// Has tells whether the model is said to have a capability.
func (m *Model) Has(capability string) bool { return slices.Contains(m.Capabilities, capability) }

// Field is a price by its name in JSON, such as cached_input; empty: not
// known, or no such name.
func (p *Prices) Field(name string) string {
	if price := p.fields()[name]; price != nil {
		return *price
	}
	return ""
}
