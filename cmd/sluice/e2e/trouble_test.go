package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// troubled is a provider that gives the fake upstream's answers after a while,
// or refuses half of its calls, or fails while it is down.
type troubled struct {
	url  string
	seen atomic.Int64
}

func newTroubled(t *testing.T, to string, after time.Duration, down *atomic.Bool, refuses bool) *troubled {
	at, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	p, pass := &troubled{}, httputil.NewSingleHostReverseProxy(at)
	pass.Transport = &http.Transport{MaxIdleConnsPerHost: 256}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := p.seen.Add(1)
		switch {
		case down.Load():
			http.Error(w, `{"error":{"message":"down"}}`, http.StatusInternalServerError)
			return
		case refuses && n%2 == 0:
			http.Error(w, `{"error":{"message":"slow down","code":"rate_limit_exceeded"}}`, http.StatusTooManyRequests)
			return
		}
		time.Sleep(after)
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	p.url = s.URL
	return p
}

// The breakers of three never open, so that it is the budget that bounds its
// tries.
const troubleConfig = `providers:
  dead: {kind: openai-compatible, base_url: "http://127.0.0.1:1/v1", keys: [sk-1], prices: {"*": {input: 1, output: 2}}}
  slow: {kind: openai-compatible, base_url: "SLOW/v1", keys: [sk-2], prices: {"*": {input: 1, output: 2}}}
  limited: {kind: openai-compatible, base_url: "LIMITED/v1", keys: [sk-3], prices: {"*": {input: 1, output: 2}}}
  well: {kind: openai-compatible, base_url: "WELL/v1", keys: [sk-4], prices: {"*": {input: 1, output: 2}}}
models:
  fastest: {balance: fastest, targets: [{model: dead/small}, {model: slow/small}, {model: limited/small}, {model: well/small}]}
  adaptive: {balance: adaptive, targets: [{model: dead/small}, {model: slow/small}, {model: limited/small}, {model: well/small}]}
  least-busy: {balance: least-busy, targets: [{model: dead/small}, {model: slow/small}, {model: limited/small}, {model: well/small}]}
  round-robin: {balance: round-robin, targets: [{model: dead/small}, {model: slow/small}, {model: limited/small}, {model: well/small}]}
  three: {balance: round-robin, targets: [{model: slow/small}, {model: limited/small}, {model: well/small}], breaker: {failures: 1000000, min_calls: 1000000}}
  closed: {balance: round-robin, targets: [{model: slow/big}, {model: limited/big}, {model: well/big}]}
  healthy: {targets: [{model: well/small}]}
` + team

// burst makes calls, so many at once, and gives what became of them.
func (g *gateway) burst(model string, calls, atOnce int) (status map[int]int, extra int, p99 time.Duration) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	status = map[int]int{}
	var took []time.Duration
	for n := range atOnce {
		wg.Go(func() {
			for range (calls + atOnce - 1 - n) / atOnce {
				begin := time.Now()
				a := g.chat(chatBody(model, "hi", ""))
				tries, _ := strconv.Atoi(a.header.Get("x-sluice-attempts"))
				mu.Lock()
				status[a.status]++
				extra += max(tries-1, 0)
				took = append(took, time.Since(begin))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(took)
	return status, extra, took[len(took)*99/100]
}

// Beside a healthy target one is dead, one slow and one refuses half of its
// calls: nobody notices, and few tries are made. When all fail, upstream sees
// no storm however many come at once, and callers hear when to come again.
func TestTroubledTargets(t *testing.T) {
	t.Parallel() // it waits most of its time
	calls := 400
	if full {
		calls = 10_000
	}
	g := newGateway(t, "")
	var down atomic.Bool
	slow := newTroubled(t, g.fake.URL(), 300*time.Millisecond, &down, false)
	limited := newTroubled(t, g.fake.URL(), 30*time.Millisecond, &down, true)
	well := newTroubled(t, g.fake.URL(), 30*time.Millisecond, &down, false)
	g.configure(head + strings.NewReplacer("SLOW", slow.url, "LIMITED", limited.url, "WELL", well.url).Replace(troubleConfig))
	g.start()
	_, _, healthy := g.burst("healthy", calls/4, 20)
	var models sync.WaitGroup
	for _, model := range []string{"fastest", "adaptive", "least-busy", "round-robin"} {
		models.Go(func() {
			status, extra, p99 := g.burst(model, calls, 20)
			if testing.Verbose() {
				fmt.Printf("%-12s %v, %d extra tries, p99 %v, of a healthy target %v\n", model, status, extra, p99.Round(time.Millisecond), healthy.Round(time.Millisecond))
			}
			if calls-status[200] > calls/1000 || extra > calls/5 {
				t.Errorf("%s: %v, %d extra tries for %d calls", model, status, extra, calls)
			}
		})
	}
	models.Wait()
	dead := g.api("GET", "providers", "").get(`data.#(name=="dead").targets.#(target=="dead/small")`)
	metrics, err := g.send("GET", "http://"+g.admin+"/metrics", "")
	if err != nil || dead.Get("state").Str == "closed" || strings.Contains(metrics.body, `sluice_breaker_state{target="dead/small"} 0`) ||
		!strings.Contains(metrics.body, `sluice_breaker_state{target="dead/small"}`) || !g.logs("a breaker has changed") {
		t.Errorf("%v: no connection does not open a breaker, or it is not told: %s", err, dead)
	}
	sum := func() int64 { return slow.seen.Load() + limited.seen.Load() + well.seen.Load() }
	g.burst("three", 200, 20)
	down.Store(true)
	for _, c := range []struct{ calls, atOnce int }{{1000, 500}, {5000, 1000}} {
		was, begin := sum(), time.Now()
		status, _, _ := g.burst("three", c.calls, c.atOnce)
		// What the calls before had saved up is a hundred tries at most.
		most := int64(c.calls) + int64(c.calls)/5 + 100 + 3*int64(1+time.Since(begin)/time.Second)
		if n := sum() - was; n > most || status[200] > 0 {
			t.Errorf("%d calls, %d at once: upstream saw %d, at most should %d: %v", c.calls, c.atOnce, n, most, status)
		} else if testing.Verbose() {
			fmt.Printf("%d calls, %d at once, all targets down: upstream saw %d\n", c.calls, c.atOnce, n)
		}
	}
	g.burst("closed", 100, 10) // opens the breakers
	begin := time.Now()
	a := g.chat(chatBody("closed", "hi", ""))
	if a.status != 503 || a.get("error.code").Str != "no_target" || a.header.Get("retry-after") == "" {
		t.Errorf("all are down: %d %v %s", a.status, a.header, a.body)
	} else if testing.Verbose() {
		fmt.Printf("all breakers open: %d, retry-after %s, after %v\n", a.status, a.header.Get("retry-after"), time.Since(begin))
	}
}
