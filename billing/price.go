package billing

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"

	"sluice/providers/schema"
)

// UnpricedPolicy says what becomes of a call to a model without a price by a
// caller who has a budget.
type UnpricedPolicy string

// The policies; the empty one is UnpricedBlock.
const (
	UnpricedBlock    UnpricedPolicy = "block"    // refuse it: model_unpriced
	UnpricedEstimate UnpricedPolicy = "estimate" // hold for it and charge it at a price that stands in
	UnpricedAllow    UnpricedPolicy = "allow"    // let it pass at no cost
)

// ParseUnpriced reads a policy; empty is UnpricedBlock.
func ParseUnpriced(s string) (UnpricedPolicy, error) {
	switch p := UnpricedPolicy(s); p {
	case "":
		return UnpricedBlock, nil
	case UnpricedBlock, UnpricedEstimate, UnpricedAllow:
		return p, nil
	}
	return "", fmt.Errorf("unpriced %q is none of block, estimate, allow", s)
}

// PriceSpec is a model's prices as written: decimal US dollars per million
// tokens, Image per picture and Request per call. Empty means: not stated.
type PriceSpec struct {
	Input, Output, CachedInput, CacheWrite, CacheWrite1h string
	Reasoning, AudioInput, AudioOutput, Image, Request   string
	// Above holds what changes once a call's input exceeds so many tokens; the
	// tier's prices are then those of the whole call. What a tier does not
	// state is as in the tier below it.
	Above map[int64]PriceSpec
}

// kind is what a price is for.
type kind int

const (
	kindInput kind = iota
	kindCachedInput
	kindCacheWrite
	kindCacheWrite1h
	kindAudioInput
	kindOutput
	kindReasoning
	kindAudioOutput
	kindImage
	kindRequest
	kinds
)

// kindNames are the fields as the configuration spells them, and fallback the
// kind whose price stands in where none is stated: itself means free.
var (
	kindNames = [kinds]string{"input", "cached_input", "cache_write", "cache_write_1h", "audio_input",
		"output", "reasoning", "audio_output", "image", "request"}
	fallback = [kinds]kind{kindInput, kindInput, kindInput, kindCacheWrite, kindInput,
		kindOutput, kindOutput, kindOutput, kindImage, kindRequest}
)

func (s *PriceSpec) fields() [kinds]string {
	return [kinds]string{s.Input, s.CachedInput, s.CacheWrite, s.CacheWrite1h, s.AudioInput,
		s.Output, s.Reasoning, s.AudioOutput, s.Image, s.Request}
}

// tier is the prices of calls with more than above input tokens. A dollar per
// million tokens with nine decimals is a whole number of 1e-15 dollars per
// token, which is what the token kinds are in; image and request are in Nano.
type tier struct {
	above  int64
	price  [kinds]int64
	in     int64 // the dearest kind of input
	out    int64 // the dearest kind of output
	stated [kinds]bool
}

// Prices are a model's prices, ready to reckon with. They never change, and
// any number of goroutines may use them; nil prices are those of a model that
// has none, and cost nothing.
//
// Where a price is not stated another stands in: cached input, cache writes
// and audio input cost what input costs, hour-long cache writes what the
// others cost, reasoning and audio output what output costs. A model with no
// input price at all has free input, one with no output price free output.
type Prices struct {
	// Version is a digest of the prices, for the records.
	Version string
	tiers   []tier // by above; the first is for every size
}

// ParsePrices reads prices; nil and no error if none is stated. A negative
// price, one of more than nine decimals, or a tier that is not above a positive
// number of tokens is an error that names the field.
func ParsePrices(s PriceSpec) (*Prices, error) {
	base, err := parseTier(s, tier{}, "")
	if err != nil {
		return nil, err
	}
	p := &Prices{tiers: []tier{base}}
	sizes := make([]int64, 0, len(s.Above))
	for size := range s.Above {
		sizes = append(sizes, size)
	}
	slices.Sort(sizes)
	for _, size := range sizes {
		path := fmt.Sprintf("above.%d", size)
		if size <= 0 {
			return nil, fmt.Errorf("price %s: not a positive number of tokens", path)
		}
		spec := s.Above[size]
		if len(spec.Above) > 0 {
			return nil, fmt.Errorf("price %s.above: a tier has no tiers of its own", path)
		}
		next, err := parseTier(spec, p.tiers[len(p.tiers)-1], path+".")
		if err != nil {
			return nil, err
		}
		next.above = size
		p.tiers = append(p.tiers, next)
	}
	if !slices.ContainsFunc(p.tiers, func(t tier) bool { return slices.Contains(t.stated[:], true) }) {
		return nil, nil
	}
	p.Version = p.digest()
	return p, nil
}

// parseTier reads one tier's fields over those of the tier below it.
func parseTier(s PriceSpec, below tier, path string) (tier, error) {
	t := tier{price: below.price, stated: below.stated}
	for k, text := range s.fields() {
		if strings.TrimSpace(text) == "" {
			continue
		}
		n, err := ParseUSD(text)
		if err == nil && n < 0 {
			err = fmt.Errorf("%q is negative", text)
		}
		if err != nil {
			return tier{}, fmt.Errorf("price %s%s: %w", path, kindNames[k], err)
		}
		t.price[k], t.stated[k] = int64(n), true
	}
	for k, other := range fallback { // in order: what stands in comes first
		if !t.stated[k] {
			t.price[k] = t.price[other]
		}
	}
	t.in = slices.Max(t.price[kindInput : kindAudioInput+1])
	t.out = slices.Max(t.price[kindOutput : kindAudioOutput+1])
	return t, nil
}

func (p *Prices) digest() string {
	var b strings.Builder
	for _, t := range p.tiers {
		fmt.Fprintln(&b, t.above, t.price)
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:6])
}

// at is the tier for a call with so many input tokens.
func (p *Prices) at(input int64) *tier {
	i := len(p.tiers) - 1
	for i > 0 && input <= p.tiers[i].above {
		i--
	}
	return &p.tiers[i]
}

// Cost is what a call cost, rounded half up to a Nano once. Figures that
// contradict each other are cut to fit: no more is cached than was read, no
// more reasoned than was written, and nothing is negative.
func (p *Prices) Cost(u schema.Usage) Nano {
	if p == nil {
		return 0
	}
	t := p.at(u.Input)
	var sum wide
	input := max(u.Input, 0)
	take := func(k kind, n int64, of *int64) {
		n = min(max(n, 0), *of)
		*of -= n
		sum.add(n, t.price[k])
	}
	take(kindCachedInput, u.CachedInput, &input)
	writes := min(max(u.CacheWrite, u.CacheWrite1h, 0), input)
	input -= writes
	take(kindCacheWrite1h, u.CacheWrite1h, &writes)
	sum.add(writes, t.price[kindCacheWrite])
	take(kindAudioInput, u.AudioInput, &input)
	sum.add(input, t.price[kindInput])

	output := max(u.Output, 0)
	take(kindReasoning, u.Reasoning, &output)
	take(kindAudioOutput, u.AudioOutput, &output)
	sum.add(output, t.price[kindOutput])

	sum.addNano(max(u.Images, 0), t.price[kindImage])
	sum.addNano(1, t.price[kindRequest])
	return sum.nano(femtoPerNano / 2)
}

// MaxCost is at least the Cost of any usage of at most so many input and output
// tokens and no pictures: every token at the dearest of its kinds, in the
// dearest tier that the input can reach.
func (p *Prices) MaxCost(inputTokens, maxOutput int64) Nano {
	if p == nil {
		return 0
	}
	var most Nano
	for i := range p.tiers {
		t := &p.tiers[i]
		if i > 0 && inputTokens <= t.above {
			break
		}
		var sum wide
		sum.add(inputTokens, t.in)
		sum.add(maxOutput, t.out)
		sum.addNano(1, t.price[kindRequest])
		most = max(most, sum.nano(femtoPerNano-1))
	}
	return most
}

// ImageCost is the most that n pictures cost, beside MaxCost.
func (p *Prices) ImageCost(n int64) Nano {
	if p == nil {
		return 0
	}
	var most int64
	for i := range p.tiers {
		most = max(most, p.tiers[i].price[kindImage])
	}
	var sum wide
	sum.addNano(n, most)
	return sum.nano(0)
}

// AffordableOutput is the largest number of output tokens n for which
// MaxCost(inputTokens, n) is within the money: 0 if it buys none, and
// math.MaxInt64 if output is free and the input is within the money.
func (p *Prices) AffordableOutput(money Nano, inputTokens int64) int64 {
	if p.MaxCost(inputTokens, 0) > money {
		return 0
	}
	most := int64(math.MaxInt64)
	if p == nil {
		return most
	}
	for i := range p.tiers {
		t := &p.tiers[i]
		if i > 0 && inputTokens <= t.above {
			break
		}
		if t.out == 0 {
			continue
		}
		var left, spent wide
		left.addNano(1, int64(money))
		spent.add(inputTokens, t.in)
		spent.addNano(1, t.price[kindRequest])
		left.sub(spent)
		most = min(most, left.div(t.out))
	}
	return most
}
