package e2e

import (
	"strings"
	"testing"
)

const poolConfig = `providers:
  up: {kind: openai-compatible, base_url: "UP/v1", keys: [sk-up-only-0001], prices: {"*": {input: 1, output: 2}}}
  own: {kind: openai-compatible, base_url: "UP/v1", prices: {"*": {input: 1, output: 2}}, keys: [
    {value: sk-own-first-1111, limits: {rpm: 2}}, {value: sk-own-other-2222, weight: 3, limits: {rpm: 3}}]}
  split: {kind: openai-compatible, base_url: "UP/v1", prices: {"*": {input: 1, output: 2}}, keys: [
    {value: sk-small-keys-3333, models: ["small*"]}, {value: sk-other-keys-4444, models: ["echo*"]}]}
  one: {kind: openai-compatible, base_url: "UP/v1", keys: [{value: sk-one-limit-5555, limits: {rpm: 1}}], prices: {"*": {input: 1, output: 2}}}
models:
  spills: {targets: [{model: own/small}, {model: up/small}]}
` + team

// Each key of a provider has limits, models and a weight of its own; a key
// whose limit is reached is passed over, and a reload keeps what was used.
func TestKeysAsAPool(t *testing.T) {
	g := start(t, poolConfig)
	good := func(model string) answer {
		t.Helper()
		a := g.chat(chatBody(model, "hi", ""))
		if a.status != 200 {
			t.Fatalf("%s: %d %s", model, a.status, a.body)
		}
		return a
	}
	for i := range 6 {
		want := "own/small"
		if i == 5 {
			want = "up/small"
		}
		if a := good("spills"); a.header.Get("x-sluice-model") != want || a.header.Get("x-sluice-attempts") != "1" {
			t.Errorf("call %d: %v", i, a.header)
		}
	}
	keys := g.fake.Stats().Keys
	if keys["sk-own-first-1111"] != 2 || keys["sk-own-other-2222"] != 3 || keys["sk-up-only-0001"] != 1 {
		t.Errorf("calls by key: %v", keys)
	}
	a := g.chat(chatBody("own/small", "hi", ""))
	if a.status != 429 || a.get("error.code").Str != "rate_limit_exceeded" || a.get("error.origin").Str != "policy" || a.header.Get("retry-after") == "" ||
		!strings.Contains(a.body, `a key of provider \"own\"`) || strings.Contains(a.body, "1111") {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	good("one/small")
	if a := g.chat(chatBody("one/small", "hi", "")); a.status != 429 {
		t.Errorf("the only key: %d %s", a.status, a.body)
	}
	for range 2 {
		good("split/small")
		good("split/echo")
	}
	if keys := g.fake.Stats().Keys; keys["sk-small-keys-3333"] != 2 || keys["sk-other-keys-4444"] != 2 {
		t.Errorf("calls by key: %v", keys)
	}
	shown := g.api("GET", "providers", "").get(`data.#(name=="own").keys`)
	if shown.Get("1.key").Str != "…2222" || shown.Get("1.weight").Int() != 3 || shown.Get("1.limits.rpm").Int() != 3 || shown.Get("1.state").Str != "ready" {
		t.Errorf("providers: %s", shown)
	}
	g.configure(head + strings.NewReplacer("limits: {rpm: 3}", "limits: {rpm: 4}").Replace(poolConfig))
	if a := g.api("POST", "reload", ""); a.status >= 300 {
		t.Fatalf("reload: %d %s", a.status, a.body)
	}
	good("own/small")
	if a := g.chat(chatBody("own/small", "hi", "")); a.status != 429 {
		t.Errorf("after the reload: %d %s", a.status, a.body)
	}
}

const spentConfig = providers + `  two: {kind: openai-compatible, base_url: "UP/v1", keys: [sk-two-first-1111, sk-two-other-2222], prices: {"*": {input: 1, output: 2}}}
models:
  keys: {targets: [{model: two/small_spent-60}, {model: ant/small}]}
  targets: {targets: [{model: ant/small_spent-60}, {model: up/small}]}
  refused: {targets: [{model: up/fail-429_spent-60}, {model: ant/small}]}
  busy: {targets: [{model: up/fail-503_after-60}, {model: ant/small}]}
  lone: {targets: [{model: ant/small_spent-61}]}
` + team

// A provider that says that nothing is left of its rate limit is asked no more
// until the reset, before it refuses anything.
func TestProviderSaysNothingIsLeft(t *testing.T) {
	g := start(t, spentConfig)
	for _, c := range []struct {
		model string
		want  []string // target and attempts of the calls, in turn
	}{
		{"keys", []string{"two/small_spent-60 1", "two/small_spent-60 1", "ant/small 1", "ant/small 1"}},
		{"targets", []string{"ant/small_spent-60 1", "up/small 1", "up/small 1"}},
		{"refused", []string{"ant/small 2", "ant/small 1"}},
		{"busy", []string{"ant/small 2", "ant/small 1"}},
		{"lone", []string{"ant/small_spent-61 1", "ant/small_spent-61 1"}},
	} {
		for i, want := range c.want {
			a := g.chat(chatBody(c.model, "hi", ""))
			if got := a.header.Get("x-sluice-model") + " " + a.header.Get("x-sluice-attempts"); a.status != 200 || got != want {
				t.Errorf("%s, call %d: %d %s, want %s: %s", c.model, i, a.status, got, want, a.body)
			}
		}
	}
	a := g.chat(chatBody("two/small_spent-60", "hi", ""))
	if wait := a.header.Get("retry-after"); a.status != 503 || a.get("error.code").Str != "no_target" || wait != "59" && wait != "60" {
		t.Errorf("all keys cool: %d, retry-after %s: %s", a.status, wait, a.body)
	}
	metrics, err := g.send("GET", "http://"+g.admin+"/metrics", "")
	if err != nil || !strings.Contains(metrics.body, `sluice_key_cooling{key="…1111",provider="two"} 1`) ||
		!strings.Contains(metrics.body, `sluice_key_breaker_state{key="…1111",target="two/small_spent-60"} 0`) || !strings.Contains(metrics.body, `sluice_key_cooling{key="…",provider="up"} 0`) {
		t.Errorf("%v: the metrics tell nothing of the keys", err)
	}
	list := g.api("GET", "providers", "")
	if k := list.get(`data.#(name=="two").keys.0`); k.Get("state").Str != "cooling" || k.Get("target").Str != "two/small_spent-60" || k.Get("why").Str != "rate_limited" {
		t.Errorf("providers: %s", list.body)
	}
	if c := list.get(`data.#(name=="ant").targets.#(target=="ant/small_spent-60").cooling_until`); !c.Exists() {
		t.Errorf("providers: %s", list.body)
	}
}

// A key that fails is passed over at that target alone, by a breaker of its own,
// and callers notice nothing; one that is refused rests everywhere, also over a
// reload.
func TestBadKeys(t *testing.T) {
	config := `providers:
  ill: {kind: openai-compatible, base_url: "UP/v1", keys: [sk-fail-500-aaaa, sk-good-keys-bbbb], prices: {"*": {input: 1, output: 2}}}
  shut: {kind: openai-compatible, base_url: "UP/v1", keys: [sk-fail-401-cccc, sk-good-keys-dddd], prices: {"*": {input: 1, output: 2}}}
  broke: {kind: openai-compatible, base_url: "UP/v1", keys: [sk-fail-402-eeee, sk-good-keys-ffff], prices: {"*": {input: 1, output: 2}}}
models:
  ill: {targets: [{model: ill/small}], retry: {attempts: 2, backoff: 1ms}}
` + team
	g := start(t, config)
	ask := func(n int, models ...string) {
		t.Helper()
		for _, model := range models {
			for range n {
				if a := g.chat(chatBody(model, "hi", "")); a.status != 200 {
					t.Fatalf("%s: %d %s", model, a.status, a.body)
				}
			}
		}
	}
	ask(40, "ill", "shut/small", "broke/small")
	ask(4, "shut/echo", "broke/echo")
	g.configure(head + strings.Replace(config, "backoff: 1ms", "backoff: 2ms", 1))
	if a := g.api("POST", "reload", ""); a.status >= 300 {
		t.Fatalf("reload: %d %s", a.status, a.body)
	}
	ask(10, "ill", "shut/small", "broke/small")
	keys := g.fake.Stats().Keys
	if keys["sk-fail-500-aaaa"] != 5 || keys["sk-fail-401-cccc"] != 1 || keys["sk-fail-402-eeee"] != 1 {
		t.Errorf("calls by key: %v", keys)
	}
	list := g.api("GET", "providers", "")
	if k := list.get(`data.#(name=="ill").targets.#(target=="ill/small").keys.0`); k.Get("key").Str != "…aaaa" || k.Get("state").Str != "open" {
		t.Errorf("providers: %s", list.body)
	}
	for provider, why := range map[string]string{"shut": "auth", "broke": "quota"} {
		if k := list.get(`data.#(name=="` + provider + `").keys.0`); k.Get("state").Str != "cooling" || k.Get("why").Str != why || k.Get("target").Exists() {
			t.Errorf("%s: %s", provider, k)
		}
		if !g.logs("a provider's key cools down") || !g.logs("why="+why) {
			t.Errorf("the log does not tell of %s", provider)
		}
	}
}
