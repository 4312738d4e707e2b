package gateway_test

import (
	"net/netip"
	"strings"
	"testing"

	"sluice/billing"
)

// A key is taken from each of its headers, and from the query by Gemini's
// clients alone.
func TestCredentials(t *testing.T) {
	r := newRig(t, func(s *setup) { s.prompts["ask"] = strings.Replace(ask, "%s", "mock/echo", 1) })
	const (
		chatPath = "/v1/chat/completions"
		gemini   = "/v1beta/models/mock/echo:generateContent"
	)
	bodies := map[string]string{
		chatPath:       chat("mock/echo", "hi", ""),
		"/v1/messages": chat("mock/echo", "hi", `,"max_tokens":5`),
		gemini:         `{"contents":[{"parts":[{"text":"hi"}]}]}`,
		"/prompts/ask": `{"text":"hi"}`,
	}
	for _, c := range []struct {
		path, query string
		header      []string
		status      int
	}{
		{chatPath, "", []string{"Authorization", "Bearer " + testKey}, 200},
		{chatPath, "", []string{"Authorization", "bearer  " + testKey + " "}, 200},
		{chatPath, "", []string{"Authorization", "BEARER " + testKey}, 200},
		{chatPath, "", []string{"x-api-key", testKey}, 200},
		{chatPath, "", []string{"api-key", testKey}, 200},
		{chatPath, "", []string{"x-goog-api-key", testKey}, 200},
		{"/v1/messages", "", []string{"x-api-key", testKey}, 200},
		{"/prompts/ask", "", []string{"x-api-key", testKey}, 200},
		{gemini, "", []string{"x-goog-api-key", testKey}, 200},
		{gemini, "?key=" + testKey, nil, 200},
		{gemini, "?key=sk-wrong", nil, 401},
		{chatPath, "?key=" + testKey, nil, 401},
		{"/v1/messages", "?key=" + testKey, nil, 401},
		{"/prompts/ask", "?key=" + testKey, nil, 401},
		{chatPath, "", []string{"Authorization", "Basic " + testKey}, 401},
		{chatPath, "", []string{"Authorization", testKey}, 401},
		{chatPath, "", []string{"Authorization", "Bearer "}, 401},
		{chatPath, "", []string{"Authorization", "Basic dTpw", "x-api-key", testKey}, 200}, // a proxy's own, and ours
		{chatPath, "", []string{"Authorization", "Bearer sk-wrong", "x-api-key", testKey}, 401},
		{chatPath, "", []string{"x-api-key", testKey + "x"}, 401},
		{chatPath, "", []string{"x-api-key", strings.ToUpper(testKey)}, 401},
	} {
		a := r.bare("POST", c.path+c.query, bodies[c.path], append(c.header, "Content-Type", "application/json")...)
		if a.status != c.status {
			t.Errorf("%s%s with %q: %d %s, want %d", c.path, c.query, c.header, a.status, a.body, c.status)
		}
	}
}

// A key that is bound to addresses is refused elsewhere, and nobody gets in by
// saying that it was forwarded for somebody else.
func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		name      string
		trusted   []string
		forwarded []string // a header each
		allowed   string   // what the key is bound to
		status    int
	}{
		{"the peer itself", nil, nil, "127.0.0.1", 200},
		{"another", nil, nil, "192.0.2.0/24", 403},
		{"nobody is trusted", nil, []string{"192.0.2.1"}, "192.0.2.0/24", 403},
		{"the peer is not", []string{"10.0.0.0/8"}, []string{"192.0.2.1"}, "192.0.2.0/24", 403},
		{"behind a proxy", []string{"127.0.0.0/8"}, []string{"192.0.2.1"}, "192.0.2.0/24", 200},
		{"behind two", []string{"127.0.0.0/8", "10.0.0.0/8"}, []string{"192.0.2.1, 10.1.2.3"}, "192.0.2.0/24", 200},
		{"a lie before the truth", []string{"127.0.0.0/8"}, []string{"192.0.2.1, 203.0.113.9"}, "192.0.2.0/24", 403},
		{"a lie in a header of its own", []string{"127.0.0.0/8"}, []string{"192.0.2.1", "203.0.113.9"}, "192.0.2.0/24", 403},
		{"the truth in a header of its own", []string{"127.0.0.0/8"}, []string{"203.0.113.9", "192.0.2.1"}, "192.0.2.0/24", 200},
		{"what is no address", []string{"127.0.0.0/8"}, []string{"192.0.2.1, unknown"}, "192.0.2.0/24", 403},
		{"with a port", []string{"127.0.0.0/8"}, []string{"192.0.2.1:443"}, "192.0.2.0/24", 200},
		{"IPv6", []string{"127.0.0.0/8"}, []string{"2001:db8::1"}, "2001:db8::/32", 200},
		{"IPv4 in IPv6", []string{"127.0.0.0/8"}, []string{"::ffff:192.0.2.1"}, "192.0.2.0/24", 200},
		{"a proxy alone", []string{"127.0.0.0/8"}, nil, "127.0.0.1", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, func(s *setup) {
				for _, p := range c.trusted {
					s.settings.TrustedProxies = append(s.settings.TrustedProxies, netip.MustParsePrefix(p))
				}
				s.key("bound", func(k *billing.Key) { k.IPs = []string{c.allowed} })
			})
			header := as("bound")
			for _, f := range c.forwarded {
				header = append(header, "X-Forwarded-For", f)
			}
			if a := r.bare("POST", "/v1/chat/completions", chat("mock/echo", "hi", ""), header...); a.status != c.status {
				t.Errorf("%d %s, want %d", a.status, a.body, c.status)
			}
		})
	}
}

// A request's id is the client's own if it is sane, else made.
func TestRequestIDs(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		id   string
		kept bool
	}{
		{"", false}, {"abc-1_2.3:4", true}, {strings.Repeat("a", 128), true}, {strings.Repeat("a", 129), false},
		{`a"b`, false}, {"a b", false}, {"ü", false}, {"<script>", false},
	} {
		for _, path := range []string{"/v1/chat/completions", "/v1/messages", "/nothing", "/healthz"} {
			a := r.call("POST", path, chat("mock/echo", "hi", `,"max_tokens":5`), "X-Request-Id", c.id)
			got := a.header.Get("X-Request-Id")
			if kept := got == c.id; kept != c.kept && c.id != "" || got == "" || !c.kept && len(got) != 26 {
				t.Errorf("%s: the id %q became %q", path, c.id, got)
			}
		}
	}
	first, second := r.call("GET", "/healthz", ""), r.call("GET", "/healthz", "")
	if first.header.Get("X-Request-Id") == second.header.Get("X-Request-Id") {
		t.Error("two calls have one id")
	}
}

// Keys that were used are told once, and again when they are used again.
func TestUsedKeys(t *testing.T) {
	r := newRig(t)
	for range 3 {
		r.call("POST", "/v1/chat/completions", chat("mock/echo", "hi", ""))
		if used := r.g.UsedKeys(); len(used) != 1 || used["key_k"].IsZero() {
			t.Errorf("used: %v", used)
		}
		if used := r.g.UsedKeys(); len(used) != 0 {
			t.Errorf("used without a call: %v", used)
		}
	}
	r.call("POST", "/v1/chat/completions", chat("mock/echo", "hi", ""))
	r.g.Swap(r.snapshot()) // what was used before a reload is told after it
	r.call("POST", "/v1/chat/completions", chat("mock/echo", "hi", ""))
	if used := r.g.UsedKeys(); len(used) != 1 {
		t.Errorf("used over a reload: %v", used)
	}
}

// The headers of limits: those of the nearest limit, on answers and refusals.
func TestLimitHeaders(t *testing.T) {
	r := newRig(t, func(s *setup) {
		s.teams[0].Limits = billing.Limits{RPM: 1000, TPM: 1000}
		s.key("rpm", func(k *billing.Key) { k.Limits = billing.Limits{RPM: 3} })
		s.key("tpm", func(k *billing.Key) { k.Limits = billing.Limits{TPM: 500} })
	})
	for i, remaining := range []string{"2", "1", "0", "0"} {
		a := r.bare("POST", "/v1/chat/completions", chat("mock/echo", "hi", ""), as("rpm")...)
		if want := map[bool]int{true: 200, false: 429}[i < 3]; a.status != want {
			t.Errorf("call %d: %d", i, a.status)
		}
		if a.header.Get("X-Ratelimit-Limit-Requests") != "3" || a.header.Get("X-Ratelimit-Remaining-Requests") != remaining ||
			a.header.Get("X-Ratelimit-Reset-Requests") == "" || a.header.Get("X-Ratelimit-Limit-Tokens") != "1000" {
			t.Errorf("call %d: %v", i, a.header)
		}
	}
	a := r.bare("POST", "/v1/chat/completions", chat("mock/echo", "hi", `,"max_tokens":100`), as("tpm")...)
	if a.status != 200 || a.header.Get("X-Ratelimit-Limit-Tokens") != "500" {
		t.Fatalf("%d %v", a.status, a.header)
	}
	r.settled() // and with it the tokens that were not used are back
	a = r.bare("POST", "/v1/chat/completions", chat("mock/echo", "hi", `,"max_tokens":480`), as("tpm")...)
	if a.status != 429 && a.status != 200 || a.status == 429 && (a.header.Get("Retry-After") == "" || a.header.Get("X-Should-Retry") != "") {
		t.Errorf("%d %v", a.status, a.header)
	}
	a = r.bare("POST", "/v1/chat/completions", chat("mock/echo", "hi", `,"max_tokens":501`), as("tpm")...)
	if a.status != 429 || a.header.Get("Retry-After") != "" || a.header.Get("X-Should-Retry") != "false" || !strings.Contains(a.get("error.message").String(), "500") {
		t.Errorf("what never fits: %d %v %s", a.status, a.header, a.body)
	}
	if a := r.bare("GET", "/v1/models", "", as("rpm")...); a.status != 200 || a.header.Get("X-Ratelimit-Remaining-Requests") != "0" {
		t.Errorf("a list counts against nothing, and tells: %d %v", a.status, a.header)
	}
}

// A place of a limit on parallel calls comes back however a call ends.
func TestParallelComesBack(t *testing.T) {
	r := newRig(t, func(s *setup) {
		s.key("one", func(k *billing.Key) { k.Limits.Parallel = 1 })
		s.providers = append(s.providers, local("bomb", script{}, oneTwo))
	})
	r.log.allow()
	stream := `,"stream":true`
	for _, body := range []string{
		chat("mock/echo", "hi", ""), chat("mock/echo", "hi", stream), chat("up/fail-500", "hi", ""), chat("up/fail-400", "hi", stream),
		chat("up/cut-3", "hi", stream), chat("bomb/x", "hi", ""), chat("bomb/x", "hi", stream), chat("nobody/has-it", "hi", ""),
	} {
		a := r.bare("POST", "/v1/chat/completions", body, as("one")...)
		r.settled()
		if a.get("error.code").String() == "rate_limit_exceeded" {
			t.Errorf("%s: the place of the call before is not free", body)
		}
	}
}
