package gateway_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/billing"
	"sluice/gateway"
	"sluice/gateway/cache"
	"sluice/providers/mock"
)

// Whatever answers cost and are kept for: what each call is charged, what it
// saved, what the ledger sums and what the budgets have spent agree to the nano,
// and a hard budget is never exceeded.
func TestPricedHits(t *testing.T) {
	limits := map[string]billing.Nano{"rich": 1 << 40, "poor": 20_000, "scant": 3_001}
	r := newRig(t, func(s *setup) {
		s.providers = append(s.providers, local("odd", mock.New(mock.Options{Count: func(text string) int64 { return sharedCounter.Count("mock", text) }}), price("1.0007", "2.0013")))
		for _, share := range []billing.PPM{0, 1, 333_333, 500_000, billing.Whole} {
			m := s.model(fmt.Sprint("m", int64(share)), "odd/echo")
			m.Caching = &gateway.Caching{TTL: time.Hour, Scope: cache.ScopeTeam, Price: share}
		}
		for name, usd := range limits {
			s.key(name, func(k *billing.Key) { k.Budgets = hard(usd) })
		}
	})
	hits := 0
	rapid.Check(t, func(rt *rapid.T) {
		key := rapid.SampledFrom([]string{"rich", "rich", "poor", "scant"}).Draw(rt, "key")
		share := rapid.SampledFrom([]billing.PPM{0, 1, 333_333, 500_000, billing.Whole}).Draw(rt, "share")
		words := strings.Repeat("word ", rapid.IntRange(1, 30).Draw(rt, "words"))
		stream := rapid.Bool().Draw(rt, "stream")
		a := r.bare("POST", completions, chat(fmt.Sprint("m", int64(share)), words, fmt.Sprintf(`,"stream":%v`, stream)), as(key)...)
		if a.status != 200 && (a.status != 429 || a.get("error.code").Str != "insufficient_quota" || key == "rich") {
			rt.Fatalf("%s: %d %s", key, a.status, a.body)
		}
		if a.header.Get("x-sluice-cache") == "hit" {
			hits++
		}
	})
	r.settled()
	sums := map[string]billing.Nano{}
	var charged, saved billing.Nano
	for _, e := range r.entries() {
		sums[e.Key] += e.Cost
		if e.Cache != cache.Hit {
			if e.Markup != 0 || e.Saved != 0 || e.Excess != 0 {
				t.Errorf("%+v", e)
			}
			continue
		}
		var share int64
		fmt.Sscanf(e.Model, "m%d", &share)
		whole := int64(e.Cost + e.Saved) // what the answer cost when it was made
		if int64(e.Cost) != (whole*share+500_000)/1_000_000 || e.Markup != e.Cost || e.Excess != 0 || !e.Usage.IsZero() {
			t.Errorf("a hit of %v: %+v", whole, e)
		}
		charged, saved = charged+e.Cost, saved+e.Saved
	}
	for key, limit := range limits {
		s := r.owners.Key("key_" + key).Budgets(time.Now())[0]
		if billing.Nano(s.Spent) != sums["t/"+key] || s.Held != 0 || billing.Nano(s.Spent) > limit {
			t.Errorf("%s: spent %v and holds %v of %v, the ledger has %v", key, billing.Nano(s.Spent), s.Held, limit, sums["t/"+key])
		}
	}
	if f := r.g.CacheFigures(); f.SavedUSD != saved || f.Hits == 0 || charged == 0 || hits == 0 {
		t.Errorf("saved %v, figures %+v", saved, f)
	}
}

// A hit that a budget has no room for is refused; the headers tell the price of
// one that is given.
func TestHitsThatCost(t *testing.T) {
	r := newRig(t, func(s *setup) {
		m := s.model("half", "mock/echo")
		m.Caching = &gateway.Caching{TTL: time.Hour, Scope: cache.ScopeTeam, Price: 500_000}
		s.key("broke", func(k *billing.Key) { k.Budgets = hard(40_000) })
	})
	body := chat("half", strings.Repeat("many words ", 100), "") // some 600 µ$
	first := r.call("POST", completions, body, "X-Request-Id", "first")
	again := r.call("POST", completions, body, "X-Request-Id", "again")
	broke := r.bare("POST", completions, body, append(as("broke"), "X-Request-Id", "broke")...)
	if again.status != 200 || again.body != first.body || broke.status != 429 || broke.get("error.code").Str != "insufficient_quota" {
		t.Fatalf("%d %s, %d %s", again.status, again.body, broke.status, broke.body)
	}
	r.settled()
	made, hit, refused := r.entry("first"), r.entry("again"), r.entry("broke")
	if hit.Cost != (made.Cost+1)/2 || hit.Saved != made.Cost-hit.Cost || again.header.Get("x-sluice-cost") != hit.Cost.String() {
		t.Errorf("made %v, hit %v, saved %v, told %s", made.Cost, hit.Cost, hit.Saved, again.header.Get("x-sluice-cost"))
	}
	if refused.Cost != 0 || refused.Saved != 0 {
		t.Errorf("%+v", refused)
	}
}
