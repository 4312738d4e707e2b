package e2e

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// compass is a provider of embeddings: a text that ends with a number points
// that many degrees from the east.
func compass(t *testing.T) string {
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		words := strings.Fields(gjson.GetBytes(body, "input").Str)
		degrees, _ := strconv.ParseFloat(words[len(words)-1], 64)
		sin, cos := math.Sincos(degrees * math.Pi / 180)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"object":"list","model":"m","data":[{"object":"embedding","index":0,"embedding":[%f,%f]}],"usage":{"prompt_tokens":100,"total_tokens":100}}`, cos, sin)
	}))
	t.Cleanup(host.Close)
	return host.URL
}

// Answers to what means the same are given above the threshold only, and never
// across teams but where the scope says so; their embeddings are paid for.
func TestSemanticCache(t *testing.T) {
	g := start(t, providers+`  points: {kind: openai-compatible, base_url: "`+compass(t)+`/v1", keys: [sk-up], prices: {"*": {input: 10, output: 0}}}
models:
  near: {targets: [{model: up/echo}], cache: {ttl: 10m, semantic: {threshold: 0.95, model: points/m}}}
  wide: {targets: [{model: up/echo}], cache: {ttl: 10m, scope: all, semantic: {threshold: 0.95, model: points/m}}}
teams:
  t: {keys: [{name: k, value: "`+teamKey+`"}]}
  u: {keys: [{name: k, value: sk-e2e-other-0123456789}]}
`)
	other := bearer("other")
	embedded := 0
	for i, c := range []struct {
		model, text, want string
		header            []string
	}{
		{"near", "go 10", "miss", nil},
		{"near", "move 27", "semantic", nil}, // 17 degrees off: 0.956
		{"near", "move 29", "miss", nil},     // 19 degrees off: 0.946
		{"near", "go 10", "hit", nil},
		{"near", "walk 10", "miss", other},
		{"near", "run 11", "semantic", other},
		{"wide", "go 10", "miss", nil},
		{"wide", "walk 10", "semantic", other},
	} {
		a := g.chat(chatBody(c.model, c.text, ""), append(c.header, "x-request-id", fmt.Sprint("call-", i))...)
		if a.status != 200 || a.header.Get("x-sluice-cache") != c.want {
			t.Errorf("%s of %s: %d %v, want %s", c.text, c.model, a.status, a.header, c.want)
		}
		if c.want != "hit" {
			embedded++
		}
		if c.want == "semantic" && a.header.Get("x-sluice-cost") != "0.001" {
			t.Errorf("%s of %s cost %s", c.text, c.model, a.header.Get("x-sluice-cost"))
		}
	}
	usage := g.waitCalls(8)
	if usage.get("total.cached").Int() != 4 {
		t.Errorf("%s", usage.body)
	}
	byTarget := g.api("GET", "usage?group_by=target", "")
	if row := byTarget.get(`rows.#(target=="points/m")`); row.Get("usd").Str != fmt.Sprint("0.00", embedded) || row.Get("calls").Int() != 0 || row.Get("input_tokens").Int() != int64(100*embedded) {
		t.Errorf("%d embeddings: %s", embedded, byTarget.body)
	}
	if a := g.api("GET", "requests/call-1", ""); a.get("cache").Str != "semantic" || a.get("usd").Str != "0" || a.get("target").Str != "up/echo" {
		t.Errorf("%s", a.body)
	}
	if f := g.api("GET", "cache", ""); f.get(`models.#(model=="near").semantic_hits`).Int() != 2 || f.get(`models.#(model=="near").entries`).Int() != 3 {
		t.Errorf("%s", f.body)
	}
	if a := g.api("GET", "usage/verify", ""); !a.get("ok").Bool() {
		t.Errorf("%s", a.body)
	}
}
