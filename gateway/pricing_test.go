package gateway

import (
	"testing"

	"sluice/billing"
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
			if call.money.hold.Amount() != held || call.money.clamped != clamped {
				t.Errorf("%s: held %v, clamped to %d, want %v, %d", body, call.money.hold.Amount(), call.money.clamped, held, clamped)
			}
			call.record0(t)
		}
	}
}
