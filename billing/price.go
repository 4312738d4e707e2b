package billing

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
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
	// Above holds what changes once a call's input exceeds so many tokens; the
	// tier's prices are then those of the whole call. What a tier does not
	// state is as in the tier below it.
	Above map[int64]PriceSpec `json:"above,omitempty"`
	// Tiers holds the prices of calls that the provider serves at another
	// service tier than the usual one: flex, priority, batch. What one states
	// counts for every size, unless its own Above says otherwise; what it does
	// not state is as usual for the same size.
	Tiers map[string]PriceSpec `json:"tiers,omitempty"`
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

// service is the prices at one service tier.
type service struct {
	name  string
	sizes []tier
}

// Prices are a model's prices, ready to reckon with. They never change, and
// any number of goroutines may use them; nil prices are those of a model that
// has none, and cost nothing.
//
// Where a price is not stated another stands in: cached input, cache writes
// and audio input cost what input costs, hour-long cache writes what the
// others cost, reasoning and audio output what output costs. A model with no
// input price at all has free input, one with no output price free output. A
// service tier without prices of its own costs what is usual.
type Prices struct {
	// Version is a digest of the prices, for the records.
	Version string
	// Source is where they are from, for people: catalogue, file, set, or
	// built in; empty: it is not told.
	Source   string
	tiers    []tier    // by above; the first is for every size
	services []service // by name
	usual    *Prices   // without the services; nil: it has none
	asked    []*Prices // with one of the services each
	scaled   bool      // costs are scale of what the prices say
	scale    PPM
}

// ParsePrices reads prices; nil and no error if none is stated. A negative
// price, one of more than nine decimals, or a tier that is not above a positive
// number of tokens is an error that names the field.
func ParsePrices(s PriceSpec) (*Prices, error) {
	base, err := parseSizes(s, []tier{{}}, "")
	if err != nil {
		return nil, err
	}
	p := &Prices{tiers: base}
	for _, name := range slices.Sorted(maps.Keys(s.Tiers)) {
		path := "tiers." + name
		switch spec := s.Tiers[name]; {
		case !IsTier(name):
			return nil, fmt.Errorf("price %s: want the name of a service tier such as flex; default prices stand beside tiers", path)
		case len(spec.Tiers) > 0:
			return nil, fmt.Errorf("price %s.tiers: a service tier has none of its own", path)
		default:
			sizes, err := parseSizes(spec, base, path+".")
			if err != nil {
				return nil, err
			}
			p.services = append(p.services, service{name, sizes})
		}
	}
	if !p.stated() {
		return nil, nil
	}
	p.Version = p.digest()
	if len(p.services) > 0 {
		p.usual = &Prices{Version: p.Version, tiers: p.tiers}
		for _, one := range p.services {
			p.asked = append(p.asked, &Prices{Version: p.Version, tiers: p.tiers, services: []service{one}})
		}
	}
	return p, nil
}

// IsTier tells whether a name is fit for a service tier that is not the usual
// one, as schema.Usage has it.
func IsTier(name string) bool { return name != "" && schema.Tier(name) == name }

// stated tells whether there is a price at all.
func (p *Prices) stated() bool {
	some := func(t tier) bool { return slices.Contains(t.stated[:], true) }
	return slices.ContainsFunc(p.tiers, some) ||
		slices.ContainsFunc(p.services, func(s service) bool { return slices.ContainsFunc(s.sizes, some) })
}

// parseSizes reads the prices of every size over others that they change.
func parseSizes(s PriceSpec, under []tier, path string) ([]tier, error) {
	sizes := []int64{0}
	for i := 1; i < len(under); i++ {
		sizes = append(sizes, under[i].above)
	}
	for size := range s.Above {
		at := fmt.Sprintf("%sabove.%d", path, size)
		if size <= 0 {
			return nil, fmt.Errorf("price %s: not a positive number of tokens", at)
		}
		if len(s.Above[size].Above) > 0 {
			return nil, fmt.Errorf("price %s.above: a tier has no tiers of its own", at)
		}
		if len(s.Above[size].Tiers) > 0 {
			return nil, fmt.Errorf("price %s.tiers: service tiers have sizes, not sizes service tiers", at)
		}
		sizes = append(sizes, size)
	}
	slices.Sort(sizes)
	sizes = slices.Compact(sizes)
	list := make([]tier, 0, len(sizes))
	for _, size := range sizes {
		t, err := parseTier(s, *sizeOf(under, size+1), path)
		for _, lower := range sizes {
			if spec, ok := s.Above[lower]; ok && lower <= size && err == nil {
				t, err = parseTier(spec, t, fmt.Sprintf("%sabove.%d.", path, lower))
			}
		}
		if err != nil {
			return nil, err
		}
		t.above = size
		list = append(list, t)
	}
	return list, nil
}

// parseTier reads one tier's fields over those of the tier below it.
func parseTier(s PriceSpec, below tier, path string) (tier, error) {
	t := tier{price: below.price, stated: below.stated}
	for k, field := range s.pointers() {
		text := *field
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
	for _, s := range p.services {
		for _, t := range s.sizes {
			fmt.Fprintln(&b, s.name, t.above, t.price)
		}
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:6])
}
