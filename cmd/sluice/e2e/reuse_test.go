package e2e

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Embeddings and prompts are kept as chats are.
func TestCachedPromptsAndEmbeddings(t *testing.T) {
	g := newGateway(t, "prompts: {dir: DIR/prompts}\n"+providers+"models:\n  vectors: {targets: [{model: up/embed}], cache: {ttl: 10m}}\n"+team)
	g.prompt("greet", "---\nmodel: up/echo\ninput:\n  schema: {who: string}\nsluice.cache: 10m\n---\nSay hello to {{who}}\n")
	g.start()
	upstream := func() int64 { return g.fake.Stats().Done }
	for i, want := range []string{"miss", "hit"} {
		vectors := g.data("POST", "/v1/embeddings", `{"model":"vectors","input":["a","b"]}`)
		if vectors.status != 200 || vectors.header.Get("x-sluice-cache") != want || len(vectors.get("data.#.embedding").Array()) != 2 {
			t.Errorf("embeddings %d: %d %v %s", i, vectors.status, vectors.header, vectors.body)
		}
		greeting := g.data("POST", "/prompts/greet", `{"who":"Ada"}`)
		if greeting.status != 200 || greeting.header.Get("x-sluice-cache") != want || greeting.body != "Say hello to Ada\n" && greeting.body != "Say hello to Ada" {
			t.Errorf("prompt %d: %d %v %q", i, greeting.status, greeting.header, greeting.body)
		}
	}
	if a := g.data("POST", "/prompts/greet", `{"who":"Ada"}`, "Prefer", "return=envelope"); a.get("cost").Str != "0" || a.get("model").Str != "up/echo" || a.get("usage.output_tokens").Int() != 0 {
		t.Errorf("envelope %s", a.body)
	}
	if n := upstream(); n != 2 {
		t.Errorf("%d calls upstream, want 2", n)
	}
	rows := g.waitCalls(5)
	if rows.get("total.cached").Int() != 3 || rows.get("total.saved_usd").Str == "0" {
		t.Errorf("%s", rows.body)
	}
}

// When the caller leaves whose call others wait for, one of them makes it; when
// it fails, each makes its own.
func TestWaitingForACallThatEnds(t *testing.T) {
	g := start(t, providers+`models:
  slow: {targets: [{model: up/echo_delay-1500}], cache: {ttl: 10m}}
  broken: {targets: [{model: up/fail-400_delay-500}], cache: {ttl: 10m}, retry: {attempts: 1}}
`+team)
	asked := func() int64 { s := g.fake.Stats(); return s.Open + s.Done + s.Cancelled + s.Cut }
	gone := make(chan struct{})
	go func() {
		s, err := g.stream(chatBody("slow", "wait for it", `,"stream":true`), "x-sluice-timeout", "600ms")
		if err == nil {
			t.Error("the first caller was answered")
			s.close()
		}
		close(gone)
	}()
	if !eventually(5*time.Second, func() bool { return asked() == 1 }) {
		t.Fatal("no call upstream")
	}
	var wg sync.WaitGroup
	var good atomic.Int64
	for range 50 {
		wg.Go(func() {
			if a := g.chat(chatBody("slow", "wait for it", "")); a.status == 200 {
				good.Add(1)
			} else {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	wg.Wait()
	<-gone
	if n := asked(); n != 2 || good.Load() != 50 {
		t.Errorf("%d calls upstream, %d answers", n, good.Load())
	}
	for range 10 {
		wg.Go(func() {
			if a := g.chat(chatBody("broken", "wait for it", "")); a.status != 400 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	wg.Wait()
	if n := asked(); n != 12 {
		t.Errorf("%d calls upstream, want 12", n)
	}
}
