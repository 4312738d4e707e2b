package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"sluice/billing"
	"sluice/gateway"
	"sluice/gateway/cache"
)

// reusing is a rig whose models keep answers: "team", "key" and "all" by their
// scope, "ant" of Anthropic's API, and "slow", which takes a moment.
func reusing(t *testing.T, change ...func(*setup)) *rig {
	return newRig(t, append([]func(*setup){func(s *setup) {
		s.settings.HoldTokens = 4096
		for name, target := range map[string]string{"team": "up/echo", "key": "up/echo", "all": "up/echo", "ant": "ant/echo",
			"slow": "up/echo_delay-300", "slower": "up/echo_delay-1500", "bad": "up/fail-400_delay-300", "brief": "up/echo", "vectors": "up/embed"} {
			m := s.model(name, target)
			m.Caching = &gateway.Caching{TTL: time.Hour, Scope: cache.ScopeTeam}
		}
		for _, m := range s.models {
			switch m.Name {
			case "key", "all":
				m.Caching.Scope = cache.Scope(m.Name)
			case "brief":
				m.Caching.TTL = time.Nanosecond
			}
		}
		s.key("other", nil)
		s.teams = append(s.teams, billing.Team{Name: "u"})
		s.key("stranger", func(k *billing.Key) { k.Team = "u" })
	}}, change...)...)
}

// asked is how many requests the provider has answered or begun to.
func (r *rig) asked() int64 {
	s := r.fake.Stats()
	return s.Done + s.Open + s.Cancelled + s.Cut
}

const completions, messages = "/v1/chat/completions", "/v1/messages"

func TestAnswersAreReused(t *testing.T) {
	r := reusing(t)
	first := r.call("POST", completions, chat("team", "hi", ""), "X-Request-Id", "first")
	if first.status != 200 || first.header.Get("x-sluice-cache") != "miss" {
		t.Fatalf("%d %v %s", first.status, first.header, first.body)
	}
	again := r.call("POST", completions, chat("team", "hi", `,"user":"u","metadata":{"a":"b"}`), "X-Request-Id", "again")
	if again.status != 200 || again.body != first.body {
		t.Fatalf("%d %s, want %s", again.status, again.body, first.body)
	}
	h := again.header
	if h.Get("x-sluice-cache") != "hit" || h.Get("x-sluice-cost") != "0" || h.Get("x-sluice-model") != "up/echo" ||
		h.Get("x-sluice-attempts") != "0" || h.Get("x-sluice-cache-key") != first.header.Get("x-sluice-cache-key") {
		t.Errorf("%v", h)
	}
	if r.asked() != 1 {
		t.Errorf("the provider was asked %d times", r.asked())
	}
	r.settled()
	paid, saved := r.entry("first"), r.entry("again")
	if paid.Cost == 0 || paid.Cache != "miss" || paid.Saved != 0 {
		t.Errorf("%+v", paid)
	}
	if saved.Cost != 0 || saved.Saved != paid.Cost || saved.Cache != "hit" || saved.Target != "up/echo" || saved.Usage.Input != 0 || saved.Status != 200 {
		t.Errorf("%+v", saved)
	}
	r.stop() // the log is written then
	if log := r.access.String(); !strings.Contains(log, `"cache":"miss"`) || !strings.Contains(log, `"cache":"hit"`) {
		t.Errorf("log %s", log)
	}
	f := r.g.CacheFigures()
	if f.Entries != 1 || f.Hits != 1 || f.Misses != 1 || f.SavedUSD != paid.Cost || len(f.Models) != 1 || f.Models[0].Model != "team" {
		t.Errorf("%+v", f)
	}
}

func TestWhatIsNotReused(t *testing.T) {
	r := reusing(t)
	ask := func(body string, header ...string) answer {
		t.Helper()
		return r.call("POST", completions, body, header...)
	}
	ask(chat("team", "hi", ""))
	for name, body := range map[string]string{
		"other words":       chat("team", "ho", ""),
		"a parameter":       chat("team", "hi", `,"temperature":0`),
		"a seed":            chat("team", "hi", `,"seed":1`),
		"a field of theirs": chat("team", "hi", `,"x_vendor":1`),
		"a format":          chat("team", "hi", `,"response_format":{"type":"json_object"}`),
		"another model":     chat("all", "hi", ""),
		"an effect":         chat("team", "hi", `,"store":true`),
		"functions":         chat("team", "hi", `,"functions":[{"name":"f"}]`),
		"a search":          chat("team", "hi", `,"web_search_options":{}`),
	} {
		if a := ask(body); a.status != 200 || a.header.Get("x-sluice-cache") == "hit" {
			t.Errorf("%s: %d %v", name, a.status, a.header)
		}
	}
	before := r.asked()
	for range 2 {
		if a := ask(chat("team", "hi", `,"store":true`)); a.header.Get("x-sluice-cache") != "" {
			t.Errorf("%v", a.header)
		}
		if a := ask(chat("team", "hi", ""), "x-sluice-cache", "skip"); a.header.Get("x-sluice-cache") != "" {
			t.Errorf("%v", a.header)
		}
		if a := ask(chat("team", "hi", ""), "x-sluice-cache", "refresh"); a.header.Get("x-sluice-cache") != "miss" {
			t.Errorf("%v", a.header)
		}
		if a := ask(chat("brief", "hi", "")); a.header.Get("x-sluice-cache") != "miss" {
			t.Errorf("%v", a.header)
		}
		if a := ask(chat("up/echo", "hi", "")); a.header.Get("x-sluice-cache") != "" {
			t.Errorf("%v", a.header)
		}
	}
	if n := r.asked() - before; n != 10 {
		t.Errorf("the provider was asked %d times, want 10", n)
	}
	if a := ask(chat("team", "hi", ""), "x-sluice-cache", "maybe"); a.status != 400 || a.get("error.param").Str != "x-sluice-cache" {
		t.Errorf("%d %s", a.status, a.body)
	}
	for range 2 { // an answer that its limit of ours has cut is not the answer
		if a := ask(chat("bad", "hi", "")); a.status != 400 || a.header.Get("x-sluice-cache") == "hit" {
			t.Errorf("%d %v", a.status, a.header)
		}
	}
}

func TestScopes(t *testing.T) {
	for model, want := range map[string][3]string{
		"key":  {"hit", "miss", "miss"},
		"team": {"hit", "hit", "miss"},
		"all":  {"hit", "hit", "hit"},
	} {
		r := reusing(t)
		r.call("POST", completions, chat(model, "hi", ""))
		for i, key := range []string{"k", "other", "stranger"} {
			if a := r.bare("POST", completions, chat(model, "hi", ""), as(key)...); a.header.Get("x-sluice-cache") != want[i] {
				t.Errorf("%s for %s: %v, want %s", model, key, a.header, want[i])
			}
		}
		r.stop()
	}
}

// An answer in one form serves those who want it in another.
func TestFormsOfReuse(t *testing.T) {
	forms := []struct{ name, path, more string }{
		{"whole", completions, `,"max_tokens":50`},
		{"stream", completions, `,"max_tokens":50,"stream":true`},
		{"stream with usage", completions, `,"max_tokens":50,"stream":true,"stream_options":{"include_usage":true}`},
		{"messages", messages, `,"max_tokens":50`},
		{"messages stream", messages, `,"max_tokens":50,"stream":true`},
	}
	for _, model := range []string{"team", "ant"} {
		for _, first := range forms {
			r := reusing(t)
			if a := r.call("POST", first.path, chat(model, "good day to you", first.more)); a.status != 200 || a.header.Get("x-sluice-cache") != "miss" {
				t.Fatalf("%s: %d %s", first.name, a.status, a.body)
			}
			r.settled()
			fresh := reusing(t)
			for _, f := range forms {
				want := fresh.call("POST", f.path, chat(model, "good day to you", f.more), "x-sluice-cache", "skip")
				a := r.call("POST", f.path, chat(model, "good day to you", f.more))
				if a.header.Get("x-sluice-cache") != "hit" || a.header.Get("content-type") != want.header.Get("content-type") {
					t.Errorf("%s of %s after %s: %v %s", f.name, model, first.name, a.header, a.body)
				}
				if got, want := digest(a.body), digest(want.body); got != want {
					t.Errorf("%s of %s after %s: %s, want %s\n%s", f.name, model, first.name, got, want, a.body)
				}
			}
			if r.asked() != 1 {
				t.Errorf("the provider was asked %d times", r.asked())
			}
			r.stop()
			fresh.stop()
		}
	}
}

// digest is the text, the reason and the usage of an answer in any form.
func digest(body string) string {
	parts := []string{body}
	if !gjson.Valid(body) {
		parts = events(body)
	}
	var text, reason string
	var usage int64
	for _, p := range parts {
		for _, path := range []string{"choices.0.message.content", "choices.0.delta.content", "content.0.text", "delta.text"} {
			text += gjson.Get(p, path).String()
		}
		for _, path := range []string{"choices.0.finish_reason", "stop_reason", "delta.stop_reason"} {
			reason += gjson.Get(p, path).String()
		}
		usage = max(usage, gjson.Get(p, "usage.completion_tokens").Int(), gjson.Get(p, "usage.output_tokens").Int())
	}
	return fmt.Sprint(text, "|", reason, "|", usage, "|", strings.HasSuffix(body, "data: [DONE]\n\n"))
}

func TestEmbeddingsAreReused(t *testing.T) {
	r := reusing(t)
	body := `{"model":"vectors","input":["a","b"]}`
	first := r.call("POST", "/v1/embeddings", body)
	again := r.call("POST", "/v1/embeddings", body)
	if first.status != 200 || again.body != first.body || again.header.Get("x-sluice-cache") != "hit" || r.asked() != 1 {
		t.Errorf("%d %v %s", again.status, again.header, again.body)
	}
	if a := r.call("POST", "/v1/embeddings", `{"model":"vectors","input":["a","c"]}`); a.header.Get("x-sluice-cache") != "miss" {
		t.Errorf("%v", a.header)
	}
}

// Of identical calls at once, one asks the provider.
func TestOneCallForAll(t *testing.T) {
	r := reusing(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	how := map[string]int{}
	for i := range 100 {
		wg.Go(func() {
			more := ""
			if i%2 == 0 {
				more = `,"stream":true`
			}
			a := r.call("POST", completions, chat("slow", "hi", more))
			mu.Lock()
			defer mu.Unlock()
			if a.status != 200 {
				t.Errorf("%d %s", a.status, a.body)
			}
			how[a.header.Get("x-sluice-cache")]++
		})
	}
	wg.Wait()
	if r.asked() != 1 || how["miss"] != 1 || how["hit"] != 99 {
		t.Errorf("the provider was asked %d times: %v", r.asked(), how)
	}
}

// A call that fails says nothing of those who waited for it.
func TestEachGoesOnAfterAFailure(t *testing.T) {
	r := reusing(t)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if a := r.call("POST", completions, chat("bad", "hi", "")); a.status != 400 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	wg.Wait()
	if n := r.asked(); n != 5 {
		t.Errorf("the provider was asked %d times, want 5", n)
	}
}

// When the caller leaves whose call others wait for, one of them makes it.
func TestTheFirstCallerLeaves(t *testing.T) {
	r := reusing(t)
	ctx, leave := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, "POST", "http://"+r.addr+completions, strings.NewReader(chat("slower", "hi", "")))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	left := make(chan error, 1)
	go func() {
		res, err := r.client.Do(req)
		if err == nil {
			res.Body.Close()
		}
		left <- err
	}()
	for r.asked() == 0 {
		time.Sleep(time.Millisecond)
	}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if a := r.call("POST", completions, chat("slower", "hi", "")); a.status != 200 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
	time.Sleep(50 * time.Millisecond)
	leave()
	if err := <-left; err == nil {
		t.Error("the first caller was answered")
	}
	wg.Wait()
	if n := r.asked(); n != 2 {
		t.Errorf("the provider was asked %d times, want 2", n)
	}
}

// Who waits gives up when its own time is over.
func TestWaitingEnds(t *testing.T) {
	r := reusing(t)
	done := make(chan answer, 1)
	go func() { done <- r.call("POST", completions, chat("slow", "hi", "")) }()
	for r.asked() == 0 {
		time.Sleep(time.Millisecond)
	}
	if a := r.call("POST", completions, chat("slow", "hi", ""), "x-sluice-timeout", "20ms"); a.status != 504 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := <-done; a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// An answer of which the caller has read a part only is nobody's.
func TestBrokenStreamsAreNotReused(t *testing.T) {
	r := reusing(t, func(s *setup) {
		s.model("cut", "up/echo_cut-1").Caching = &gateway.Caching{TTL: time.Hour, Scope: cache.ScopeTeam}
	})
	for range 2 {
		a := r.call("POST", completions, chat("cut", "hi there you all", `,"stream":true`))
		if s := bufio.NewScanner(strings.NewReader(a.body)); !s.Scan() || a.header.Get("x-sluice-cache") != "miss" {
			t.Errorf("%v %s", a.header, a.body)
		}
	}
	if f := r.g.CacheFigures(); f.Entries != 0 || r.asked() != 2 {
		t.Errorf("%+v", f)
	}
}

// A purge counts for answers under way, too.
func TestPurge(t *testing.T) {
	r := reusing(t)
	r.call("POST", completions, chat("team", "a", ""), "x-sluice-tags", "red")
	r.call("POST", completions, chat("team", "b", ""), "x-sluice-tags", "blue")
	r.call("POST", completions, chat("all", "a", ""))
	key := r.call("POST", completions, chat("key", "a", "")).header.Get("x-sluice-cache-key")
	if !strings.HasPrefix(key, "key/t/k/") {
		t.Errorf("key %s", key)
	}
	for _, c := range []struct {
		q    cache.Selection
		want int64
	}{
		{cache.Selection{Tag: "green"}, 0}, {cache.Selection{Tag: "red"}, 1}, {cache.Selection{Model: "all"}, 1},
		{cache.Selection{Prefix: "team/t/"}, 1}, {cache.Selection{Key: key + "x"}, 0}, {cache.Selection{Key: key}, 1},
	} {
		if n := r.g.PurgeCache(c.q); n != c.want {
			t.Errorf("%+v purged %d", c.q, n)
		}
	}
	done := make(chan answer, 1)
	go func() { done <- r.call("POST", completions, chat("slow", "hi", "")) }()
	for r.asked() < 5 {
		time.Sleep(time.Millisecond)
	}
	r.g.PurgeCache(cache.Selection{Model: "slow"})
	<-done
	if f := r.g.CacheFigures(); f.Entries != 0 || f.Purged != 4 {
		t.Errorf("%+v", f)
	}
}

// A hit gives back the money that was held, and counts as a request.
func TestReuseAndBudgets(t *testing.T) {
	r := reusing(t, func(s *setup) {
		s.key("poor", func(k *billing.Key) { k.Budgets = billing.Budgets{{Requests: 3, Per: billing.PeriodTotal, Hard: true}} })
	})
	for i, want := range []int{200, 200, 200, 429} {
		a := r.bare("POST", completions, chat("key", "hi", ""), as("poor")...)
		if a.status != want {
			t.Errorf("call %d: %d %s", i, a.status, a.body)
		}
	}
	r.settled()
	for _, s := range r.owners.Key("key_poor").Budgets(time.Now()) {
		if s.Held != 0 {
			t.Errorf("%+v", s)
		}
	}
	if r.asked() != 1 {
		t.Errorf("the provider was asked %d times", r.asked())
	}
}
