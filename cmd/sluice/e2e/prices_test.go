package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// tieredHost is an OpenAI-shaped provider that serves a chat at the tier that
// it asks for, with 100 tokens in and as many out as it may write at most.
func tieredHost(t *testing.T) string {
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		tier := gjson.GetBytes(body, "service_tier").Str
		if tier == "" {
			tier = "default"
		}
		out := max(gjson.GetBytes(body, "max_tokens").Int(), gjson.GetBytes(body, "max_completion_tokens").Int())
		usage := fmt.Sprintf(`"service_tier":%q,"usage":{"prompt_tokens":100,"completion_tokens":%d,"total_tokens":%d,"prompt_tokens_details":{"cached_tokens":40}}`, tier, out, out+100)
		if gjson.GetBytes(body, "stream").Bool() {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"ok\"},\"finish_reason\":\"stop\"}]}\n\n"+
				"data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[],%s}\n\ndata: [DONE]\n\n", usage)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"c","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}],%s}`, usage)
	}))
	t.Cleanup(host.Close)
	return host.URL
}

const tieredPrices = `{m: {input: 1, output: 10, cached_input: 0.5, tiers: {flex: {input: 0.5, output: 5, cached_input: 0.25}, priority: {input: 2, output: 20}}}}`

// A call costs what the tier does that the provider says it served it at, and a
// hard budget is not overspent by calls that ask for the dearest.
func TestServiceTiers(t *testing.T) {
	g := start(t, `providers:
  host: {kind: openai-compatible, base_url: "`+tieredHost(t)+`/v1", keys: [sk-up], prices: `+tieredPrices+`}
teams:
  t: {keys: [{name: k, value: "`+teamKey+`"}]}
  small: {budget: {usd: 0.0203, per: total, hard: true}, keys: [{name: k, value: "sk-e2e-small-key-0123456789"}]}
`)
	want := map[string]string{"default": "0.00108", "flex": "0.00054", "priority": "0.00214", "fast": "0.00214", "batch": "0.00108"}
	n := int64(0)
	for tier := range want {
		for _, stream := range []bool{false, true} {
			body := chatBody("host/m", tier, fmt.Sprintf(`,"max_tokens":100,"service_tier":%q,"stream":%v,"metadata":{"tier":%q}`, tier, stream, tier))
			if a := g.chat(body); a.status != 200 {
				t.Fatalf("%s: status %d: %s", tier, a.status, a.body)
			}
			n++
		}
	}
	g.waitCalls(n)
	for _, e := range g.requests("") {
		tier := strings.TrimPrefix(e.Tags[0], "tier:")
		said := g.api("GET", "requests/"+e.Call, "").get("service_tier").Str
		if tier == "default" {
			tier = ""
		}
		if tier != said || e.USD.String() != want[strings.TrimPrefix(e.Tags[0], "tier:")] {
			t.Errorf("a call with %s was served at %q and cost %s", e.Tags[0], said, e.USD)
		}
	}
	long := strings.Repeat("word ", 100) // as many tokens as the host says, or more could be spent than was held
	var wg sync.WaitGroup
	for i := range 60 {
		tier := []string{`"priority"`, `"auto"`, `"flex"`}[i%3]
		wg.Go(func() {
			g.chat(chatBody("host/m", long, `,"max_tokens":100,"service_tier":`+tier), "authorization", "Bearer sk-e2e-small-key-0123456789")
		})
	}
	wg.Wait()
	spent := g.api("GET", "usage?team=small", "").get("total")
	if usd := spent.Get("usd").Float(); usd > 0.0203 || usd == 0 {
		t.Errorf("a budget of 0.0203 has spent %v", spent)
	}
}

// A price that is set counts for the calls that come after, at once and without
// a restart; one of a time to come waits for it, over a restart too. What was
// charged before stays as it was.
func TestSetPrices(t *testing.T) {
	g := start(t, `providers:
  host: {kind: openai-compatible, base_url: "`+tieredHost(t)+`/v1", keys: [sk-up], prices: `+tieredPrices+`}
`+team)
	calls := int64(0)
	charged := func() entry {
		t.Helper()
		if a := g.chat(chatBody("host/m", "x", `,"max_tokens":100`)); a.status != 200 {
			t.Fatalf("status %d: %s", a.status, a.body)
		}
		calls++
		g.waitCalls(calls)
		return g.requests("")[0]
	}
	set := func(args ...string) {
		t.Helper()
		args = append([]string{"prices", "set", "--admin", "http://" + g.admin, "--token", adminToken, "host/m"}, args...)
		if out, errs, code := g.sluice(args...); code != 0 {
			t.Fatalf("%v: %d %s %s", args, code, out, errs)
		}
	}
	first := charged()
	set("--input", "2", "--output", "20", "--source", "a new contract")
	second := charged()
	soon := time.Now().Add(2 * time.Second).UTC()
	set("--input", "3", "--output", "30", "--from", soon.Format(time.RFC3339Nano))
	third := charged()
	if !eventually(20*time.Second, func() bool { return charged().USD.String() == "0.0033" }) {
		t.Error("a price does not count when its time has come")
	}
	g.stop()
	g.start()
	last := charged()
	set("--end")
	ended := charged()
	if first.USD.String() != "0.00108" || second.USD.String() != "0.0022" || last.USD.String() != "0.0033" || ended.USD.String() != "0.00108" {
		t.Errorf("calls cost %s, %s, %s, %s", first.USD, second.USD, last.USD, ended.USD)
	}
	if u := third.USD.String(); u != "0.0022" && u != "0.0033" { // the machine may be slow
		t.Errorf("a call cost %s", u)
	}
	version := g.api("GET", "requests/"+second.Call, "").get("price_version").Str
	history := g.api("GET", "prices?provider=host&model=m", "")
	if history.get("data.#").Int() != 3 || history.get("data.0.state").Str != "in force" || history.get(`data.2.version`).Str != version || history.get("data.2.source").Str != "a new contract" {
		t.Errorf("version %s: %s", version, history.body)
	}
	if out, _, code := g.sluice("prices", "history", "host/m", "--admin", "http://"+g.admin, "--token", adminToken); code != 0 || !strings.Contains(out, "input 2, output 20") || !strings.Contains(out, "a new contract") {
		t.Errorf("history: %d\n%s", code, out)
	}
	if again := g.api("GET", "requests/"+first.Call, ""); again.get("usd").String() != "0.00108" {
		t.Errorf("what was charged has changed: %s", again.body)
	}
}

// A team is charged at its own prices, or at those of the nearest team above
// that has any; its budget counts them, and the ledger knows what the provider
// charges.
func TestTeamPrices(t *testing.T) {
	keys := map[string]string{"cheap": "sk-e2e-cheap-0123456789", "below": "sk-e2e-below-0123456789", "dear": "sk-e2e-dear-0123456789", "fixed": "sk-e2e-fixed-0123456789",
		"t": teamKey, "tight": "sk-e2e-tight-0123456789"}
	g := start(t, `providers:
  host: {kind: openai-compatible, base_url: "`+tieredHost(t)+`/v1", keys: [sk-up], prices: `+tieredPrices+`}
models: {nick: host/m}
teams:
  cheap: {prices: {"host/*": {discount: 10%}, nick: {discount: 50%}}, keys: [{name: k, value: `+keys["cheap"]+`}]}
  below: {parent: cheap, keys: [{name: k, value: `+keys["below"]+`}]}
  dear: {parent: below, prices: {"*": {margin: 12.5%}}, keys: [{name: k, value: `+keys["dear"]+`}]}
  fixed: {prices: {m: {input: 5, output: 50, tiers: {flex: {input: 1, output: 1}}}}, keys: [{name: k, value: `+keys["fixed"]+`}]}
  tight: {prices: {"*": {margin: 900%}}, budget: {usd: 0.05, per: total, hard: true}, keys: [{name: k, value: `+keys["tight"]+`}]}
`+strings.TrimPrefix(team, "teams:\n"))
	ask := func(team, model, more string) answer {
		return g.chat(chatBody(model, "x", `,"max_tokens":100`+more), "Authorization", "Bearer "+keys[team])
	}
	const listed = "0.00108"
	want := []struct{ team, model, more, usd, provider string }{
		{"t", "host/m", `,"service_tier":"default"`, listed, listed},
		{"cheap", "host/m", "", "0.000972", listed},
		{"cheap", "nick", "", "0.00054", listed},
		{"below", "host/m", `,"service_tier":"flex"`, "0.000486", "0.00054"},
		{"dear", "host/m", `,"stream":true`, "0.001215", listed},
		{"fixed", "host/m", "", "0.0055", listed},
		{"fixed", "host/m", `,"service_tier":"flex"`, "0.0002", "0.00054"},
	}
	for _, c := range want {
		if a := ask(c.team, c.model, c.more); a.status != 200 {
			t.Fatalf("%+v: status %d: %s", c, a.status, a.body)
		}
	}
	g.waitCalls(int64(len(want)))
	for i, c := range want {
		e := g.requests("&team=" + c.team)
		var found bool
		for _, e := range e {
			call := g.api("GET", "requests/"+e.Call, "")
			found = found || e.USD.String() == c.usd && call.get("provider_usd").String() == c.provider
		}
		if !found {
			t.Errorf("call %d of %s: none of %+v costs %s, of which the provider charges %s", i, c.team, e, c.usd, c.provider)
		}
	}
	var wg sync.WaitGroup
	for range 40 { // each of 0.0108, held at the team's price for the dearest tier
		wg.Go(func() { ask("tight", "host/m", "") })
	}
	wg.Wait()
	if usd := g.api("GET", "usage?team=tight", "").get("total.usd").Float(); usd > 0.05 || usd == 0 {
		t.Errorf("a budget of 0.05 has spent %v", usd)
	}
	if _, errs, code := g.sluice("report", "--verify", "--admin", "http://"+g.admin, "--token", adminToken); code != 0 {
		t.Errorf("the sums do not agree: %s", errs)
	}
}

// What a time would have cost at other prices, through the admin API and
// straight from the store; the ledger stays as it is.
func TestReprice(t *testing.T) {
	g := start(t, `providers:
  host: {kind: openai-compatible, base_url: "`+tieredHost(t)+`/v1", keys: [sk-up], prices: `+tieredPrices+`}
`+team)
	for _, tier := range []string{"default", "default", "flex"} {
		g.chat(chatBody("host/m", "x", `,"max_tokens":100,"service_tier":"`+tier+`"`))
	}
	g.waitCalls(3)
	before := g.api("GET", "usage", "").body
	file := filepath.Join(g.dir, "cheaper.yaml")
	if err := os.WriteFile(file, []byte("providers: {host: {prices: {m: {input: 0.5, output: 2, tiers: {flex: {input: 0.1, output: 1}}}}}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	from, to := time.Now().AddDate(0, 0, -2).Format(time.DateOnly), time.Now().AddDate(0, 0, 2).Format(time.DateOnly)
	want := "target,calls,kept,usd,provider_usd,repriced_usd,difference_usd\nhost/m,3,0,0.0027,0.0027,0.00061,-0.00209\n"
	args := []string{"report", "--reprice", from, to, "--with", file, "--format", "csv"}
	if out, errs, code := g.sluice(append(args, "--admin", "http://"+g.admin, "--token", adminToken)...); code != 0 || out != want {
		t.Errorf("%d %s\n%s", code, errs, out)
	}
	if after := g.api("GET", "usage", "").body; after != before {
		t.Errorf("the ledger has changed:\n%s\n%s", before, after)
	}
	g.stop()
	if out, errs, code := g.sluice(append(args, "-c", g.file(), "--data", filepath.Join(g.dir, "data"))...); code != 0 || out != want {
		t.Errorf("from the store: %d %s\n%s", code, errs, out)
	}
	if _, errs, code := g.sluice("report", "--reprice", from, "--with", file); code == 0 || !strings.Contains(errs, "2") {
		t.Errorf("one time is enough: %d %s", code, errs)
	}
}

// Cohere tells what the model reads and, apart, what it bills: callers are told
// the one, and charged the other.
func TestBilledUnits(t *testing.T) {
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		const usage = `"usage":{"billed_units":{"input_tokens":5,"output_tokens":10},"tokens":{"input_tokens":607,"output_tokens":13},"cached_tokens":480}`
		if gjson.GetBytes(body, "stream").Bool() {
			w.Header().Set("Content-Type", "text/event-stream")
			for _, event := range []string{`{"type":"message-start","id":"c"}`, `{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}`,
				`{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"ok"}}}}`, `{"type":"content-end","index":0}`,
				`{"type":"message-end","delta":{"finish_reason":"COMPLETE",` + usage + `}}`} {
				fmt.Fprintf(w, "event: %s\ndata: %s\n\n", gjson.Get(event, "type").Str, event)
			}
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"id":"c","message":{"role":"assistant","content":[{"type":"text","text":"ok"}]},"finish_reason":"COMPLETE",`+usage+`}`)
	}))
	t.Cleanup(host.Close)
	g := start(t, `providers: {cohere: {base_url: "`+host.URL+`", keys: [sk-co]}}
`+team)
	whole := g.chat(chatBody("cohere/command-a-03-2025", "x", ""))
	if n := whole.get("usage.prompt_tokens").Int(); n != 607 {
		t.Errorf("the caller is told of %d tokens: %s", n, whole.body)
	}
	if a := g.chat(chatBody("cohere/command-a-03-2025", "x", `,"stream":true`)); a.status != 200 || !strings.Contains(a.body, "[DONE]") {
		t.Errorf("the stream: %d %s", a.status, a.body)
	}
	g.waitCalls(2)
	for _, e := range g.requests("") {
		if e.USD.String() != "0.0001125" { // 5*2.5 + 10*10 millionths, https://cohere.com/pricing
			t.Errorf("a call costs %s", e.USD)
		}
	}
}
