package billing

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sluice/providers/schema"
)

func prices(t testing.TB, s PriceSpec) *Prices {
	t.Helper()
	p, err := ParsePrices(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCost(t *testing.T) {
	simple := prices(t, PriceSpec{Input: "3", Output: "15", CachedInput: "0.3", CacheWrite: "3.75", CacheWrite1h: "6"})
	bare := prices(t, PriceSpec{Input: "1", Output: "2"})
	tiered := prices(t, PriceSpec{Input: "1.25", Output: "10", CachedInput: "0.31",
		Above: map[int64]PriceSpec{200_000: {Input: "2.5", Output: "15"}, 500_000: {Output: "20"}}})
	rich := prices(t, PriceSpec{Input: "1", Output: "4", Reasoning: "8", AudioInput: "10", AudioOutput: "20", Image: "0.04", Request: "0.005"})
	served := prices(t, PriceSpec{Input: "1", Output: "10", CachedInput: "0.25", Above: map[int64]PriceSpec{1_000: {Input: "2", Output: "15", CachedInput: "0.5"}},
		Tiers: map[string]PriceSpec{"flex": {Input: "0.5", Output: "5", CachedInput: "0.125"},
			"priority": {Input: "2", Output: "20", Above: map[int64]PriceSpec{1_999: {Input: "6"}}}}})
	tiny := prices(t, PriceSpec{Input: "0.0001"})
	for _, c := range []struct {
		name string
		p    *Prices
		u    schema.Usage
		want string
	}{
		{"no prices", nil, schema.Usage{Input: 5}, "0"},
		{"nothing used", simple, schema.Usage{}, "0"},
		{"plain", simple, schema.Usage{Input: 1000, Output: 100}, "0.0045"},
		{"cache read and writes", simple, schema.Usage{Input: 1000, CachedInput: 500, CacheWrite: 300, CacheWrite1h: 100, Output: 10},
			"0.00225"}, // 200*3 + 500*.3 + 200*3.75 + 100*6 + 10*15 = 2250 per million
		{"cache costs input if it has no price", bare, schema.Usage{Input: 1000, CachedInput: 400, CacheWrite: 300, CacheWrite1h: 300}, "0.001"},
		{"reasoning and audio cost output and input", bare, schema.Usage{Input: 10, AudioInput: 5, Output: 10, Reasoning: 4, AudioOutput: 6}, "0.00003"},
		{"at the tier's edge", tiered, schema.Usage{Input: 200_000, Output: 1000}, "0.26"},
		{"above it all is dearer", tiered, schema.Usage{Input: 200_001, Output: 1000}, "0.5150025"},
		{"the cached price stays", tiered, schema.Usage{Input: 300_000, CachedInput: 100_000}, "0.531"},
		{"the next tier", tiered, schema.Usage{Input: 600_000, Output: 1000}, "1.52"},
		{"everything", rich, schema.Usage{Input: 100, AudioInput: 50, Output: 100, Reasoning: 20, AudioOutput: 30, Images: 2},
			"0.08651"}, // 50*1 + 50*10 + 50*4 + 20*8 + 30*20 = 1510 per million, 2*.04, .005
		{"flex", served, schema.Usage{Input: 1000, CachedInput: 400, Output: 100, Tier: "flex"}, "0.00085"}, // 600*.5 + 400*.125 + 100*5
		{"what priority does not state is usual", served, schema.Usage{Input: 1000, CachedInput: 400, Output: 100, Tier: "priority"}, "0.0033"},
		{"a tier without prices is usual", served, schema.Usage{Input: 1000, CachedInput: 400, Output: 100, Tier: "reserved"}, "0.0017"},
		{"fast is priority's other name", served, schema.Usage{Input: 1000, CachedInput: 400, Output: 100, Tier: "fast"}, "0.0033"},
		{"flex above a size", served, schema.Usage{Input: 2000, Output: 100, Tier: "flex"}, "0.0015"}, // 2000*.5 + 100*5: flex states them
		{"priority above a size of its own", served, schema.Usage{Input: 2000, Output: 100, Tier: "priority"}, "0.014"},
		{"priority above a size of the usual one", served, schema.Usage{Input: 1500, CachedInput: 500, Output: 100, Tier: "priority"}, "0.00425"},
		{"half up", tiny, schema.Usage{Input: 5}, "0.000000001"}, // half a Nano
		{"less than half", tiny, schema.Usage{Input: 4}, "0"},
		{"a thousand million tokens", tiny, schema.Usage{Input: 1_000_000_000}, "0.1"},
		{"more cached than read", simple, schema.Usage{Input: 10, CachedInput: 1000}, "0.000003"},
		{"negative figures", simple, schema.Usage{Input: -5, CachedInput: -3, Output: -1}, "0"},
	} {
		if got := c.p.Cost(c.u); got != usd(t, c.want) {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
}

func TestParsePricesRefuses(t *testing.T) {
	for want, s := range map[string]PriceSpec{
		"cached_input":       {Input: "1", CachedInput: "cheap"},
		"output":             {Output: "-1"},
		"input":              {Input: "0.0000000001"},
		"above.-1":           {Input: "1", Above: map[int64]PriceSpec{-1: {Input: "1"}}},
		"above.5.audio_inpu": {Input: "1", Above: map[int64]PriceSpec{5: {AudioInput: "x"}}},
		"tiers.flex.input":   {Input: "1", Tiers: map[string]PriceSpec{"flex": {Input: "x"}}},
		"tiers.default":      {Input: "1", Tiers: map[string]PriceSpec{"default": {Input: "1"}}},
		"tiers.Flex":         {Input: "1", Tiers: map[string]PriceSpec{"Flex": {Input: "1"}}},
		"tiers.flex.tiers":   {Input: "1", Tiers: map[string]PriceSpec{"flex": {Tiers: map[string]PriceSpec{"batch": {}}}}},
		"tiers.flex.above.0": {Input: "1", Tiers: map[string]PriceSpec{"flex": {Above: map[int64]PriceSpec{0: {}}}}},
		"above.5.above":      {Input: "1", Above: map[int64]PriceSpec{5: {Above: map[int64]PriceSpec{6: {}}}}},
	} {
		if _, err := ParsePrices(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v does not name %s", s, err, want)
		}
	}
	if p, err := ParsePrices(PriceSpec{}); p != nil || err != nil {
		t.Errorf("no prices are %v, %v", p, err)
	}
	if p := prices(t, PriceSpec{Input: "0"}); p == nil || p.Cost(schema.Usage{Input: 9}) != 0 {
		t.Error("a price of 0 is no price")
	}
}

func TestPriceVersion(t *testing.T) {
	a := prices(t, PriceSpec{Input: "1", Output: "2"})
	b := prices(t, PriceSpec{Input: "1.0", Output: "2", CachedInput: "1"})
	c := prices(t, PriceSpec{Input: "1", Output: "2.1"})
	if a.Version != b.Version || a.Version == c.Version || len(a.Version) != 12 {
		t.Errorf("versions %s, %s, %s", a.Version, b.Version, c.Version)
	}
}

func TestLargeAmountsStop(t *testing.T) {
	p := prices(t, PriceSpec{Input: "9000000000", Output: "1", Image: "9000000000"})
	if got := p.Cost(schema.Usage{Input: math.MaxInt64, Images: math.MaxInt64}); got != math.MaxInt64 {
		t.Errorf("a cost beyond all money is %v", got)
	}
	if got := p.ImageCost(math.MaxInt64); got != math.MaxInt64 {
		t.Errorf("pictures beyond all money cost %v", got)
	}
	if got := p.AffordableOutput(math.MaxInt64, math.MaxInt64); got != 0 {
		t.Errorf("%d tokens of output after an input beyond all money", got)
	}
}

// drawPrices makes prices of every shape.
func drawPrices(t *rapid.T) *Prices {
	money := rapid.Custom(func(t *rapid.T) string {
		if rapid.IntRange(0, 3).Draw(t, "absent") == 0 {
			return ""
		}
		return Nano(rapid.Int64Range(0, 200*int64(Dollar)).Draw(t, "price")).String()
	})
	spec := func(name string) PriceSpec {
		f := rapid.SliceOfN(money, 10, 10).Draw(t, name)
		return PriceSpec{Input: f[0], Output: f[1], CachedInput: f[2], CacheWrite: f[3], CacheWrite1h: f[4],
			Reasoning: f[5], AudioInput: f[6], AudioOutput: f[7], Image: f[8], Request: f[9]}
	}
	s := spec("base")
	s.Input = "1"
	s.Above = map[int64]PriceSpec{}
	for _, size := range rapid.SliceOfN(rapid.Int64Range(1, 2000), 0, 3).Draw(t, "tiers") {
		s.Above[size] = spec("tier")
	}
	s.Tiers = map[string]PriceSpec{}
	for _, name := range rapid.SliceOfN(rapid.SampledFrom(tierNames[1:4]), 0, 3).Draw(t, "services") {
		one := spec("service")
		if rapid.Bool().Draw(t, "sized") {
			one.Above = map[int64]PriceSpec{rapid.Int64Range(1, 2000).Draw(t, "size"): spec("service size")}
		}
		s.Tiers[name] = one
	}
	p, err := ParsePrices(s)
	if err != nil {
		t.Fatal(err)
	}
	return p.Scaled(PPM(rapid.SampledFrom([]int64{int64(Whole), 0, 1, 900_000, 1_050_001, rapid.Int64Range(0, 1e9).Draw(t, "share")}).Draw(t, "scale")))
}

// tierNames are service tiers: the usual one, three that have prices in
// drawPrices, and one that has none.
var tierNames = []string{"", "batch", "flex", "priority", "reserved", "fast"}

func TestMaxCostBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPrices(t)
		tokens := rapid.Int64Range(0, 3000)
		in, out := tokens.Draw(t, "in"), tokens.Draw(t, "out")
		u := schema.Usage{
			Input: rapid.Int64Range(0, in).Draw(t, "input"), Output: rapid.Int64Range(0, out).Draw(t, "output"),
			CachedInput: tokens.Draw(t, "cached"), CacheWrite: tokens.Draw(t, "write"), CacheWrite1h: tokens.Draw(t, "write1h"),
			Reasoning: tokens.Draw(t, "reasoning"), AudioInput: tokens.Draw(t, "audio in"), AudioOutput: tokens.Draw(t, "audio out"),
		}
		asked := rapid.SampledFrom(append([]string{AnyTier}, tierNames...)).Draw(t, "asked")
		served := rapid.SampledFrom([]string{"", asked}).Draw(t, "served")
		if asked == AnyTier {
			served = rapid.SampledFrom(tierNames).Draw(t, "served at any")
		}
		u.Tier = served
		bound := p.Asked(asked)
		if cost, most := p.Cost(u), bound.MaxCost(in, out); cost > most || cost < 0 {
			t.Fatalf("asked for %q, %+v costs %v, at most %v", asked, u, cost, most)
		}
		if cost, most := p.Cost(u), p.MaxCost(in, out); cost > most || cost < 0 {
			t.Fatalf("%+v costs %v, at most %v", u, cost, most)
		}
		u.Images = rapid.Int64Range(0, 9).Draw(t, "images")
		if cost, most := p.Cost(u), p.MaxCost(in, out)+p.ImageCost(u.Images); cost > most {
			t.Fatalf("with pictures %+v costs %v, at most %v", u, cost, most)
		}
	})
}

func TestAffordableOutput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPrices(t)
		in := rapid.Int64Range(0, 3000).Draw(t, "in")
		money := Nano(rapid.Int64Range(0, 2*int64(Dollar)).Draw(t, "money"))
		n := p.AffordableOutput(money, in)
		switch {
		case n < 0:
			t.Fatalf("%d tokens", n)
		case n == 0 && p.MaxCost(in, 1) <= money:
			t.Fatalf("%v buys a token, not none", money)
		case n > 0 && p.MaxCost(in, n) > money:
			t.Fatalf("%v does not buy %d tokens: %v", money, n, p.MaxCost(in, n))
		case n > 0 && n < 1<<50 && p.MaxCost(in, n+1) <= money: // counts beyond are cut to 1<<50
			t.Fatalf("%v buys more than %d tokens", money, n)
		}
	})
}

// TestCostIsExact compares with rational numbers.
func TestCostIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in, out := Nano(rapid.Int64Range(0, 1e12).Draw(t, "in price")), Nano(rapid.Int64Range(0, 1e12).Draw(t, "out price"))
		u := schema.Usage{Input: rapid.Int64Range(0, 1e9).Draw(t, "in"), Output: rapid.Int64Range(0, 1e9).Draw(t, "out")}
		p, err := ParsePrices(PriceSpec{Input: in.String(), Output: out.String()})
		if err != nil {
			t.Fatal(err)
		}
		sum := new(big.Int).Mul(big.NewInt(int64(in)), big.NewInt(u.Input))
		sum.Add(sum, new(big.Int).Mul(big.NewInt(int64(out)), big.NewInt(u.Output)))
		sum.Add(sum, big.NewInt(500_000)).Div(sum, big.NewInt(1_000_000))
		if got := strconv.FormatInt(int64(p.Cost(u)), 10); got != sum.String() {
			t.Fatalf("%s, want %s", got, sum)
		}
	})
}

func TestParseUnpriced(t *testing.T) {
	for in, want := range map[string]UnpricedPolicy{"": UnpricedBlock, "block": UnpricedBlock, "estimate": UnpricedEstimate, "allow": UnpricedAllow} {
		if got, err := ParseUnpriced(in); err != nil || got != want {
			t.Errorf("%q is %q, %v", in, got, err)
		}
	}
	if _, err := ParseUnpriced("free"); err == nil {
		t.Error("free is a policy")
	}
}

func BenchmarkCost(b *testing.B) {
	p := prices(b, PriceSpec{Input: "3", Output: "15", CachedInput: "0.3"})
	u := schema.Usage{Input: 1000, CachedInput: 400, Output: 200}
	b.ReportAllocs()
	for b.Loop() {
		p.Cost(u)
	}
}
