package e2e

import (
	"strings"
	"sync"
	"testing"
	"time"
)

const patienceConfig = providers + `  slow: {kind: mock, latency: 20s, prices: {"*": {input: 1, output: 2}}}
  quick: {kind: mock, latency: 1ms, prices: {"*": {input: 1, output: 2}}}
  narrow: {kind: mock, latency: 5ms, limits: {parallel: 5}}
  shut: {kind: mock, latency: 2s, limits: {parallel: 1}}
models:
  hedged: {targets: [{model: slow/echo}, {model: quick/echo}], hedge: {after: 30ms, budget: 1}}
  lined: {targets: [{model: narrow/echo}], queue: {size: 100, wait: 1m}}
  stuck: {targets: [{model: shut/echo}], queue: {size: 1, wait: 300ms}}
teams:
  t: {keys: [{name: k, value: "` + teamKey + `", budget: {usd: 1, per: total}}]}
billing: {unpriced: allow}
`

// A slow target is not waited for, and what it was asked is charged once.
func TestHedging(t *testing.T) {
	g := start(t, patienceConfig)
	for _, more := range []string{"", `,"stream":true`} {
		begin := time.Now()
		a := g.chat(chatBody("hedged", "hi", more), "X-Sluice-Explain", "1")
		if a.status != 200 || a.header.Get("x-sluice-model") != "quick/echo" || a.header.Get("x-sluice-attempts") != "2" ||
			!strings.Contains(a.header.Get("x-sluice-explain"), `"code":"hedge_lost"`) || time.Since(begin) > 15*time.Second {
			t.Errorf("%d %v %s", a.status, a.header, a.body)
		}
	}
	for series, want := range map[string]string{
		`sluice_hedges_total{model="hedged",outcome="won"}`:                              "2",
		`sluice_upstream_attempts_total{code="hedge_lost",model="echo",provider="slow"}`: "2",
	} {
		if got := g.metric(series); got != want {
			t.Errorf("%s is %q", series, got)
		}
	}
	list := g.api("GET", "requests", "")
	for _, e := range list.get("data").Array() {
		if e.Get("attempts.0.code").Str != "hedge_lost" || e.Get("attempts.0.usd").Str != "0.000007" || e.Get("attempts.1.usd").Str != e.Get("usd").Str {
			t.Errorf("%s", e.Raw)
		}
	}
	if a := g.api("GET", "usage?group_by=target", ""); a.get(`total.usd`).Str != "0.000032" { // each loser once
		t.Errorf("%s", a.body)
	}
	g.verified()
}

// More calls than a provider takes at once wait for it; a queue that is full,
// or was waited in for too long, answers as the limit would.
func TestQueue(t *testing.T) {
	g := start(t, patienceConfig)
	var wg sync.WaitGroup
	for range 60 {
		wg.Go(func() {
			if a := g.chat(chatBody("lined", "hi", "")); a.status != 200 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	wg.Wait()
	if a := g.api("GET", "models", ""); a.get(`data.#(id=="lined").queue.served`).Int() == 0 || a.get(`data.#(id=="lined").queue.waiting`).Int() != 0 {
		t.Errorf("models: %s", a.body)
	}
	if n := g.metric(`sluice_queue_calls_total{model="lined",outcome="served"}`); n == "" || n == "0" {
		t.Errorf("%q were served", n)
	}
	wg.Go(func() { g.chat(chatBody("stuck", "hi", "")) })
	for begin := time.Now(); g.api("GET", "providers", "").get(`data.#(name=="shut").targets.0.in_flight`).Int() != 1; time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > 10*time.Second {
			t.Fatal("the first call is not there")
		}
	}
	for range 3 {
		wg.Go(func() {
			a := g.chat(chatBody("stuck", "hi", ""))
			if a.status != 429 || a.header.Get("retry-after") == "" || !strings.Contains(a.body, "queue of stuck") {
				t.Errorf("%d %v %s", a.status, a.header, a.body)
			}
		})
	}
	if a := g.chat(chatBody("stuck", "hi", ""), "X-Sluice-Timeout", "50ms"); a.status != 504 && a.status != 429 {
		t.Errorf("%d %s", a.status, a.body)
	}
	wg.Wait()
}
