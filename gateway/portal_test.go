package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/billing"
	"sluice/gateway"
	"sluice/gateway/proxy"
	"sluice/prompts"
)

// mirror is a backend that answers with what it was sent.
type mirror struct{}

func (mirror) Kind() string { return "mirror" }

func (mirror) Serve(x *proxy.Exchange) error {
	x.RC.Response.SetBodyString(x.RC.Request.Header.String())
	return nil
}

// withPortal is a rig with a portal in which "open" is a session of the key
// "dev".
func withPortal(t *testing.T) *rig {
	r := newRig(t, func(s *setup) {
		s.prompts["greet"] = "---\nmodel: mock/echo\ninput: {schema: {text: string}}\n---\n{{text}}"
		s.prompts["closed"] = "---\nmodel: mock/echo\nsluice.access: subscribed\n---\nhi"
		s.prompts["free"] = "---\nmodel: mock/echo\nsluice.access: public\n---\nhi"
		s.key("dev", nil)
		s.key("one", func(k *billing.Key) { k.Prompts, k.IPs = []string{"greet"}, []string{"10.0.0.0/8"} })
		tree, err := proxy.NewTree([]*proxy.Route{
			{Name: "mirror", Match: proxy.Match{Path: "/mirror/**"}, Backend: mirror{}},
			{Name: "all", Match: proxy.Match{Path: "/**"}, Backend: mirror{}}})
		if err != nil {
			t.Fatal(err)
		}
		s.routes = tree
	})
	r.g.SetPortal(gateway.Portal{
		Pages: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			w.Header().Add("Set-Cookie", "a=1; Path=/portal")
			w.Header().Add("Set-Cookie", "a=1; Path=/docs")
			_, _ = fmt.Fprintf(w, "page %s?%s for %s, %v", q.URL.Path, q.URL.RawQuery, q.RemoteAddr, q.TLS != nil)
		}),
		Key: func(session, word string) string {
			if session == "open" && word == "word" {
				return "sk-test-dev"
			}
			return ""
		}})
	return r
}

func TestPortalPages(t *testing.T) {
	r := withPortal(t)
	for path, want := range map[string]string{"/portal": "page /portal? for 127.0.0.1, false", "/portal/apis/a%20b?kind=api": "page /portal/apis/a b?kind=api for 127.0.0.1, false",
		"/docs": "page /docs? for 127.0.0.1, false"} {
		if a := r.bare("GET", path, ""); a.body != want || len(a.header.Values("Set-Cookie")) != 2 {
			t.Errorf("%s: %q %v", path, a.body, a.header)
		}
	}
	for _, path := range []string{"/portals", "/docs/x"} { // a route's
		if a := r.bare("GET", path, ""); strings.HasPrefix(a.body, "page") {
			t.Errorf("%s: %q", path, a.body)
		}
	}
}

// A call from a page is one like any other, with the key of the session.
func TestPortalTries(t *testing.T) {
	r := withPortal(t)
	session := []string{"Cookie", "sluice_portal=open", "X-Sluice-Portal", "word"}
	a := r.bare("POST", "/portal/try/prompts/greet", `{"text":"good day"}`, append(session, "Accept", "text/event-stream", "Authorization", "Bearer sk-of-another")...)
	if a.status != 200 || !strings.Contains(a.body, "event: done") || !strings.Contains(a.body, `"cost":"0.00`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	r.settled()
	if e := r.entries(); len(e) != 1 || e[0].Key != "t/dev" || e[0].Prompt != "greet" {
		t.Errorf("recorded %+v", e)
	}
	a = r.bare("POST", "/portal/try/mirror/a?x=1", `{}`, session...)
	if a.status != 200 || !strings.HasPrefix(a.body, "POST /mirror/a?x=1 HTTP/1.1") || strings.Contains(a.body, "sluice_portal") || strings.Contains(strings.ToLower(a.body), "x-sluice-portal") {
		t.Errorf("a route is sent %d %q", a.status, a.body)
	}
	if a = r.bare("POST", "/portal/try/prompts/closed", `{}`, session...); a.status != 403 || !strings.Contains(a.body, "has not subscribed") {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, headers := range [][]string{nil, {"Cookie", "sluice_portal=open"}, {"Cookie", "sluice_portal=open", "X-Sluice-Portal", "x"}, {"X-Sluice-Portal", "word"},
		{"Authorization", "Bearer sk-test-dev"}} {
		if a := r.bare("POST", "/portal/try/prompts/greet", `{"text":"x"}`, headers...); a.status != 403 {
			t.Errorf("%v: %d %s", headers, a.status, a.body)
		}
	}
	for _, path := range []string{"/portal/try/portal/keys", "/portal/try/portal/try/prompts/greet", "/portal/try/docs", "/portal/try//portal/keys", "/portal/try/%70ortal/keys"} {
		if a := r.bare("GET", path, "", session...); a.status != 404 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

// Offers are what a key may call or its team subscribe to, and nothing else.
func TestPortalOffers(t *testing.T) {
	r := withPortal(t)
	member := func(name, ip string) *gateway.Caller { return r.g.Member(billing.HashKey("sk-test-"+name), ip) }
	names := func(c *gateway.Caller) string {
		var out []string
		for _, o := range r.g.Offers(c) {
			if (o.Refused == "") != (o.Prompt.Name != "closed") || o.Prices == nil {
				t.Errorf("%s: %q, prices %v", o.Prompt.Name, o.Refused, o.Prices)
			}
			out = append(out, o.Prompt.Name)
		}
		return strings.Join(out, " ")
	}
	if got := names(nil); got != "free" {
		t.Errorf("nobody sees %q", got)
	}
	dev := member("dev", "127.0.0.1")
	if got := names(dev); got != "closed free greet" {
		t.Errorf("a key sees %q", got)
	}
	dev.Subscriptions = map[string]*gateway.Subscription{"closed": {Status: prompts.SubscriptionPending}}
	if o := r.g.Offers(dev)[0]; o.Subscription != prompts.SubscriptionPending || !strings.Contains(o.Refused, "waits for approval") {
		t.Errorf("%+v", o)
	}
	if member("one", "127.0.0.1") != nil || member("none", "10.0.0.1") != nil {
		t.Error("a key that may not be used from here is nobody's")
	}
	if got := names(member("one", "10.1.1.1")); got != "greet" {
		t.Errorf("a key with grants sees %q", got)
	}
	if wait := r.g.WrongKey("127.0.0.1"); wait > time.Hour {
		t.Errorf("wait %v", wait)
	}
}
