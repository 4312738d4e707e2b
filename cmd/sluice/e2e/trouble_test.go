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
// unless it is in trouble.
type troubled struct {
	url   string
	seen  atomic.Int64
	state atomic.Int32
}

const (
	fails   = 1 + iota // every call
	dies               // ends each connection without an answer
	slows              // takes ten times as long
	refuses            // half of its calls
)

func newTroubled(t *testing.T, to string, state int32) *troubled {
	at, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	p, pass := &troubled{}, httputil.NewSingleHostReverseProxy(at)
	p.state.Store(state)
	pass.Transport = &http.Transport{MaxIdleConnsPerHost: 256}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, state, after := p.seen.Add(1), p.state.Load(), 30*time.Millisecond
		switch {
		case state == fails:
			http.Error(w, `{"error":{"message":"down"}}`, http.StatusInternalServerError)
			return
		case state == dies:
			panic(http.ErrAbortHandler)
		case state == refuses && n%2 == 0:
			http.Error(w, `{"error":{"message":"slow down","code":"rate_limit_exceeded"}}`, http.StatusTooManyRequests)
			return
		case state == slows:
			after *= 10
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

// became is what became of calls.
type became struct {
	status map[int]int
	extra  int // tries beyond the first of each
	took   []time.Duration
}

// add adds what became of others.
func (b *became) add(o became) {
	if b.status == nil {
		b.status = map[int]int{}
	}
	for code, n := range o.status {
		b.status[code] += n
	}
	b.extra, b.took = b.extra+o.extra, append(b.took, o.took...)
}

func (b *became) p99() time.Duration {
	slices.Sort(b.took)
	return b.took[len(b.took)*99/100].Round(time.Millisecond)
}

// burst makes calls, so many at once.
func (g *gateway) burst(model string, calls, atOnce int) (b became) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for n := range atOnce {
		wg.Go(func() {
			for range (calls + atOnce - 1 - n) / atOnce {
				begin := time.Now()
				a := g.chat(chatBody(model, "hi", ""))
				tries, _ := strconv.Atoi(a.header.Get("x-sluice-attempts"))
				one := became{map[int]int{a.status: 1}, max(tries-1, 0), []time.Duration{time.Since(begin)}}
				mu.Lock()
				b.add(one)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return b
}

// check tells what became of calls which nobody should have noticed anything of.
func (b *became) check(t *testing.T, model string, healthy time.Duration) {
	t.Helper()
	calls := len(b.took)
	if testing.Verbose() {
		fmt.Printf("%-12s %v, %d extra tries, p99 %v, of a healthy target %v\n", model, b.status, b.extra, b.p99(), healthy)
	}
	if calls-b.status[200] > calls/1000 || b.extra > calls/5 {
		t.Errorf("%s: %v, %d extra tries for %d calls", model, b.status, b.extra, calls)
	}
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
	slow, limited, well := newTroubled(t, g.fake.URL(), slows), newTroubled(t, g.fake.URL(), refuses), newTroubled(t, g.fake.URL(), 0)
	g.configure(head + strings.NewReplacer("SLOW", slow.url, "LIMITED", limited.url, "WELL", well.url).Replace(troubleConfig))
	g.start()
	alone := g.burst("healthy", calls/4, 20)
	healthy := alone.p99()
	var models sync.WaitGroup
	for _, model := range []string{"fastest", "adaptive", "least-busy", "round-robin"} {
		models.Go(func() {
			all := g.burst(model, calls, 20)
			all.check(t, model, healthy)
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
	for _, p := range []*troubled{slow, limited, well} {
		p.state.Store(fails)
	}
	for _, c := range []struct{ calls, atOnce int }{{1000, 500}, {5000, 1000}} {
		was, begin := sum(), time.Now()
		status := g.burst("three", c.calls, c.atOnce).status
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

const turnsConfig = `providers:
  a: {kind: openai-compatible, base_url: "A/v1", keys: [sk-1], prices: {"*": {input: 1, output: 2}}}
  b: {kind: openai-compatible, base_url: "B/v1", keys: [sk-2], prices: {"*": {input: 1, output: 2}}}
  c: {kind: openai-compatible, base_url: "C/v1", keys: [sk-3], prices: {"*": {input: 1, output: 2}}}
models:
  fastest: {balance: fastest, targets: [{model: a/small}, {model: b/small}, {model: c/small}]}
  adaptive: {balance: adaptive, targets: [{model: a/small}, {model: b/small}, {model: c/small}]}
  healthy: {targets: [{model: c/small}]}
` + team

// Of three targets first one dies, then, as it is back, one slows, then one
// refuses half of its calls: nobody notices. Each balance has targets of its
// own, or it would begin with those that the other's troubles have left open
// or at rest.
func TestTroublesInTurn(t *testing.T) {
	t.Parallel() // it waits most of its time
	calls := 150
	if full {
		calls = 3334
	}
	for _, model := range []string{"fastest", "adaptive"} {
		g := newGateway(t, "")
		targets := []*troubled{newTroubled(t, g.fake.URL(), 0), newTroubled(t, g.fake.URL(), 0), newTroubled(t, g.fake.URL(), 0)}
		g.configure(head + strings.NewReplacer("A/v1", targets[0].url+"/v1", "B/v1", targets[1].url+"/v1", "C/v1", targets[2].url+"/v1").Replace(turnsConfig))
		g.start()
		alone := g.burst("healthy", calls, 20)
		var all became
		for i, state := range []int32{dies, slows, refuses} {
			targets[i].state.Store(state)
			was := targets[i].seen.Load()
			all.add(g.burst(model, calls, 20))
			targets[i].state.Store(0)
			if n := targets[i].seen.Load() - was; n > 40+int64(calls)/50 {
				t.Errorf("%s: trouble %d was met %d times in %d calls", model, state, n, calls)
			}
		}
		all.check(t, model, alone.p99())
	}
}
