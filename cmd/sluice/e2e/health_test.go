package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// moody is a provider that is the fake upstream, but for its list of models:
// that is answered as mood says, a status or 0 for silence.
type moody struct {
	server *httptest.Server
	mood   atomic.Int64
	asked  atomic.Int64
	wrong  atomic.Value // of a check: what is wrong with it
}

func newMoody(t *testing.T, to, path, header string) *moody {
	at, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	m, pass := &moody{}, httputil.NewSingleHostReverseProxy(at)
	m.mood.Store(200)
	m.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			pass.ServeHTTP(w, r)
			return
		}
		m.asked.Add(1)
		if r.URL.Path != path || !strings.HasSuffix(r.Header.Get(header), "sk-moody-key-0001") {
			m.wrong.Store(fmt.Sprint(r.Method, " ", r.URL, " ", r.Header))
		}
		if m.mood.Load() == 0 {
			<-r.Context().Done()
			return
		}
		w.WriteHeader(int(m.mood.Load()))
		fmt.Fprint(w, `{"object":"list","data":[]}`)
	}))
	t.Cleanup(m.server.Close)
	return m
}

const healthConfig = providers + `  moody: {kind: openai-compatible, base_url: "MOODY/v1", keys: [sk-moody-key-0001], prices: {"*": {input: 1, output: 2}},
    health: {every: 100ms, timeout: 200ms, fails: 2, passes: 2}}
  sad: {kind: anthropic, base_url: "SAD", keys: [sk-moody-key-0001], prices: {"*": {input: 1, output: 2}}, health: {every: 100ms, timeout: 200ms, fails: 1}}
models:
  m: {targets: [{model: moody/echo}, {model: up/echo}]}
  ill: {targets: [{model: moody/echo}, {model: sad/echo}]}
` + team

// healthOf is what the admin API says of a provider's health.
func (g *gateway) healthOf(provider string) gjson.Result {
	return g.api("GET", "providers", "").get(`data.#(name=="` + provider + `")`)
}

func (g *gateway) awaitHealth(t *testing.T, provider, state string) {
	t.Helper()
	if !eventually(10*time.Second, func() bool { return g.healthOf(provider).Get("health.state").Str == state }) {
		t.Fatalf("%s is not %s: %s", provider, state, g.healthOf(provider))
	}
}

// A provider whose checks fail gets no calls while there is another; what it
// answers with a status below 500 is well; it comes back by itself.
func TestHealthChecks(t *testing.T) {
	g := newGateway(t, "")
	m, sad := newMoody(t, g.fake.URL(), "/v1/models", "Authorization"), newMoody(t, g.fake.URL(), "/v1/models", "X-Api-Key")
	g.configure(head + strings.NewReplacer("MOODY", m.server.URL, "SAD", sad.server.URL).Replace(healthConfig))
	g.start()
	served := func(model, want, state string) {
		t.Helper()
		a := g.chat(chatBody(model, "hi", ""), "x-sluice-explain", "1")
		e := gjson.Parse(a.header.Get("x-sluice-explain"))
		if a.status != 200 || a.header.Get("x-sluice-model") != want || a.header.Get("x-sluice-attempts") != "1" ||
			e.Get("chosen").Str != want || e.Get("candidates.0.state").Str != state {
			t.Errorf("%s: %d by %s after %s: %s %s", model, a.status, a.header.Get("x-sluice-model"), a.header.Get("x-sluice-attempts"), e, a.body)
		}
	}
	metric := func(provider string, value int) {
		t.Helper()
		line := fmt.Sprintf("sluice_provider_healthy{provider=%q} %d", provider, value)
		if a, err := g.send("GET", "http://"+g.admin+"/metrics", ""); err != nil || !strings.Contains(a.body, line) || strings.Contains(a.body, `healthy{provider="up"}`) {
			t.Errorf("%v: the metrics do not say %s", err, line)
		}
	}
	g.awaitHealth(t, "moody", "healthy")
	served("m", "moody/echo", "ready")
	metric("moody", 1)
	for _, refused := range []int64{401, 404, 429} { // an answer is an answer
		m.mood.Store(refused)
		was := m.asked.Load()
		if !eventually(10*time.Second, func() bool { return m.asked.Load() > was+3 }) || g.healthOf("moody").Get("health.state").Str != "healthy" {
			t.Errorf("%d: %s", refused, g.healthOf("moody"))
		}
	}
	for _, mood := range []int64{503, 0} {
		m.mood.Store(mood)
		g.awaitHealth(t, "moody", "unhealthy")
		served("m", "up/echo", "unhealthy")
		metric("moody", 0)
		p := g.healthOf("moody")
		if p.Get("state").Str != "down" || p.Get("health.error").Str == "" || p.Get("targets.0.health").Str != "unhealthy" || p.Get("health.since").Str == "" {
			t.Errorf("providers: %s", p)
		}
		e := g.api("GET", "explain?model=m", "")
		if e.get("candidates.0.state").Str != "unhealthy" || !strings.Contains(e.get("candidates.0.why").Str, "health checks fail since") || e.get("chosen").Str != "up/echo" {
			t.Errorf("explain: %s", e.body)
		}
		sad.mood.Store(500)
		g.awaitHealth(t, "sad", "unhealthy")
		served("ill", "moody/echo", "unhealthy") // nothing healthy is left
		if a := g.api("POST", "reload", ""); a.status != 200 {
			t.Errorf("reload: %d %s", a.status, a.body)
		}
		served("m", "up/echo", "unhealthy")
		m.mood.Store(200)
		sad.mood.Store(200)
		g.awaitHealth(t, "moody", "healthy")
		served("m", "moody/echo", "ready")
	}
	for _, line := range []string{"a provider fails its health checks", "a provider passes its health checks again"} {
		if !g.logs(line) {
			t.Errorf("the log does not say that %s", line)
		}
	}
	for _, p := range []*moody{m, sad} {
		if wrong := p.wrong.Load(); wrong != nil {
			t.Errorf("asked by %v", wrong)
		}
	}
	if code := g.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	was := m.asked.Load()
	time.Sleep(300 * time.Millisecond)
	if m.asked.Load() != was {
		t.Error("asked after the end")
	}
}

const explainConfig = providers + `  pool: {kind: openai-compatible, base_url: "UP/v1", keys: [sk-fail-429-after-1, sk-fail-429-after-2], prices: {"*": {input: 1, output: 2}}}
models:
  m: {targets: [{model: up/fail-500_after-0}, {model: pool/echo}, {model: ant/fail-429_after-60}, {model: ant/echo}, {model: up/echo}],
    retry: {attempts: 1}, breaker: {failures: 1, within: 60s, open_for: 400ms, probes: 1}}
` + team

// What explain says, in the head and in the admin API, of targets that are
// open, cooling, half open, and opened or closed by an operator.
func TestExplainTellsStates(t *testing.T) {
	g := start(t, explainConfig)
	states := func(e gjson.Result) string {
		var list []string
		for _, c := range e.Get("candidates").Array() {
			list = append(list, c.Get("state").Str)
			if !c.Get("target").Exists() || !c.Get("score").Exists() || c.Get("why").Str == "" || (c.Get("score").Num > 0) != (c.Get("target").Str == e.Get("chosen").Str) && e.Get("attempts.#").Int() < 2 {
				t.Errorf("a candidate of %s: %s", e, c)
			}
		}
		return strings.Join(list, " ")
	}
	call := func() gjson.Result {
		t.Helper()
		a := g.chat(chatBody("m", "hi", ""), "x-sluice-explain", "1")
		head := a.header.Get("x-sluice-explain")
		if a.status != 200 || !gjson.Valid(head) || strings.ContainsAny(head, "\r\n") {
			t.Fatalf("%d %s: %s", a.status, head, a.body)
		}
		return gjson.Parse(head)
	}
	e := call()
	if got := states(e); got != "ready ready ready ready ready" || e.Get("chosen").Str != "ant/echo" || e.Get("attempts.#").Int() != 5 ||
		e.Get("attempts.0.status").Int() != 500 || e.Get("attempts.1.key").Str == "" || e.Get("attempts.3.status").Int() != 429 || e.Get("attempts.4.status").Int() != 200 {
		t.Errorf("first: %s: %s", got, e)
	}
	e = call()
	if got := states(e); got != "open cooling cooling ready ready" || e.Get("chosen").Str != "ant/echo" || e.Get("attempts.#").Int() != 1 {
		t.Errorf("then: %s: %s", got, e)
	}
	admin := func() gjson.Result {
		t.Helper()
		a := g.api("GET", "explain?model=m", "")
		if a.status != 200 || !a.get("attempts").IsArray() {
			t.Fatalf("%d %s", a.status, a.body)
		}
		return gjson.Parse(a.body)
	}
	if e := admin(); states(e) != "open cooling cooling ready ready" || e.Get("chosen").Str != "ant/echo" {
		t.Errorf("admin: %s", e)
	}
	if !eventually(5*time.Second, func() bool { return admin().Get("candidates.0.state").Str == "half_open" }) || admin().Get("chosen").Str != "up/fail-500_after-0" {
		t.Errorf("half open: %s", admin())
	}
	set := func(path, state string, status int) {
		t.Helper()
		if a := g.api("POST", "providers/"+path, `{"state": "`+state+`"}`); a.status != status || status == 200 && a.get("target").Str == "" {
			t.Errorf("%s to %s: %d %s", path, state, a.status, a.body)
		}
	}
	set("ant/breakers/echo", "open", 200)
	set("up/breakers/up/fail-500_after-0", "open", 200) // with the provider's name too
	e = call()
	if got := states(e); got[:4] != "open" || !strings.HasSuffix(got, "open ready") || e.Get("chosen").Str != "up/echo" || e.Get("candidates.3.why").Str != "an operator took it out" {
		t.Errorf("taken out: %s: %s", got, e)
	}
	if p := g.api("GET", "providers", "").get(`data.#(name=="ant").targets.#(target=="ant/echo")`); p.Get("state").Str != "open" || p.Get("mode").Str != "forced" {
		t.Errorf("providers: %s", p)
	}
	if a, err := g.send("GET", "http://"+g.admin+"/metrics", ""); err != nil || !strings.Contains(a.body, `sluice_breaker_state{target="ant/echo"} 2`) {
		t.Errorf("%v: the metrics do not tell", err)
	}
	set("ant/breakers/echo", "auto", 200)
	set("up/breakers/fail-500_after-0", "closed", 200)
	e = call() // it fails, and stays in
	if e.Get("chosen").Str != "ant/echo" || e.Get("attempts.#").Int() < 2 || admin().Get("candidates.0.state").Str != "ready" {
		t.Errorf("closed: %s, then %s", e, admin())
	}
	set("ant/breakers/none", "open", 404)
	set("none/breakers/echo", "open", 404)
	set("ant/breakers/echo", "half", 400)
	s, err := g.stream(chatBody("m", "hi", `,"stream":true`), "x-sluice-explain", "1")
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if head := s.res.Header.Get("x-sluice-explain"); gjson.Get(head, "chosen").Str != "ant/echo" {
		t.Errorf("a stream: %s", head)
	}
	if a := g.api("GET", "explain?model=none", ""); a.status != 404 {
		t.Errorf("no such model: %d %s", a.status, a.body)
	}
	if a := g.api("GET", "explain", ""); a.status != 400 {
		t.Errorf("no model: %d %s", a.status, a.body)
	}
}
