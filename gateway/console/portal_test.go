package console

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sluice/billing"
	"sluice/gateway/admin"
	"sluice/gateway/audit"
	"sluice/prompts"
)

// wares is what the portal of the tests offers.
type wares struct {
	*world
	keys   map[[32]byte]*billing.Key
	offers []Offer
	wait   time.Duration
	wrong  int
	ip     string // the only address that keys may be used from; empty: any
	oidc   func() *OIDC
}

func newWares(t *testing.T, sources map[string]string) *wares {
	t.Helper()
	w := &wares{world: newWorld(), keys: map[[32]byte]*billing.Key{}}
	k := w.view.Keys[0] // of research
	k.Hash = billing.HashKey("sk-of-research")
	w.view.Keys[0], w.keys[k.Hash] = k, &k
	for name, source := range sources {
		tmpl, faults := prompts.Parse(name, []byte(source), prompts.ParseOptions{})
		if faults != nil {
			t.Fatal(faults)
		}
		w.offers = append(w.offers, Offer{Prompt: &prompts.Live{Name: name, Version: 2, Template: tmpl, Path: "/prompts/" + name}})
	}
	return w
}

func (w *wares) portal() *Portal {
	var api http.Handler
	quiet := slog.New(slog.DiscardHandler)
	trail := &audit.Trail{Store: &w.trail, Now: func() time.Time { return w.now }, Log: quiet}
	admin.New(admin.Options{View: func() admin.View { return w.view }, Tenants: w.world, Ledger: w.world, Now: func() time.Time { return w.now }, Trail: trail,
		Changed: func(context.Context) error { return nil }, Flush: func(context.Context) error { return nil },
		PromptOptions: admin.PromptOptions{Subscriptions: noSubscriptions{}},
		Console:       func(h http.Handler) http.Handler { api = h; return h }})
	return NewPortal(PortalOptions{Cookie: "sluice_portal", Face: Face{API: api, Trail: trail, OIDC: w.oidc, Version: "1.2.3", Now: func() time.Time { return w.now }, Log: quiet},
		Member: func(hash [32]byte, ip string) *Member {
			k := w.keys[hash]
			if k == nil || w.ip != "" && ip != w.ip {
				return nil
			}
			return &Member{Key: k, Offers: func() []Offer { return w.offers }, Routes: func() []RouteOffer {
				return []RouteOffer{{Route: admin.Route{Name: "orders", Match: admin.RouteMatch{Path: "/orders"}, Auth: []string{"key"}}, Refused: "team 'research' has not subscribed to it"}}
			}}
		},
		Wrong:    func(string) time.Duration { w.wrong++; return w.wait },
		Versions: func(context.Context, string) ([]prompts.Version, error) { return w.versions(), nil },
		Public:   func() []Offer { return nil }})
}

func (w *wares) versions() []prompts.Version {
	return []prompts.Version{{N: 1, Created: w.now.Add(-time.Hour), Message: "first words"}, {N: 2, Created: w.now, Message: "better words"}, {N: 3, Created: w.now, Message: "not yet served"}}
}

// noSubscriptions is a store in which nobody has applied.
type noSubscriptions struct{}

func (noSubscriptions) Subscriptions(context.Context) ([]prompts.Subscription, error) {
	return nil, nil
}

// visitor is a browser in which a key has signed in.
func visitor(t *testing.T, p *Portal) *browser {
	t.Helper()
	b := &browser{t: t, handler: p}
	if rec := b.do("POST", "/portal/sign-in", url.Values{"key": {"sk-of-research"}}); rec.Code != 200 || b.cookie == nil {
		t.Fatalf("sign-in: %d %s", rec.Code, rec.Body)
	}
	return b
}

const moody = "---\nmodel: mock/echo\ninput: {schema: {text: \"string, what to judge\", tone(enum): [formal, casual]}}\nsluice.summary: Tell the mood\nsluice.tags: [text]\n---\n{{text}}"

var portalPages = []string{"/portal", "/portal?q=mood+text", "/portal/apis/mood", "/portal/apis/orders?kind=api", "/portal/keys", "/portal/usage", "/portal/usage?of=team",
	"/portal/subscriptions", "/portal/changes", "/docs"}

func TestPortalPages(t *testing.T) {
	w := newWares(t, map[string]string{"mood": moody})
	b := visitor(t, w.portal())
	for path, parts := range map[string][]string{
		"/portal":                      {"Tell the mood", "text 1", "needs a subscription", "research/ci"},
		"/portal?q=nothing":            {"Nothing matches"},
		"/portal/apis/mood":            {"what to judge", "Bearer sk-of-research", `data-path="/portal/try/prompts/mood"`, "better words", "<option selected>formal</option>", "http://127.0.0.1:8081/prompts/mood"},
		"/portal/apis/orders?kind=api": {"Your team needs an approved subscription first", "Subscribe"},
		"/portal/keys":                 {"sk-sl-research", "this one", "Make the key"},
		"/portal/usage":                {"key research/ci", "1,230", "$85.00"},
		"/portal/changes":              {"first words", "better words"},
		"/docs":                        {"POST /prompts/mood", "one of formal, casual", "422 Unprocessable Entity"},
	} {
		page := b.want(path, 200, parts...)
		if strings.Contains(page, "not yet served") {
			t.Errorf("%s tells of a version that nobody gets", path)
		}
	}
	b.want("/portal/apis/none", 404, "nothing of this name")
	if page := b.want("/portal/keys", 200); strings.Contains(page, "sk-sl-sales") {
		t.Error("the page shows another team's key")
	}
	for _, q := range w.asked {
		if q.Team != "research" {
			t.Errorf("asked about team %q", q.Team)
		}
	}
}

// What the policy would block must not be on the pages, nor anything from
// elsewhere; the policy and the guards against framing stand on all of them.
func TestPortalPagesNeedNothingElse(t *testing.T) {
	evil := `\"><script>alert(1)</script><img src=x onerror=alert(1)>`
	source := "---\nmodel: mock/echo\ndescription: \"" + evil + "\"\ninput: {schema: {text: \"string, " + evil + "\"}, default: {text: \"" + evil + "\"}}\nsluice.summary: \"" + evil + "\"\nsluice.tags: [\"" + evil[:30] + "\"]\n---\n{{text}}"
	w := newWares(t, map[string]string{"mood": source})
	w.rows["prompt,model"] = []billing.Row{{Values: []string{`<script>alert(1)</script>`, `"><img src=x>`}}}
	b := visitor(t, w.portal())
	for _, path := range append(portalPages, "/portal?q=%22%3E%3Cscript%3E", "/portal/sign-in", "/portal/none%3Cscript%3E") {
		rec := b.do("GET", path, nil)
		page := strings.ReplaceAll(rec.Body.String(), `<script src="/portal/assets/try.js" type="module"></script>`, "")
		for _, bad := range []string{"<script", "<img src=x", " style=", "<style", " onclick", "javascript:", `src="http`, `href="http`, "<no value>"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s holds %q", path, bad)
			}
		}
		h := rec.Header()
		if h.Get("Content-Security-Policy") != policy || h.Get("X-Frame-Options") != "DENY" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

func TestPortalSignIn(t *testing.T) {
	w := newWares(t, nil)
	p := w.portal()
	b := &browser{t: t, handler: p}
	for _, path := range portalPages {
		if rec := b.do("GET", path, nil); rec.Code != 303 && path != "/docs" && path != "/portal/changes" && path != "/portal?q=mood+text" || b.cookie != nil {
			t.Errorf("%s without a session: %d", path, rec.Code)
		}
	}
	for _, form := range []url.Values{{"key": {"wrong"}}, {"key": {""}}, {}} {
		if rec := b.do("POST", "/portal/sign-in?key=sk-of-research", form); rec.Code != 401 || b.cookie != nil {
			t.Errorf("%v: %d", form, rec.Code)
		}
	}
	w.wait = 90 * time.Second
	if rec := b.do("POST", "/portal/sign-in", url.Values{"key": {"wrong"}}); rec.Code != 429 || rec.Header().Get("Retry-After") != "90" || w.wrong != 4 {
		t.Errorf("too many: %d %v, told of %d", rec.Code, rec.Header(), w.wrong)
	}
	// Whoever brings a session's name along gets another one.
	b.cookie = &http.Cookie{Name: "sluice_portal", Value: "planted"}
	rec := b.do("POST", "/portal/sign-in", url.Values{"key": {" sk-of-research "}})
	for _, c := range rec.Result().Cookies() {
		if c.Value == "planted" || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || c.Path != "/portal" && c.Path != "/docs" || strings.Contains(c.Value, "sk-of") {
			t.Errorf("cookie %+v", c)
		}
	}
	if p.Key("planted", csrfWord("planted")) != "" || p.Key(b.cookie.Value, "") != "" || p.Key(b.cookie.Value, csrfWord(b.cookie.Value)) != "sk-of-research" {
		t.Error("the key is for who has the session and its word")
	}
	old := b.cookie
	w.ip = "10.0.0.1"
	b.want("/portal/keys", 303)
	w.ip = ""
	b.want("/portal/keys", 200)
	b.do("POST", "/portal/sign-out", b.form(nil))
	b.cookie = old
	b.want("/portal/keys", 303)
	b = visitor(t, p)
	w.now = w.now.Add(sessionLife)
	b.want("/portal/keys", 303)
	b = visitor(t, p)
	clear(w.keys) // revoked
	b.want("/portal/keys", 303)
}

func TestPortalCookieIsSecureUnderTLS(t *testing.T) {
	r := httptest.NewRequest("POST", "https://127.0.0.1/portal/sign-in", strings.NewReader("key=sk-of-research"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	newWares(t, nil).portal().ServeHTTP(rec, r)
	list := rec.Result().Cookies()
	if len(list) != 2 || !list[0].Secure || !list[1].Secure {
		t.Errorf("%v", list)
	}
}

// Nobody is sent to another site.
func TestPortalSendsNobodyAway(t *testing.T) {
	for address, want := range map[string]string{
		"/portal/keys": "/portal/keys", "/docs": "/docs", "/portal/apis/a?kind=api": "/portal/apis/a?kind=api", "": "/portal", "/": "/portal",
		"//evil.example/portal/keys": "/portal", "https://evil.example/portal/": "/portal", `/portal/\evil.example`: "/portal", `\\evil.example`: "/portal",
		"/portal//evil.example": "/portal", "/portal/../x": "/portal", "/portalx": "/portal", "javascript:alert(1)": "/portal", "/portal/sign-out": "/portal",
		"/portal/a\nb": "/portal", "/portal/%0d%0aSet-Cookie:x": "/portal/%0d%0aSet-Cookie:x", "http:/portal/x": "/portal", "/prompts/x": "/portal", "/portal/keys#x": "/portal/keys",
	} {
		if got := local(address); got != want {
			t.Errorf("%q leads to %q, want %q", address, got, want)
		}
	}
	b := &browser{t: t, handler: newWares(t, nil).portal()}
	rec := b.do("POST", "/portal/sign-in", url.Values{"key": {"sk-of-research"}, "next": {"https://evil.example/"}})
	if body := rec.Body.String(); rec.Code != 200 || strings.Contains(body, "evil") || !strings.Contains(body, `content="0;url=/portal"`) {
		t.Errorf("%d %s", rec.Code, body)
	}
}

// Every form needs the word of the session, and other sites may send none.
func TestPortalForms(t *testing.T) {
	w := newWares(t, map[string]string{"mood": moody})
	p := w.portal()
	b := visitor(t, p)
	for _, r := range p.routes {
		method, path, _ := strings.Cut(r.pattern, " ")
		if method != "POST" {
			continue
		}
		path = strings.ReplaceAll(path, "{id}", "key_r")
		if rec := b.do("POST", path, url.Values{"csrf": {"0"}}); rec.Code != 403 {
			t.Errorf("%s without the word: %d", path, rec.Code)
		}
		b.header = http.Header{"Sec-Fetch-Site": {"cross-site"}}
		if rec := b.do("POST", path, b.form(nil)); rec.Code != 403 {
			t.Errorf("%s from another site: %d", path, rec.Code)
		}
		b.header = nil
	}
	if rec := b.do("POST", "/portal/keys", b.form(url.Values{"name": {"a b"}})); rec.Code != 400 || !strings.Contains(rec.Body.String(), `id="key-name-fault"`) {
		t.Errorf("a bad name: %d %s", rec.Code, rec.Body)
	}
	rec := b.do("POST", "/portal/keys", b.form(url.Values{"name": {"child"}, "rpm": {"5"}}))
	if rec.Code != 201 || !strings.Contains(rec.Body.String(), `id="secret">sk-sl-`) {
		t.Errorf("a key: %d %s", rec.Code, rec.Body)
	}
	if k := w.view.Keys[len(w.view.Keys)-1]; k.Account != "key_r" || k.Team != "research" || k.Limits.RPM != 5 {
		t.Errorf("made %+v", k)
	}
	if rec := b.do("POST", "/portal/keys/key_s/revoke", b.form(nil)); rec.Code != 404 && !strings.Contains(rec.Body.String(), "there is no key") {
		t.Errorf("another team's key: %d %s", rec.Code, rec.Body)
	}
}

// What cannot stand in a program as it is, is not put into one.
func TestFilledSamples(t *testing.T) {
	list := []sample{{"curl", `curl "$SLUICE_URL/x" -H "Authorization: Bearer $SLUICE_KEY" -d '$SLUICE_KEY'`}, {"Python", `os.environ["SLUICE_URL"] + os.environ["SLUICE_KEY"]`}}
	out := filled(list, "https://a.example:8080", "sk-1")
	if out[0].Source != `curl "https://a.example:8080/x" -H "Authorization: Bearer sk-1" -d '$SLUICE_KEY'` || out[1].Source != `"https://a.example:8080" + "sk-1"` {
		t.Errorf("%v", out)
	}
	if out := filled(list, `http://a"; rm -rf /`, "sk-\"$(id)"); out[0] != list[0] || out[1] != list[1] {
		t.Errorf("%v", out)
	}
}

func (noSubscriptions) Subscribe(context.Context, prompts.Subscription) error { return nil }

func (noSubscriptions) Step(context.Context, string, prompts.SubscriptionStatus, prompts.SubscriptionStep) error {
	return nil
}
