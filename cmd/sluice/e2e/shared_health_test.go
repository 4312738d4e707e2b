package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// wards is a provider, and a service, that answers by what is asked: who calls it
// comes first in the path, by which it counts, with the key or the place.
type wards struct {
	*httptest.Server
	mu    sync.Mutex
	calls map[string]int
	bad   map[string]int // status by key or place; 429 names six seconds
}

func startWards(t *testing.T) *wards {
	t.Helper()
	w := &wards{calls: map[string]int{}, bad: map[string]int{}}
	w.Server = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.Close)
	return w
}

func (w *wards) serve(rw http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.URL.Path, "/") // /who/place/…
	what := parts[2]
	if key, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && what == "keys" {
		what = key
	}
	w.mu.Lock()
	if !strings.HasSuffix(r.URL.Path, "/models") && !strings.HasSuffix(r.URL.Path, "/well") {
		w.calls[parts[1]+" "+what]++
	}
	status := w.bad[what]
	w.mu.Unlock()
	if status != 0 {
		rw.Header().Set("Retry-After", "6")
		if status != 429 {
			rw.Header().Del("Retry-After")
		}
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(status)
		_, _ = io.WriteString(rw, `{"error":{"message":"no","type":"x"}}`)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(rw, `{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"`+what+`"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2},"data":[]}`)
}

func (w *wards) is(what string, status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bad[what] = status
}

// asked is how often someone has asked for something.
func (w *wards) asked(who, what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls[who+" "+what]
}

// config is a replica's configuration. The checks of replica b come so rarely
// that it learns from a alone.
func (w *wards) config(who, redis, every string) string {
	return strings.NewReplacer("WARDS", w.URL, "WHO", who, "REDIS", redis, "EVERY", every).Replace(`shared: redis://REDIS/2
providers:
  pool: {kind: openai-compatible, base_url: "WARDS/WHO/keys/v1", keys: [sk-one-0123456789, sk-two-0123456789], prices: {"*": {input: 1, output: 2}}}
  left: {kind: openai-compatible, base_url: "WARDS/WHO/left/v1", keys: [k], prices: {"*": {input: 1, output: 2}}}
  right: {kind: openai-compatible, base_url: "WARDS/WHO/right/v1", keys: [k], prices: {"*": {input: 1, output: 2}}}
  seen: {kind: openai-compatible, base_url: "WARDS/WHO/seen/v1", keys: [k], health: {every: EVERY, timeout: 1s, fails: 2, passes: 1}, prices: {"*": {input: 1, output: 2}}}
models:
  breaks: {targets: [{model: left/m}, {model: right/m}], retry: {attempts: 1}, breaker: {failures: 3, within: 60s, open_for: 3s}}
  checked: {targets: [{model: seen/m}, {model: right/m}], retry: {attempts: 1}}
routes:
  - name: service
    match: {path: "/service/**"}
    backend: {http: {targets: ["WARDS/both/west", "WARDS/both/east"], strip_prefix: /service}}
    retry: {attempts: 1}
    breaker: {failures: 3, within: 60s, open_for: 3s}
`) + team
}

// telling waits until replicas tell each other what is out.
func telling(t *testing.T, all ...*gateway) {
	t.Helper()
	for _, g := range all {
		if !eventually(20*time.Second, func() bool { return g.count("sluice_health_shared_up") == 1 }) {
			t.Fatal("a replica tells nothing")
		}
	}
}

// goes makes calls, each of which must go well.
func (g *gateway) goes(model string, calls int) {
	g.t.Helper()
	for range calls {
		if a := g.chat(chatBody(model, "hi", "")); a.status != 200 {
			g.t.Fatalf("%s: %d %s", model, a.status, a.body)
		}
	}
}

// provider is what the admin plane shows of one.
func (g *gateway) provider(name, path string) gjson.Result {
	g.t.Helper()
	for _, p := range gjson.Get(g.api("GET", "providers", "").body, "data").Array() {
		if p.Get("name").Str == name {
			return p.Get(path)
		}
	}
	return gjson.Result{}
}

// What one replica finds out the other knows: a key that rests, a breaker that has
// opened, a provider that is not well; and both know when it is over.
func TestSharedHealth(t *testing.T) {
	t.Parallel() // it waits most of its time
	r, w := startRedis(t), startWards(t)
	a, b := start(t, w.config("a", r.addr, "250ms")), start(t, w.config("b", r.addr, "1h"))
	telling(t, a, b)

	t.Run("a key", func(t *testing.T) {
		w.is("sk-one-0123456789", 429)
		a.goes("pool/m", 2)
		if w.asked("a", "sk-one-0123456789") != 1 {
			t.Fatalf("the first asks the key %d times", w.asked("a", "sk-one-0123456789"))
		}
		if !eventually(5*time.Second, func() bool { return b.count(`sluice_health_shared_news_total{result="heard"}`) == 1 }) {
			t.Fatal("the other does not hear of it")
		}
		b.goes("pool/m", 10)
		shown := b.provider("pool", "keys.0")
		until := shown.Get("until").Time()
		if n := w.asked("b", "sk-one-0123456789"); n != 0 && time.Now().Before(until) {
			t.Errorf("the other asks it %d times", n)
		}
		if !shown.Get("elsewhere").Bool() || shown.Get("state").Str != "cooling" || !b.logs(`found_by="another replica"`) {
			t.Errorf("nothing shows that: %s", shown)
		}
		w.is("sk-one-0123456789", 0)
		if !eventually(20*time.Second, func() bool { b.goes("pool/m", 1); return w.asked("b", "sk-one-0123456789") > 0 }) || time.Now().Before(until) {
			t.Errorf("it is back at %v, not after %v", time.Now(), until)
		}
	})
	t.Run("a breaker of a model", func(t *testing.T) {
		w.is("left", 500)
		a.goes("breaks", 3)
		if !eventually(5*time.Second, func() bool { return b.provider("left", "targets.0.elsewhere").Bool() }) {
			t.Fatal("the other does not know: " + b.provider("left", "targets").Raw)
		}
		b.goes("breaks", 1)
		if n := w.asked("b", "left"); n != 0 && b.provider("left", "targets.0.state").Str == "open" {
			t.Errorf("the other asks it %d times", n)
		}
		if w.asked("b", "right") == 0 {
			t.Error("nor the other target")
		}
		w.is("left", 0)
		before := w.asked("b", "left")
		if !eventually(20*time.Second, func() bool { b.goes("breaks", 1); return w.asked("b", "left") > before }) {
			t.Error("it does not come back")
		}
		if !eventually(5*time.Second, func() bool { return a.provider("left", "targets.0.state").Str != "open" }) {
			t.Error("nor does it for the first: " + a.provider("left", "targets").Raw)
		}
	})
	t.Run("a breaker of a route", func(t *testing.T) {
		w.is("west", 503)
		for range 8 { // every other one goes there
			if x := a.raw("GET", "/service/1", ""); x.status != 200 {
				t.Fatalf("%d %s", x.status, x.body)
			}
		}
		elsewhere := func() bool {
			for _, route := range gjson.Get(b.api("GET", "routes", "").body, "data").Array() {
				if route.Get("name").Str == "service" {
					return route.Get("targets.0.elsewhere").Bool()
				}
			}
			return false
		}
		if !eventually(5*time.Second, elsewhere) {
			t.Fatal("the other does not know")
		}
		before := w.asked("both", "west")
		for range 4 {
			if x := b.raw("GET", "/service/1", ""); x.status != 200 || w.asked("both", "west") != before && elsewhere() {
				t.Errorf("%d, and the target is asked", x.status)
			}
		}
		w.is("west", 0)
		if !eventually(20*time.Second, func() bool {
			return b.raw("GET", "/service/1", "").status == 200 && w.asked("both", "west") > before
		}) {
			t.Error("it does not come back")
		}
	})
	t.Run("a check", func(t *testing.T) {
		state := func(g *gateway, want string) {
			t.Helper()
			if !eventually(15*time.Second, func() bool { return g.provider("seen", "health.state").Str == want }) {
				t.Errorf("it is not %s: %s", want, g.provider("seen", "health").Raw)
			}
		}
		state(b, "healthy")
		w.is("seen", 503)
		state(a, "unhealthy")
		state(b, "unhealthy")
		if !b.provider("seen", "health.elsewhere").Bool() || a.provider("seen", "health.elsewhere").Bool() {
			t.Error("who has found it is not shown")
		}
		b.goes("checked", 3)
		if n := w.asked("b", "seen"); n != 0 {
			t.Errorf("it is asked %d times", n)
		}
		w.is("seen", 0)
		state(a, "healthy")
		state(b, "healthy")
	})
	t.Run("shown", func(t *testing.T) {
		if f := gjson.Get(b.api("GET", "health", "").body, "replicas.0.news"); !f.Get("up").Bool() || f.Get("heard").Int() < 4 {
			t.Errorf("%s", f)
		}
		if n := a.count(`sluice_health_shared_news_total{result="told"}`); n < 4 {
			t.Errorf("%d told", n)
		}
	})
	t.Run("without Redis", func(t *testing.T) {
		r.kill()
		for _, g := range []*gateway{a, b} {
			if !eventually(10*time.Second, func() bool { return g.count("sluice_health_shared_up") == 0 }) {
				t.Error("nobody tells")
			}
		}
		w.is("sk-two-0123456789", 429)
		a.goes("pool/m", 2)
		before := w.asked("b", "sk-two-0123456789")
		b.goes("pool/m", 2)
		if w.asked("b", "sk-two-0123456789") != before+1 {
			t.Error("each replica finds out by itself")
		}
		r.start()
		telling(t, a, b)
	})
}

// A replica that starts knows what the others have found before.
func TestSharedHealthAtStart(t *testing.T) {
	r, w := startRedis(t), startWards(t)
	a := start(t, w.config("a", r.addr, "1h"))
	telling(t, a)
	w.is("sk-one-0123456789", 401)
	a.goes("pool/m", 2)
	if !eventually(5*time.Second, func() bool { return a.count(`sluice_health_shared_news_total{result="told"}`) == 1 }) {
		t.Fatal("it is not told")
	}
	b := start(t, w.config("b", r.addr, "1h"))
	telling(t, b)
	b.goes("pool/m", 6)
	if n := w.asked("b", "sk-one-0123456789"); n != 0 {
		t.Errorf("it asks %d times with a key that was refused: %s", n, b.provider("pool", "keys").Raw)
	}
	if state := fmt.Sprint(b.provider("pool", "keys.0.why").Str, b.provider("pool", "keys.0.elsewhere").Bool()); state != "authtrue" {
		t.Errorf("shown: %s", state)
	}
}
