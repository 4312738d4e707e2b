package billing

import (
	"math"
	"math/big"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"sluice/providers/schema"
)

func TestParsePercent(t *testing.T) {
	for text, want := range map[string]PPM{"10%": 100_000, "0%": 0, "12.5 %": 125_000, " 0.0001%": 1, "100%": Whole, "100000%": 1_000_000_000} {
		if got, err := ParsePercent(text); err != nil || got != want {
			t.Errorf("%q is %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "10", "%", "-1%", "0.00001%", "100000.0001%", "ten%", "1%%", "9223372036854775807%", "NaN%"} {
		if got, err := ParsePercent(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
	if got := PPM(125_000).String(); got != "12.5%" {
		t.Errorf("told as %s", got)
	}
}

func FuzzParsePercent(f *testing.F) {
	f.Add("12.5%")
	f.Add("1e3%")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePercent(text)
		if err != nil {
			return
		}
		if again, err := ParsePercent(p.String()); err != nil || again != p || p < 0 {
			t.Errorf("%q is %d, told as %s, which is %d, %v", text, p, p, again, err)
		}
	})
}

func TestScaledCosts(t *testing.T) {
	p := prices(t, PriceSpec{Input: "3", Output: "15", CachedInput: "0.3", Tiers: map[string]PriceSpec{"flex": {Input: "1.5", Output: "7.5"}}})
	u := schema.Usage{Input: 1001, CachedInput: 500, Output: 7} // 1503 + 150 + 105 = 1758 millionths
	for share, want := range map[PPM]string{900_000: "0.0015822", 1_050_000: "0.0018459", 0: "0", 333_333: "0.000585999", Whole: "0.001758"} {
		q := p.Scaled(share)
		if got := q.Cost(u); got != usd(t, want) {
			t.Errorf("at %s: %v, want %s", share, got, want)
		}
		if share != Whole && q.Version != p.Version+"*"+share.String() {
			t.Errorf("at %s the version is %s, of the whole %s", share, q.Version, p.Version)
		}
	}
	flex := u
	flex.Tier = "flex" // 751.5 + 150 + 52.5 = 954
	if got := p.Scaled(500_000).Cost(flex); got != usd(t, "0.000477") {
		t.Errorf("half of flex is %v", got)
	}
	if (*Prices)(nil).Scaled(5) != nil {
		t.Error("no price is scaled")
	}
	most := prices(t, PriceSpec{Input: "9000000000", Image: "9000000000"}).Scaled(1_000_000_000)
	if got := most.Cost(schema.Usage{Input: math.MaxInt64, Images: math.MaxInt64}); got != math.MaxInt64 {
		t.Errorf("a cost beyond all money is %v", got)
	}
}

// TestScaledIsExact compares with whole numbers of any size: rounded once.
func TestScaledIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		price, tokens := rapid.Int64Range(0, 1e12).Draw(t, "price"), rapid.Int64Range(0, 1e9).Draw(t, "tokens")
		share := rapid.Int64Range(0, 1e7).Draw(t, "share")
		p, err := ParsePrices(PriceSpec{Input: Nano(price).String()})
		if err != nil {
			t.Fatal(err)
		}
		sum := new(big.Int).Mul(big.NewInt(price), big.NewInt(tokens))
		sum.Mul(sum, big.NewInt(share)).Add(sum, big.NewInt(500_000_000_000)).Div(sum, big.NewInt(1_000_000_000_000))
		if got := strconv.FormatInt(int64(p.Scaled(PPM(share)).Cost(schema.Usage{Input: tokens})), 10); got != sum.String() {
			t.Fatalf("%s, want %s", got, sum)
		}
	})
}

func TestRates(t *testing.T) {
	listed, own := prices(t, PriceSpec{Input: "10"}), prices(t, PriceSpec{Input: "3"})
	r := NewRates([]Rate{{Pattern: "*", Share: 1_100_000}, {Pattern: "openai/*", Share: 900_000}, {Pattern: "openai/gpt-5", Own: own},
		{Pattern: "fast", Share: 500_000}})
	cost := func(p *Prices) string { return p.Cost(schema.Usage{Input: 1_000_000}).String() }
	for _, c := range []struct {
		want  string
		names []string
	}{
		{"11", []string{"x", "lab/llama", "llama"}}, {"9", []string{"x", "openai/gpt-4o", "gpt-4o"}}, {"3", []string{"x", "openai/gpt-5", "gpt-5"}},
		{"5", []string{"fast", "openai/gpt-4o", "gpt-4o"}},
	} {
		if got := cost(r.Of(listed, c.names...)); got != c.want {
			t.Errorf("%v costs %s, want %s", c.names, got, c.want)
		}
	}
	if r.Of(listed, "x") != r.Of(listed, "y") {
		t.Error("the same prices are scaled twice")
	}
	if r.Of(nil, "x") != nil || cost(r.Of(nil, "openai/gpt-5")) != "3" {
		t.Error("a share of no price is a price, or a price of its own is none")
	}
	if (*Rates)(nil).Of(listed, "x") != listed || NewRates(nil).Of(listed, "x") != listed {
		t.Error("no rate is a rate")
	}
}
