package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"sluice/gateway/wasm/wasmtest"
)

// plans makes the module of the example.
func plans(t *testing.T) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "plans.wasm")
	make := exec.Command("go", "build", "-buildmode=c-shared", "-o", file, "./examples/policies/plans")
	make.Dir = "../../.."
	make.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := make.CombinedOutput(); err != nil {
		t.Fatalf("cannot make the example: %v\n%s", err, out)
	}
	code, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// put writes a file beside the configuration, in one step.
func (g *gateway) put(name string, content []byte) {
	g.t.Helper()
	file := filepath.Join(g.dir, name)
	if err := os.WriteFile(file+".new", content, 0o600); err != nil {
		g.t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		g.t.Fatal(err)
	}
}

// Policies in CEL and in WebAssembly: what they may do, and what they
// cannot do to the gateway.
func TestRoutePolicies(t *testing.T) {
	b := startBackend(t, "a")
	target := `{http: {targets: ["` + b.URL + `"]}}`
	g := newGateway(t, `routes:
  - {name: rule, match: {path: "/rule/{id}"}, backend: `+target+`, policies: [{cel: 'request.headers["x-debug"] == ""'}, {cel: 'request.params.id != "7" && caller.ip == "127.0.0.1"', else: 404}]}
  - {name: keyed, match: {path: "/keyed"}, backend: `+target+`, auth: {require: [key]}, policies: [{cel: 'caller.team == "t" && request.query.mode == "full"'}]}
  - {name: plans, match: {path: "/plans/**"}, backend: `+target+`, policies: [{wasm: plans.wasm, memory: 32MiB, timeout: 10s, config: {plans: [silver, gold]}}]}
  - {name: trap, match: {path: "/trap"}, backend: `+target+`, policies: [{wasm: trap.wasm}]}
  - {name: forever, match: {path: "/forever"}, backend: `+target+`, policies: [{wasm: forever.wasm, timeout: 5ms}]}
  - {name: hog, match: {path: "/hog"}, backend: `+target+`, policies: [{wasm: hog.wasm, memory: 1MiB}]}
  - {name: nonsense, match: {path: "/nonsense"}, backend: `+target+`, policies: [{wasm: nonsense.wasm}]}
  - {name: sneaky, match: {path: "/sneaky"}, backend: `+target+`, policies: [{wasm: sneaky.wasm}]}
  - {name: answers, match: {path: "/answers/**"}, backend: `+target+`, policies: [{wasm: answers.wasm, timeout: 10s}]}
  - {name: hot, match: {path: "/hot"}, backend: `+target+`, policies: [{wasm: hot.wasm, timeout: 10s}]}
`+team)
	g.put("plans.wasm", plans(t))
	for name, m := range map[string]wasmtest.Module{
		"trap": {Code: wasmtest.Trap}, "forever": {Code: wasmtest.Forever}, "hog": {Code: wasmtest.Hog}, "nonsense": {Request: `{"status": 200}`},
		"sneaky":  {Request: `{"allow": true, "headers": {"set": {"x-forwarded-for": "10.0.0.1"}}}`},
		"answers": {Request: `{"allow": true}`, Response: `{"allow": false, "status": 502, "body": "{\"error\": \"held back\"}"}`},
		"hot":     {Request: `{"allow": true}`},
	} {
		g.put(name+".wasm", m.Bytes())
	}
	g.start()
	for _, c := range []struct {
		path   string
		status int
		code   string
		header []string
	}{
		{"/rule/1", 200, "", nil}, {"/rule/1", 403, "permission_denied", []string{"X-Debug", "1"}}, {"/rule/7", 404, "permission_denied", nil},
		{"/keyed?mode=full", 401, "invalid_api_key", nil}, {"/keyed?mode=full", 200, "", []string{"Authorization", "Bearer " + teamKey}},
		{"/keyed?mode=half", 403, "permission_denied", []string{"Authorization", "Bearer " + teamKey}},
		{"/plans/x", 402, "", nil}, {"/plans/x", 402, "", []string{"X-Plan", "free"}}, {"/plans/x", 200, "", []string{"X-Plan", "gold"}},
		{"/trap", 503, "unavailable", nil}, {"/forever", 503, "unavailable", nil}, {"/hog", 503, "unavailable", nil}, {"/nonsense", 503, "unavailable", nil}, {"/sneaky", 503, "unavailable", nil},
		{"/answers/x", 502, "", nil}, {"/answers/large", 502, "", nil}, {"/hot", 200, "", nil},
	} {
		for range 3 {
			before := b.hits.Load()
			r := g.raw("GET", c.path, "", c.header...)
			if r.status != c.status || gjson.Get(r.body, "code").Str != c.code {
				t.Errorf("%s %v: %d %.300s", c.path, c.header, r.status, r.body)
			}
			if asked := b.hits.Load() != before; asked != (c.status == 200 || strings.HasPrefix(c.path, "/answers")) {
				t.Errorf("%s %v: asked the backend: %v", c.path, c.header, asked)
			}
		}
	}
	r := g.raw("GET", "/plans/x", "", "X-Plan", "gold")
	if heard, _ := b.heard(); heard.Get("X-Rank") != "2" || heard.Get("X-Plan") != "" || r.header.Get("X-Policy") != "plans" {
		t.Errorf("headers of a policy: %v, %v", heard, r.header)
	}
	if r = g.raw("GET", "/plans/x", ""); r.body != `{"error": "your plan does not include this"}` || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("a refusal with a body: %v %s", r.header, r.body)
	}
	if r = g.raw("GET", "/answers/x", ""); r.body != `{"error": "held back"}` {
		t.Errorf("an answer that is held back: %s", r.body)
	}
	logged := g.stderr.String()
	for _, want := range []string{"policy=trap.wasm", "policy=forever.wasm", "it took longer than it may: 5ms", "policy=hog.wasm", "does not say allow", `may not set the header \"x-forwarded-for\"`} {
		if !strings.Contains(logged, want) {
			t.Errorf("the log lacks %s", want)
		}
	}
	g.put("hot.wasm", wasmtest.Module{Request: `{"allow": false, "status": 410}`}.Bytes())
	if !eventually(20*time.Second, func() bool { return g.raw("GET", "/hot", "").status == 410 }) {
		t.Error("a changed module is not in force")
	}
	g.put("hot.wasm", []byte("broken"))
	if r := g.api("POST", "reload", ""); r.status == 200 {
		t.Errorf("a broken module was taken: %s", r.body)
	}
	if r := g.raw("GET", "/hot", ""); r.status != 410 {
		t.Errorf("after a broken module: %d", r.status)
	}
}

// What is wrong with a policy is told with its line, before it is in force.
func TestRoutePoliciesChecked(t *testing.T) {
	g := newGateway(t, "")
	g.put("good.wasm", wasmtest.Module{Request: "{}"}.Bytes())
	g.put("lame.wasm", wasmtest.Module{Request: "{}", Without: "on_request"}.Bytes())
	g.put("large.wasm", wasmtest.Module{Request: "{}", Pages: 32}.Bytes())
	for fault, want := range map[string]string{
		`{}`:                               "routes[0].policies[0]: want one of cel, wasm",
		`{cel: 'true', wasm: good.wasm}`:   "routes[0].policies[0]: want one of cel, wasm",
		`{cel: 'request.methd == "GET"'}`:  "routes[0].policies[0].cel: expression",
		`{cel: '1 + 1'}`:                   "want true or false",
		`{cel: 'true', else: 200}`:         "routes[0].policies[0].else: want a status from 400 to 599",
		`{cel: 'true', timeout: 1s}`:       "memory, timeout and config are for wasm",
		`{wasm: good.wasm, else: 403}`:     "routes[0].policies[0].else: is for cel",
		`{wasm: none.wasm}`:                "routes[0].policies[0].wasm: open ",
		`{wasm: lame.wasm}`:                "routes[0].policies[0].wasm: the module does not export on_request(ptr i32, len i32) i64",
		`{wasm: large.wasm, memory: 1MiB}`: "routes[0].policies[0].wasm: cannot compile the module",
		`{wasm: good.wasm, memory: 1kB}`:   "routes[0].policies[0].memory: want from 64KiB to 1GiB",
		`{wasm: good.wasm, timeout: 0s}`:   "routes[0].policies[0].timeout: want a duration such as 50ms",
		`{wasm: sluice.yaml}`:              "routes[0].policies[0].wasm: cannot compile the module",
	} {
		g.configure(head + "routes:\n  - name: r\n    match: {path: /r}\n    backend: {static: {body: x}}\n    policies: [" + fault + "]\n" + team)
		out, _, code := g.sluice("check", "-c", g.file())
		if code != 2 || !strings.Contains(out, want) || !strings.Contains(out, "sluice.yaml:8: ") {
			t.Errorf("%s: %d\n%s, want %s", fault, code, out, want)
		}
	}
}

// What callers keep secret is in no log, whatever becomes of their requests.
func TestRoutesLogNoSecrets(t *testing.T) {
	b := startBackend(t, "a")
	target := `{http: {targets: ["` + b.URL + `"]}}`
	for _, format := range []string{"json", "text"} {
		g := newGateway(t, "")
		g.put("trap.wasm", wasmtest.Module{Code: wasmtest.Trap}.Bytes())
		g.configure(head + "log: {level: debug, format: " + format + "}\n" + `routes:
  - {name: open, match: {path: "/open/**"}, backend: ` + target + `}
  - {name: keyed, match: {path: "/keyed/**"}, backend: ` + target + `, auth: {require: [key]}, limits: {failures: 1/1h, rate: 1000/1s}}
  - {name: waf, match: {path: "/waf/**"}, backend: ` + target + `, waf: {}}
  - {name: rule, match: {path: "/rule/**"}, backend: ` + target + `, policies: [{cel: 'request.query.key == ""'}]}
  - {name: trap, match: {path: "/trap/**"}, backend: ` + target + `, policies: [{wasm: trap.wasm}]}
  - {name: inner, match: {path: "/inner/**"}, backend: ` + target + `, ips: {allow: [10.0.0.0/8]}}
  - {name: dead, match: {path: "/dead/**"}, backend: {http: {targets: ["http://127.0.0.1:1"]}}}
` + team)
		g.start()
		paths := []string{"/open/x", "/open/status/503", "/open/cut", "/keyed/x", "/waf/x", "/rule/x", "/trap/x", "/inner/x", "/dead/x", "/none/x"}
		for _, path := range paths {
			req := []string{"Authorization", "Bearer secret-header", "Cookie", "session=secret-cookie", "X-Api-Key", "secret-api-key", "Proxy-Authorization", "Basic secret-proxy"}
			_, _ = g.send("POST", "http://"+g.listen+path+"?key=secret-query&access_token=secret-token&q=%3Cscript%3Esecret-script", "password=secret-body' OR '1'='1", req...)
			_, _ = g.send("GET", "http://user:secret-user@"+g.listen+path+"?key=secret-query", "")
		}
		if code := g.stop(); code != 0 {
			t.Errorf("ended with %d", code)
		}
		if logged := g.stdout.String() + g.stderr.String(); strings.Contains(logged, "secret-") || strings.Count(g.stdout.String(), "\n") < 2*len(paths) {
			i := strings.Index(logged, "secret-")
			t.Errorf("%s: %d lines, with %q", format, strings.Count(g.stdout.String(), "\n"), logged[max(0, i-200):min(len(logged), i+50)])
		}
	}
}
