package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"sluice/cmd/sluice/config"
	"sluice/providers"
	"sluice/providers/anthropic"
	"sluice/providers/auth"
	"sluice/providers/azure"
	"sluice/providers/bedrock"
	"sluice/providers/catalog"
	"sluice/providers/cohere"
	"sluice/providers/dialect"
	"sluice/providers/fetch"
	"sluice/providers/gemini"
	"sluice/providers/mistral"
	"sluice/providers/mock"
	"sluice/providers/ollama"
	"sluice/providers/openai"
	"sluice/providers/responses"
	"sluice/providers/upstream"
	"sluice/providers/vertex"
	"sluice/providers/voyage"
)

// cachedClient is a provider's client and what it was made from.
type cachedClient struct {
	made       string
	kind, base string
	client     *providers.Provider
	pulled     pulled // an Ollama's models
}

// client makes a provider's client, or takes over the one in use if nothing
// that it is made from has changed: its connections and tokens then live on.
func (b *builder) client(s *server, media config.Fetch, name string, p config.Provider, entry catalog.Provider) (cachedClient, error) {
	kind := cmp.Or(p.Kind, entry.Kind)
	made, err := json.Marshal(struct {
		Kind, BaseURL                      string
		Region, Project, Location, Version string
		Tenant, ClientID                   string
		Timeout                            config.Timeout
		Max                                config.Size
		Headers                            []dialect.Field
		Latency                            time.Duration
		Rate, FailShare                    float64
		FailStatus                         int64
		Media                              config.Fetch
	}{kind, p.BaseURL, p.Region, p.Project, p.Location, p.APIVersion, p.Tenant, p.ClientID, p.Timeout, p.MaxResponse,
		headers(p), p.Latency, p.Rate, p.Fail.Share, p.Fail.Status, media})
	if err != nil {
		return cachedClient{}, err
	}
	if old, ok := b.clients[name]; ok && old.made == string(made) {
		return old, nil
	}
	o := providers.Options{Name: name, Headers: headers(p), Auth: providers.Bearer()}
	if kind == "mock" {
		o.Local = mock.New(mock.Options{Latency: p.Latency, Rate: p.Rate,
			Fail:  mock.Fail{Status: int(p.Fail.Status), Share: p.Fail.Share},
			Count: func(text string) int64 { return s.counter.Count("mock", text) }})
		return cachedClient{made: string(made), kind: kind, client: providers.New(o)}, nil
	}
	if err := fetches(&o, media); err != nil {
		return cachedClient{}, err
	}
	base := baseOf(kind, p, entry)
	if err := speak(&o, kind, base, p, entry); err != nil {
		return cachedClient{}, err
	}
	if base == "" {
		if entry.Form != "" {
			return cachedClient{}, fmt.Errorf("base_url is missing: it is like %s", entry.Form)
		}
		return cachedClient{}, fmt.Errorf("base_url is missing")
	}
	o.Upstream, err = upstream.New(upstream.Options{BaseURL: base, Connect: p.Timeout.Connect,
		FirstByte: p.Timeout.FirstByte, Idle: p.Timeout.Idle, Total: p.Timeout.Total, MaxResponse: int64(p.MaxResponse)})
	if err != nil {
		return cachedClient{}, err
	}
	return cachedClient{made: string(made), kind: kind, base: base, client: providers.New(o)}, nil
}

// fetches sets how media by URL are got for targets that take bytes only.
func fetches(o *providers.Options, media config.Fetch) error {
	f, err := fetch.New(fetch.Options{Allow: media.Allow, DenyPrivate: media.DenyPrivate, Max: int64(media.Max), Timeout: media.Timeout})
	if err != nil {
		return err
	}
	o.Fetch, o.FetchTotal = f.Get, 4*int64(media.Max)
	return nil
}

// baseOf is what comes before the provider's own path: the user's word, else
// what follows from the region, else the catalogue's.
func baseOf(kind string, p config.Provider, entry catalog.Provider) string {
	switch {
	case p.BaseURL != "":
		return p.BaseURL
	case kind == "vertex":
		return vertex.BaseURL(p.Location)
	case kind == "bedrock" && strings.HasPrefix(p.Region, "cn-"):
		return "https://bedrock-runtime." + p.Region + ".amazonaws.com.cn"
	case kind == "bedrock":
		return "https://bedrock-runtime." + p.Region + ".amazonaws.com"
	}
	return entry.BaseURL
}

// speak sets the dialect of a kind, and how its requests prove who sends them.
// Where they are signed, the secret must not be sent as well.
func speak(o *providers.Options, kind, base string, p config.Provider, entry catalog.Provider) (err error) {
	switch kind {
	case "openai":
		o.Dialect = &openai.Dialect
		o.Also = append(o.Also, &openai.Completions, &responses.Dialect)
		o.Choose = responsesOnly(entry)
	case "openai-compatible":
		o.Dialect = compatible(entry)
		o.Also = append(o.Also, openai.NewCompletions(openai.Quirks{NoStreamOptions: entry.Quirks.NoStreamOptions}))
		if slices.Contains(speakResponses, entry.Name) {
			o.Also = append(o.Also, &responses.Dialect)
		}
	case "azure":
		o.Dialect, o.Auth = azure.New(p.APIVersion), providers.SecretHeader(azure.KeyHeader)
		if p.Tenant != "" {
			o.Auth = nil
			o.Sign, err = auth.Entra(auth.EntraOptions{Tenant: p.Tenant, ClientID: p.ClientID, Login: os.Getenv("AZURE_AUTHORITY_HOST")})
		}
	case "anthropic":
		o.Dialect, o.Auth = &anthropic.Dialect, providers.SecretHeader("X-Api-Key")
	case "gemini":
		o.Dialect, o.Auth = &gemini.Dialect, providers.SecretHeader("X-Goog-Api-Key")
	case "vertex":
		onVertex(o, p)
	case "bedrock":
		o.Dialect, o.Auth = &bedrock.Dialect, nil
		o.Sign, err = auth.AWS(auth.AWSOptions{BaseURL: base, Region: p.Region})
	case "mistral":
		o.Dialect = &mistral.Dialect
	case "cohere":
		o.Dialect = &cohere.Dialect
	case "ollama":
		o.Dialect = &ollama.Dialect
	case "voyage":
		o.Dialect = &voyage.Dialect
	case "jina":
		o.Dialect = &voyage.Jina
	case "":
		return fmt.Errorf("kind is missing: the catalogue has no provider of this name")
	default:
		return fmt.Errorf("kind %q is not known", kind)
	}
	return err
}

// speakResponses are the hosts besides OpenAI whose Responses API recorded
// traffic shows.
var speakResponses = []string{"xai", "deepseek", "openrouter"}

// responsesOnly chooses the Responses API for the models that have no other.
func responsesOnly(entry catalog.Provider) func(model string) *dialect.Dialect {
	only := map[string]bool{}
	for _, m := range entry.Models {
		only[m.ID] = m.Mode == "responses"
	}
	return func(model string) *dialect.Dialect {
		if only[model] {
			return &responses.Dialect
		}
		return nil
	}
}

// compatible is OpenAI's dialect as a host speaks it that is not OpenAI: with
// the catalogue's quirks, else with what every host takes. Those that rank
// documents do it as Jina does.
func compatible(entry catalog.Provider) *dialect.Dialect {
	q := openai.Quirks{MaxTokensField: "max_tokens", NoDeveloperRole: true}
	if entry.Kind == "openai-compatible" {
		q = openai.Quirks{MaxTokensField: entry.Quirks.MaxTokensField, NoStreamOptions: entry.Quirks.NoStreamOptions,
			NoDeveloperRole: entry.Quirks.NoDeveloperRole}
	}
	d := *openai.New(q)
	d.Rerank = voyage.Jina.Rerank
	return &d
}

// onVertex sets what Vertex AI speaks: Gemini's API, and Anthropic's for Claude.
func onVertex(o *providers.Options, p config.Provider) {
	claude := vertex.Anthropic(p.Project, p.Location)
	o.Dialect = vertex.Gemini(p.Project, p.Location)
	o.Choose = func(model string) *dialect.Dialect {
		if strings.HasPrefix(model, "claude-") {
			return claude
		}
		return nil
	}
	g := auth.GoogleOptions{}
	if host := os.Getenv("GCE_METADATA_HOST"); host != "" {
		g.Metadata = "http://" + host
	}
	o.Auth, o.Sign = nil, auth.Google(g)
}

func headers(p config.Provider) []dialect.Field {
	var list []dialect.Field
	for _, name := range sortedKeys(p.Headers) {
		list = append(list, dialect.Field{Name: name, Value: p.Headers[name].Reveal()})
	}
	return list
}
