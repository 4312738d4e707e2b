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
	Kind    string   `json:"kind"` // openai, openai-compatible, azure, anthropic, gemini, vertex, bedrock, mistral, cohere, mock
	BaseURL string   `json:"base_url,omitempty"`
	KeyEnv  []string `json:"key_env,omitempty"` // environment variables that may hold the key, the first set one counts
	Auth    string   `json:"auth,omitempty"`    // bearer, x-api-key, x-goog-api-key, api-key, sigv4, google, none
	Quirks  Quirks   `json:"quirks,omitzero"`
	Doc     string   `json:"doc,omitempty"`
	Models  []Model  `json:"models"`
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

// dated is the ending of a name that pins a model's version: -2024-08-06 or
// -20250929.
var dated = regexp.MustCompile(`-20\d\d(-\d\d-\d\d|\d{4})$`)

// Model is what is known of a provider's model. A dated name that is not
// listed is looked up without its date: a version that costs something else
// than its family is listed. mock's lorem-N is one model for every N.
func (c *Catalog) Model(provider, id string) (Model, bool) {
	ids, ok := c.models[provider]
	if !ok {
		return Model{}, false
	}
	found, ok := ids[id]
	if !ok {
		if bare := dated.ReplaceAllString(id, ""); bare != id {
			found, ok = ids[bare]
		} else if provider == "mock" && strings.HasPrefix(id, "lorem-") {
			found, ok = ids["lorem-N"]
		}
	}
	if !ok {
		return Model{}, false
	}
	m := c.providers[c.byName[provider]].Models[found]
	m.ID = id
	return m, true
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
