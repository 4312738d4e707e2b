package catalog

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"charm.land/catwalk/pkg/catwalk"
	"charm.land/catwalk/pkg/embedded"
)

// The version of catwalk that is embedded, and its day.
const (
	catwalkSource = "charm.land/catwalk v0.52.1"
	catwalkDate   = "2026-08-19"
)

//go:embed data/*.json
var files embed.FS

// file is one of our own data files.
type file struct {
	Provider
	Source  string            `json:"source"`
	Date    string            `json:"date"`
	Factors map[string]string `json:"factors"` // prices as multiples of the input's, where not given
	Batch   string            `json:"batch"`   // of a batch, as a multiple of every price of tokens, where not given
}

// skipped are catwalk's entries that an API key alone does not reach.
var skipped = map[catwalk.InferenceProvider]bool{catwalk.InferenceProviderCopilot: true}

// renamed are catwalk's names that differ from ours. Bedrock's inference
// profiles of Europe are models of Bedrock's.
var renamed = map[catwalk.InferenceProvider]string{catwalk.InferenceProviderVertexAI: "vertex", "bedrock-europe": "bedrock"}

// kinds are catwalk's types in our words.
var kinds = map[catwalk.Type]string{
	catwalk.TypeAnthropic: "anthropic", catwalk.TypeGoogle: "gemini", catwalk.TypeAzure: "azure",
	catwalk.TypeBedrock: "bedrock", catwalk.TypeVertexAI: "vertex",
}

// auths are how the kinds that differ take their key.
var auths = map[string]string{
	"anthropic": "x-api-key", "gemini": "x-goog-api-key", "azure": "api-key", "bedrock": "sigv4", "vertex": "google", "mock": "none",
}

// compatible are the quirks that are safe with any OpenAI-compatible host: the
// older names, which all of them know.
var compatible = Quirks{MaxTokensField: "max_tokens", NoDeveloperRole: true}

// build lays our files over catwalk's. The data is embedded and tested: that
// it cannot be read is a fault of the build, and panics.
func build() *Catalog {
	known := map[string]*Provider{}
	for _, p := range embedded.GetAll() {
		if !skipped[p.ID] {
			q := fromCatwalk(&p)
			if same := known[q.Name]; same != nil {
				same.Models = append(same.Models, missing(same.Models, q.Models)...)
				continue
			}
			known[q.Name] = q
		}
	}
	names, err := files.ReadDir("data")
	if err != nil {
		panic(fmt.Sprintf("cannot list the catalogue's data: %v", err))
	}
	for _, n := range names {
		f, err := readFile("data/" + n.Name())
		if err != nil {
			panic(err)
		}
		if known[f.Name] == nil {
			known[f.Name] = &Provider{Name: f.Name}
		}
		overlay(known[f.Name], f)
	}
	return index(known)
}

// missing are those of more that list has not.
func missing(list, more []Model) []Model {
	return slices.DeleteFunc(more, func(m Model) bool {
		return slices.ContainsFunc(list, func(l Model) bool { return l.ID == m.ID })
	})
}

func readFile(name string) (*file, error) {
	raw, err := files.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read catalogue file %q: %w", name, err)
	}
	f := &file{}
	if err := json.Unmarshal(raw, f); err != nil {
		return nil, fmt.Errorf("cannot read catalogue file %q: %w", name, err)
	}
	return f, nil
}

// fromCatwalk takes over what can be relied on.
func fromCatwalk(p *catwalk.Provider) *Provider {
	out := &Provider{Name: string(p.ID), Kind: kinds[p.Type], Doc: ""}
	if name, ok := renamed[p.ID]; ok {
		out.Name = name
	}
	if out.Kind == "" {
		out.Kind = "openai-compatible"
	}
	if !strings.HasPrefix(p.APIEndpoint, "$") {
		out.BaseURL = p.APIEndpoint
	}
	if key, ok := strings.CutPrefix(p.APIKey, "$"); ok {
		out.KeyEnv = []string{key}
	}
	out.Models = make([]Model, 0, len(p.Models))
	for i := range p.Models {
		m := &p.Models[i]
		out.Models = append(out.Models, Model{
			ID: m.ID, Mode: "chat", ContextWindow: m.ContextWindow, MaxOutput: m.DefaultMaxTokens,
			Prices: basePrices(m), Capabilities: capabilities(m), Efforts: m.ReasoningLevels,
			Source: catwalkSource, Date: catwalkDate,
		})
	}
	return out
}

// basePrices are a model's prices of input and output. Zeros are "not known"
// unless the name says that the model is free: subscriptions are listed so.
func basePrices(m *catwalk.Model) Prices {
	free := strings.HasSuffix(m.ID, ":free") || strings.HasSuffix(m.ID, "-free")
	if m.CostPer1MIn < 0 || m.CostPer1MOut < 0 || m.CostPer1MIn == 0 && m.CostPer1MOut == 0 && !free {
		return Prices{}
	}
	return Prices{Input: decimal(m.CostPer1MIn), Output: decimal(m.CostPer1MOut)}
}

// decimal writes a price that was once a short decimal number as that number:
// 0.39999999999999997 is 0.4.
func decimal(f float64) string {
	s := strconv.FormatFloat(f, 'f', 9, 64)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// capabilities are what a model of catwalk's can do. All of them are there to
// drive a coding agent, which needs tools and streams.
func capabilities(m *catwalk.Model) []string {
	var list []string
	if m.SupportsImages {
		list = append(list, "vision")
	}
	list = append(list, "tools")
	if m.CanReason {
		list = append(list, "reasoning")
	}
	return append(list, "streaming")
}

// overlay lays one of our files over what is known of its provider.
func overlay(p *Provider, f *file) {
	set(&p.Kind, f.Kind)
	set(&p.BaseURL, f.BaseURL)
	set(&p.Auth, f.Auth)
	set(&p.Doc, f.Doc)
	set(&p.Form, f.Form)
	if len(f.KeyEnv) > 0 {
		p.KeyEnv = f.KeyEnv
	}
	if f.Quirks != (Quirks{}) {
		p.Quirks = f.Quirks
	}
	at := map[string]int{}
	for i := range p.Models {
		at[p.Models[i].ID] = i
	}
	for i := range f.Models {
		m := f.Models[i]
		if m.Prices.Known() {
			if m.Source == "" {
				m.Source = f.Source
			}
			if m.Date == "" {
				m.Date = f.Date
			}
		}
		if j, ok := at[m.ID]; ok {
			mergeModel(&p.Models[j], &m)
			continue
		}
		if m.Source == "" {
			m.Source, m.Date = f.Source, f.Date
		}
		p.Models = append(p.Models, m)
	}
	for i := range p.Models {
		applyFactors(&p.Models[i].Prices, f.Factors)
		applyBatch(&p.Models[i].Prices, f.Batch)
	}
}

// set takes over a value that is there.
func set(dst *string, v string) {
	if v != "" {
		*dst = v
	}
}

func mergeModel(m, over *Model) {
	set(&m.Mode, over.Mode)
	if over.ContextWindow != 0 {
		m.ContextWindow = over.ContextWindow
	}
	if over.MaxOutput != 0 {
		m.MaxOutput = over.MaxOutput
	}
	if len(over.Capabilities) > 0 {
		m.Capabilities = over.Capabilities
	}
	mergePrices(&m.Prices, &over.Prices)
	set(&m.Source, over.Source)
	set(&m.Date, over.Date)
}

func mergePrices(p, over *Prices) {
	mine, theirs := p.fields(), over.fields()
	for name, dst := range mine {
		set(dst, *theirs[name])
	}
	if over.Above != nil {
		p.Above = over.Above
	}
	if over.Service != nil {
		p.Service = over.Service
	}
}

// fields are the prices by their names in data files.
func (p *Prices) fields() map[string]*string {
	return map[string]*string{
		"input": &p.Input, "output": &p.Output, "cached_input": &p.CachedInput, "cache_write": &p.CacheWrite,
		"cache_write_1h": &p.CacheWrite1h, "reasoning": &p.Reasoning, "audio_input": &p.AudioInput,
		"audio_output": &p.AudioOutput, "image": &p.Image, "request": &p.Request,
	}
}

// applyFactors fills in prices that a provider states as multiples of its
// input price.
func applyFactors(p *Prices, factors map[string]string) {
	if len(factors) == 0 || p.Input == "" {
		return
	}
	fields := p.fields()
	for name, factor := range factors {
		if dst := fields[name]; dst != nil && *dst == "" {
			*dst = times(p.Input, factor)
		}
	}
	for n, tier := range p.Above {
		applyFactors(&tier, factors)
		p.Above[n] = tier
	}
}

// applyBatch fills in what a batch costs where a provider states it as a part
// of everything else.
func applyBatch(p *Prices, factor string) {
	if _, given := p.Service["batch"]; given || factor == "" || p.Input == "" {
		return
	}
	batch := part(p, factor)
	for n, tier := range p.Above {
		if batch.Above == nil {
			batch.Above = map[int64]Prices{}
		}
		batch.Above[n] = part(&tier, factor)
	}
	if p.Service == nil {
		p.Service = map[string]Prices{}
	}
	p.Service["batch"] = batch
}

// part is the prices of tokens, multiplied.
func part(p *Prices, factor string) (out Prices) {
	dst := out.fields()
	for name, price := range p.fields() {
		if *price != "" && name != "image" && name != "request" {
			*dst[name] = times(*price, factor)
		}
	}
	return out
}

// times multiplies two decimal numbers exactly.
func times(a, b string) string {
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	if !okX || !okY {
		return ""
	}
	return strings.TrimSuffix(strings.TrimRight(x.Mul(x, y).FloatString(9), "0"), ".")
}

// index sorts everything and makes it findable.
func index(known map[string]*Provider) *Catalog {
	c := &Catalog{byName: map[string]int{}, models: map[string]map[string]int{}}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		p := known[name]
		if p.Auth == "" {
			p.Auth = auths[p.Kind]
		}
		if p.Auth == "" {
			p.Auth = "bearer"
		}
		if p.Kind == "openai-compatible" && p.Quirks == (Quirks{}) {
			p.Quirks = compatible
		}
		slices.SortFunc(p.Models, func(a, b Model) int { return strings.Compare(a.ID, b.ID) })
		ids := make(map[string]int, len(p.Models))
		for i := range p.Models {
			p.Models[i].Provider = name
			if p.Models[i].Capabilities == nil {
				p.Models[i].Capabilities = []string{}
			}
			ids[p.Models[i].ID] = i
		}
		c.byName[name] = len(c.providers)
		c.providers = append(c.providers, *p)
		c.models[name] = ids
		c.total += len(p.Models)
	}
	return c
}
