package config

import (
	"testing"
	"time"
)

func TestRoutes(t *testing.T) {
	c := load(t, `
routes:
  - name: orders
    match: {host: api.example.com, path: "/orders/**", methods: [GET, POST], headers: {x-beta: "1"}, query: {mode: full}}
    backend: {http: {targets: [{url: "http://127.0.0.1:9001", weight: 2}, "http://127.0.0.1:9002"], balance: hash, hash: {by: "header:X"}, strip_prefix: /orders, preserve_host: true}}
    auth: {require: [key]}
    limits: {rate: 100/1m, per: key, burst: 20, parallel: 50}
    retry: {attempts: 3}
    timeout: 10s
    breaker: {failures: 2, fallback: {status: 503, json: {error: resting, n: 1, s: "1", list: [true, {}], none: , empty: {}}}}
  - {name: plain, backend: {static: {body: hello}}}
`)
	r := &c.Routes[0]
	h := r.Backend.HTTP
	if r.Match.Host != "api.example.com" || len(r.Match.Methods) != 2 || r.Match.Headers["x-beta"].Value != "1" || h.Targets[0].Weight != 2 ||
		h.Targets[1] != (BackendTarget{"http://127.0.0.1:9002", 1}) || h.Hash.By != "header:X" || !h.PreserveHost {
		t.Errorf("read as %+v, %+v", r, h)
	}
	if *r.Limits != (RouteLimits{Rate: Rate{100, time.Minute}, Per: "key", Burst: 20, Parallel: 50}) || r.Retry.Attempts != 3 || r.Retry.Budget != 0.2 || r.Timeout != 10*time.Second {
		t.Errorf("terms: %+v %+v", r.Limits, r.Retry)
	}
	if r.Breaker.Failures != 2 || r.Breaker.Ratio != 0.5 {
		t.Errorf("breaker: %+v", r.Breaker)
	}
	const want = `{"empty":{},"error":"resting","list":[true,{}],"n":1,"none":null,"s":"1"}`
	if got := string(r.Breaker.Fallback.JSON); got != want {
		t.Errorf("fallback: %s, want %s", got, want)
	}
	if p := c.Routes[1]; p.Timeout != time.Minute || p.Auth != nil || p.Backend.Static.Body != "hello" {
		t.Errorf("the plain one: %+v", p)
	}
}

func TestRate(t *testing.T) {
	for text, want := range map[string]Rate{"100/1m": {100, time.Minute}, "5/s": {5, time.Second}, "1/500ms": {1, 500 * time.Millisecond}} {
		var r Rate
		if err := r.UnmarshalText([]byte(text)); err != nil || r != want {
			t.Errorf("%s: %v, %v", text, r, err)
		}
	}
	for _, text := range []string{"", "5", "5/", "/1m", "0/1m", "-1/1m", "5/0s", "5/-1m", "5/1x", "a/1m"} {
		var r Rate
		if r.UnmarshalText([]byte(text)) == nil {
			t.Errorf("%q was read as %v", text, r)
		}
	}
}
