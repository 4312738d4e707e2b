package main

import (
	"fmt"
	"strings"

	"sluice/billing"
	"sluice/cmd/sluice/config"
	"sluice/gateway"
	"sluice/providers/catalog"
)

// describe tells the gateway what is known of a provider's models: the user's
// prices over the catalogue's, and what was set over both, from its time on.
func describe(g *gateway.Provider, p config.Provider, entry catalog.Provider, set []billing.SetPrice) error {
	later, err := billing.NewSchedule(g.Name, set)
	if err != nil {
		return err
	}
	own := make(map[string]*billing.Prices, len(p.Prices))
	for pattern, price := range p.Prices {
		prices, err := billing.ParsePrices(configPrices(price))
		if err != nil {
			return fmt.Errorf("prices.%s: %w", pattern, err)
		}
		own[pattern] = from("file", prices)
	}
	known := make(map[string]gateway.Description, len(entry.Models))
	for _, m := range entry.Models {
		prices, err := billing.ParsePrices(catalogPrices(m.Prices))
		if err != nil {
			return fmt.Errorf("catalogue price of %s: %w", m.ID, err)
		}
		known[m.ID] = gateway.Description{Prices: from("catalogue", prices), MaxOutput: m.MaxOutput, Context: m.ContextWindow, NoReasoning: plain(entry.Kind, &m)}
		g.Models = append(g.Models, m.ID)
		g.Dearest = dearer(g.Dearest, prices)
	}
	for _, pattern := range sortedKeys(own) {
		if _, ok := known[pattern]; !ok && !isPattern(pattern) {
			g.Models = append(g.Models, pattern)
		}
		g.Dearest = dearer(g.Dearest, own[pattern])
	}
	for _, name := range later.Names() {
		if _, ok := known[name]; !ok && own[name] == nil && !isPattern(name) {
			g.Models = append(g.Models, name)
		}
		for _, d := range later.For(name) {
			g.Dearest = dearer(g.Dearest, d.Prices)
		}
	}
	var standIn *billing.Prices
	if entry.Kind == "mock" { // lorem-N and fail-STATUS, which no list can hold
		standIn, _ = billing.ParsePrices(billing.PriceSpec{Input: "1", Output: "2"})
		standIn.Source = "built in"
	}
	g.Describe = func(model string) gateway.Description {
		d, listed := known[model]
		if !listed {
			d = known[catalog.Load().Listed(entry.Name, model)]
		}
		if d.Prices == nil {
			d.Prices = standIn
		}
		if prices, ok := bestPrice(own, model); ok && prices != nil {
			d.Prices = prices
		}
		d.Later = later.For(model)
		return d
	}
	return nil
}

// from notes where prices are from; nil stays nil.
func from(source string, p *billing.Prices) *billing.Prices {
	if p != nil {
		p.Source = source
	}
	return p
}

// dearer is the dearer of two prices, of which either may be nil.
func dearer(a, b *billing.Prices) *billing.Prices {
	if a == nil || b.MaxCost(1e6, 1e6) > a.MaxCost(1e6, 1e6) {
		return b
	}
	return a
}

// plain tells whether a model is known not to reason. What is listed of the
// models that other hosts serve does not tell enough for that.
func plain(kind string, m *catalog.Model) bool {
	own := kind != "openai-compatible" && kind != "ollama"
	return own && m.Mode == "chat" && len(m.Capabilities) > 0 && !m.Has("reasoning")
}

// bestPrice is the user's price of a model: its own entry, else that of the
// longest pattern that fits.
func bestPrice[P any](own map[string]P, model string) (price P, ok bool) {
	if p, ok := own[model]; ok {
		return p, true
	}
	best := ""
	for pattern := range own {
		longer := len(pattern) > len(best) || len(pattern) == len(best) && pattern < best // the same at every start
		if isPattern(pattern) && longer && billing.MatchModel([]string{pattern}, model) {
			best = pattern
		}
	}
	price, ok = own[best]
	return price, ok && best != ""
}

func isPattern(s string) bool { return strings.Contains(s, "*") }

func configPrices(p config.Price) billing.PriceSpec {
	spec := billing.PriceSpec{Input: string(p.Input), Output: string(p.Output), CachedInput: string(p.CachedInput),
		CacheWrite: string(p.CacheWrite), CacheWrite1h: string(p.CacheWrite1h), Reasoning: string(p.Reasoning), AudioInput: string(p.AudioInput),
		AudioOutput: string(p.AudioOutput), Image: string(p.Image), Request: string(p.Request)}
	for size, tier := range p.Above {
		if spec.Above == nil {
			spec.Above = map[int64]billing.PriceSpec{}
		}
		spec.Above[size] = configPrices(tier)
	}
	for name, tier := range p.Tiers {
		if spec.Tiers == nil {
			spec.Tiers = map[string]billing.PriceSpec{}
		}
		spec.Tiers[name] = configPrices(tier)
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
	for name, tier := range p.Service {
		if spec.Tiers == nil {
			spec.Tiers = map[string]billing.PriceSpec{}
		}
		spec.Tiers[name] = catalogPrices(tier)
	}
	return spec
}

// ratesOf is what each team that the file gives prices to is charged.
func ratesOf(cfg *config.Config) (map[string]*billing.Rates, error) {
	all := map[string]*billing.Rates{}
	for _, team := range sortedKeys(cfg.Teams) {
		rates, err := ratesFrom(cfg.Teams[team].Prices)
		if err != nil {
			return nil, fmt.Errorf("teams.%s.prices.%w", team, err)
		}
		if rates != nil {
			all[team] = rates
		}
	}
	return all, nil
}

// ratesFrom are the rates of a team or plan; nil: it has none.
func ratesFrom(prices map[string]config.TeamPrice) (*billing.Rates, error) {
	if len(prices) == 0 {
		return nil, nil
	}
	var list []billing.Rate
	for _, pattern := range sortedKeys(prices) {
		p := prices[pattern]
		own, err := billing.ParsePrices(configPrices(p.Price))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", pattern, err)
		}
		list = append(list, billing.Rate{Pattern: pattern, Own: own, Share: billing.Whole - billing.PPM(p.Discount) + billing.PPM(p.Margin)})
	}
	return billing.NewRates(list), nil
}
