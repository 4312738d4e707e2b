package gateway_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/billing"
	"sluice/gateway"
	"sluice/providers/openai"
	"sluice/providers/schema"
)

// limit gives an owner of gateway.ModelOwner and its like limits.
func (s *setup) limit(owner string, limits billing.Limits) {
	s.teams = append(s.teams, billing.Team{Name: owner, Limits: limits})
}

// refusedBy checks a 429 of a limit: whose it is, and what the headers tell.
func (a answer) refusedBy(t *testing.T, who string, limit string) {
	t.Helper()
	if a.status != 429 || a.get("error.code").Str != "rate_limit_exceeded" || a.get("error.origin").Str != "policy" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if !strings.Contains(a.get("error.message").Str, who) || a.header.Get("Retry-After") == "" {
		t.Errorf("retry-after %q: %s", a.header.Get("Retry-After"), a.body)
	}
	if got := a.header.Get("X-Ratelimit-Limit-Requests"); got != limit {
		t.Errorf("the headers tell of a limit of %q, want %q", got, limit)
	}
}

// A model's limits are those of all callers together, and what one limit
// refuses counts in none.
func TestModelLimits(t *testing.T) {
	r := newRig(t, func(s *setup) {
		s.model("m", "up/small")
		s.model("free", "up/small")
		s.limit(gateway.ModelOwner("m"), billing.Limits{RPM: 2, InputTPM: 500})
		s.key("ten", func(k *billing.Key) { k.Limits.RPM = 10 })
	})
	for i, want := range []string{"1", "0"} {
		a := r.bare("POST", "/v1/chat/completions", chat("m", "hi", ""), as("ten")...)
		if a.status != 200 || a.header.Get("X-Ratelimit-Limit-Requests") != "2" || a.header.Get("X-Ratelimit-Remaining-Requests") != want || a.header.Get("X-Ratelimit-Limit-Tokens") != "500" {
			t.Fatalf("call %d: %d %v %s", i, a.status, a.header, a.body)
		}
	}
	for _, key := range []string{"ten", "k", "ten"} {
		r.bare("POST", "/v1/chat/completions", chat("m", "hi", ""), as(key)...).refusedBy(t, `rate limit of model "m" reached: 2 requests per minute`, "2")
	}
	a := r.bare("POST", "/v1/chat/completions", chat("free", "hi", ""), as("ten")...)
	if a.status != 200 || a.header.Get("X-Ratelimit-Limit-Requests") != "10" || a.header.Get("X-Ratelimit-Remaining-Requests") != "7" {
		t.Errorf("what the model refused counts for the key: %d %v", a.status, a.header)
	}
	if a := r.bare("POST", "/v1/chat/completions", chat("up/small", "hi", ""), as("ten")...); a.status != 200 {
		t.Errorf("the model behind the name is limited: %d %s", a.status, a.body)
	}
}

// What a budget or a prompt's limit refuses does not count for the key.
func TestRefusedCallsCountNowhere(t *testing.T) {
	r := newRig(t, func(s *setup) {
		s.prompts["once"] = "---\nmodel: mock/echo\nsluice.limits: {rpd: 1, output_tpm: 5000}\n---\nhi"
		s.key("ten", func(k *billing.Key) { k.Limits.RPM = 10 })
		s.key("poor", func(k *billing.Key) { k.Limits.RPM, k.Budgets = 10, hard(1) })
	})
	remaining := func(key, want string) {
		t.Helper()
		if a := r.bare("GET", "/v1/models", "", as(key)...); a.header.Get("X-Ratelimit-Remaining-Requests") != want {
			t.Errorf("key %s has %v left, want %s", key, a.header, want)
		}
	}
	if a := r.bare("POST", "/prompts/once", "{}", as("ten")...); a.status != 200 || a.header.Get("X-Ratelimit-Limit-Tokens") != "5000" {
		t.Fatalf("%d %v %s", a.status, a.header, a.body)
	}
	a := r.bare("POST", "/prompts/once", "{}", as("ten")...)
	if a.status != 429 || !strings.Contains(a.get("detail").Str, `rate limit of prompt "once" reached: 1 requests per day`) || a.header.Get("X-Ratelimit-Limit-Requests") != "1" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	remaining("ten", "9")
	for range 3 {
		if a := r.bare("POST", "/v1/chat/completions", chat("up/small", "hi", ""), as("poor")...); a.get("error.code").Str != "insufficient_quota" {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	remaining("poor", "10")
}

// A target whose provider's limit is reached is passed over; when all are, the
// caller is told which limit, and the call is none.
func TestProviderLimits(t *testing.T) {
	r := newRig(t, func(s *setup) {
		s.limit(gateway.ProviderOwner("up"), billing.Limits{RPM: 2})
		s.limit(gateway.ProviderOwner("ant"), billing.Limits{RPM: 1, TPM: 9000})
		s.model("two", "up/small", "ant/small")
		s.model("one", "up/small")
		s.model("fails", "up/fail-500", "mock/echo").Route.Retry.Attempts = 5
		s.key("ten", func(k *billing.Key) { k.Limits.RPM = 10 })
	})
	ask := func(model string, header ...string) answer {
		return r.bare("POST", "/v1/chat/completions", chat(model, "hi", ""), append(as("ten"), header...)...)
	}
	for i, want := range []string{"up/small", "up/small", "ant/small"} {
		if a := ask("two", "X-Sluice-Explain", "1"); a.status != 200 || a.header.Get("X-Sluice-Model") != want || a.header.Get("X-Sluice-Attempts") != "1" ||
			strings.Contains(a.header.Get("X-Sluice-Explain"), `"limited"`) != (i == 2) || a.header.Get("X-Ratelimit-Limit-Requests") != "10" {
			t.Fatalf("call %d: %d %v %s", i, a.status, a.header, a.body)
		}
	}
	a := ask("two", "X-Request-Id", "refused")
	a.refusedBy(t, "rate limit of provider", map[bool]string{true: "2", false: "1"}[strings.Contains(a.body, `provider \"up\"`)])
	ask("one").refusedBy(t, `rate limit of provider "up" reached: 2 requests per minute`, "2")
	if a := ask("fails"); a.status != 200 || a.header.Get("X-Sluice-Model") != "mock/echo" || a.header.Get("X-Sluice-Attempts") != "1" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if a := r.bare("POST", "/v1/chat/completions", chat("one", "hi", `,"stream":true`), as("ten")...); a.status != 429 {
		t.Errorf("a stream: %d %s", a.status, a.body)
	}
	if a := r.bare("GET", "/v1/models", "", as("ten")...); a.header.Get("X-Ratelimit-Remaining-Requests") != "6" {
		t.Errorf("what the providers' limits refused counts for the key: %v", a.header)
	}
	if e := r.entry("refused"); !e.Refused || e.Target != "" || len(e.Attempts) != 0 || e.Cost != 0 {
		t.Errorf("%+v", e)
	}
}

// A provider's limits count attempts, and the tokens that each really used.
func TestProviderLimitsCountAttempts(t *testing.T) {
	var set *setup
	answers := []string{`no JSON`, `{"a":1}`, `{"a":2}`}
	r := newRig(t, func(s *setup) {
		set = s
		n := 0
		s.providers = append(s.providers, local("own", script{
			chat: func(context.Context, *schema.ChatRequest) (*schema.ChatResponse, error) {
				n++
				return says(answers[n-1]), nil
			},
			stream: func(context.Context, *schema.ChatRequest) (func() (*schema.Chunk, error), error) {
				return pieces("a", "b"), nil
			},
		}, oneTwo), remote(t, "flaky", rawServer(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })+"/v1", &openai.Dialect, oneTwo))
		for _, name := range []string{"own", "flaky"} {
			s.limit(gateway.ProviderOwner(name), billing.Limits{RPM: 100, TPM: 10_000, Parallel: 3})
		}
		s.model("flaky", "flaky/m", "own/m").Route.Retry.Attempts = 2
		s.prompts["mend"] = "---\nmodel: own/m\noutput: {format: json, schema: {a: number}}\nsluice.repair: 1\n---\nhi"
	})
	used := func(provider string, calls, tokens int64) {
		t.Helper()
		requests, left, _, _ := set.provider(provider).Limits.LimitState(time.Now())
		if requests.Limit-requests.Remaining != calls || left.Limit-left.Remaining != tokens {
			t.Errorf("%s: %d requests, %d tokens, want %d and %d", provider, requests.Limit-requests.Remaining, left.Limit-left.Remaining, calls, tokens)
		}
	}
	if a := r.call("POST", "/prompts/mend", "{}"); a.status != 200 || a.body != `{"a":1}` {
		t.Fatalf("%d %s", a.status, a.body)
	}
	used("own", 2, 30)
	if a := r.call("POST", "/v1/chat/completions", chat("own/m", "hi", `,"stream":true,"max_tokens":500`)); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	r.entries()
	used("own", 3, 45)
	if a := r.call("POST", "/v1/chat/completions", chat("flaky", "hi", `,"max_tokens":500`)); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	used("flaky", 2, 0)
	used("own", 4, 60)
	for i := range 5 { // none of those before is taken to run still
		if a := r.call("POST", "/v1/chat/completions", chat("flaky/m", "hi", "")); a.status != 500 {
			t.Errorf("call %d: %d %s", i, a.status, a.body)
		}
	}
}

// A stream holds its place at the provider until its end.
func TestProviderParallel(t *testing.T) {
	r := newRig(t, func(s *setup) { s.limit(gateway.ProviderOwner("up"), billing.Limits{Parallel: 1}) })
	req, err := http.NewRequest("POST", "http://"+r.addr+"/v1/chat/completions", strings.NewReader(chat("up/hang-1", "hi", `,"stream":true`)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	res, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(res.Body, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	a := r.call("POST", "/v1/chat/completions", chat("up/small", "hi", ""))
	a.refusedBy(t, `rate limit of provider "up" reached: 1 calls at once`, "")
	if a.header.Get("Retry-After") != "1" {
		t.Errorf("%v", a.header)
	}
	res.Body.Close()
	for i := 0; ; i++ {
		if a := r.call("POST", "/v1/chat/completions", chat("up/small", "hi", "")); a.status == 200 {
			break
		} else if i == 500 {
			t.Fatalf("the place of a stream whose caller left is not free: %d %s", a.status, a.body)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Teams share a provider's limits by their weights.
func TestProviderShares(t *testing.T) {
	r := newRig(t, func(s *setup) {
		s.limit(gateway.ProviderOwner("up"), billing.Limits{RPM: 8})
		s.teams[0].Weight = 3
		s.teams = append(s.teams, billing.Team{Name: "other"})
		s.keys = append(s.keys, billing.Key{ID: "key_o", Team: "other", Name: "o", Hash: billing.HashKey("sk-test-o")})
	})
	ask := func(key string) answer {
		return r.bare("POST", "/v1/chat/completions", chat("up/small", "hi", ""), as(key)...)
	}
	for range 7 {
		if a := ask("k"); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if a := ask("o"); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	ask("o").refusedBy(t, `rate limit of provider "up" reached: 8 requests per minute`, "8")
}
