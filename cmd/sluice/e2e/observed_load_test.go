package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// observedConfig has something of every kind that metrics are of.
const observedConfig = `
telemetry: {otlp: "COLLECTOR", headers: {x-tenant: a}, capture_content: true}
log: {format: json, sinks: [{name: full, http: "http://127.0.0.1:9", queue: 1B}]}
providers:
  up: {kind: openai-compatible, base_url: "UP/v1", keys: [sk-up], prices: {"*": {input: 1, output: 2}}, health: {every: 1s}}
  ant: {kind: anthropic, base_url: "UP", keys: [sk-ant], prices: {"*": {input: 1, output: 2}}}
  tell: {kind: openai-compatible, base_url: "TELL/v1", keys: [sk-tell], prices: {"*": {input: 1, output: 2, cached_input: 0.5, cache_write: 1.25}}}
  claude: {kind: anthropic, base_url: "TELL", keys: [sk-tell], prices: {"*": {input: 1, output: 2, cached_input: 0.5, cache_write: 1.25}}}
  slow: {kind: mock, latency: 20s, prices: {"*": {input: 1, output: 2}}}
  narrow: {kind: openai-compatible, base_url: "HELD/v1", keys: [sk-held], prices: {"*": {input: 1, output: 2}}, limits: {parallel: 1}}
  strict: {kind: openai-compatible, base_url: "JUDGE/v1", keys: [sk-judge], prices: {"*": {input: 1, output: 2}}}
  two: {kind: openai-compatible, base_url: "UP/v1", keys: [{value: sk-two-fail-429-0001, weight: 1000}, sk-two-good-keys-0002], prices: {"*": {input: 1, output: 2}}}
models:
  pair: {targets: [{model: up/fail-503}, {model: up/in-40_out-4}], retry: {attempts: 1}}
  hedged: {targets: [{model: slow/echo}, {model: up/in-41_out-4}], hedge: {after: 30ms, budget: 1}}
  lined: {targets: [{model: narrow/m}], queue: {size: 1, wait: 1m}}
  shadowed: {targets: [{model: up/in-11_out-1}], shadow: {model: up/in-12_out-2, share: 1}}
  kept: {targets: [{model: up/in-500_out-50}], cache: {ttl: 10m}}
  guarded: {targets: [{model: up/in-13_out-3}], guard: [words, mails, policy]}
  spare: {targets: [{model: up/in-1_out-1}]}
  keyed: {targets: [{model: two/in-14_out-2_after-300}]}
guards:
  words: {on: [request], deny: {pattern: "AKIA[0-9A-Z]{16}"}}
  mails: {on: [request], mask: [email]}
  policy: {on: [request], webhook: {url: "http://127.0.0.1:9", timeout: 500ms, fail: open}}
routes:
  - {name: plain, match: {path: "/plain/**"}, backend: {http: {targets: ["BACKEND"], health: {path: /healthz, every: 1s}}}}
  - {name: aged, match: {path: "/aged"}, backend: {static: {body: x}}, versioning: {by: header, unknown: reject, versions: {"1": {sunset: 2999-01-01, brownout: {windows: [{from: 2026-01-01, to: 2998-01-01}]}}, "2": {}}}}
  - {name: walled, match: {path: "/walled"}, backend: {static: {body: x}}, waf: {}}
  - {name: copied, match: {path: "/copied"}, backend: {http: {targets: ["BACKEND"], mirror: "BACKEND/copy"}}}
  - {name: faulty, match: {path: "/faulty"}, backend: {http: {targets: ["BACKEND"]}}, faults: {status: 503, when: 'request.headers["x-fault"] == "1"'}}
  - {name: resting, match: {path: "/resting"}, backend: {http: {targets: ["http://127.0.0.1:9"]}}, breaker: {failures: 1, within: 1h, open_for: 1h, fallback: {status: 200, body: x}}}
  - {name: shop, match: {path: "/shop"}, backend: {http: {targets: ["BACKEND"], canary: {targets: ["BACKEND/canary"], share: 0, match: {headers: {x-canary: "1"}}}}}}
  - {name: bounded, match: {path: "/bounded/**"}, backend: {http: {targets: ["BACKEND"]}}, limits: {adaptive: {min: 2, max: 2}}}
  - {name: drifted, match: {path: "/drifted"}, backend: {static: {body: x}}, validate: {request: "DIR/request.json", report: [request]}}
  - {name: found, match: {path: "/found"}, backend: {http: {discover: {file: "DIR/targets.yaml"}}}}
teams:
  t: {budget: {usd: 10, per: total}, keys: [{name: k, value: "` + teamKey + `"}]}
alerts:
  every: 1s
  receivers: {ops: {webhook: {url: "BACKEND/alert", secret: shh}}}
  rules:
    broken: {threshold: {figure: breakers_open, above: 0}}
    quiet: {threshold: {figure: cost, above: 1000000, over: 5m}}
`

// observed is a gateway with all that it calls.
type observed struct {
	*gateway
	back     *httptest.Server
	held     chan struct{} // what narrow waits for
	arrived  chan struct{} // gets one for each request that the backend holds
	release  chan struct{} // what those wait for
	mu       sync.Mutex
	mirrored int
	alerts   int
}

// observe starts it; it tells of itself to the collector.
func observe(g *gateway, collector string) *observed {
	t := g.t
	t.Helper()
	o := &observed{gateway: g, held: make(chan struct{}), arrived: make(chan struct{}, 2), release: make(chan struct{})}
	o.back = httptest.NewServer(http.HandlerFunc(o.backend))
	t.Cleanup(o.back.Close)
	tell := httptest.NewServer(http.HandlerFunc(tellUsage))
	t.Cleanup(tell.Close)
	if err := os.WriteFile(filepath.Join(g.dir, "targets.yaml"), []byte(`[{url: "`+o.back.URL+`"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(g.dir, "request.json"), []byte(`{"type": "object", "required": ["id"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(head, "drain: 10s", "drain: 10s, connections_per_ip: 20, allow_faults: true", 1) + observedConfig
	g.configure(strings.NewReplacer("COLLECTOR", collector, "TELL", tell.URL, "BACKEND", o.back.URL,
		"HELD", newVoice(t, "held", o.held).URL, "JUDGE", newVoice(t, `{"pass":false,"reason":"no"}`, nil).URL).Replace(config))
	g.start()
	return o
}

// backend is what routes lead to, mirror to and tell of alerts.
func (o *observed) backend(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, "/copy"):
		o.mu.Lock()
		o.mirrored++
		o.mu.Unlock()
	case r.URL.Path == "/alert":
		o.mu.Lock()
		o.alerts++
		o.mu.Unlock()
	case strings.HasSuffix(r.URL.Path, "/hold"):
		o.arrived <- struct{}{}
		<-o.release
	case strings.HasSuffix(r.URL.Path, "/bad"):
		w.WriteHeader(500)
	}
}

// tellUsage answers as OpenAI or Anthropic does, with tokens of every kind.
func tellUsage(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	if strings.HasSuffix(r.URL.Path, "/messages") {
		fmt.Fprint(w, `{"id":"m","type":"message","role":"assistant","model":"c","content":[{"type":"text","text":"told"}],"stop_reason":"end_turn","usage":{"input_tokens":10,"cache_read_input_tokens":30,"cache_creation_input_tokens":20,"output_tokens":5}}`)
		return
	}
	fmt.Fprint(w, `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"told"}}],"usage":{"prompt_tokens":1000,"prompt_tokens_details":{"cached_tokens":400},"completion_tokens":300,"completion_tokens_details":{"reasoning_tokens":100},"total_tokens":1300}}`)
}

func traceID(n int) string { return fmt.Sprintf("%032x", 0xabc000+n) }

// asked makes a call, within a trace unless that is 0; it fails where the status
// is another.
func (o *observed) asked(trace, status int, path, body string, header ...string) answer {
	o.t.Helper()
	method := "POST"
	if body == "" {
		method = "GET"
	}
	if trace > 0 {
		header = append(header, "Traceparent", "00-"+traceID(trace)+"-00f067aa0ba902b7-01")
	}
	a := o.data(method, path, body, header...)
	if a.status != status {
		o.t.Errorf("%s %s: %d %s", path, body, a.status, a.body)
	}
	return a
}

const chats = "/v1/chat/completions"

// calls makes those of models.
func (o *observed) calls() {
	o.t.Helper()
	for _, trace := range []int{1, 0, 0} {
		o.asked(trace, 200, chats, chatBody("up/in-100_out-20", "hi", `,"max_tokens":50,"user":"planted-user"`), "X-Request-Id", "planted-id")
	}
	o.asked(2, 200, chats, chatBody("up/in-50_out-10_chunks-5", "hi", `,"stream":true`))
	o.asked(3, 502, chats, chatBody("up/fail-401", "hi", ""))
	o.asked(4, 404, chats, chatBody("planted-model", "hi", ""))
	o.asked(5, 401, chats, chatBody("up/in-100_out-20", "hi", ""), "Authorization", "Bearer sk-planted")
	o.asked(6, 200, chats, chatBody("pair", "hi", ""))
	o.asked(7, 200, chats, chatBody("kept", "hi", ""))
	o.asked(8, 200, chats, chatBody("kept", "hi", ""))
	o.asked(9, 200, chats, chatBody("tell/m", "hi", ""))
	o.asked(10, 200, "/v1/messages", chatBody("claude/c", "hi", `,"max_tokens":50`))
	o.asked(11, 200, chats, chatBody("hedged", "hi", ""))
	o.asked(12, 200, chats, chatBody("shadowed", "hi", ""))
	o.asked(13, 200, chats, chatBody("guarded", "write to ann@example.com", ""))
	o.asked(14, 400, chats, chatBody("guarded", "AKIA0123456789ABCDEF", ""))
	o.asked(15, 200, chats, chatBody("keyed", "hi", ""))
	o.asked(16, 200, "/v1/embeddings", `{"model":"up/in-70","input":"hi"}`)
}

// prompt calls one whose second version the judge finds bad, until it is stopped.
func (o *observed) prompt() {
	t := o.t
	t.Helper()
	source := strings.NewReplacer("mock/echo", "up/in-30_out-3", "sluice.path",
		"sluice.split: {stop: {judge: {criterion: is it a label, model: strict/m, sample: 1, answers: 2}}}\nsluice.path", "output: {format: json, schema: {label: string}}\n", "").Replace(labelled)
	o.publish("label", source)
	o.publish("label", source+"more")
	for _, c := range [][2]string{{"labels", `{"production":1}`}, {"split", `{"2":1}`}} {
		if a := o.api("PUT", "prompts/label/"+c[0], c[1]); a.status != 200 {
			t.Fatalf("%s: %d %s", c[0], a.status, a.body)
		}
	}
	for n := 1; n <= 2; n++ {
		if a := o.asked(19+n, 200, "/label", `{"text":"a"}`); a.header.Get("X-Sluice-Prompt") != "label@2" {
			t.Errorf("version %s answered", a.header.Get("X-Sluice-Prompt"))
		}
		if !eventually(20*time.Second, func() bool {
			return o.metric(`sluice_prompt_judged_total{prompt="label",verdict="bad"}`) == fmt.Sprint(n)
		}) {
			t.Fatalf("the judge has not seen %d answers", n)
		}
	}
	if !eventually(20*time.Second, func() bool { return o.metric(`sluice_prompt_split_stops_total{by="judge",prompt="label"}`) == "1" }) {
		t.Fatal("the split is not stopped")
	}
}

// waiting has a call wait for another's place, and a third find none.
func (o *observed) waiting() {
	t := o.t
	t.Helper()
	var under sync.WaitGroup
	for n := range 2 {
		under.Go(func() { o.asked(0, 200, chats, chatBody("lined", "hi", `,"max_tokens":1000`)) })
		if !eventually(20*time.Second, func() bool {
			return o.metric("sluice_holds_open") == fmt.Sprint(n+1) && o.metric(`sluice_queue_waiting{model="lined"}`) == fmt.Sprint(n)
		}) {
			t.Fatalf("call %d is not there", n+1)
		}
	}
	// Two times 1,000 tokens, at 2 dollars a million, and for each 143 at 1 dollar that what was asked may be.
	if held := o.metric("sluice_holds_usd"); !strings.HasPrefix(held, "0.0042") {
		t.Errorf("%s dollars are held", held)
	}
	o.asked(31, 429, chats, chatBody("lined", "hi", ""))
	close(o.held)
	under.Wait()
}

// routed makes the requests of routes, and opens a breaker.
func (o *observed) routed() {
	t := o.t
	t.Helper()
	o.asked(40, 200, "/plain/x", "")
	o.asked(41, 500, "/plain/bad", "")
	o.asked(42, 404, "/planted/path", "")
	o.asked(0, 200, "/aged", "", "X-API-Version", "2")
	o.asked(0, 400, "/aged", "", "X-API-Version", "9")
	o.asked(0, 503, "/aged", "", "X-API-Version", "1")
	o.asked(43, 403, "/walled?q=1%27%20OR%20%271%27=%271", "")
	o.asked(0, 200, "/copied", "")
	o.asked(0, 503, "/faulty", "", "X-Fault", "1")
	o.asked(0, 502, "/resting", "")
	o.asked(0, 200, "/resting", "")
	o.asked(0, 200, "/shop", "")
	o.asked(0, 200, "/shop", "", "X-Canary", "1")
	o.asked(0, 200, "/found", "")
	o.asked(0, 200, "/drifted", `{"id":1}`)
	o.asked(0, 200, "/drifted", `{}`)
	var under sync.WaitGroup
	for range 2 {
		under.Go(func() { o.asked(0, 200, "/bounded/hold", "") })
	}
	for range 2 {
		<-o.arrived
	}
	o.asked(0, 503, "/bounded/x", "")
	close(o.release)
	under.Wait()
	o.crowded()
	if a := o.api("POST", "providers/up/breakers/in-1_out-1", `{"state":"open"}`); a.status != 200 {
		t.Fatalf("breaker: %d %s", a.status, a.body)
	}
}

// crowded opens one connection more than an address may have.
func (o *observed) crowded() {
	from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 7)}, Timeout: 5 * time.Second}
	for n := range 21 {
		served := false
		if c, err := from.Dial("tcp", o.listen); err == nil { // else it was closed already
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			_, _ = fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
			line, _ := bufio.NewReader(c).ReadString('\n')
			served = strings.Contains(line, " 200 ")
		}
		if served != (n < 20) {
			o.t.Errorf("connection %d was served: %v", n+1, served)
		}
	}
}
