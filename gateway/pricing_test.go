package gateway

import (
	"testing"
	"time"

	"sluice/billing"
	"sluice/providers/schema"
)

func TestMayServe(t *testing.T) {
	for _, c := range []struct{ kind, asked, want string }{
		{"openai", "", billing.AnyTier}, {"openai", "auto", billing.AnyTier}, {"openai", "default", ""}, {"openai", "flex", "flex"},
		{"openai", "priority", "priority"}, {"openai", "PRIORITY", billing.AnyTier}, {"openai-compatible", "", billing.AnyTier},
		{"vertex", "", billing.AnyTier}, {"vertex", "default", billing.AnyTier}, {"anthropic", "flex", "priority"}, {"gemini", "", ""}, {"gemini", "flex", "flex"}, {"gemini", "service_tier_unheard_of", billing.AnyTier},
		{"bedrock", "", ""}, {"bedrock", "reserved", "reserved"}, {"anthropic", "", "priority"}, {"anthropic", "standard_only", ""},
		{"anthropic", "fast", "fast"},
	} {
		if got := mayServe(c.kind, c.asked); got != c.want {
			t.Errorf("%s, asked for %q, may serve at %q, want %q", c.kind, c.asked, got, c.want)
		}
	}
}

// What is held is the dearest tier that the call may be served at, and what is
// left buys no more than that.
func TestHoldsAtTheDearestTier(t *testing.T) {
	prices, err := billing.ParsePrices(billing.PriceSpec{Input: "0", Output: "10", Tiers: map[string]billing.PriceSpec{
		"flex": {Output: "5"}, "priority": {Output: "20"}}})
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]int64{ // dollars per million tokens of output
		``: 20, `,"service_tier":"auto"`: 20, `,"service_tier":null`: 20, `,"service_tier":"default"`: 10, `,"service_tier":"flex"`: 10,
		`,"service_tier":"priority"`: 20, `,"service_tier":"fast"`: 20, `,"service_tier":"scale"`: 20, `,"service_tier":"batch"`: 10,
	} {
		for _, most := range []int64{500, 50_000} { // the second is clamped
			call := reserving(t, cents, 0, `{"model":"m","max_tokens":`+map[int64]string{500: "500", 50_000: "50000"}[most]+body+`,`+hi+`}`)
			call.model.Targets[0].Prices = prices
			if err := call.reserve(); err != nil {
				t.Fatal(err)
			}
			held := billing.Nano(min(most*want*1000, int64(cents)))
			clamped := int64(0)
			if most > 500 {
				clamped = int64(cents) / (want * 1000)
			}
			if call.money.hold.USD() != held || call.money.clamped != clamped {
				t.Errorf("%s: held %v, clamped to %d, want %v, %d", body, call.money.hold.USD(), call.money.clamped, held, clamped)
			}
			call.record0(t)
		}
	}
}

// A price that was set counts from its time on, at that instant too, until the
// next does or it ends; the team's share is taken of it, and it is held for.
func TestPricesOverTime(t *testing.T) {
	parse := func(s billing.PriceSpec) *billing.Prices {
		p, err := billing.ParsePrices(s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	call := reserving(t, cents, 0, `{"model":"m","max_tokens":1000,`+hi+`}`)
	start := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	target := call.model.Targets[0]
	target.Prices = parse(billing.PriceSpec{Input: "0", Output: "1"})
	target.Later = []billing.Dated{{From: start, Prices: parse(billing.PriceSpec{Input: "0", Output: "2"})}, {From: start.Add(time.Hour)},
		{From: start.Add(2 * time.Hour), Prices: parse(billing.PriceSpec{Input: "0", Output: "4"})}}
	call.caller.Rates = billing.NewRates([]billing.Rate{{Pattern: "*", Share: 500_000}})
	for after, want := range map[time.Duration]billing.Nano{-time.Nanosecond: 1, 0: 2, time.Hour - 1: 2, time.Hour: 1, 3 * time.Hour: 4} {
		call.now = start.Add(after)
		if err := call.reserve(); err != nil {
			t.Fatal(err)
		}
		if held := call.money.hold.USD(); held != want*1000*1000/2 {
			t.Errorf("%v after the first price: held %v, want half of %d thousandths", after, held, want)
		}
		u := schema.Usage{Output: 1000}
		if cost := target.prices(call).Cost(u); target.markup(call, u, cost) != -cost {
			t.Errorf("%v after: charged %v, a markup of %v", after, cost, target.markup(call, u, cost))
		}
		call.record0(t)
	}
	target.Prices, target.Later, call.snap.Settings.Unpriced = nil, nil, billing.UnpricedBlock
	if err := call.reserve(); schema.AsError(err).Code != schema.CodeModelUnpriced {
		t.Errorf("a share of no price: %v", err)
	}
	call.caller.Rates = billing.NewRates([]billing.Rate{{Pattern: "p/*", Own: parse(billing.PriceSpec{Output: "1"})}})
	if err := call.reserve(); err != nil {
		t.Errorf("a price of the team's own is a price: %v", err)
	}
}

// A tier that costs more than the usual, and of which no price is known, is
// refused to a caller with a budget: its money could not be held.
func TestDearTierWithoutPrice(t *testing.T) {
	for _, c := range []struct {
		kind, tier, priced string
		ok                 bool
	}{
		{"anthropic", "fast", "", false}, {"anthropic", "fast", "fast", true}, {"anthropic", "auto", "", true},
		{"openai", "priority", "", false}, {"openai", "fast", "priority", true}, {"openai", "flex", "", true}, {"gemini", "fast", "", true},
	} {
		spec := billing.PriceSpec{Input: "1", Output: "2"}
		if c.priced != "" {
			spec.Tiers = map[string]billing.PriceSpec{c.priced: {Input: "2", Output: "4"}}
		}
		prices, err := billing.ParsePrices(spec)
		if err != nil {
			t.Fatal(err)
		}
		call := reserving(t, billing.Dollar, 0, `{"model":"m","max_tokens":10,`+hi+`}`)
		call.snap = NewSnapshot(Parts{Settings: Settings{HoldTokens: 100, Unpriced: billing.UnpricedBlock}})
		call.req.Head.ServiceTier = c.tier
		call.model.Targets[0].Prices, call.model.Targets[0].Provider = prices, &Provider{Kind: c.kind}
		if err := call.reserve(); (err == nil) != c.ok || err != nil && schema.AsError(err).Code != schema.CodeModelUnpriced {
			t.Errorf("%s at %s: %v", c.kind, c.tier, err)
		}
	}
}
