package gateway_test

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"sluice/billing"
	"sluice/gateway"
	"sluice/gateway/cache"
	"sluice/providers/openai"
)

// compass is a provider of embeddings: a text that ends with a number points
// that many degrees from the east.
func compass(t *testing.T) string {
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		words := strings.Fields(gjson.GetBytes(body, "input").Str)
		degrees, err := strconv.ParseFloat(words[len(words)-1], 64)
		w.Header().Set("Content-Type", "application/json")
		if err != nil {
			w.WriteHeader(400)
			fmt.Fprint(w, `{"error":{"message":"it points nowhere"}}`)
			return
		}
		sin, cos := math.Sincos(degrees * math.Pi / 180)
		fmt.Fprintf(w, `{"object":"list","model":"compass","data":[{"object":"embedding","index":0,"embedding":[%f,%f]}],"usage":{"prompt_tokens":100,"total_tokens":100}}`, cos, sin)
	}))
	t.Cleanup(host.Close)
	return host.URL
}

// nearby is a rig whose models compare by meaning: "near" within a team, "wide"
// for everybody.
func nearby(t *testing.T, change ...func(*setup)) *rig {
	url := compass(t)
	return reusing(t, append([]func(*setup){func(s *setup) {
		s.providers = append(s.providers, remote(t, "points", url+"/v1", &openai.Dialect, price("10", "0")))
		for name, scope := range map[string]cache.Scope{"near": cache.ScopeTeam, "wide": cache.ScopeAll} {
			s.model(name, "up/echo").Caching = &gateway.Caching{TTL: time.Hour, Scope: scope,
				Near: &gateway.Near{Threshold: 0.95, Model: "points/compass"}} // 18 degrees
		}
	}}, change...)...)
}

func TestQuestionsThatMeanTheSame(t *testing.T) {
	r := nearby(t)
	ask := func(want, body string, header ...string) answer {
		t.Helper()
		a := r.call("POST", completions, body, header...)
		if a.status != 200 || a.header.Get("x-sluice-cache") != want {
			t.Errorf("%s: %d %v, want %s", body, a.status, a.header, want)
		}
		return a
	}
	first := ask("miss", chat("near", "which way is 10", ""), "X-Request-Id", "first")
	if a := ask("semantic", chat("near", "where is 20", ""), "X-Request-Id", "second"); a.body != first.body || a.header.Get("x-sluice-cost") != "0.001" {
		t.Errorf("%v %s", a.header, a.body)
	}
	if a := ask("semantic", chat("near", "where is 5", `,"stream":true`)); said(a.body) != "which way is 10" {
		t.Errorf("%s", a.body)
	}
	ask("hit", chat("near", "which way is 10", ""))
	ask("miss", chat("near", "where is 40", ""))
	ask("miss", chat("near", "where is 11", `,"temperature":0`))
	ask("miss", `{"model":"near","messages":[{"role":"system","content":"be kind"},{"role":"user","content":"where is 11"}]}`)
	ask("miss", chat("near", "it points nowhere", ""))
	ask("hit", chat("near", "it points nowhere", ""))
	if !r.log.has("the semantic cache has no embedding") {
		t.Error("the log does not tell of an embedding that failed")
	}
	ask("miss", chat("near", "where is 70", ""), "x-sluice-cache", "refresh")
	ask("semantic", chat("near", "where is 71", ""))
	ask("miss", chat("wide", "which way is 10", ""))
	if n := r.g.PurgeCache(cache.Selection{Model: "near"}); n != 6 {
		t.Errorf("%d answers are purged", n)
	}
	ask("miss", chat("near", "where is 20", ""))
	r.settled()
	var own, embedding []billing.Entry
	for _, e := range r.entries() {
		if e.RequestID != "second" {
			continue
		}
		if e.Attempt == 0 {
			own = append(own, e)
		} else {
			embedding = append(embedding, e)
		}
	}
	if len(own) != 1 || own[0].Cache != "semantic" || own[0].Cost != 0 || own[0].Saved == 0 || own[0].Saved >= billing.Dollar/1000 {
		t.Errorf("%+v", own)
	}
	if len(embedding) != 1 || embedding[0].Cost != billing.Dollar/1000 || embedding[0].Target != "points/compass" || embedding[0].Usage.Input != 100 || embedding[0].Call != own[0].Call {
		t.Errorf("%+v", embedding)
	}
}

// What means the same is nobody else's, unless it is everybody's.
func TestMeaningsStayInTheirScope(t *testing.T) {
	r := nearby(t)
	for _, c := range []struct{ model, text, key, want string }{
		{"near", "a 10", "k", "miss"}, {"near", "b 11", "stranger", "miss"}, {"near", "c 12", "other", "semantic"}, {"near", "d 13", "stranger", "semantic"},
		{"wide", "a 10", "k", "miss"}, {"wide", "b 11", "stranger", "semantic"},
	} {
		if a := r.bare("POST", completions, chat(c.model, c.text, ""), as(c.key)...); a.header.Get("x-sluice-cache") != c.want {
			t.Errorf("%+v: %d %v", c, a.status, a.header)
		}
	}
}

// An embedding counts in the budgets of the call; one that they have no money
// for is not made, and the answer is.
func TestMeaningsAreBilled(t *testing.T) {
	r := nearby(t, func(s *setup) {
		s.key("paid", func(k *billing.Key) { k.Budgets = hard(billing.Dollar / 100) })
		s.key("short", func(k *billing.Key) { k.Budgets = hard(billing.Dollar / 5000) })
	})
	for i, key := range []string{"paid", "short"} {
		a := r.bare("POST", completions, chat("near", fmt.Sprint("where is ", 100*i), `,"max_tokens":5`), as(key)...)
		if a.status != 200 || a.header.Get("x-sluice-cache") != "miss" {
			t.Errorf("%s: %d %s", key, a.status, a.body)
		}
	}
	r.settled()
	sums := map[string]billing.Nano{}
	for _, e := range r.entries() {
		sums[e.Key] += e.Cost
	}
	for _, key := range []string{"paid", "short"} {
		s := r.owners.Key("key_" + key).Budgets(time.Now())[0]
		if billing.Nano(s.Spent) != sums["t/"+key] || s.Held != 0 {
			t.Errorf("%s: %+v, the ledger has %s", key, s, sums["t/"+key])
		}
	}
	if sums["t/paid"] <= billing.Dollar/1000 || sums["t/short"] >= billing.Dollar/5000 {
		t.Errorf("%v", sums)
	}
}
