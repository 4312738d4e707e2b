package console

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"sluice/billing"
	"sluice/gateway/admin"
)

// browser keeps the cookie, as browsers do.
type browser struct {
	t       *testing.T
	handler http.Handler
	cookie  *http.Cookie
	header  http.Header
}

func (b *browser) do(method, path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:8081"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, values := range b.header {
		r.Header[name] = values
	}
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	rec := httptest.NewRecorder()
	b.handler.ServeHTTP(rec, r)
	for _, c := range rec.Result().Cookies() {
		b.cookie = c
		if c.MaxAge < 0 {
			b.cookie = nil
		}
	}
	return rec
}

// form is a form as a page of ours has it: with the word against forgeries.
func (b *browser) form(values url.Values) url.Values {
	if values == nil {
		values = url.Values{}
	}
	sum := sha256.Sum256([]byte("form " + b.cookie.Value))
	values.Set("csrf", hex.EncodeToString(sum[:16]))
	return values
}

// want sends a GET and wants a status and parts of the page.
func (b *browser) want(path string, status int, parts ...string) string {
	b.t.Helper()
	rec := b.do("GET", path, nil)
	body := rec.Body.String()
	if rec.Code != status {
		b.t.Fatalf("GET %s: %d, want %d: %s", path, rec.Code, status, body)
	}
	for _, part := range parts {
		if !strings.Contains(body, part) {
			b.t.Errorf("GET %s: %q is missing in %s", path, part, body)
		}
	}
	return body
}

// signedIn is a browser with a session of the role of a token.
func signedIn(t *testing.T, c *Console, token string) *browser {
	t.Helper()
	b := &browser{t: t, handler: c}
	if rec := b.do("POST", "/sign-in", url.Values{"token": {token}}); rec.Code != 200 || b.cookie == nil {
		t.Fatalf("sign-in: %d %s", rec.Code, rec.Body)
	}
	return b
}

func TestOverview(t *testing.T) {
	b := signedIn(t, newWorld().console(), "secret")
	page := b.want("/", 200, "1,230", "1.23M tokens in, 88.0k out", "$85.00", "research", "sales/crm", "(none)", "/sentiment", "sentiment</a><span class=\"soft\">@3</span>",
		"degraded", "1 of 2", "1 of 1", "none used", "runs out in 3 days, resets in 6 days", "curl http://127.0.0.1:8080/v1/chat/completions", "Sluice 1.2.3",
		"13:00: 50", "02:00: $0.2500", "×51", "spend of 24 hours", "The breaker of openai/o3 is open", "The budget of sales/crm is spent: $1.00", "4 calls of fast failed with 502 Bad Gateway",
		"disk is nearly full", `href="/requests?from=2026-11-23T14%3A00&amp;model=fast&amp;status=502"`, "0.3 % of the calls", "within 250 ms", `<polyline points="10,`, "How to make a call")
	if strings.Contains(page, "Make a first call") {
		t.Error("who has called already needs no first call")
	}
	if n := strings.Count(page, "<title>"); n != 97 {
		t.Errorf("%d titles, want the page's and one for each of 24 hours in 4 charts", n)
	}
}

func TestOverviewWhenNothingWasCalled(t *testing.T) {
	w := newWorld()
	w.rows, w.total, w.view, w.health = nil, billing.Sums{}, admin.View{}, admin.Health{}
	signedIn(t, w.console(), "secret").want("/", 200, "Nothing was called yet", "Nothing was called in the last 24 hours", "Nothing: every call was answered", "No team and no key has a budget", "$0")
}

func TestLedgerInTheWay(t *testing.T) {
	w := newWorld()
	w.err = errors.New("disk /var gone")
	if page := signedIn(t, w.console(), "secret").want("/", 503, "the log tells why"); strings.Contains(page, "/var") {
		t.Error("the page tells the cause")
	}
}

func TestTeamOwnerSeesItsTeamOnly(t *testing.T) {
	w := newWorld()
	page := signedIn(t, w.console(), "mine").want("/", 200, "team-owner of research")
	for _, other := range []string{"sales/crm", "openai", "/sentiment"} {
		if strings.Contains(page, other) {
			t.Errorf("the page shows %q", other)
		}
	}
	for _, q := range w.asked {
		if q.Team != "research" {
			t.Errorf("asked about team %q", q.Team)
		}
	}
}

// Names that callers chose are shown as they are, and never become markup.
func TestNamesAreEscaped(t *testing.T) {
	w := newWorld()
	evil := `<script>alert(1)</script>"'><img src=x onerror=alert(1)>`
	w.rows["model"] = []billing.Row{{Values: []string{evil}, Sums: billing.Sums{Calls: 1, USD: 1}}}
	w.rows["team"] = w.rows["model"]
	w.view.Prompts[0].Summary, w.view.Prompts[0].Path = evil, evil
	w.view.Providers[0].State = evil
	w.view.Budgets[0].Owner.Team = evil
	page := signedIn(t, w.console(), "secret").want("/", 200, "&lt;script&gt;")
	for _, bad := range []string{"<script", "<img src=x", `"'>`} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
}

func TestHeadersAndAssets(t *testing.T) {
	b := &browser{t: t, handler: newWorld().console()}
	for path, kind := range map[string]string{"/sign-in": "text/html; charset=utf-8", "/assets/console.css": "text/css; charset=utf-8", "/assets/icon.svg": "image/svg+xml"} {
		rec := b.do("GET", path, nil)
		h := rec.Header()
		if rec.Code != 200 || h.Get("Content-Type") != kind || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", path, rec.Code, h)
		}
		csp := h.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || !strings.Contains(csp, "script-src 'self';") || strings.Contains(csp, "*") || strings.Contains(csp, "http") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: policy %q", path, csp)
		}
	}
	for _, path := range []string{"/assets/", "/assets/overview.html", "/nothing"} {
		b.want(path, 404, "There is no page")
	}
}

// What the policy would block must not be on the pages, nor anything from
// elsewhere, nor links to pages that are not there.
func TestPagesNeedNothingElse(t *testing.T) {
	b := signedIn(t, newWorld().console(), "secret")
	pages := []string{(&browser{t: t, handler: b.handler}).want("/sign-in", 200)}
	for _, path := range []string{"/", "/requests", "/requests/c1", "/requests/c2", "/teams", "/teams/research", "/teams/sales", "/models?explain=fast", "/prompts",
		"/prompts/sentiment?from=1&to=2", "/prompts-new?name=x", "/reports", "/reports?by=team&across=model", "/cache", "/guards", "/routes", "/settings"} {
		pages = append(pages, b.want(path, 200))
	}
	looked := map[string]bool{}
	for _, page := range pages {
		page = strings.ReplaceAll(page, `<script src="/assets/live.js" type="module"></script>`, "")
		for _, bad := range []string{"<script", " style=", "<style", " onclick", "javascript:", "src=\"http", "href=\"http", "<no value>"} {
			if strings.Contains(page, bad) {
				t.Errorf("the page holds %q", bad)
			}
		}
		for _, part := range strings.Split(page, `href="`)[1:] {
			target, _, _ := strings.Cut(part, `"`)
			target = html.UnescapeString(target)
			if looked[target] || target == "/metrics" || strings.HasPrefix(target, "#") { // the admin API's, or of the page itself
				continue
			}
			looked[target] = true
			b.want(target, 200)
		}
	}
}

func ExampleConsole_OneTimeLink() {
	w := newWorld()
	link := w.console().OneTimeLink()
	fmt.Println(strings.HasPrefix(link, "/sign-in?token="), len(link) > 60)
	// Output: true true
}
