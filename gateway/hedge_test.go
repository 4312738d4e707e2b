package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"sluice/billing"
	"sluice/gateway"
	"sluice/providers/openai"
	"sluice/providers/schema"
	"sluice/router"
)

// host is a provider that speaks OpenAI's API and does with a request as it is
// told to.
type host struct {
	asked, gone atomic.Int64
	now, most   atomic.Int64 // requests at once
	// wait returns when the answer is to begin; false: the server is to fail.
	wait func(r *http.Request) bool
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.asked.Add(1)
	now := h.now.Add(1)
	defer h.now.Add(-1)
	for most := h.most.Load(); now > most && !h.most.CompareAndSwap(most, now); most = h.most.Load() {
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	well := h.wait(r)
	switch {
	case r.Context().Err() != nil:
		h.gone.Add(1)
	case !well:
		http.Error(w, `{"error":{"message":"down"}}`, 500)
	case gjson.GetBytes(body, "stream").Bool():
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprint(w, `data: {"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":"hi"}}]}`+"\n\n"+
			`data: {"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\n"+
			`data: {"id":"x","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`+"\n\n"+"data: [DONE]\n\n")
	default:
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],`+
			`"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`)
	}
}

// start gives the host an address.
func (h *host) start(t *testing.T) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func atOnce(*http.Request) bool { return true }

func fails(*http.Request) bool { return false }

func never(r *http.Request) bool {
	<-r.Context().Done()
	return false
}

// after is as wait says once the other host was asked.
func afterAsked(other *host, wait func(*http.Request) bool) func(*http.Request) bool {
	return func(r *http.Request) bool {
		for other.asked.Load() == 0 && r.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
		return wait(r)
	}
}

// later is well after a time.
func later(d time.Duration) func(*http.Request) bool {
	return func(r *http.Request) bool {
		select {
		case <-r.Context().Done():
		case <-time.After(d):
		}
		return true
	}
}

// pair is a rig with two hosts behind the model "two", and a key with a budget.
func pair(t *testing.T, hedge router.Hedge, budget billing.Nano) (r *rig, first, second *host) {
	first, second = &host{}, &host{}
	one, two := first.start(t), second.start(t)
	r = newRig(t, func(s *setup) {
		s.providers = append(s.providers, remote(t, "one", one+"/v1", &openai.Dialect, oneTwo), remote(t, "two", two+"/v1", &openai.Dialect, oneTwo))
		s.model("two", "one/m", "two/m").Route.Hedge = hedge
		s.key("rich", func(k *billing.Key) { k.Budgets = hard(budget) })
	})
	return r, first, second
}

// A slow call is asked elsewhere too: who answers first is whose answer goes
// out, the other is cut off, and what it had done is charged, once.
func TestHedging(t *testing.T) {
	soon := router.Hedge{After: 5 * time.Millisecond, Budget: 1}
	for name, c := range map[string]struct {
		hedge    router.Hedge
		budget   billing.Nano
		waits    func(first, second *host)
		status   int
		target   string // that answered
		loser    string // that is charged for apart
		attempts string
	}{
		"slow, then fast": {waits: func(first, second *host) { first.wait, second.wait = never, atOnce },
			status: 200, target: "two/m", loser: "one/m", attempts: "one/m hedge_lost, two/m "},
		"fast": {hedge: router.Hedge{After: time.Minute, Budget: 1}, waits: func(first, second *host) { first.wait, second.wait = atOnce, atOnce },
			status: 200, target: "one/m", attempts: "one/m "},
		"the first after all": {waits: func(first, second *host) { first.wait, second.wait = afterAsked(second, atOnce), never },
			status: 200, target: "one/m", loser: "two/m", attempts: "two/m hedge_lost, one/m "},
		"both fail": {waits: func(first, second *host) { first.wait, second.wait = afterAsked(second, fails), fails },
			status: 500},
		"the hedge fails": {waits: func(first, second *host) {
			first.wait, second.wait = afterAsked(second, later(50*time.Millisecond)), fails
		},
			status: 200, target: "one/m", attempts: "two/m upstream_error, one/m "},
		"the first fails": {waits: func(first, second *host) {
			first.wait, second.wait = afterAsked(second, fails), later(50*time.Millisecond)
		},
			status: 200, target: "two/m", attempts: "one/m upstream_error, two/m "},
		"no money for two": {budget: 300_000, waits: func(first, second *host) { first.wait, second.wait = later(50*time.Millisecond), atOnce },
			status: 200, target: "one/m", attempts: "one/m "},
	} {
		for _, stream := range []string{"", `,"stream":true,"stream_options":{"include_usage":true}`} {
			t.Run(name+stream, func(t *testing.T) {
				if c.hedge == (router.Hedge{}) {
					c.hedge = soon
				}
				if c.budget == 0 {
					c.budget = billing.Dollar
				}
				r, first, second := pair(t, c.hedge, c.budget)
				c.waits(first, second)
				a := r.bare("POST", "/v1/chat/completions", chat("two", "hello there", `,"max_tokens":100`+stream), append(as("rich"), "X-Sluice-Explain", "1")...)
				r.settled()
				var own billing.Entry
				var apart []billing.Entry
				var sum billing.Nano
				for _, e := range r.entries() {
					if sum += e.Cost; e.Attempt == 0 {
						own = e
					} else {
						apart = append(apart, e)
					}
				}
				var trail []string
				for _, l := range own.Attempts {
					trail = append(trail, l.Target+" "+l.Code)
				}
				if a.status != c.status || c.status == 200 && (own.Target != c.target || strings.Join(trail, ", ") != c.attempts || own.Cost != 20_000) {
					t.Errorf("%d %s: %+v", a.status, a.body, own)
				}
				if n := len(own.Attempts); a.header.Get("X-Sluice-Attempts") != fmt.Sprint(n) || c.status != 200 && n != 2 {
					t.Errorf("%s attempts told, %+v", a.header.Get("X-Sluice-Attempts"), own.Attempts)
				}
				x := a.header.Get("X-Sluice-Explain")
				if c.status == 200 && gjson.Get(x, "chosen").Str != c.target || len(own.Attempts) > 1 != gjson.Get(x, "attempts.1.hedge").Bool() {
					t.Errorf("explained as %s", x)
				}
				if c.loser == "" && len(apart) > 0 || c.loser != "" && len(apart) != 1 {
					t.Fatalf("charged apart: %+v", apart)
				}
				if c.loser != "" {
					e := apart[0]
					if e.Target != c.loser || e.Code != "hedge_lost" || e.Usage.Source != schema.UsageEstimated || e.Cost != billing.Nano(e.Usage.Input*1000) || e.Cost == 0 {
						t.Errorf("charged apart: %+v", e)
					}
					for begin := time.Now(); first.gone.Load()+second.gone.Load() != 1; time.Sleep(time.Millisecond) {
						if time.Since(begin) > 10*time.Second {
							t.Fatal("the loser is not cut off")
						}
					}
				}
				if left, _ := r.g.Snapshot().Caller(billing.HashKey("sk-test-rich"), time.Now()).Owner.Left(billing.Called{}); left != c.budget-sum {
					t.Errorf("%v left of %v after %v", left, c.budget, sum)
				}
				if n, _ := r.book.OpenHolds(); n != 0 {
					t.Errorf("%d holds are open", n)
				}
				r.stop() // which writes the log
				if line := r.access.String(); strings.Contains(line, `"hedged":true`) != (len(own.Attempts) > 1) {
					t.Errorf("logged as %s", line)
				}
			})
		}
	}
}

// Of a thousand slow calls, unary and streamed at once, no more than the
// budget's share are hedged; each loser is charged once, and nothing is held
// when all is over.
func TestHedgingBudget(t *testing.T) {
	r, first, second := pair(t, router.Hedge{After: 2 * time.Millisecond, Budget: 0.1}, 1000*billing.Dollar)
	first.wait, second.wait = later(10*time.Millisecond), later(3*time.Millisecond)
	calls(t, 20, 50, func(n int) {
		more := ""
		if n%2 == 0 {
			more = `,"stream":true`
		}
		if a := r.bare("POST", "/v1/chat/completions", chat("two", "hi", more), as("rich")...); a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	r.settled()
	apart, hedged := 0, 0
	var sum billing.Nano
	for _, e := range r.entries() {
		sum += e.Cost
		switch {
		case e.Attempt > 0:
			apart++
		case len(e.Attempts) > 1:
			hedged++
		}
	}
	if extra := first.asked.Load() + second.asked.Load() - 1000; extra > 100 || extra == 0 || hedged > 100 || apart > hedged || len(r.ledger.twice) > 0 {
		t.Errorf("%d extra calls of 1000, %d hedged, %d charged apart, twice %v", extra, hedged, apart, r.ledger.twice)
	}
	if left, _ := r.g.Snapshot().Caller(billing.HashKey("sk-test-rich"), time.Now()).Owner.Left(billing.Called{}); left != 1000*billing.Dollar-sum {
		t.Errorf("%v left after %v", left, sum)
	}
	if n, usd := r.book.OpenHolds(); n != 0 || usd != 0 {
		t.Errorf("%d holds of %v are open", n, usd)
	}
}

// calls makes some calls one after the other, in so many goroutines.
func calls(t *testing.T, at, each int, do func(n int)) {
	t.Helper()
	var wg sync.WaitGroup
	for g := range at {
		wg.Go(func() {
			for i := range each {
				do(g*each + i)
			}
		})
	}
	wg.Wait()
}

// A hedge counts in the limits of its provider while it runs, and no longer; a
// provider without room is not asked.
func TestHedgingPassesLimits(t *testing.T) {
	first, second := &host{}, &host{}
	one, two := first.start(t), second.start(t)
	r := newRig(t, func(s *setup) {
		s.providers = append(s.providers, remote(t, "one", one+"/v1", &openai.Dialect, oneTwo), remote(t, "two", two+"/v1", &openai.Dialect, oneTwo))
		s.model("two", "one/m", "two/m").Route.Hedge = router.Hedge{After: 2 * time.Millisecond, Budget: 1}
		for _, name := range []string{"one", "two"} {
			s.teams = append(s.teams, billing.Team{Name: gateway.ProviderOwner(name), Limits: billing.Limits{Parallel: 3}})
		}
	})
	first.wait, second.wait = later(10*time.Millisecond), later(5*time.Millisecond)
	// Eight callers want six places: who is refused asks again. A place that a
	// hedge kept would leave them asking for ever.
	calls(t, 8, 40, func(int) {
		a := r.call("POST", "/v1/chat/completions", chat("two", "hi", ""))
		for begin := time.Now(); a.status == 429 && time.Since(begin) < 30*time.Second; time.Sleep(time.Millisecond) {
			a = r.call("POST", "/v1/chat/completions", chat("two", "hi", ""))
		}
		if a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	r.settled()
	for _, h := range []*host{first, second} {
		for begin := time.Now(); h.now.Load() > 0 && time.Since(begin) < 10*time.Second; time.Sleep(time.Millisecond) {
		}
	}
	for _, name := range []string{"one", "two"} {
		o := r.owners.Team(gateway.ProviderOwner(name))
		for range 3 { // all three places are free
			ticket, err := o.AdmitFor(r.owners.Team("t"), time.Now(), billing.Ask{})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			defer ticket.Cancel()
		}
	}
}
