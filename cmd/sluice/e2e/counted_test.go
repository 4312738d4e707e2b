package e2e

import (
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

const countedConfig = `prompts: {dir: DIR/prompts}
` + providers + `  narrow: {kind: openai-compatible, base_url: "UP/v1", keys: [sk-up], prices: {"*": {input: 1, output: 2}}, limits: {parallel: 1}}
  short: {kind: openai-compatible, base_url: "UP/v1", keys: [sk-up], prices: {"*": {input: 1, output: 2}}, timeout: {first_byte: 60ms}}
models:
  second: {targets: [{model: short/in-1_out-1_delay-5000}, {model: up/in-30_out-3_delay-100}], retry: {attempts: 1}, balance: ordered}
  lined: {targets: [{model: narrow/in-20_out-2_delay-100}], queue: {size: 10, wait: 1m}}
routes:
  - {name: page, match: {path: "/page"}, backend: {static: {body: x}}}
  - {name: none, match: {path: "/none"}, backend: {static: {status: 404, body: x}}}
  - {name: closed, match: {path: "/closed"}, backend: {static: {body: x}}, auth: {require: [key]}}
` + team

const sayText = "---\nmodel: mock/echo\ninput: {schema: {text: string}}\n---\n{{text}}\n"

// share is what a histogram of calls has, by its count and its sum in seconds.
type share struct{ count, sum float64 }

// parts are the duration of a target's calls, and what it is made of.
func (g *gateway) parts(model, provider string) (total, upstream, own share) {
	g.t.Helper()
	for name, p := range map[string]*share{"duration": &total, "upstream": &upstream, "gateway": &own} {
		labels := fmt.Sprintf(`{model=%q,provider=%q}`, model, provider)
		p.count, p.sum = g.figure("sluice_call_"+name+"_seconds_count"+labels), g.figure("sluice_call_"+name+"_seconds_sum"+labels)
	}
	return total, upstream, own
}

// The time of each call is its providers' and the gateway's, to the last
// millisecond: what providers are known to take is in the first part, what calls
// wait for each other in the second, and nothing is in neither.
func TestPartsOfADuration(t *testing.T) {
	g := newGateway(t, "")
	g.env = append(g.env, "SLUICE_LOG__FORMAT=json")
	g.configure(head + countedConfig)
	g.prompt("say", sayText)
	g.start()
	for _, c := range []struct {
		ask, model, more string
		least            float64 // seconds that its providers take
	}{
		{"up/in-10_out-1", "in-10_out-1", "", 0},
		{"up/in-10_out-1_delay-120", "in-10_out-1_delay-120", "", .120},
		{"up/in-11_out-9_chunks-9_pace-20", "in-11_out-9_chunks-9_pace-20", `,"stream":true`, .160},
		{"second", "in-30_out-3_delay-100", "", .160}, // the first is given up after 60 ms
	} {
		for n := range 5 {
			total, upstream, own := g.parts(c.model, "up")
			g.chat(chatBody(c.ask, "hi", c.more))
			var t2, u2, o2 share
			if !eventually(10*time.Second, func() bool { t2, u2, o2 = g.parts(c.model, "up"); return t2.count == total.count+1 }) {
				t.Fatalf("%s: %v calls, want %d", c.ask, t2.count, n+1)
			}
			took, at, in := t2.sum-total.sum, u2.sum-upstream.sum, o2.sum-own.sum
			if u2.count != t2.count || o2.count != t2.count || math.Abs(at+in-took) > .001 || at < c.least || in < 0 {
				t.Errorf("%s: %.6f s are %.6f of providers, which take %v at least, and %.6f of the gateway (%v %v %v)", c.ask, took, at, c.least, in, t2.count, u2.count, o2.count)
			}
		}
	}
	g.linesAgree(t, "up")
	var together sync.WaitGroup
	for range 4 {
		together.Go(func() {
			if a := g.chat(chatBody("lined", "hi", "")); a.status != 200 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	together.Wait()
	var total, upstream, own share
	if !eventually(10*time.Second, func() bool {
		total, upstream, own = g.parts("in-20_out-2_delay-100", "narrow")
		return total.count == 4
	}) {
		t.Fatalf("%v of 4 calls", total.count)
	}
	waited := g.figure(`sluice_queue_wait_seconds_total{model="lined"}`)
	// One is with the provider at a time: the second waits for one, and so on, but
	// for what they came later than the first.
	if rest := own.sum - waited; waited == 0 || rest < -.004 || upstream.sum < .4 || math.Abs(upstream.sum+own.sum-total.sum) > .004 {
		t.Errorf("of %v s, %v are the provider's, and of the gateway's %v were waited %v", total.sum, upstream.sum, own.sum, waited)
	}
}

// counters are the lines of what counts calls.
var counters = regexp.MustCompile(`(?m)^sluice_(calls|route_requests)_total\{.*$`)

// The counters say just how many calls there were of every kind, though many are
// made at once.
func TestCountedExactly(t *testing.T) {
	calls := 3000
	if full {
		calls = 20_000
	}
	g := newGateway(t, "")
	g.configure(head + countedConfig)
	g.prompt("say", sayText)
	g.start()
	none := []string{"Authorization", ""} // wrong ones would be taken for guesses
	kinds := []struct {
		status int
		series string
		path   string
		body   string
		header []string
	}{
		{200, `sluice_calls_total{code="",model="in-10_out-1",provider="up"}`, chats, chatBody("up/in-10_out-1", "hi", ""), nil},
		{200, `sluice_calls_total{code="",model="in-12_out-5_chunks-5",provider="up"}`, chats, chatBody("up/in-12_out-5_chunks-5", "hi", `,"stream":true`), nil},
		{200, `sluice_calls_total{code="",model="in-13_out-1",provider="ant"}`, chats, chatBody("ant/in-13_out-1", "hi", ""), nil},
		{400, `sluice_calls_total{code="invalid_request",model="fail-400",provider="up"}`, chats, chatBody("up/fail-400", "hi", ""), nil},
		{502, `sluice_calls_total{code="upstream_error",model="fail-502",provider="up"}`, chats, chatBody("up/fail-502", "hi", ""), nil},
		{400, `sluice_calls_total{code="invalid_json",model="",provider=""}`, chats, `{"model":`, nil},
		{401, `sluice_calls_total{code="invalid_api_key",model="",provider=""}`, chats, chatBody("up/m", "hi", ""), none},
		{404, `sluice_calls_total{code="model_not_found",model="",provider=""}`, chats, chatBody("nothing", "hi", ""), nil},
		{200, `sluice_calls_total{code="",model="echo",provider="mock"}`, "/prompts/say", `{"text":"x"}`, nil},
		{422, `sluice_calls_total{code="invalid_request",model="",provider=""}`, "/prompts/say", `{"text":7}`, nil},
		{200, `sluice_route_requests_total{code="",route="page",status="200"}`, "/page", "x", nil},
		{404, `sluice_route_requests_total{code="",route="none",status="404"}`, "/none", "x", nil},
		{401, `sluice_route_requests_total{code="invalid_api_key",route="closed",status="401"}`, "/closed", "x", none},
	}
	made := make([][]float64, 16) // by who made them, and kind
	var driving sync.WaitGroup
	for w := range made {
		made[w] = make([]float64, len(kinds))
		driving.Go(func() {
			for range calls / len(made) {
				n := rand.IntN(len(kinds))
				k := kinds[n]
				if a := g.data("POST", k.path, k.body, k.header...); a.status != k.status {
					t.Errorf("%s %s: %d %s", k.path, k.body, a.status, a.body)
					return
				}
				made[w][n]++
			}
		})
	}
	driving.Wait()
	var all float64
	for n, k := range kinds {
		want := 0.0
		for w := range made {
			want += made[w][n]
		}
		all += want
		if !eventually(10*time.Second, func() bool { return g.figure(k.series) == want }) {
			t.Errorf("%s is %v after %v calls", k.series, g.figure(k.series), want)
		}
		if labels, ok := strings.CutPrefix(k.series, `sluice_calls_total{code="",`); ok {
			if got := g.figure("sluice_call_duration_seconds_count{" + labels); got != want {
				t.Errorf("the durations of %s are %v of %v calls", labels, got, want)
			}
		}
	}
	a, err := g.send("GET", "http://"+g.admin+"/metrics", "")
	if err != nil {
		t.Fatal(err)
	}
	var counted float64
	for _, line := range counters.FindAllString(a.body, -1) {
		var n float64
		_, _ = fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &n) // a figure
		counted += n
	}
	if counted != all { // and none of a kind that was not made
		t.Errorf("%v calls are counted of %v:\n%s", counted, all, counters.FindAllString(a.body, -1))
	}
	t.Logf("%v calls of %d kinds, all counted", all, len(kinds))
}

// linesAgree makes 300 calls, and compares what their lines in the log say of the
// parts of each with what the histograms say of all.
func (g *gateway) linesAgree(t *testing.T, provider string) {
	t.Helper()
	const model, calls = "in-12_out-2_delay-3", 300
	var asking sync.WaitGroup
	for n := range 4 {
		asking.Go(func() {
			for range calls / 4 {
				g.chat(chatBody("up/"+model, "hi", []string{"", `,"stream":true`}[n%2]))
			}
		})
	}
	asking.Wait()
	var lines []gjson.Result
	if !eventually(10*time.Second, func() bool {
		lines = nil
		for line := range strings.Lines(g.stdout.String()) {
			if r := gjson.Parse(line); strings.HasSuffix(r.Get("target").Str, model) {
				lines = append(lines, r)
			}
		}
		return len(lines) == calls
	}) {
		t.Fatalf("%d lines of %d calls", len(lines), calls)
	}
	var sums struct{ total, upstream float64 }
	for _, l := range lines {
		total, upstream, first := l.Get("latency_us").Float(), l.Get("upstream_us").Float(), l.Get("ttft_us").Float()
		if upstream < 3000 || upstream > total || first < 3000 || first > total {
			t.Errorf("of %v µs %v are the provider's, which takes 3,000 at least, and the first token came after %v: %s", total, upstream, first, l.Raw)
		}
		sums.total, sums.upstream = sums.total+total/1e6, sums.upstream+upstream/1e6
	}
	var total, upstream, own share
	if !eventually(10*time.Second, func() bool { total, upstream, own = g.parts(model, provider); return total.count == calls }) {
		t.Fatalf("%v calls in the metrics", total.count)
	}
	const off = calls * 1e-6 // each line leaves out less than a microsecond
	if math.Abs(sums.total-total.sum) > off || math.Abs(sums.upstream-upstream.sum) > off || math.Abs(sums.total-sums.upstream-own.sum) > 2*off {
		t.Errorf("lines say %+v, metrics %v, %v and %v", sums, total.sum, upstream.sum, own.sum)
	}
}
