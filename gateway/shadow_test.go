package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/billing"
	"sluice/gateway"
	"sluice/gateway/cache"
	"sluice/gateway/guard"
	"sluice/providers/openai"
	"sluice/providers/schema"
)

// mirroring is a rig whose model fast, of up/echo, has every call sent to the
// shadow provider too.
func mirroring(t testing.TB, shadow *gateway.Provider, change ...func(*setup)) *rig {
	return newRig(t, append([]func(*setup){func(s *setup) {
		s.teams = append(s.teams, billing.Team{Name: billing.ShadowTeam})
		s.keys = append(s.keys, billing.Key{ID: billing.ShadowTeam, Team: billing.ShadowTeam, Name: "mirror"})
		s.providers = append(s.providers, shadow)
		s.model("plain", "up/echo")
		m := s.model("fast", "up/echo")
		m.Shadow = &gateway.Shadow{Model: "seen/m", Share: 1, Timeout: time.Minute}
	}}, change...)...)
}

// seen is a provider of OpenAI's API that notes what it is sent.
type seen struct {
	mu     sync.Mutex
	bodies []string
	header []http.Header
}

func (s *seen) provider(t testing.TB) *gateway.Provider {
	t.Helper()
	return remote(t, "seen", testServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.bodies, s.header = append(s.bodies, string(body)), append(s.header, r.Header.Clone())
		s.mu.Unlock()
		if bytes.Contains(body, []byte(`"stream":true`)) {
			sse(w, delta("hello"), stopChunk, usageChunk, doneEvent)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}`)
	}), &openai.Dialect, price("10", "100"))
}

// testServer serves f, which reads the bodies itself.
func testServer(t testing.TB, f http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s.URL
}

// mirrored are the entries of shadow calls, and the others.
func (r *rig) mirrored() (shadows, others []billing.Entry) {
	r.t.Helper()
	r.settled()
	for _, e := range r.entries() {
		if e.Team == billing.ShadowTeam {
			shadows = append(shadows, e)
		} else {
			others = append(others, e)
		}
	}
	return shadows, others
}

// The shadow is sent what the target was sent, and paid for by a team of its own.
func TestShadowIsSentTheSame(t *testing.T) {
	s := &seen{}
	r := mirroring(t, s.provider(t), func(s *setup) {
		s.key("short", func(k *billing.Key) { k.Budgets = hard(billing.Dollar) })
		masked := s.model("masked", "up/echo")
		masked.Shadow = &gateway.Shadow{Model: "seen/m", Share: 1, Timeout: time.Minute}
		masked.Guards = guard.NewSet([]*guard.Guard{{Name: "mask", On: guard.OnRequest | guard.OnResponse, Mask: &guard.Matcher{Kinds: guard.Email}, Figures: &guard.Figures{}}})
	})
	for i, c := range []struct{ model, text, more, key, want string }{
		{"fast", "hi", `,"x_vendor":{"a":1},"temperature":0`, "k", `{"model":"m","messages":[{"role":"user","content":"hi"}],"x_vendor":{"a":1},"temperature":0}`},
		{"fast", "hi", `,"stream":true`, "k", `"stream":true`},
		{"fast", "hi", ``, "short", `"max_completion_tokens":100`},
		{"masked", "write to ada@example.com", ``, "k", `write to [EMAIL]`},
		{"masked", "write to ada@example.com", `,"stream":true`, "k", `write to [EMAIL]`},
	} {
		a := r.bare("POST", completions, chat(c.model, c.text, c.more), append(as(c.key), "X-Session-Id", "s", "X-Request-Id", fmt.Sprint("mine-", i))...)
		r.settled()
		if a.status != 200 || len(s.bodies) != i+1 || !strings.Contains(s.bodies[i], c.want) || strings.Contains(s.bodies[i], "example.com") {
			t.Fatalf("%+v: the shadow was sent %q, and the answer is %d %s", c, s.bodies, a.status, a.body)
		}
		if h := s.header[i]; h.Get("X-Session-Id") != "" || h.Get("Authorization") != "Bearer sk-provider-secret" {
			t.Errorf("%v", h)
		}
	}
	shadows, others := r.mirrored()
	if len(shadows) != 5 || len(others) != 5 {
		t.Fatalf("%d shadow calls of %d", len(shadows), len(others))
	}
	calls := map[string]billing.Entry{}
	for _, e := range others {
		calls[e.Call] = e
	}
	for _, e := range shadows {
		of, ok := calls[e.RequestID]
		if !ok || e.Model != of.Model+" (shadow)" || e.Stream != of.Stream || e.Operation != "chat" || e.User != "" || len(e.Tags) > 0 {
			t.Errorf("%+v beside %+v", e, of)
		}
		if e.Target != "seen/m" || e.Status != 200 || e.Cost != 7*10_000+3*100_000 || e.Usage.Output != 3 || e.TTFT == 0 || e.Latency < e.TTFT || e.Key != "shadow/mirror" {
			t.Errorf("%+v", e)
		}
	}
}

// Whatever API a call comes by, its shadow is sent what it asks.
func TestShadowsOfEveryAPI(t *testing.T) {
	s := &seen{}
	r := mirroring(t, s.provider(t), func(s *setup) {
		s.prompts["greet"] = "---\nmodel: fast\ninput:\n  schema: {who: string}\n---\nSay hello to {{who}}\n"
		s.model("vectors", "up/embed").Shadow = &gateway.Shadow{Model: "seen/m", Share: 1, Timeout: time.Minute}
	})
	for i, c := range []struct{ path, body, want string }{
		{messages, chat("fast", "in other words", `,"max_tokens":9`), "in other words"},
		{messages, chat("fast", "in other words", `,"max_tokens":9,"stream":true`), `"stream":true`},
		{"/v1/responses", `{"model":"fast","input":"respond"}`, "respond"},
		{"/v1/responses", `{"model":"fast","input":"respond","stream":true}`, `"stream":true`},
		{"/v1beta/models/fast:generateContent", `{"contents":[{"role":"user","parts":[{"text":"generate"}]}]}`, "generate"},
		{"/v1beta/models/fast:streamGenerateContent?alt=sse", `{"contents":[{"role":"user","parts":[{"text":"generate"}]}]}`, `"stream":true`},
		{"/v1/completions", `{"model":"fast","prompt":"complete"}`, "complete"},
		{"/v1/embeddings", `{"model":"vectors","input":"embed"}`, `"input":"embed"`},
		{"/prompts/greet", `{"who":"Ada"}`, "Say hello to Ada"},
		{"/prompts/greet?stream=1", `{"who":"Ada"}`, `"stream":true`},
		{completions, chat("prompt/greet", "Ada", ""), "Say hello to Ada"},
	} {
		a := r.call("POST", c.path, c.body)
		r.settled()
		if a.status != 200 || len(s.bodies) != i+1 || !strings.Contains(s.bodies[i], c.want) || strings.Contains(s.bodies[i], `"store"`) {
			t.Fatalf("%s %s: %d %s, the shadow was sent %q", c.path, c.body, a.status, a.body, s.bodies)
		}
	}
	if shadows, others := r.mirrored(); len(shadows) != len(others) {
		t.Errorf("%d shadow calls of %d", len(shadows), len(others))
	}
}

// Whatever becomes of the shadow, the call's answer is what it is without one,
// and comes while the shadow is still at it.
func TestShadowTouchesNothing(t *testing.T) {
	for name, does := range map[string]func(ctx context.Context) (*schema.ChatResponse, error){
		"it fails": func(context.Context) (*schema.ChatResponse, error) {
			return nil, &schema.Error{Code: schema.CodeUpstream, Status: 502, Origin: schema.OriginProvider, Class: schema.ClassServerError, Message: "no"}
		},
		"it panics": func(context.Context) (*schema.ChatResponse, error) { panic("shadow") },
		"it hangs": func(ctx context.Context) (*schema.ChatResponse, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"it answers": func(context.Context) (*schema.ChatResponse, error) { return says("else"), nil },
	} {
		t.Run(name, func(t *testing.T) {
			held := make(chan struct{})
			hold := func(ctx context.Context) (*schema.ChatResponse, error) { <-held; return does(ctx) }
			r := mirroring(t, local("seen", script{
				chat: func(ctx context.Context, _ *schema.ChatRequest) (*schema.ChatResponse, error) { return hold(ctx) },
				stream: func(ctx context.Context, _ *schema.ChatRequest) (func() (*schema.Chunk, error), error) {
					return func() (*schema.Chunk, error) {
						if _, err := hold(ctx); err != nil {
							return nil, err
						}
						return nil, io.EOF
					}, nil
				},
			}, oneTwo))
			r.log.allow()
			if name == "it hangs" {
				snap := r.g.Snapshot()
				m, _ := snap.Resolve("fast")
				m.Shadow.Timeout = 50 * time.Millisecond
			}
			for _, more := range []string{"", `,"stream":true`} {
				with, without := r.call("POST", completions, chat("fast", "hi", more)), r.call("POST", completions, chat("plain", "hi", more))
				for _, h := range []http.Header{with.header, without.header} {
					h.Del("X-Request-Id")
					h.Del("Date")
				}
				if with.status != 200 || with.status != without.status || fmt.Sprint(with.header) != fmt.Sprint(without.header) ||
					len(with.body) != len(without.body) {
					t.Errorf("%d %v %s\nwithout a shadow %d %v %s", with.status, with.header, with.body, without.status, without.header, without.body)
				}
			}
			close(held)
			shadows, others := r.mirrored()
			if len(shadows) != 2 || len(others) != 4 {
				t.Fatalf("%d shadow calls beside %d", len(shadows), len(others))
			}
			want := map[string]string{"it fails": "upstream_error", "it panics": "internal_error", "it hangs": "upstream_timeout"}[name]
			for _, e := range shadows {
				if e.Code != want || (e.Status >= 400) != (want != "") {
					t.Errorf("%+v", e)
				}
			}
			for _, e := range others {
				if e.Status != 200 || e.Cost != others[0].Cost {
					t.Errorf("%+v", e)
				}
			}
		})
	}
}

// Neither budgets nor limits nor GET /v1/usage of the caller know of a shadow;
// the budget and the limits of its own team end it.
func TestShadowsAreTheOperators(t *testing.T) {
	r := mirroring(t, local("seen", saysAll("else"), price("100", "100")), func(s *setup) {
		s.key("own", func(k *billing.Key) {
			k.Budgets, k.Limits = hard(billing.Dollar), billing.Limits{RPM: 10, Parallel: 1}
		})
		for i := range s.teams {
			if s.teams[i].Name == billing.ShadowTeam {
				s.teams[i].Budgets = hard(4 * billing.Dollar / 1000)
			}
		}
	})
	for i := range 5 {
		a := r.bare("POST", completions, chat("fast", "hi", `,"max_tokens":5`), as("own")...)
		if left := a.header.Get("x-ratelimit-remaining-requests"); a.status != 200 || left != fmt.Sprint(9-i) {
			t.Fatalf("%d %s left: %s", a.status, left, a.body)
		}
		r.settled()
	}
	shadows, others := r.mirrored()
	var own, spent, excess billing.Nano
	for _, e := range others {
		own += e.Cost
	}
	refused := 0
	for _, e := range shadows {
		spent += e.Cost
		excess += e.Excess // the script says that it has used more than can be
		if e.Refused {
			refused++
		}
	}
	if len(shadows) != 5 || refused == 0 || refused == 5 || spent == 0 || spent-excess > 4*billing.Dollar/1000 {
		t.Errorf("%d shadow calls, %d refused, for %v", len(shadows), refused, spent)
	}
	if s := r.owners.Key("key_own").Budgets(time.Now())[0]; billing.Nano(s.Spent) != own || s.Held != 0 {
		t.Errorf("%+v, the calls cost %v", s, own)
	}
	if s := r.owners.Team(billing.ShadowTeam).OwnBudgets(time.Now())[0]; billing.Nano(s.Spent) != spent || s.Held != 0 {
		t.Errorf("%+v, the shadow calls cost %v", s, spent)
	}
	u := r.bare("GET", "/v1/usage", "", as("own")...)
	if u.get("key.usage.total.calls").Int() != 5 || u.get("team.usage.total.usd").Str != own.String() {
		t.Errorf("%s", u.body)
	}
}

func TestShadowShare(t *testing.T) {
	r := mirroring(t, local("seen", saysAll("else"), oneTwo), func(s *setup) {
		for _, m := range s.models {
			if m.Name == "fast" {
				m.Shadow.Share = 0.25
			}
		}
	})
	const calls = 4000
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range calls / 8 {
				if a := r.call("POST", completions, chat("fast", "hi", "")); a.status != 200 {
					t.Errorf("%d %s", a.status, a.body)
				}
			}
		})
	}
	wg.Wait()
	shadows, others := r.mirrored()
	// Six standard deviations of a share that is drawn: 0.041.
	if share := float64(len(shadows)) / calls; len(others) != calls || math.Abs(share-0.25) > 0.041 {
		t.Errorf("%v of %d calls had a shadow", share, len(others))
	}
}

// What is beyond the bound is dropped, counted, and answered all the same.
func TestShadowsAreBounded(t *testing.T) {
	held := make(chan struct{})
	var mu sync.Mutex
	running, most := 0, 0
	r := mirroring(t, local("seen", script{chat: func(context.Context, *schema.ChatRequest) (*schema.ChatResponse, error) {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		<-held
		return says("else"), nil
	}}, oneTwo))
	const calls = gateway.MostShadows + 50
	for range calls {
		if a := r.call("POST", completions, chat("fast", "hi", "")); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	close(held)
	shadows, others := r.mirrored()
	if len(shadows) != gateway.MostShadows || len(others) != calls || most > gateway.MostShadows {
		t.Errorf("%d shadow calls, %d at once, beside %d", len(shadows), most, len(others))
	}
	scraped := httptest.NewRecorder()
	r.metrics.Handler().ServeHTTP(scraped, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{fmt.Sprintf(`sluice_shadow_calls_total{result="sent"} %d`, gateway.MostShadows), `sluice_shadow_calls_total{result="dropped"} 50`} {
		if !strings.Contains(scraped.Body.String(), line) {
			t.Errorf("the metrics have no %s", line)
		}
	}
}

// Nothing that does more than answer is done twice, and no shadow has a shadow.
func TestWhatIsNotMirrored(t *testing.T) {
	s := &seen{}
	r := mirroring(t, s.provider(t), func(s *setup) {
		kept := s.model("kept", "up/echo")
		kept.Caching = &gateway.Caching{TTL: time.Hour, Scope: cache.ScopeTeam}
		kept.Shadow = &gateway.Shadow{Model: "fast", Share: 1, Timeout: time.Minute}
	})
	for name, body := range map[string]string{
		"an effect": chat("fast", "hi", `,"store":true`),
		"a search":  chat("fast", "hi", `,"web_search_options":{}`),
	} {
		if a := r.call("POST", completions, body); a.status != 200 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	r.call("POST", "/v1/messages/count_tokens", chat("fast", "hi", ""))
	r.call("POST", completions, `{"model":"fast","messages":7}`)
	if shadows, _ := r.mirrored(); len(shadows) != 0 {
		t.Errorf("%+v", shadows)
	}
	for range 3 {
		r.call("POST", completions, chat("kept", "hi", ""))
	}
	shadows, _ := r.mirrored()
	if len(shadows) != 1 || shadows[0].Target != "up/echo" || shadows[0].Model != "kept (shadow)" || len(s.bodies) != 0 {
		t.Errorf("%+v, the shadow's shadow was sent %v", shadows, s.bodies)
	}
}

// A shadow that is under way at shutdown is waited for.
func TestShadowsAtShutdown(t *testing.T) {
	held, began := make(chan struct{}), make(chan struct{})
	r := mirroring(t, local("seen", script{chat: func(context.Context, *schema.ChatRequest) (*schema.ChatResponse, error) {
		close(began)
		<-held
		return says("else"), nil
	}}, oneTwo))
	r.call("POST", completions, chat("fast", "hi", ""))
	<-began
	ended := make(chan struct{})
	go func() { r.stop(); close(ended) }()
	for len(r.g.NotReady()) == 0 {
		time.Sleep(time.Millisecond)
	}
	select {
	case <-ended:
		t.Error("it was not waited for")
	default:
	}
	close(held)
	<-ended
	shadows := []billing.Entry{}
	for _, e := range r.ledger.all() {
		if e.Team == billing.ShadowTeam {
			shadows = append(shadows, e)
		}
	}
	if len(shadows) != 1 || shadows[0].Status != 200 || shadows[0].Cost == 0 {
		t.Errorf("%+v", shadows)
	}
}
