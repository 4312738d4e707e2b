package e2e

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/bench/proc"
)

const cachedModels = providers + `models:
  kept: {targets: [{model: up/echo}], cache: {ttl: 10m}}
  slow: {targets: [{model: up/echo_delay-1000}], cache: {ttl: 10m, scope: all}}
  own: {targets: [{model: up/echo}], cache: {ttl: 10m, scope: key}}
teams:
  t: {keys: [{name: k, value: "` + teamKey + `"}, {name: two, value: sk-e2e-two-0123456789}]}
  u: {keys: [{name: k, value: sk-e2e-other-0123456789}]}
`

func bearer(key string) []string {
	return []string{"Authorization", "Bearer sk-e2e-" + key + "-0123456789"}
}

// A thousand identical calls at once, half of them streams, make one upstream
// call; they all count, and one of them costs.
func TestThousandIdenticalMisses(t *testing.T) {
	g := start(t, cachedModels)
	const calls = 1000
	var wg sync.WaitGroup
	var hits, misses atomic.Int64
	for i := range calls {
		wg.Go(func() {
			var how, text string
			if i%2 == 0 {
				a := g.chat(chatBody("slow", "the same for all", ""), bearer([]string{"two", "other"}[i/2%2])...)
				how, text = a.header.Get("x-sluice-cache"), a.get("choices.0.message.content").Str
			} else if s, err := g.stream(chatBody("slow", "the same for all", `,"stream":true`)); err != nil {
				t.Errorf("call %d: %v", i, err)
			} else {
				how = s.res.Header.Get("x-sluice-cache")
				text, _, err = s.rest()
				s.close()
				if err != nil {
					t.Errorf("call %d: %v", i, err)
				}
			}
			if text != "the same for all" {
				t.Errorf("call %d said %q", i, text)
			}
			switch how {
			case "hit":
				hits.Add(1)
			case "miss":
				misses.Add(1)
			}
		})
	}
	wg.Wait()
	if up := g.fake.Stats(); up.Done != 1 || misses.Load() != 1 || hits.Load() != calls-1 {
		t.Errorf("%d calls upstream, %d misses, %d hits", up.Done, misses.Load(), hits.Load())
	}
	total := g.waitCalls(calls).get("total")
	f := g.api("GET", "cache", "")
	if total.Get("cached").Int() != calls-1 || total.Get("errors").Int() != 0 || total.Get("saved_usd").Str != f.get("saved_usd").Str || f.get("hits").Int() != calls-1 || f.get("entries").Int() != 1 {
		t.Errorf("%s\n%s", total, f.body)
	}
	paid := g.requests("&min_usd=0.000000001")
	if len(paid) != 1 || total.Get("usd").Str != paid[0].USD.String() || total.Get("usd").Str == "0" {
		t.Errorf("%v of %s", paid, total)
	}
}

// What is kept serves the scope, in every form, until it is purged; a reload
// keeps it, and other targets end it.
func TestCache(t *testing.T) {
	g := start(t, cachedModels)
	cached := func(model, want string, header ...string) answer {
		t.Helper()
		a := g.chat(chatBody(model, "hi", ""), header...)
		if a.status != 200 || a.header.Get("x-sluice-cache") != want {
			t.Errorf("%s: %d %v, want %s", model, a.status, a.header, want)
		}
		return a
	}
	cached("kept", "miss", "x-sluice-tags", "red")
	cached("kept", "hit", bearer("two")...)
	cached("kept", "miss", bearer("other")...)
	cached("own", "miss")
	key := cached("own", "hit").header.Get("x-sluice-cache-key")
	cached("own", "miss", bearer("two")...)
	cached("kept", "", "x-sluice-cache", "skip")
	cached("kept", "miss", "x-sluice-cache", "refresh")
	if a := g.chat(chatBody("kept", "hi", ""), "x-sluice-cache", "never"); a.status != 400 || a.get("error.param").Str != "x-sluice-cache" {
		t.Errorf("%d %s", a.status, a.body)
	}
	body := `{"model":"kept","max_tokens":50,"messages":[{"role":"user","content":"across"}]}`
	first := g.chat(body)
	a := g.data("POST", "/v1/messages", body)
	if a.header.Get("x-sluice-cache") != "hit" || a.get("content.0.text").Str != first.get("choices.0.message.content").Str || a.get("usage.output_tokens").Int() != first.get("usage.completion_tokens").Int() {
		t.Errorf("%v %s, want what %s says", a.header, a.body, first.body)
	}
	a = g.data("POST", "/v1beta/models/kept:streamGenerateContent", `{"contents":[{"role":"user","parts":[{"text":"across"}]}],"generationConfig":{"maxOutputTokens":50}}`)
	if a.header.Get("x-sluice-cache") != "hit" || a.get("0.candidates.0.content.parts.0.text").Str != "across" {
		t.Errorf("%v %s", a.header, a.body)
	}
	for _, c := range []struct {
		query string
		want  int64
	}{{"tag=blue", 0}, {"key=" + key, 1}, {"model=own", 1}, {"prefix=kept/u/", 1}} {
		if a := g.api("DELETE", "cache?"+c.query, ""); a.status != 200 || a.get("purged").Int() != c.want {
			t.Errorf("%s: %d %s, want %d", c.query, a.status, a.body, c.want)
		}
	}
	cached("own", "miss")
	if a := g.api("POST", "reload", ""); a.status != 200 {
		t.Fatal(a.body)
	}
	cached("kept", "hit")
	g.configure(head + strings.Replace(cachedModels, "kept: {targets: [{model: up/echo}]", "kept: {targets: [{model: up/small}]", 1))
	if a := g.api("POST", "reload", ""); a.status != 200 {
		t.Fatal(a.body)
	}
	cached("kept", "miss")
	res, err := g.client.Get("http://" + g.admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(b), `sluice_cache_calls_total{result="hit"} 5`) {
		t.Errorf("%v: no count of five hits in the metrics", err)
	}
}

// A hit takes less of the processor than a miss, and than the same call of a
// model without a cache. Run with SLUICE_E2E_FULL=1.
func TestHitsAreCheap(t *testing.T) {
	if !full {
		t.Skip("it takes a moment")
	}
	g := start(t, cachedModels)
	const calls = 3000
	history := strings.Repeat("all that was said before; ", 80) // two kilobytes
	spent := func(model string, text func(i int) string) time.Duration {
		before, err := proc.CPU(g.cmd.Process.Pid)
		if err != nil {
			t.Skip(err)
		}
		for i := range calls {
			if a := g.chat(chatBody(model, history+text(i), "")); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
		after, err := proc.CPU(g.cmd.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		return (after - before) / calls
	}
	same := func(int) string { return "the same" }
	spent("kept", same) // warm
	hit := spent("kept", same)
	miss := spent("kept", func(i int) string { return fmt.Sprint("call ", i) })
	plain := spent("up/echo", same)
	t.Logf("a hit %v, a miss %v, without a cache %v", hit, miss, plain)
	if hit >= miss || hit >= plain {
		t.Errorf("a hit takes %v, a miss %v, a call without a cache %v", hit, miss, plain)
	}
}
