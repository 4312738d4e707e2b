package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// breakable is a server that answers, fails, drops the connection or has its
// callers wait, as it is told.
type breakable struct {
	*httptest.Server
	hits atomic.Int64
	mode atomic.Value // ok, fail, drop or wait
	free atomic.Value // a channel, which who waits waits for
}

func startBreakable(t *testing.T) *breakable {
	t.Helper()
	b := &breakable{}
	b.mode.Store("ok")
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.hits.Add(1)
		switch b.mode.Load() {
		case "fail":
			w.WriteHeader(500)
		case "drop":
			panic(http.ErrAbortHandler)
		case "wait":
			select {
			case <-b.free.Load().(chan struct{}):
			case <-r.Context().Done():
			}
		}
		if strings.HasSuffix(r.URL.Path, "/chat/completions") {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`)
		}
	}))
	t.Cleanup(b.Close)
	return b
}

// With three probes, opened by four failures in a row or by half of ten. Only
// those that are probed are open for a short time.
const breakableConfig = `providers:
  lab: {kind: openai-compatible, base_url: "LAB/v1", keys: [k], prices: {"*": {input: 1, output: 1}}}
  spare: {kind: openai-compatible, base_url: "WELL/v1", keys: [k], prices: {"*": {input: 3, output: 5}}}
models:
  rows: {targets: [{model: lab/rows}], retry: {attempts: 1}, breaker: ROWS}
  probed: {targets: [{model: lab/probed}], retry: {attempts: 1}, breaker: PROBED}
  ratio: {targets: [{model: lab/ratio}], retry: {attempts: 1}, breaker: RATIO}
  spared: {targets: [{model: lab/spared}], fallback: [{model: spare/dear}], retry: {attempts: 1}, breaker: ROWS}
routes:
  - {name: rows, match: {path: /rows}, backend: {http: {targets: ["LAB"]}}, breaker: ROWS}
  - {name: probed, match: {path: /probed}, backend: {http: {targets: ["LAB"]}}, breaker: PROBED}
  - {name: ratio, match: {path: /ratio}, backend: {http: {targets: ["LAB"]}}, breaker: RATIO}
  - {name: pair, match: {path: /pair}, backend: {http: {targets: ["LAB", "WELL"], balance: round-robin}}, breaker: ROWS}
`

// A breaker opens by failures in a row, dropped connections among them, and by
// their share of enough calls; half open it lets exactly as many calls through at
// once as it has probes, and closes when they went well. Each change is in the log,
// the metrics and the admin API, for each target by itself. So for routes as for
// models.
func TestBreakers(t *testing.T) {
	lab, well := startBreakable(t), startBreakable(t)
	const openFor = time.Second
	g := start(t, strings.NewReplacer("LAB", lab.URL, "WELL", well.URL,
		"ROWS", "{failures: 4, ratio: 1, min_calls: 1000, within: 1h, open_for: 1h, probes: 3}",
		"PROBED", "{failures: 4, ratio: 1, min_calls: 1000, within: 1h, open_for: 1s, probes: 3}",
		"RATIO", "{failures: 1000, ratio: 0.5, min_calls: 10, within: 1h, open_for: 1h, probes: 3}").Replace(breakableConfig)+team)
	call := func(model bool, name string) answer {
		if model {
			return g.chat(chatBody(name, "hi", ""))
		}
		return g.data("GET", "/"+name, "")
	}
	// state is what the admin API and the metrics say of the target of a name.
	state := func(model bool, name string) string {
		a, id := g.api("GET", "routes/"+name, "").get("targets.0"), `"route `+name+"/"+lab.URL+`"`
		if model {
			a, id = gjson.Get(g.api("GET", "providers", "").body, `@dig:targets|0.#(target=="lab/`+name+`")`), `"lab/`+name+`"`
		}
		shown := a.Get("state").Str
		m, _ := g.send("GET", "http://"+g.admin+"/metrics", "")
		for _, line := range strings.Split(m.body, "\n") {
			if strings.HasPrefix(line, "sluice_breaker_state{") && strings.Contains(line, id) {
				return shown + " " + line[len(line)-1:]
			}
		}
		return shown + " (no metric of " + id + ")\n" + a.Raw
	}
	for _, model := range []bool{false, true} {
		kind := map[bool]string{false: "route", true: "model"}[model]
		t.Run(kind+"/ratio", func(t *testing.T) {
			before := lab.hits.Load()
			for i := range 12 { // every second call fails
				lab.mode.Store([]string{"ok", "fail"}[i%2])
				call(model, "ratio")
			}
			if n := lab.hits.Load() - before; n != 10 {
				t.Errorf("%d calls came through, want 10", n)
			}
			if s := state(model, "ratio"); s != "open 2" {
				t.Errorf("the breaker is %s", s)
			}
		})
		t.Run(kind+"/row", func(t *testing.T) {
			for i := range 6 {
				lab.mode.Store([]string{"drop", "fail", "drop"}[i%3])
				before := lab.hits.Load() // a call that is dropped on a connection that was kept is sent anew
				if a := call(model, "rows"); (lab.hits.Load() > before) != (i < 4) || a.status == 503 && i < 3 {
					t.Errorf("call %d: it reached the server %d times, %d", i, lab.hits.Load()-before, a.status)
				}
			}
			if s := state(model, "rows"); s != "open 2" {
				t.Errorf("the breaker is %s", s)
			}
		})
		t.Run(kind+"/probes", func(t *testing.T) {
			lab.mode.Store("fail")
			if !eventually(30*time.Second, func() bool { call(model, "probed"); return state(model, "probed") == "open 2" }) {
				t.Fatalf("the breaker is %s", state(model, "probed"))
			}
			lab.free.Store(make(chan struct{}))
			lab.mode.Store("wait")
			over := time.Now().Add(openFor) // no earlier than it is probed
			if !eventually(30*time.Second, func() bool { return time.Now().After(over) }) {
				t.Fatal("the time does not pass")
			}
			before := lab.hits.Load()
			var refused, passed atomic.Int64
			var calls sync.WaitGroup
			free := sync.OnceFunc(func() { close(lab.free.Load().(chan struct{})) })
			defer free()
			for range 500 {
				calls.Go(func() {
					switch a := call(model, "probed"); a.status {
					case 200:
						passed.Add(1)
					case 503:
						if refused.Add(1) == 497 {
							lab.mode.Store("ok")
							free()
						}
					default:
						t.Errorf("%d %s", a.status, a.body)
						free()
					}
				})
			}
			if !eventually(60*time.Second, func() bool { return lab.hits.Load()-before >= 3 }) {
				t.Error("no three probes came through")
			}
			if s := state(model, "probed"); s != "half_open 1" && refused.Load() < 497 {
				t.Errorf("while probes are under way the breaker is %s", s)
			}
			calls.Wait()
			if n := lab.hits.Load() - before; n != 3 || passed.Load() != 3 || refused.Load() != 497 {
				t.Errorf("of 500 calls %d came through, %d went well and %d were refused", n, passed.Load(), refused.Load())
			}
			if s := state(model, "probed"); s != "closed 0" {
				t.Errorf("after good probes the breaker is %s", s)
			}
		})
	}
	t.Run("each target by itself", func(t *testing.T) {
		lab.mode.Store("drop")
		for range 20 {
			if a := g.data("GET", "/pair", ""); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
		if a := g.api("GET", "routes/pair", ""); a.get("targets.0.state").Str != "open" || a.get("targets.0.failures").Int() != 4 || a.get("targets.1.state").Str != "closed" {
			t.Errorf("want the first one open after 4 failures, and the other closed: %s", a.body)
		}
	})
	t.Run("another model answers and is paid", func(t *testing.T) {
		lab.mode.Store("fail")
		var a answer
		for range 6 { // the breaker is open for the last two
			if a = call(true, "spared"); a.status != 200 || a.header.Get("X-Sluice-Model") != "spare/dear" || a.header.Get("X-Sluice-Cost") != "0.000008" {
				t.Errorf("%d %v", a.status, a.header)
			}
		}
		if a.header.Get("X-Sluice-Attempts") != "1" || !strings.HasPrefix(state(true, "spared"), "open") {
			t.Errorf("the breaker is %s, %v", state(true, "spared"), a.header)
		}
		var mine []entry
		if !eventually(10*time.Second, func() bool { mine = g.requests("&model=spared"); return len(mine) == 6 }) {
			t.Fatalf("%d calls in the ledger", len(mine))
		}
		for _, e := range mine {
			if e.Target != "spare/dear" || e.USD.String() != "0.000008" {
				t.Errorf("%+v", e)
			}
		}
	})
	for _, words := range []string{"from=closed to=open", "from=open to=half_open", "from=half_open to=closed"} {
		if n := strings.Count(g.stderr.String(), words); n < 2 {
			t.Errorf("the log has %d times %q", n, words)
		}
	}
}
