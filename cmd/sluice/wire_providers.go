package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"time"

	"sluice/billing"
	"sluice/cmd/sluice/config"
	"sluice/gateway"
	"sluice/providers"
	"sluice/providers/anthropic"
	"sluice/providers/catalog"
	"sluice/providers/dialect"
	"sluice/providers/mock"
	"sluice/providers/openai"
	"sluice/providers/upstream"
	"sluice/router"
)

// cachedClient is a provider's client and what it was made from.
type cachedClient struct {
	made       string
	kind, base string
	client     *providers.Provider
}

// providers makes the enabled providers: those of the file, and those whose
// keys the environment holds.
func (b *builder) providers(s *server, cfg *config.Config, reg *router.Registry) ([]*gateway.Provider, error) {
	known := catalog.Load()
	all := map[string]config.Provider{}
	for _, name := range found(known) {
		all[name] = config.DefaultProvider()
	}
	for name, p := range cfg.Providers {
		all[name] = p
	}
	clients := make(map[string]cachedClient, len(all))
	var list []*gateway.Provider
	for _, name := range sortedKeys(all) {
		p := all[name]
		entry := lookUp(known, name, p.Kind)
		client, err := b.client(s, name, p, entry)
		if err != nil {
			return nil, fmt.Errorf("providers.%s: %w", name, err)
		}
		clients[name] = client
		g := &gateway.Provider{Name: name, Kind: client.kind, BaseURL: client.base, Client: client.client, Pool: reg.Pool(name, secrets(p, entry)...)}
		if err := describe(g, p, entry); err != nil {
			return nil, fmt.Errorf("providers.%s: %w", name, err)
		}
		list = append(list, g)
	}
	b.clients = clients
	return list, nil
}

// lookUp is the catalogue's entry of a provider: by its name, else by its
// kind where that is a provider's own format.
func lookUp(known *catalog.Catalog, name, kind string) catalog.Provider {
	if e, ok := known.Provider(name); ok && (kind == "" || kind == e.Kind) {
		return e
	}
	if kind != "" && kind != "openai-compatible" {
		if e, ok := known.Provider(kind); ok {
			return e
		}
	}
	return catalog.Provider{Name: name}
}

// found are the providers that are on without being declared: a key of theirs
// is in the environment, or an Ollama answers where it listens by default.
func found(known *catalog.Catalog) []string {
	var names []string
	for _, p := range known.Providers() {
		if !spoken(p.Kind) {
			continue
		}
		for _, env := range p.KeyEnv {
			if os.Getenv(env) != "" {
				names = append(names, p.Name)
				break
			}
		}
	}
	if conn, err := net.DialTimeout("tcp", "127.0.0.1:11434", 50*time.Millisecond); err == nil {
		conn.Close()
		names = append(names, "ollama")
	}
	return names
}

// spoken tells whether there is a dialect for a kind.
func spoken(kind string) bool {
	return kind == "openai" || kind == "openai-compatible" || kind == "anthropic"
}

// client makes a provider's client, or takes over the one in use if nothing
// that it is made from has changed: its connections then live on.
func (b *builder) client(s *server, name string, p config.Provider, entry catalog.Provider) (cachedClient, error) {
	kind := p.Kind
	if kind == "" {
		kind = entry.Kind
	}
	made, err := json.Marshal(struct {
		Kind, BaseURL   string
		Timeout         config.Timeout
		Max             config.Size
		Headers         []dialect.Field
		Latency         time.Duration
		Rate, FailShare float64
		FailStatus      int64
	}{kind, p.BaseURL, p.Timeout, p.MaxResponse, headers(p), p.Latency, p.Rate, p.Fail.Share, p.Fail.Status})
	if err != nil {
		return cachedClient{}, err
	}
	if old, ok := b.clients[name]; ok && old.made == string(made) {
		return old, nil
	}
	o := providers.Options{Name: name, Headers: headers(p), Auth: providers.Bearer()}
	switch kind {
	case "mock":
		o.Local = mock.New(mock.Options{Latency: p.Latency, Rate: p.Rate,
			Fail:  mock.Fail{Status: int(p.Fail.Status), Share: p.Fail.Share},
			Count: func(text string) int64 { return s.counter.Count("mock", text) }})
		return cachedClient{string(made), kind, "", providers.New(o)}, nil
	case "openai":
		o.Dialect = &openai.Dialect
	case "openai-compatible":
		q := openai.Quirks{MaxTokensField: "max_tokens", NoDeveloperRole: true} // what every host takes
		if entry.Kind == kind {
			q = openai.Quirks{MaxTokensField: entry.Quirks.MaxTokensField, NoStreamOptions: entry.Quirks.NoStreamOptions,
				NoDeveloperRole: entry.Quirks.NoDeveloperRole}
		}
		o.Dialect = openai.New(q)
	case "anthropic":
		o.Dialect, o.Auth = &anthropic.Dialect, providers.SecretHeader("X-Api-Key")
	default:
		return cachedClient{}, fmt.Errorf("kind %q is not known; known are openai, openai-compatible, anthropic, mock", kind)
	}
	base := p.BaseURL
	if base == "" {
		base = entry.BaseURL
	}
	if base == "" {
		return cachedClient{}, fmt.Errorf("base_url is missing")
	}
	o.Upstream, err = upstream.New(upstream.Options{BaseURL: base, Connect: p.Timeout.Connect,
		FirstByte: p.Timeout.FirstByte, Idle: p.Timeout.Idle, Total: p.Timeout.Total, MaxResponse: int64(p.MaxResponse)})
	if err != nil {
		return cachedClient{}, err
	}
	return cachedClient{string(made), kind, base, providers.New(o)}, nil
}

func headers(p config.Provider) []dialect.Field {
	var list []dialect.Field
	for _, name := range sortedKeys(p.Headers) {
		list = append(list, dialect.Field{Name: name, Value: p.Headers[name].Reveal()})
	}
	return list
}

// secrets are a provider's keys: the declared ones, else the environment's.
func secrets(p config.Provider, entry catalog.Provider) []*router.Secret {
	var list []*router.Secret
	for _, k := range p.Keys {
		if k.Weight > 0 {
			list = append(list, router.NewSecret(k.Value.Reveal(), "", int(k.Weight), k.Models))
		}
	}
	if len(p.Keys) == 0 {
		for _, env := range entry.KeyEnv {
			if v := os.Getenv(env); v != "" {
				return []*router.Secret{router.NewSecret(v, env, 1, nil)}
			}
		}
	}
	return list
}

// describe tells the gateway what is known of a provider's models: the user's
// prices over the catalogue's.
func describe(g *gateway.Provider, p config.Provider, entry catalog.Provider) error {
	own := make(map[string]*billing.Prices, len(p.Prices))
	for pattern, price := range p.Prices {
		prices, err := billing.ParsePrices(configPrices(price))
		if err != nil {
			return fmt.Errorf("prices.%s: %w", pattern, err)
		}
		own[pattern] = prices
	}
	known := make(map[string]gateway.Description, len(entry.Models))
	for _, m := range entry.Models {
		prices, err := billing.ParsePrices(catalogPrices(m.Prices))
		if err != nil {
			return fmt.Errorf("catalogue price of %s: %w", m.ID, err)
		}
		known[m.ID] = gateway.Description{Prices: prices, MaxOutput: m.MaxOutput, Context: m.ContextWindow}
		g.Models = append(g.Models, m.ID)
		if prices != nil && (g.Dearest == nil || prices.MaxCost(1e6, 1e6) > g.Dearest.MaxCost(1e6, 1e6)) {
			g.Dearest = prices
		}
	}
	for _, pattern := range sortedKeys(own) {
		if _, ok := known[pattern]; !ok && !isPattern(pattern) {
			g.Models = append(g.Models, pattern)
		}
		if g.Dearest == nil || own[pattern].MaxCost(1e6, 1e6) > g.Dearest.MaxCost(1e6, 1e6) {
			g.Dearest = own[pattern]
		}
	}
	var standIn *billing.Prices
	if entry.Kind == "mock" { // lorem-N and fail-STATUS, which no list can hold
		standIn, _ = billing.ParsePrices(billing.PriceSpec{Input: "1", Output: "2"})
	}
	g.Describe = func(model string) gateway.Description {
		d, listed := known[model]
		if !listed {
			d.Prices = standIn
		}
		if prices := ownPrice(own, model); prices != nil {
			d.Prices = prices
		}
		return d
	}
	return nil
}

// ownPrice is the user's price of a model: its own entry, else that of the
// longest pattern that fits.
func ownPrice(own map[string]*billing.Prices, model string) *billing.Prices {
	if p, ok := own[model]; ok {
		return p
	}
	best := ""
	for pattern := range own {
		if isPattern(pattern) && len(pattern) > len(best) && billing.MatchModel([]string{pattern}, model) {
			best = pattern
		}
	}
	return own[best]
}

func isPattern(s string) bool {
	for i := range len(s) {
		if s[i] == '*' {
			return true
		}
	}
	return false
}

func configPrices(p config.Price) billing.PriceSpec {
	spec := billing.PriceSpec{Input: string(p.Input), Output: string(p.Output), CachedInput: string(p.CachedInput),
		CacheWrite: string(p.CacheWrite), Reasoning: string(p.Reasoning), AudioInput: string(p.AudioInput),
		AudioOutput: string(p.AudioOutput), Image: string(p.Image), Request: string(p.Request)}
	for size, tier := range p.Above {
		if spec.Above == nil {
			spec.Above = map[int64]billing.PriceSpec{}
		}
		spec.Above[size] = configPrices(tier)
	}
	return spec
}

func catalogPrices(p catalog.Prices) billing.PriceSpec {
	spec := billing.PriceSpec{Input: p.Input, Output: p.Output, CachedInput: p.CachedInput, CacheWrite: p.CacheWrite,
		CacheWrite1h: p.CacheWrite1h, Reasoning: p.Reasoning, AudioInput: p.AudioInput, AudioOutput: p.AudioOutput,
		Image: p.Image, Request: p.Request}
	for size, tier := range p.Above {
		if spec.Above == nil {
			spec.Above = map[int64]billing.PriceSpec{}
		}
		spec.Above[size] = catalogPrices(tier)
	}
	return spec
}
