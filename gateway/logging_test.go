package gateway_test

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/billing"
)

// everyKindOfCall makes calls of all kinds, with secrets wherever a caller can
// put them.
func everyKindOfCall(r *rig) {
	r.call("POST", "/v1/chat/completions", chat("mock/echo", "private words", ""), "X-Request-Id", "log-good")
	r.call("POST", "/v1/chat/completions", chat("mock/lorem-3", "private words", `,"stream":true`), "X-Request-Id", "log-stream")
	r.call("POST", "/v1/chat/completions", chat("up/fail-401", "private words", ""))
	r.call("POST", "/v1/chat/completions", `{"private":`)
	r.bare("POST", "/v1/chat/completions", chat("mock/echo", "private words", ""), "Authorization", "Bearer sk-private-wrong")
	r.bare("POST", "/v1beta/models/mock/echo:generateContent?key="+testKey, `{"contents":[{"parts":[{"text":"private words"}]}]}`)
	r.bare("POST", "/v1beta/models/mock/echo:generateContent?key=sk-private-wrong", `{}`)
	r.call("GET", "/no/such?text=private", "")
	r.call("GET", "/a%0Afake%20line%22%5C%ff%00", "")
	r.call("POST", "/v1/chat/completions", chat("mock/a\nfake line \"q\"", "private words", ""))
	r.bare("GET", "/healthz", "")
	r.settled()
}

// Access lines for machines: each is JSON with what happened, and no secret.
func TestAccessLog(t *testing.T) {
	r := newRig(t)
	everyKindOfCall(r)
	r.stop()
	lines := strings.Split(strings.TrimSuffix(r.access.String(), "\n"), "\n")
	if len(lines) != 11 {
		t.Errorf("%d lines for 11 calls: %s", len(lines), r.access)
	}
	found := map[string]gjson.Result{}
	for _, l := range lines {
		if !gjson.Valid(l) {
			t.Errorf("no JSON: %q", l)
		}
		v := gjson.Parse(l)
		for _, field := range []string{"time", "msg", "call", "ip", "method", "path", "status", "attempts", "usd", "latency_us"} {
			if !v.Get(field).Exists() {
				t.Errorf("no %s: %s", field, l)
			}
		}
		found[v.Get("request_id").String()] = v
	}
	noSecrets(t, r)
	good := found["log-good"]
	if u := good.Get("upstream_us").Int(); u < 0 || u > good.Get("latency_us").Int() {
		t.Errorf("of the time %d µs are the provider's: %s", u, good.Raw)
	}
	if good.Get("status").Int() != 200 || good.Get("team").String() != "t" || good.Get("key").String() != "t/k" || good.Get("model").String() != "mock/echo" ||
		good.Get("target").String() != "mock/echo" || good.Get("input_tokens").Int() <= 0 || good.Get("output_tokens").Int() <= 0 ||
		good.Get("usd").String() == "0" || good.Get("ip").String() != "127.0.0.1" || good.Get("path").String() != "/v1/chat/completions" || good.Get("stream").Exists() {
		t.Errorf("a good call: %s", good.Raw)
	}
	if s := found["log-stream"]; !s.Get("stream").Bool() || s.Get("ttft_us").Int() <= 0 {
		t.Errorf("a stream: %s", s.Raw)
	}
}

// Access lines for people: a line each, whatever a caller puts into them.
func TestTextAccessLog(t *testing.T) {
	r := newRig(t, func(s *setup) { s.text = true })
	everyKindOfCall(r)
	r.stop()
	lines := strings.Split(strings.TrimSuffix(r.access.String(), "\n"), "\n")
	if len(lines) != 11 {
		t.Errorf("%d lines for 11 calls: %s", len(lines), r.access)
	}
	for _, l := range lines {
		if strings.HasPrefix(l, "fake") || strings.ContainsAny(l, "\x00\r") {
			t.Errorf("a caller wrote a line: %q", l)
		}
	}
	noSecrets(t, r)
}

func noSecrets(t *testing.T, r *rig) {
	t.Helper()
	for _, secret := range []string{testKey, "sk-private", "private words", "sk-provider", `"text=private`} {
		if strings.Contains(r.access.String(), secret) {
			t.Errorf("%q is in the log: %s", secret, r.access)
		}
	}
}

// stuck is a sink that takes nothing until it is let go.
type stuck struct{ let chan struct{} }

func (s stuck) Write(p []byte) (int, error) {
	<-s.let
	return len(p), nil
}

// A log that is stuck holds up no call: what does not fit is counted.
func TestStuckAccessLog(t *testing.T) {
	sink := stuck{make(chan struct{})}
	r := newRig(t, func(s *setup) {
		s.access = sink
		s.key("q", func(k *billing.Key) {})
	})
	path := "/" + strings.Repeat("x", 12<<10)
	for i := 0; r.lost("access") == 0; i++ {
		if i > 3000 {
			t.Fatal("nothing is dropped")
		}
		r.bare("GET", path, "")
	}
	if a := r.call("POST", "/v1/chat/completions", chat("mock/echo", "hi", "")); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	close(sink.let)
}

// lost is how much a sink has lost.
func (r *rig) lost(name string) (lost int64) {
	r.g.LogDropped(func(sink string, n int64) {
		if sink == name {
			lost = n
		}
	})
	return lost
}
