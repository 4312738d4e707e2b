package e2e

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const limitsConfig = providers + `  lab: {kind: mock, limits: {rpm: 3}}
  slow: {kind: mock, latency: 40ms, limits: {parallel: 8}}
  wide: {kind: mock, limits: {rpm: 400}}
models:
  scarce: {targets: [{model: up/small}], limits: {rpm: 2}}
  spills: {targets: [{model: lab/echo}, {model: up/small}]}
teams:
  t:
    keys:
      - {name: k, value: "` + teamKey + `"}
      - {name: reads, value: sk-e2e-reads-0123456789, limits: {input_tpm: 100}}
      - {name: daily, value: sk-e2e-daily-0123456789, limits: {rpd: 2}}
  heavy: {weight: 3, keys: [{name: k, value: sk-e2e-heavy-0123456789}]}
  light: {keys: [{name: k, value: sk-e2e-light-0123456789}]}
`

// Limits of input, of a day, of a model and of a provider; a reload keeps what
// was used, and a restart what was used of a day.
func TestLimits(t *testing.T) {
	g := start(t, limitsConfig)
	as := func(key string) []string { return []string{"Authorization", "Bearer sk-e2e-" + key + "-0123456789"} }
	good := func(model string, header ...string) answer {
		t.Helper()
		a := g.chat(chatBody(model, "hi", ""), header...)
		if a.status != 200 {
			t.Fatalf("%s: %d %s", model, a.status, a.body)
		}
		return a
	}
	refused := func(a answer, words string) {
		t.Helper()
		if a.status != 429 || a.get("error.code").Str != "rate_limit_exceeded" || a.header.Get("retry-after") == "" || !strings.Contains(a.get("error.message").Str, words) {
			t.Errorf("%d %v %s, want a refusal for %s", a.status, a.header, a.body, words)
		}
	}
	good("up/small", as("reads")...)
	if a := g.chat(chatBody("up/small", strings.Repeat("word ", 300), ""), as("reads")...); a.status != 429 || !strings.Contains(a.body, "100 input tokens per minute") {
		t.Errorf("%d %s", a.status, a.body)
	}
	for range 2 {
		good("up/small", as("daily")...)
		if a := good("scarce"); a.header.Get("x-ratelimit-limit-requests") != "2" {
			t.Errorf("%v", a.header)
		}
	}
	refused(g.chat(chatBody("up/small", "hi", ""), as("daily")...), "2 requests per day")
	refused(g.chat(chatBody("scarce", "hi", "")), `model "scarce" reached: 2 requests per minute`)
	for i := range 5 {
		want := "lab/echo"
		if i >= 3 {
			want = "up/small"
		}
		if a := good("spills"); a.header.Get("x-sluice-model") != want {
			t.Errorf("call %d went to %s, want %s", i, a.header.Get("x-sluice-model"), want)
		}
	}
	refused(g.chat(chatBody("lab/echo", "hi", "")), `provider "lab" reached: 3 requests per minute`)

	if a := g.api("GET", "providers", ""); a.get(`data.#(name=="lab").limits.rpm`).Int() != 3 || a.get(`data.#(name=="up").limits`).Exists() {
		t.Errorf("providers: %s", a.body)
	}
	if a := g.api("GET", "models", ""); a.get(`data.#(id=="scarce").limits.rpm`).Int() != 2 {
		t.Errorf("models: %s", a.body)
	}
	g.configure(head + strings.NewReplacer("limits: {rpm: 3}", "limits: {rpm: 4}", "limits: {rpm: 2}", "limits: {rpm: 3}").Replace(limitsConfig))
	if a := g.api("POST", "reload", ""); a.status >= 300 {
		t.Fatalf("reload: %d %s", a.status, a.body)
	}
	good("lab/echo")
	good("scarce")
	refused(g.chat(chatBody("lab/echo", "hi", "")), "4 requests per minute")
	refused(g.chat(chatBody("scarce", "hi", "")), "3 requests per minute")

	g.kill()
	g.start()
	refused(g.chat(chatBody("up/small", "hi", ""), as("daily")...), "2 requests per day")
}

// Two teams that want more than a provider allows share it by their weights.
func TestSharedProvider(t *testing.T) {
	t.Parallel() // it waits most of its time
	g := start(t, limitsConfig)
	done := g.flood("slow/echo", func(total int64) bool { return total >= 600 })
	if heavy, light := done[0], done[1]; heavy < 2*light || heavy > 4*light {
		t.Errorf("weights of 3 and 1 became %d and %d calls", heavy, light)
	}
	if !full {
		return
	}
	begin := time.Now()
	var before [2]int64
	done = g.flood("wide/echo", func(total int64) bool { return time.Since(begin) > time.Minute+5*time.Second })
	before = done
	begin = time.Now()
	done = g.flood("wide/echo", func(total int64) bool { return time.Since(begin) > time.Minute })
	t.Logf("in the first minute %v, in the second %v", before, done)
	if done[0] < 290 || done[0] > 310 || done[1] < 90 || done[1] > 110 {
		t.Errorf("400 requests a minute were shared as %v, want 300 and 100", done)
	}
}

// flood asks for a model as the teams heavy and light, sixteen calls of each at
// once, until enough is said of the calls that were answered: how many, by team.
func (g *gateway) flood(model string, enough func(total int64) bool) [2]int64 {
	var counts [2]atomic.Int64
	var wg sync.WaitGroup
	for i, team := range []string{"heavy", "light"} {
		for range 16 {
			wg.Go(func() {
				for !enough(counts[0].Load() + counts[1].Load()) {
					a := g.chat(chatBody(model, "hi", ""), "Authorization", "Bearer sk-e2e-"+team+"-0123456789")
					switch a.status {
					case 200:
						counts[i].Add(1)
					case 429:
						time.Sleep(5 * time.Millisecond)
					default:
						g.t.Errorf("%d %s", a.status, a.body)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	return [2]int64{counts[0].Load(), counts[1].Load()}
}
