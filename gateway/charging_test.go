package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"sluice/billing"
	"sluice/providers/anthropic"
	"sluice/providers/openai"
	"sluice/providers/schema"
)

// Every outcome is one line of the ledger, with what it cost.
func TestOneEntryForEachOutcome(t *testing.T) {
	begun := make(chan struct{}, 1) // the client has the first bytes
	cut := rawServer(t, func(w http.ResponseWriter, _ *http.Request) {
		sse(w, delta("half "), delta("an answer"))
		<-begun
		panic(http.ErrAbortHandler)
	})
	inStream := rawServer(t, func(w http.ResponseWriter, _ *http.Request) {
		sse(w, delta("half"))
		<-begun
		sse(w, "data: {\"error\":{\"message\":\"worn out\",\"type\":\"server_error\",\"code\":null}}\n\n")
	})
	silent := rawServer(t, func(w http.ResponseWriter, _ *http.Request) {
		sse(w, delta("no"), delta("usage"), stopChunk, doneEvent)
	})
	told := rawServer(t, func(w http.ResponseWriter, _ *http.Request) { sse(w, delta("yes"), stopChunk, usageChunk, doneEvent) })
	bomb := script{
		chat: func(context.Context, *schema.ChatRequest) (*schema.ChatResponse, error) { panic("bomb") },
		stream: func(context.Context, *schema.ChatRequest) (func() (*schema.Chunk, error), error) {
			next := pieces("fuse")
			n := 0
			return func() (*schema.Chunk, error) {
				if n++; n > 1 {
					panic("bomb")
				}
				return next()
			}, nil
		},
	}
	r := newRig(t, func(s *setup) {
		s.key("poor", func(k *billing.Key) { k.Budgets = hard(1) })
		s.providers = append(s.providers, remote(t, "cut", cut+"/v1", &openai.Dialect, oneTwo), remote(t, "worn", inStream+"/v1", &openai.Dialect, oneTwo),
			remote(t, "silent", silent+"/v1", &openai.Dialect, oneTwo), remote(t, "told", told+"/v1", &openai.Dialect, oneTwo), local("bomb", bomb, oneTwo))
	})
	r.log.allow()
	for _, c := range []struct {
		name, key, model, more string
		status                 int // of the entry
		code                   string
		refused                bool
		cost                   billing.Nano // -1: more than nothing
		source                 schema.UsageSource
		attempts               int
	}{
		{"whole", "k", "up/in-10_out-5", "", 200, "", false, 20_000, schema.UsageReported, 1},
		{"whole translated", "k", "ant/in-10_out-5", "", 200, "", false, 20_000, schema.UsageReported, 1},
		{"whole local", "k", "mock/echo", "", 200, "", false, -1, schema.UsageReported, 1},
		{"stream", "k", "up/in-10_out-5_chunks-3", `,"stream":true`, 200, "", false, 20_000, schema.UsageReported, 1},
		{"stream translated", "k", "ant/in-10_out-5_chunks-3", `,"stream":true`, 200, "", false, 20_000, schema.UsageReported, 1},
		{"stream local", "k", "mock/echo", `,"stream":true`, 200, "", false, -1, schema.UsageReported, 1},
		{"usage told late", "k", "told/m", `,"stream":true`, 200, "", false, 13_000, schema.UsageReported, 1},
		{"usage not told", "k", "silent/m", `,"stream":true`, 200, "", false, -1, schema.UsageCounted, 1},
		{"stream cut", "k", "cut/m", `,"stream":true`, 200, "upstream_error", false, -1, schema.UsageCounted, 1},
		{"error in the stream", "k", "worn/m", `,"stream":true`, 200, "upstream_error", false, -1, schema.UsageCounted, 1},
		{"refused", "poor", "up/small", "", 429, "insufficient_quota", true, 0, schema.UsageNone, 0},
		{"refused stream", "poor", "up/small", `,"stream":true`, 429, "insufficient_quota", true, 0, schema.UsageNone, 0},
		{"no such model", "k", "nobody/m", "", 404, "model_not_found", true, 0, schema.UsageNone, 0},
		{"provider's error", "k", "up/fail-400", "", 400, "", false, 0, schema.UsageNone, 1},
		{"provider's error before a stream", "k", "up/fail-500", `,"stream":true`, 500, "upstream_error", false, 0, schema.UsageNone, 2},
		{"panic", "k", "bomb/m", "", 500, "internal_error", false, 0, schema.UsageNone, 0},
		{"panic in a stream", "k", "bomb/m", `,"stream":true`, 200, "internal_error", false, -1, schema.UsageCounted, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := r.on(t)
			id := strings.ReplaceAll(strings.ReplaceAll(c.name, " ", "-"), "'", "")
			req, err := http.NewRequest("POST", "http://"+r.addr+"/v1/chat/completions", strings.NewReader(chat(c.model, "hello there", c.more)))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer sk-test-"+c.key)
			req.Header.Set("X-Request-Id", id)
			res, err := r.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if c.model == "cut/m" || c.model == "worn/m" {
				if _, err := res.Body.Read(make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
				begun <- struct{}{}
			}
			_, _ = io.Copy(io.Discard, res.Body) // a panic cuts the connection
			res.Body.Close()
			r.settled()
			e := r.entry(id)
			if e.Status != c.status || c.code != "" && e.Code != c.code || e.Refused != c.refused || e.Usage.Source != c.source ||
				len(e.Attempts) != c.attempts || e.Stream != (c.more != "") {
				t.Errorf("the entry is %+v", e)
			}
			if c.cost >= 0 && e.Cost != c.cost || c.cost < 0 && e.Cost <= 0 {
				t.Errorf("it cost %v with %+v, want %v", e.Cost, e.Usage, c.cost)
			}
			if e.Latency <= 0 || e.Model != c.model || e.Team != "t" || e.Key != "t/"+c.key || e.Operation != "chat" {
				t.Errorf("the entry is %+v", e)
			}
		})
	}
	if len(r.ledger.twice) > 0 {
		t.Errorf("recorded twice: %v", r.ledger.twice)
	}
}

// Of an answer that is longer than what is kept of it, tokens are estimated.
func TestLongAnswersAreEstimated(t *testing.T) {
	url := rawServer(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 40 {
			sse(w, delta(strings.Repeat("steady words ", 100)))
		}
		sse(w, stopChunk, doneEvent)
	})
	r := newRig(t, func(s *setup) {
		s.providers = append(s.providers, remote(t, "long", url+"/v1", &openai.Dialect, oneTwo))
	})
	r.call("POST", "/v1/chat/completions", chat("long/m", "hi", `,"stream":true`), "X-Request-Id", "long")
	r.settled()
	e := r.entry("long")
	if e.Usage.Source != schema.UsageEstimated || e.Usage.Output < 7_000 || e.Usage.Output > 9_000 {
		t.Errorf("8,000 words are %+v", e.Usage)
	}
}

// A client who leaves in the middle pays for what was produced: what has come
// by then, or all of it where the policy is to read on.
func TestClientGone(t *testing.T) {
	for _, drain := range []bool{false, true} {
		t.Run(fmt.Sprintf("drain %v", drain), func(t *testing.T) {
			left := make(chan struct{})
			url := rawServer(t, func(w http.ResponseWriter, _ *http.Request) {
				sse(w, delta("one "))
				<-left
				for range 200 { // more than what sockets hold back
					sse(w, delta(strings.Repeat("more words ", 2000)))
				}
				sse(w, stopChunk, usageChunk, doneEvent)
			})
			r := newRig(t, func(s *setup) {
				s.settings.Leaving.Drain = drain
				s.providers = append(s.providers, remote(t, "slow", url+"/v1", &openai.Dialect, oneTwo))
			})
			conn, err := net.Dial("tcp", r.addr)
			if err != nil {
				t.Fatal(err)
			}
			body := chat("slow/m", "hi", `,"stream":true`)
			fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nX-Request-Id: gone\r\nContent-Length: %d\r\n\r\n%s",
				testKey, len(body), body)
			in := bufio.NewReader(conn)
			for line := ""; !strings.Contains(line, "one "); {
				if line, err = in.ReadString('\n'); err != nil {
					t.Fatal(err)
				}
			}
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
			close(left)
			r.settled()
			e := r.entry("gone")
			if !e.Disconnect || e.Code != "client_closed" || e.Delivered < 1 || e.Cost <= 0 {
				t.Errorf("the entry is %+v", e)
			}
			if drain && (e.Usage.Source != schema.UsageReported || e.Usage.Output != 3) {
				t.Errorf("read to its end: %+v", e.Usage)
			}
			if !drain && e.Usage.Source == schema.UsageReported {
				t.Errorf("given up, yet its usage is known: %+v", e.Usage)
			}
		})
	}
}

// The record is in the spool before the last bytes reach the caller: whoever
// has seen the end can count on it.
func TestRecordComesBeforeTheEnd(t *testing.T) {
	r := newRig(t, func(s *setup) {
		s.prompts["ask"] = strings.Replace(ask, "%s", "up/echo", 1)
	})
	for _, c := range []struct{ name, path, body, end string }{
		{"passed on", "/v1/chat/completions", chat("up/chunks-5", "hi", `,"stream":true`), "[DONE]"},
		{"translated", "/v1/chat/completions", chat("ant/chunks-5", "hi", `,"stream":true`), "[DONE]"},
		{"local", "/v1/chat/completions", chat("mock/lorem-5", "hi", `,"stream":true`), "[DONE]"},
		{"Anthropic passed on", "/v1/messages", chat("ant/chunks-5", "hi", `,"stream":true,"max_tokens":9`), "message_stop"},
		{"Anthropic translated", "/v1/messages", chat("up/chunks-5", "hi", `,"stream":true,"max_tokens":9`), "message_stop"},
		{"prompt", "/prompts/ask?stream=1", `{"text":"hi"}`, "event: done"},
		{"prompt as model", "/v1/chat/completions", chat("prompt/ask", "hi", `,"stream":true`), "[DONE]"},
		{"Gemini", "/v1beta/models/up/chunks-5:streamGenerateContent?alt=sse", `{"contents":[{"parts":[{"text":"hi"}]}]}`, "finishReason"},
		{"array", "/v1beta/models/up/chunks-5:streamGenerateContent", `{"contents":[{"parts":[{"text":"hi"}]}]}`, "finishReason"},
		{"whole", "/v1/chat/completions", chat("up/small", "hi", ""), "finish_reason"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := r.on(t)
			for i := range 20 {
				id := fmt.Sprintf("%s-%d", strings.ReplaceAll(c.name, " ", "-"), i)
				req, err := http.NewRequest("POST", "http://"+r.addr+c.path, strings.NewReader(c.body))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Authorization", "Bearer "+testKey)
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("X-Request-Id", id)
				res, err := r.client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				var seen strings.Builder
				buf := make([]byte, 1)
				for !strings.HasSuffix(seen.String(), c.end) {
					if _, err := res.Body.Read(buf); err != nil {
						t.Fatalf("%v after %s", err, seen.String())
					}
					seen.WriteByte(buf[0])
				}
				if e := r.entry(id); e.Cost <= 0 {
					t.Errorf("the entry is %+v", e)
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		})
	}
}

// A spool that takes nothing has calls refused, and makes the gateway unready
// and nothing else.
func TestSpoolFails(t *testing.T) {
	r := newRig(t)
	r.log.allow()
	if err := r.spool.Close(); err != nil {
		t.Fatal(err)
	}
	a := r.call("POST", "/v1/chat/completions", chat("mock/echo", "hi", ""))
	if a.status != 503 || a.get("error.code").String() != "unavailable" || a.header.Get("Retry-After") == "" ||
		!strings.Contains(a.get("error.message").String(), "recorded") {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	a = r.bare("GET", "/readyz", "")
	if a.status != 503 || a.get("status").String() != "not ready" || !strings.Contains(a.get("reasons.0").String(), "spool") {
		t.Errorf("ready: %d %s", a.status, a.body)
	}
	if a := r.bare("GET", "/livez", ""); a.status != 200 {
		t.Errorf("alive: %d %s", a.status, a.body)
	}
	if a := r.call("GET", "/v1/models", ""); a.status != 200 {
		t.Errorf("models: %d %s", a.status, a.body)
	}
}

// What is held while a call runs comes back, less what it cost.
func TestHoldsComeBack(t *testing.T) {
	url := rawServer(t, func(w http.ResponseWriter, _ *http.Request) {
		sse(w, delta("one"))
		panic(http.ErrAbortHandler)
	})
	r := newRig(t, func(s *setup) {
		s.key("rich", func(k *billing.Key) { k.Budgets = hard(billing.Dollar) })
		s.providers = append(s.providers, remote(t, "cut", url, &anthropic.Dialect, oneTwo), local("bomb", script{}, oneTwo))
	})
	r.log.allow()
	for _, body := range []string{
		chat("up/in-10_out-5", "hi", `,"max_tokens":50`), chat("up/in-10_out-5_chunks-4", "hi", `,"stream":true`), chat("up/fail-500", "hi", ""),
		chat("up/cut-3", "hi", `,"stream":true`), chat("cut/m", "hi", `,"stream":true`), chat("bomb/m", "hi", ""), chat("free/m", "hi", ""),
		chat("mock/echo", "hi", `,"n":3`),
	} {
		r.bare("POST", "/v1/chat/completions", body, as("rich")...)
	}
	r.settled()
	var sum billing.Nano
	for _, e := range r.entries() {
		sum += e.Cost
		if e.Excess > 0 {
			t.Errorf("%s cost more than was held: %+v", e.Model, e)
		}
	}
	a := r.bare("GET", "/v1/usage", "", as("rich")...)
	if b := a.get("budgets.0"); b.Get("held").String() != "0" || b.Get("spent").String() != sum.String() || sum == 0 {
		t.Errorf("spent %v: %s", sum, a.body)
	}
}
