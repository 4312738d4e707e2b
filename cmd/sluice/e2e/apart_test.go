package e2e

import (
	"strconv"
	"sync"
	"testing"
	"time"
)

// figure is a series as a number; one that is not there is 0.
func (g *gateway) figure(series string) float64 {
	g.t.Helper()
	v, _ := strconv.ParseFloat(g.metric(series), 64) // not there: 0
	return v
}

// A provider that hangs keeps what calls to it take, and no more than its limit
// lets it: calls to others go on, and all is given back when it answers again,
// or when its callers have left.
func TestProvidersApart(t *testing.T) {
	held := make(chan struct{})
	g := start(t, providers+newVoice(t, "late", held).as("free")+
		`  bound: {kind: openai-compatible, base_url: "`+newVoice(t, "late", held).URL+`/v1", keys: [sk-v], prices: {"*": {input: 1, output: 2}}, limits: {parallel: 40}}
`+team)
	healthy := func(n int) {
		t.Helper()
		for range n {
			if a := g.chat(chatBody("up/in-10_out-1", "hi", "")); a.status != 200 {
				t.Fatalf("a call to the other provider: %d %s", a.status, a.body)
			}
		}
	}
	healthy(50)
	idle := map[string]float64{}
	for _, of := range []string{"go_goroutines", "process_open_fds", "go_memstats_heap_inuse_bytes", "sluice_holds_open"} {
		idle[of] = g.figure(of)
	}
	const calls = 100
	var under sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]map[int]int{"bound": {}, "free": {}}
	for name, got := range seen {
		for range calls {
			under.Go(func() {
				a := g.chat(chatBody(name+"/m", "hi", `,"max_tokens":5`))
				mu.Lock()
				defer mu.Unlock()
				got[a.status]++
			})
		}
	}
	bound, free := `sluice_upstream_connections{provider="bound"}`, `sluice_upstream_connections{provider="free"}`
	if !eventually(30*time.Second, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return seen["bound"][429] == calls-40 && g.figure(bound) == 40 && g.figure(free) == calls
	}) {
		t.Fatalf("%v; connections: %v of the provider with a limit, %v of the one without", seen, g.figure(bound), g.figure(free))
	}
	ok := `sluice_calls_total{code="",model="in-10_out-1",provider="up"}`
	before := g.figure(ok)
	healthy(300)
	if n := g.figure(ok) - before; n != 300 {
		t.Errorf("%v of 300 calls to the other provider are counted", n)
	}
	if n := g.figure(`sluice_upstream_connections{provider="up"}`); n < 1 || n > 4 { // its calls are made one by one
		t.Errorf("%v connections to the other provider", n)
	}
	// A call that waits has a goroutine, and two connections; what else there is, is idle.
	const stuck = calls + 40
	if n := g.figure("go_goroutines") - idle["go_goroutines"]; n > 2*stuck+50 {
		t.Errorf("%v goroutines more, of %d calls that wait", n, stuck)
	}
	if n := g.figure("process_open_fds") - idle["process_open_fds"]; n > 2*calls+stuck+50 {
		t.Errorf("%v files more, of %d calls that wait", n, stuck)
	}
	if n := g.figure("go_memstats_heap_inuse_bytes") - idle["go_memstats_heap_inuse_bytes"]; n > 32<<20 {
		t.Errorf("%v bytes more, of %d calls that wait", n, stuck)
	}
	close(held)
	under.Wait()
	if seen["bound"][200] != 40 || seen["free"][200] != calls {
		t.Errorf("when it answered again: %v", seen)
	}
	g.client.CloseIdleConnections()
	if !eventually(60*time.Second, func() bool { // connections that are idle end after nine seconds
		return g.figure(bound) == 0 && g.figure(free) == 0 && g.figure("go_goroutines") < idle["go_goroutines"]+20 && g.figure("process_open_fds") < idle["process_open_fds"]+20
	}) {
		t.Errorf("what it took is not given back: %v and %v connections, %v goroutines, %v at first, %v files, %v at first", g.figure(bound), g.figure(free),
			g.figure("go_goroutines"), idle["go_goroutines"], g.figure("process_open_fds"), idle["process_open_fds"])
	}
	if a := g.chat(chatBody("bound/m", "hi", "")); a.status != 200 {
		t.Errorf("afterwards: %d %s", a.status, a.body)
	}
}
