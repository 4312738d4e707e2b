package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// part is a service that answers a while after all of its group are asked, by
// its own clock. With ?fails it fails then, with ?hangs it never answers.
type part struct {
	*httptest.Server
	takes time.Duration

	left chan struct{} // gets one for each caller who left

	mu         sync.Mutex
	came, went time.Time
}

// startParts makes a group: who is asked waits until that many are.
func startParts(t *testing.T, takes ...time.Duration) (group []*part) {
	t.Helper()
	var mu sync.Mutex
	here, all := 0, make(chan struct{})
	for _, d := range takes {
		p := &part{takes: d, left: make(chan struct{}, 8)}
		p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p.mu.Lock()
			p.came = time.Now()
			p.mu.Unlock()
			mu.Lock()
			wait := all
			if here++; here == len(takes) { // the next request begins a new round
				close(all)
				here, all = 0, make(chan struct{})
			}
			mu.Unlock()
			for _, until := range []<-chan struct{}{wait, p.until(r)} {
				select {
				case <-until:
				case <-r.Context().Done():
					p.left <- struct{}{}
					return
				}
			}
			p.mu.Lock()
			p.went = time.Now()
			p.mu.Unlock()
			w.Header().Set("Content-Type", "application/json")
			if r.URL.RawQuery == "fails" {
				w.WriteHeader(500)
			}
			fmt.Fprintf(w, "%d", p.takes.Milliseconds())
		}))
		t.Cleanup(p.Close)
		group = append(group, p)
	}
	return group
}

// until is closed when the answer is due.
func (p *part) until(r *http.Request) <-chan struct{} {
	due := make(chan struct{})
	if r.URL.RawQuery == "hangs" {
		return due
	}
	go func() {
		time.Sleep(p.takes)
		close(due)
	}()
	return due
}

// Calls that take nothing of each other run at once, as the clocks of those who
// are called show; one that fails is left out or fails all, and a deadline ends
// all that still run.
func TestRouteComposeAtOnce(t *testing.T) {
	parts := startParts(t, 100*time.Millisecond, 200*time.Millisecond, 300*time.Millisecond)
	calls := func(kinds ...string) string {
		var list []string
		for i, p := range parts {
			list = append(list, fmt.Sprintf(`{as: c%d, get: "%s/x%s}`, i, p.URL, kinds[i]))
		}
		return "calls: [" + strings.Join(list, ", ") + "]"
	}
	g := start(t, `routes:
  - {name: all, match: {path: /all}, backend: {compose: {`+calls(`"`, `"`, `"`)+`, deadline: 20s}}}
  - {name: part, match: {path: /part}, backend: {compose: {`+calls(`"`, `?fails", optional: true`, `"`)+`, deadline: 20s}}}
  - {name: fails, match: {path: /fails}, backend: {compose: {`+calls(`?fails"`, `?hangs"`, `?hangs"`)+`, deadline: 20s}}}
  - {name: late, match: {path: /late}, backend: {compose: {`+calls(`"`, `?hangs"`, `?hangs"`)+`, deadline: 2s}}}
`)
	for _, c := range []struct {
		path         string
		status       int
		want, absent string
		gone         []*part
	}{
		{"/all", 200, `{"c0":100,"c1":200,"c2":300}`, "", nil},
		{"/part", 200, `{"c0":100,"c1":null,"c2":300}`, "c1", nil},
		{"/fails", 502, `the call \"c0\" failed`, "", parts[1:]},
		{"/late", 504, "did not end within 2s", "", parts[1:]},
	} {
		begun := time.Now()
		r := g.data("GET", c.path, "")
		took := time.Since(begun)
		if r.status != c.status || !strings.Contains(r.body, c.want) || r.header.Get("X-Sluice-Partial") != c.absent {
			t.Errorf("%s: %d %s %v", c.path, r.status, r.body, r.header)
		}
		for _, p := range c.gone {
			select {
			case <-p.left:
			case <-time.After(20 * time.Second):
				t.Errorf("%s: the call that takes %v is not given up", c.path, p.takes)
			}
		}
		if c.gone == nil {
			latest, first := parts[0].came, parts[0].went
			for _, p := range parts {
				p.mu.Lock()
				latest, first = later(latest, p.came), earlier(first, p.went)
				p.mu.Unlock()
			}
			t.Logf("%s took %v: all were under way for %v", c.path, took, first.Sub(latest))
			if !latest.Before(first) {
				t.Errorf("%s: one was asked %v after another had answered", c.path, latest.Sub(first))
			}
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Callers of two kinds have each their own view of one resource, by
// configuration alone.
func TestRouteViews(t *testing.T) {
	b := startBackend(t, "a")
	b.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasPrefix(r.URL.Path, "/users/") {
			fmt.Fprint(w, `{"id":7,"name":"Ann","email":"ann@example.com","address":{"street":"Long Street 1","city":"Town"},"about":"`+strings.Repeat("words ", 40)+`"}`)
			return
		}
		var orders []string
		for i := range 20 {
			orders = append(orders, fmt.Sprintf(`{"id":%d,"total":%d.50,"state":"sent","items":[{"name":"thing %d","price":1.25,"picture":"https://pictures.example.com/%d.jpg"}]}`, i, i, i, i))
		}
		fmt.Fprint(w, "["+strings.Join(orders, ",")+"]")
	})
	view := func(name, match, user, orders string) string {
		return `  - name: ` + name + `
    match: {path: "/home/{id}"` + match + `}
    backend:
      compose:
        calls:
          - {as: user, get: "` + b.URL + `/users/{id}"` + user + `}
          - {as: orders, get: "` + b.URL + `/orders?u={id}"` + orders + `}
`
	}
	routes := "routes:\n" + view("home-mobile", `, headers: {x-client: mobile}`, `, allow: [id, name]`, `, allow: ["*.id", "*.total"]`) + view("home-web", "", "", "")
	g := start(t, routes)
	web, mobile := g.data("GET", "/home/7", ""), g.data("GET", "/home/7", "", "X-Client", "mobile")
	t.Logf("the view of browsers has %d bytes, that of mobiles %d", len(web.body), len(mobile.body))
	if web.status != 200 || web.get("user.address.city").Str != "Town" || web.get("orders.19.items.0.price").Num != 1.25 {
		t.Errorf("web: %d %s", web.status, web.body)
	}
	if mobile.status != 200 || mobile.get("user").Raw != `{"id":7,"name":"Ann"}` || mobile.get("orders.19").Raw != `{"id":19,"total":19.50}` {
		t.Errorf("mobile: %d %s", mobile.status, mobile.body)
	}
	if 10*len(mobile.body) > 4*len(web.body) {
		t.Errorf("the view of mobiles has %d of %d bytes", len(mobile.body), len(web.body))
	}
	g.described(t, routes)
}

// described: the document that is made of each view fits what the view answers,
// and not what the other does.
func (g *gateway) described(t *testing.T, routes string) {
	t.Helper()
	for _, name := range []string{"home-web", "home-mobile"} {
		doc, errs, code := g.sluice("openapi", "view", name, "-c", g.file())
		if code != 0 || !strings.Contains(doc, `"openapi": "3.1.0"`) {
			t.Fatalf("the document of %s: %d %s", name, code, errs)
		}
		g.write(name+".json", []byte(doc))
	}
	held := func(path, document, more string) string {
		return fmt.Sprintf("  - {name: %s, match: {path: /%s/**}, backend: {http: {targets: [\"http://%s\"], strip_prefix: /%s}}, validate: {openapi: %s.json, response: true}%s}\n",
			path, path, g.listen, path, document, more)
	}
	g.configure(head + routes + held("web", "home-web", "") + held("mobile", "home-mobile", "") +
		held("mixed", "home-mobile", ", transform: {request: {headers: {remove: [x-client]}}}"))
	if r := g.api("POST", "reload", ""); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	for _, c := range []struct {
		path, client string
		status       int
		want         string
	}{
		{"/web/home/7", "", 200, `"email":"ann@example.com"`},
		{"/mobile/home/7", "mobile", 200, `"total":19.50`},
		{"/mobile/home/7", "", 422, "x-client"},
		{"/mixed/home/7", "mobile", 502, "/user"}, // what browsers are answered
	} {
		if r := g.data("GET", c.path, "", "X-Client", c.client); r.status != c.status || !strings.Contains(r.body, c.want) {
			t.Errorf("%s for %q: %d %s", c.path, c.client, r.status, r.body)
		}
	}
}
