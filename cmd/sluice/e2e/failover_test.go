package e2e

import (
	"strings"
	"testing"
	"time"
)

const failover = providers + `  pool: {kind: openai-compatible, base_url: "UP/v1", keys: [sk-fail-429, sk-good], prices: {"*": {input: 1, output: 2}}}
  bad: {kind: openai-compatible, base_url: "UP/v1", keys: [sk-fail-401, sk-good-too], prices: {"*": {input: 1, output: 2}}}
models:
  again: {targets: [{model: up/fail-503_times-1}], retry: {attempts: 2, backoff: 1ms}}
  once: {targets: [{model: up/fail-503_times-1_echo}], retry: {attempts: 1}}
  two: {targets: [{model: up/fail-500}, {model: ant/echo}], retry: {attempts: 1}}
  back: {targets: [{model: up/fail-502}], retry: {attempts: 1}, fallback: [{model: up/echo}]}
  breaks: {targets: [{model: up/fail-500_after-0}, {model: up/echo}], retry: {attempts: 1}, breaker: {failures: 3, within: 60s, open_for: 60s}}
  weighted: {balance: weighted, targets: [{model: up/echo, weight: 3}, {model: ant/echo, weight: 1}]}
` + team

// Retries, other keys, other targets, fallbacks and breakers.
func TestFailover(t *testing.T) {
	g := start(t, failover)
	for _, c := range []struct {
		name, model, header string
		status              int
		attempts, target    string
	}{
		{"retry", "again", "", 200, "2", "up/fail-503_times-1"},
		{"no retry", "once", "", 503, "1", "up/fail-503_times-1_echo"},
		{"next key after 429", "pool/echo", "", 200, "2", "pool/echo"},
		{"next key after 401", "bad/echo", "", 200, "2", "bad/echo"},
		{"next target", "two", "", 200, "2", "ant/echo"},
		{"fallback", "back", "", 200, "2", "up/echo"},
		{"fallback off", "back", "off", 502, "1", "up/fail-502"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var header []string
			if c.header != "" {
				header = []string{"x-sluice-fallback", c.header}
			}
			a := g.chat(chatBody(c.model, "hi", ""), header...)
			if a.status != c.status || a.header.Get("x-sluice-attempts") != c.attempts || a.header.Get("x-sluice-model") != c.target {
				t.Errorf("status %d, %s attempts, target %s: %s", a.status, a.header.Get("x-sluice-attempts"), a.header.Get("x-sluice-model"), a.body)
			}
		})
	}
	t.Run("a limited key cools", func(t *testing.T) {
		before := g.fake.Stats().Keys["sk-fail-429"]
		for range 10 {
			if a := g.chat(chatBody("pool/echo", "hi", "")); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
		if after := g.fake.Stats().Keys["sk-fail-429"]; after > before+1 {
			t.Errorf("the limited key was tried %d times more", after-before)
		}
	})
	t.Run("breaker", g.breaker)
	t.Run("stream", func(t *testing.T) {
		s, err := g.stream(chatBody("two", "over there", `,"stream":true`))
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		if text, done, err := s.rest(); text != "over there" || !done || err != nil {
			t.Errorf("%q, %v, %v", text, done, err)
		}
	})
	t.Run("weighted", func(t *testing.T) {
		seen := map[string]int{}
		for range 200 {
			seen[g.chat(chatBody("weighted", "hi", "")).header.Get("x-sluice-model")]++
		}
		if seen["up/echo"] < 110 || seen["ant/echo"] < 20 {
			t.Errorf("weights 3 and 1 became %v", seen)
		}
	})
}

func (g *gateway) breaker(t *testing.T) {
	for range 20 {
		if a := g.chat(chatBody("breaks", "hi", "")); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if n := g.fake.Stats().Models["fail-500_after-0"]; n != 3 {
		t.Errorf("the failing target was tried %d times, want 3", n)
	}
	if a := g.api("GET", "providers", ""); !strings.Contains(a.body, "open") {
		t.Errorf("the open breaker does not show: %s", a.body)
	}
}

// A provider that is silent holds a call no longer than its timeout, and the
// next target answers.
func TestFirstByteTimeout(t *testing.T) {
	g := start(t, strings.Replace(providers, "keys: [sk-up]", "keys: [sk-up], timeout: {first_byte: 150ms}", 1)+
		"models: {m: {targets: [{model: up/silent}, {model: ant/echo}], retry: {attempts: 1}}}\n"+team)
	begin := time.Now()
	a := g.chat(chatBody("m", "hi", ""))
	if a.status != 200 || a.header.Get("x-sluice-model") != "ant/echo" || time.Since(begin) > 5*time.Second {
		t.Errorf("%d after %v: %s", a.status, time.Since(begin), a.body)
	}
	if !eventually(time.Second, func() bool { return g.fake.Stats().Cancelled == 1 }) {
		t.Error("the silent upstream call is not cancelled")
	}
}
