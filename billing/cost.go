package billing

import (
	"math"

	"sluice/providers/schema"
)

// sizeOf is the tier for a call with so many input tokens.
func sizeOf(sizes []tier, input int64) *tier {
	i := len(sizes) - 1
	for i > 0 && input <= sizes[i].above {
		i--
	}
	return &sizes[i]
}

// at is the tier for a call with so many input tokens, served at a service
// tier; one that has no prices of its own is the usual one.
func (p *Prices) at(served string, input int64) *tier {
	if i := p.service(served); i >= 0 {
		return sizeOf(p.services[i].sizes, input)
	}
	return sizeOf(p.tiers, input)
}

// service is the place of a service tier's prices; -1: it has none of its own.
// OpenAI calls priority fast since July 30, 2026, and takes and gives either
// name (its guide fast-mode, read 2026-11-29).
func (p *Prices) service(name string) int {
	for i := range p.services {
		if p.services[i].name == name {
			return i
		}
	}
	if name == "fast" {
		return p.service("priority")
	}
	return -1
}

// HasTier tells whether a service tier has prices of its own.
func (p *Prices) HasTier(name string) bool { return p != nil && p.service(name) >= 0 }

// AnyTier stands for every service tier that a model has, for Asked.
const AnyTier = "*"

// Asked is the prices that a call may have to pay which asks for a service
// tier: those of that tier, and the usual ones, for a provider may serve it at
// them instead. Empty is the usual tier, AnyTier leaves the choice to the
// provider.
func (p *Prices) Asked(tier string) *Prices {
	if p == nil || p.usual == nil || tier == AnyTier {
		return p
	}
	if i := p.service(tier); i >= 0 {
		return p.asked[i]
	}
	return p.usual
}

// Cost is what a call cost, rounded half up to a Nano once. Figures that
// contradict each other are cut to fit: no more is cached than was read, no
// more reasoned than was written, and nothing is negative.
func (p *Prices) Cost(u schema.Usage) Nano {
	if p == nil {
		return 0
	}
	t := p.at(u.Tier, u.Input)
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
	return p.nano(sum, half)
}

// nano is a sum at these prices in Nano, scaled, and then rounded once.
func (p *Prices) nano(sum wide, r rounding) Nano {
	if p.scaled {
		return sum.scaled(p.scale, r)
	}
	return sum.nano(r.of(femtoPerNano))
}

// MaxCost is at least the Cost of any usage of at most so many input and output
// tokens and no pictures: every token at the dearest of its kinds, in the
// dearest tier that the input can reach, served at the dearest service tier.
func (p *Prices) MaxCost(inputTokens, maxOutput int64) Nano {
	if p == nil {
		return 0
	}
	var most Nano
	p.reached(inputTokens, func(t *tier) {
		var sum wide
		sum.add(inputTokens, t.in)
		sum.add(maxOutput, t.out)
		sum.addNano(1, t.price[kindRequest])
		most = max(most, p.nano(sum, up))
	})
	return most
}

// reached gives f every tier whose prices a call of at most so many input
// tokens may have to pay.
func (p *Prices) reached(inputTokens int64, f func(t *tier)) {
	for s := -1; s < len(p.services); s++ {
		sizes := p.tiers
		if s >= 0 {
			sizes = p.services[s].sizes
		}
		for i := range sizes {
			if i > 0 && inputTokens <= sizes[i].above {
				break
			}
			f(&sizes[i])
		}
	}
}

// ImageCost is the most that n pictures cost, beside MaxCost.
func (p *Prices) ImageCost(n int64) Nano {
	if p == nil {
		return 0
	}
	var most int64
	p.reached(math.MaxInt64, func(t *tier) { most = max(most, t.price[kindImage]) })
	var sum wide
	sum.addNano(n, most)
	return p.nano(sum, up)
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
	p.reached(inputTokens, func(t *tier) {
		if t.out == 0 || p.scaled && p.scale == 0 {
			return
		}
		var left, spent wide
		left.addNano(1, int64(money))
		if p.scaled {
			left = left.unscaled(p.scale)
		}
		spent.add(inputTokens, t.in)
		spent.addNano(1, t.price[kindRequest])
		left.sub(spent)
		most = min(most, left.div(t.out))
	})
	return most
}
