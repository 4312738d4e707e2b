package gateway_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/billing"
	"sluice/gateway"
	"sluice/providers/anthropic"
	"sluice/providers/openai"
	"sluice/providers/schema"
	transport "sluice/providers/upstream"
)

// stormy is a world in which calls end in every way that there is.
func stormy(t *testing.T, when gateway.WhenSpent) func(*setup) {
	cut := rawServer(t, func(w http.ResponseWriter, _ *http.Request) {
		sse(w, delta("one"))
		panic(http.ErrAbortHandler)
	})
	hang := rawServer(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	stall := rawServer(t, func(w http.ResponseWriter, r *http.Request) {
		sse(w, delta("one"))
		<-r.Context().Done()
	})
	trap := script{
		chat: func(context.Context, *schema.ChatRequest) (*schema.ChatResponse, error) { panic("chat") },
		stream: func(context.Context, *schema.ChatRequest) (func() (*schema.Chunk, error), error) {
			n := 0
			return func() (*schema.Chunk, error) {
				if n++; n > 2 {
					panic("stream")
				}
				return &schema.Chunk{ID: "a", Choices: []schema.ChoiceDelta{{Text: "word "}}}, nil
			}, nil
		},
	}
	mood := func() string { return []string{goodOutput, badOutput}[rand.IntN(2)] }
	moody := script{
		chat: func(context.Context, *schema.ChatRequest) (*schema.ChatResponse, error) { return says(mood()), nil },
		stream: func(context.Context, *schema.ChatRequest) (func() (*schema.Chunk, error), error) {
			return pieces(mood()), nil
		},
	}
	return func(s *setup) {
		s.settings.WhenSpent = when
		s.teams = append(s.teams, billing.Team{Name: "org", Budgets: hard(1000 * billing.Dollar)})
		s.teams[0].Parent, s.teams[0].Budgets = "org", hard(900*billing.Dollar)
		s.key("rich", func(k *billing.Key) { k.Budgets = hard(100 * billing.Dollar) })
		s.key("poor", func(k *billing.Key) { k.Budgets = hard(300_000) })
		s.key("soft", func(k *billing.Key) { k.Budgets = billing.Budgets{{USD: 1, Per: billing.PeriodDay}} })
		s.key("few", func(k *billing.Key) { k.Limits = billing.Limits{Parallel: 3} })
		s.providers = append(s.providers, remote(t, "cut", cut, &openai.Dialect, oneTwo), remote(t, "cutant", cut, &anthropic.Dialect, oneTwo),
			remote(t, "hang", hang, &openai.Dialect, oneTwo), remote(t, "stall", stall, &openai.Dialect, oneTwo), local("trap", trap, oneTwo),
			local("say", moody, oneTwo))
		s.model("tries", "up/fail-500", "cut/m", "up/fail-429", "hang/m", "up/in-10_out-5").Route.Retry.Attempts = 2
		s.model("patient", "up/in-10_out-5_chunks-8_pace-5").Leaving = &gateway.Leaving{Drain: true}
		s.prompts["sentiment"] = fmt.Sprintf(sentiment, "")
		s.prompts["ask"] = strings.Replace(ask, "%s", "up/echo", 1)
	}
}

// storm are the calls: path and body.
var storm = [][2]string{
	{"/v1/chat/completions", chat("up/in-10_out-5_delay-10", "hi", `,"max_tokens":50`)},
	{"/v1/chat/completions", chat("up/in-10_out-5_chunks-6_pace-4", "hi", `,"stream":true`)},
	{"/v1/chat/completions", chat("up/fail-500", "hi", "")},
	{"/v1/chat/completions", chat("up/cut-3", "hi", `,"stream":true`)},
	{"/v1/chat/completions", chat("cut/m", "hi", `,"stream":true`)},
	{"/v1/chat/completions", chat("cutant/m", "hi", `,"stream":true`)},
	{"/v1/chat/completions", chat("hang/m", "hi", "")},
	{"/v1/chat/completions", chat("stall/m", "hi", `,"stream":true`)},
	{"/v1/chat/completions", chat("trap/m", "hi", "")},
	{"/v1/chat/completions", chat("trap/m", "hi", `,"stream":true`)},
	{"/v1/chat/completions", chat("free/m", "hi", "")},
	{"/v1/chat/completions", chat("tries", "hi", "")},
	{"/v1/chat/completions", chat("tries", "hi", `,"stream":true`)},
	{"/v1/chat/completions", chat("patient", "hi", `,"stream":true`)},
	{"/v1/chat/completions", chat("mock/echo", "hi", `,"n":3`)},
	{"/v1/chat/completions", chat("mock/lorem-200", "hi", `,"max_tokens":100000`)},
	{"/v1/chat/completions", chat("nowhere/m", "hi", "")},
	{"/v1/chat/completions", `{"model":`},
	{"/v1/completions", `{"model":"up/in-10_out-5","prompt":"hi","stream":true}`},
	{"/v1/messages", chat("up/in-10_out-5_chunks-3", "hi", `,"max_tokens":50,"stream":true`)},
	{"/v1/messages", chat("stall/m", "hi", `,"max_tokens":50`)},
	{"/v1/messages/count_tokens", chat("mock/echo", "hi", "")},
	{"/v1/responses", `{"model":"up/in-10_out-5","input":"hi","stream":true}`},
	{"/v1/embeddings", `{"model":"mock/embed","input":["a","b"]}`},
	{"/v1/embeddings", `{"model":"trap/m","input":"a"}`},
	{"/v1/audio/speech", `{"model":"up/tts","input":"hi","voice":"x"}`},
	{"/v1/images/generations", `{"model":"up/image","prompt":"hi"}`},
	{"/v1beta/models/up%2Fin-10_out-5:generateContent", `{"contents":[{"parts":[{"text":"hi"}]}]}`},
	{"/sentiment", `{"text":"hi"}`},
	{"/sentiment", `[{"text":"hi"},{"text":"ho"},{"text":"he"}]`},
	{"/sentiment?stream=1", `{"text":"hi"}`},
	{"/prompts/ask", `{"text":"hi"}`},
}

// TestStorm: after calls of every kind, by callers who leave, run out of
// patience or money, at providers that fail, hang, cut and panic, and while
// keys come and go, nothing is held any more, neither too much nor too little.
func TestStorm(t *testing.T) {
	for name, when := range map[string]gateway.WhenSpent{"refuse": {}, "cut": {Cut: true}, "another model": {Model: "mock/echo"}} {
		t.Run(name, func(t *testing.T) { blow(t, when) })
	}
}

// blow makes the storm's calls, with what happens when the money ends.
func blow(t *testing.T, when gateway.WhenSpent) {
	s := &setup{}
	r := newRig(t, stormy(t, when), func(got *setup) { s = got })
	r.log.allow()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(g)))
			for i := range 90 {
				r.gust(rng, storm[(i*8+g)%len(storm)])
			}
		})
	}
	keys := s.keys
	for i := range 30 { // the key "rich" is taken away and given again, over more than two views
		s.keys = keys
		if i%6 > 2 {
			s.keys = append(keys[:2:2], keys[3:]...)
		}
		r.g.Swap(r.snapshot())
		time.Sleep(5 * time.Millisecond)
	}
	s.keys = keys
	r.g.Swap(r.snapshot())
	wg.Wait()
	r.settled()
	r.heldNothing()
	if !r.log.has("panic in a call") || !r.log.has("panic in a stream") {
		t.Error("no call panicked")
	}
	var sum billing.Nano
	for _, e := range r.entries() {
		if e.Team == "t" {
			sum += e.Cost
		}
	}
	if b := r.owners.Team("t").OwnBudgets(time.Now())[0]; b.Spent != int64(sum) || sum == 0 {
		t.Errorf("the team has spent %v, its entries cost %v", billing.Nano(b.Spent), sum)
	}
	// All of the three places are free.
	for range 3 {
		wg.Go(func() {
			if a := r.bare("POST", "/v1/chat/completions", chat("up/in-10_out-5_delay-100", "hi", ""), as("few")...); a.status != 200 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	wg.Wait()
	r.settled()
	r.heldNothing()
}

// heldNothing fails where anything is held.
func (r *rig) heldNothing() {
	r.t.Helper()
	if n, usd := r.book.OpenHolds(); n != 0 || usd != 0 {
		r.t.Errorf("%d holds of %v are open", n, usd)
	}
	for o := range r.owners.All() {
		for _, b := range o.OwnBudgets(time.Now()) {
			if b.Held != 0 {
				r.t.Errorf("%s: %v is held", o.Name, b.Held)
			}
		}
	}
}

// gust makes one call, by some key, in some haste.
func (r *rig) gust(rng *rand.Rand, call [2]string) {
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	if rng.IntN(3) == 0 {
		defer time.AfterFunc(time.Duration(rng.IntN(40))*time.Millisecond, cancel).Stop()
	}
	req, err := http.NewRequestWithContext(ctx, "POST", "http://"+r.addr+call[0], strings.NewReader(call[1]))
	if err != nil {
		r.t.Error(err)
		return
	}
	key := []string{"k", "rich", "poor", "soft", "few"}[rng.IntN(5)]
	req.Header.Set("Authorization", "Bearer sk-test-"+key)
	req.Header.Set("Content-Type", "application/json")
	if rng.IntN(2) == 0 || strings.Contains(call[1], "hang") || strings.Contains(call[1], "stall") || strings.Contains(call[1], "tries") {
		req.Header.Set("X-Sluice-Timeout", (time.Duration(1+rng.IntN(60)) * time.Millisecond).String())
	}
	res, err := r.client.Do(req)
	if err != nil {
		return // it left
	}
	if rng.IntN(4) == 0 {
		_, _ = res.Body.Read(make([]byte, 20))
	} else {
		_, _ = io.Copy(io.Discard, res.Body)
	}
	_ = res.Body.Close()
}

// TestSessionThatNeverBegins: a caller of a realtime session who is gone when
// the provider has opened it holds nothing.
func TestSessionThatNeverBegins(t *testing.T) {
	entered, goOn := make(chan struct{}), make(chan struct{})
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-goOn
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Sec-Websocket-Accept", transport.AcceptKey(r.Header.Get("Sec-Websocket-Key")))
		w.WriteHeader(http.StatusSwitchingProtocols)
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_ = conn.Close()
		}
	}))
	t.Cleanup(host.Close)
	r := newRig(t, func(s *setup) {
		s.key("rich", func(k *billing.Key) { k.Budgets = hard(billing.Dollar) })
		s.providers = append(s.providers, remote(t, "live", host.URL, &openai.Dialect, oneTwo))
	})
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	// The answer to the first request waits to be sent together with the second's.
	body := chat("mock/echo", "hi", "")
	first := "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-test-rich\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
	second := "GET /v1/realtime?model=live/m HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-test-rich\r\nConnection: Upgrade\r\n" +
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	if _, err := io.WriteString(conn, first+second); err != nil {
		t.Fatal(err)
	}
	<-entered
	if n, usd := r.book.OpenHolds(); n != 1 || usd == 0 {
		t.Errorf("%d holds of %v are open", n, usd)
	}
	if err := conn.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close() // with a reset
	close(goOn)
	r.settled()
	r.heldNothing()
	for _, e := range r.entries() {
		if e.Operation == "realtime" && (!e.Disconnect || e.Cost != 0) {
			t.Errorf("%+v", e)
		}
	}
}
