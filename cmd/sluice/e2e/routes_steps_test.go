package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// A prompt's steps call routes within the gateway, for the prompt's caller.
func TestStepsCallRoutes(t *testing.T) {
	b := startBackend(t, "a")
	b.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.last = r.Header.Clone()
		b.mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/note":
			w.Header().Set("Content-Type", "text/plain")
			for range 3 { // which comes in pieces
				fmt.Fprint(w, strings.Repeat("note ", 2000))
				w.(http.Flusher).Flush()
			}
		case "/gone":
			w.WriteHeader(404)
		default:
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"asked":%q,"body":%q,"name":"Ann"}`, r.Method+" "+r.RequestURI, body)
		}
	})
	g := newGateway(t, "prompts: {dir: DIR/prompts}\n"+providers+`routes:
  - {name: crm, match: {path: "/crm/**"}, backend: {http: {targets: ["`+b.URL+`"], strip_prefix: /crm}}, auth: {require: [key]}, limits: {rate: 7/1h, per: key}}
  - {name: open, match: {path: "/open/**"}, backend: {http: {targets: ["`+b.URL+`"], strip_prefix: /open}}}
`+team)
	prompt := func(name, steps, body, more string) {
		g.prompt(name, "---\nmodel: up/echo\ninput: {schema: {id: string}}\n"+more+"sluice.steps: ["+steps+"]\n---\n"+body+"\n")
	}
	prompt("main", `{as: user, route: "GET /crm/users/{{id}}?q={{id}}"}, {as: post, route: "POST /crm/x", input: {who: "{{user.name}}", id: "{{id}}"}}, {as: list, route: "GET /crm/list", input: {n: 3}}`,
		"{{user.asked}} {{user.name}}; {{post.body}}; {{list.asked}}", "")
	prompt("long", `{as: note, route: "GET /open/note"}`, "{{note}}", "sluice.access: public\n")
	prompt("public", `{as: note, route: "GET /crm/note"}`, "{{note}}", "sluice.access: public\n")
	prompt("fails", `{as: none, route: "GET /open/gone"}`, "{{none}}", "")
	prompt("lost", `{as: none, route: "GET /nowhere"}`, "{{none}}", "")
	g.start()

	r := g.data("POST", "/prompts/main", `{"id":"a/b?c"}`, "X-Request-Id", "one-id")
	if r.status != 200 || !strings.Contains(r.body, `GET /users/a%2Fb%3Fc?q=a%2Fb%3Fc Ann; {"id":"a/b?c","who":"Ann"}; GET /list?n=3`) {
		sent := gjson.Get(g.fake.Last(1)[0].Body, "messages").Raw
		if r.status != 200 || !strings.Contains(gjson.Get(sent, "0.content").Str, `GET /users/a%2Fb%3Fc?q=a%2Fb%3Fc Ann; {"id":"a/b?c","who":"Ann"}; GET /list?n=3`) {
			t.Errorf("steps: %d %s\n%s", r.status, r.body, sent)
		}
	}
	if h, _ := b.heard(); h.Get("X-Request-Id") != "one-id" || h.Get("Authorization") != "" {
		t.Errorf("the backend was sent %v", h)
	}
	if r = g.data("POST", "/prompts/main", `{"id":".."}`); r.status != 400 || !strings.Contains(r.body, "no segment") {
		t.Errorf("a value that is a dot segment: %d %s", r.status, r.body)
	}
	if r = g.data("POST", "/prompts/long", `{"id":"x"}`, "Authorization", ""); r.status != 200 {
		t.Errorf("a streamed answer: %d %.300s", r.status, r.body)
	}
	if sent := gjson.Get(g.fake.Last(1)[0].Body, "messages.0.content").Str; strings.Count(sent, "note ") < 5999 {
		t.Errorf("the model was sent %d notes", strings.Count(sent, "note "))
	}
	for path, want := range map[string]string{"fails": "502 step none: the route answered GET /open/gone with status 404", "lost": "503 step none: no route takes GET /nowhere"} {
		if r = g.data("POST", "/prompts/"+path, `{"id":"x"}`); !strings.HasPrefix(fmt.Sprint(r.status, " ", r.get("detail").Str), want) {
			t.Errorf("%s: %d %s, want %s", path, r.status, r.body, want)
		}
	}
	if r = g.data("POST", "/prompts/public", `{"id":"x"}`, "Authorization", ""); r.status != 401 || !strings.Contains(r.body, "step note") {
		t.Errorf("nobody at a route that wants a key: %d %s", r.status, r.body)
	}
	// The route's limits hold for steps too: three were counted, and three more.
	g.data("POST", "/prompts/main", `{"id":"x"}`)
	if r = g.data("POST", "/prompts/main", `{"id":"x"}`); r.status != 429 || !strings.Contains(r.body, `route \"crm\"`) {
		t.Errorf("over the route's limit: %d %s", r.status, r.body)
	}
	m, _ := g.send("GET", "http://"+g.admin+"/metrics", "")
	if !strings.Contains(m.body, `sluice_route_requests_total{code="",route="crm",status="200"} 7`) {
		t.Error("the requests of steps are not counted")
	}
}
