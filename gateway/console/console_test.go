package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sluice/billing"
	"sluice/gateway/admin"
	"sluice/router"
)

// world is what the console looks at.
type world struct {
	billing.Ledger // what is not written here is not asked
	now            time.Time
	tokens         []admin.Token
	view           admin.View
	rows           map[string][]billing.Row // by the dimension asked for
	total          billing.Sums
	err            error
	asked          []billing.Query
}

func (w *world) Usage(_ context.Context, q billing.Query) (*billing.Report, error) {
	w.asked = append(w.asked, q)
	r := &billing.Report{GroupBy: q.GroupBy, Total: w.total}
	if len(q.GroupBy) > 0 {
		r.Rows = w.rows[q.GroupBy[0]]
	}
	return r, w.err
}

func newWorld() *world {
	row := func(name string, calls int64, usd billing.Nano) billing.Row {
		return billing.Row{Values: []string{name}, Sums: billing.Sums{Calls: calls, USD: usd}}
	}
	runsOut := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	return &world{
		now:    time.Date(2026, 11, 24, 13, 45, 30, 0, time.UTC),
		tokens: []admin.Token{admin.NewToken("secret", admin.RoleAdmin, ""), admin.NewToken("mine", admin.RoleTeamOwner, "research")},
		view: admin.View{
			Budgets: []billing.BudgetStatus{
				{Owner: billing.OwnerName{Team: "research"}, Budget: billing.Budget{USD: 100 * billing.Dollar, Per: "month", Hard: true}, Limit: int64(100 * billing.Dollar), Spent: int64(83 * billing.Dollar), Resets: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), RunsOut: &runsOut},
				{Owner: billing.OwnerName{Key: "sales/crm"}, Budget: billing.Budget{USD: billing.Dollar, Per: "total"}, Limit: int64(billing.Dollar), Spent: int64(2 * billing.Dollar)},
			},
			Providers: []admin.Provider{
				{Name: "openai", Kind: "openai", Targets: []router.TargetStatus{{ID: "openai/gpt-4o", State: "closed"}, {ID: "openai/o3", State: "open"}}, Keys: []router.SecretStatus{{State: "ready"}}},
				{Name: "mock", Kind: "mock"},
			},
			Prompts: []admin.Prompt{{Name: "sentiment", Path: "/sentiment", Version: 3, Model: "fast", Summary: "Tell how a customer feels"}},
		},
		rows: map[string][]billing.Row{
			"team":   {row("research", 1200, 83*billing.Dollar), row("sales", 30, 2*billing.Dollar)},
			"model":  {row("fast", 900, 40*billing.Dollar), row("", 3, 0)},
			"prompt": {row("sentiment", 77, billing.Dollar/2)},
			"hour":   {row("2026-11-24T13:00:00Z", 50, billing.Dollar), row("2026-11-24T02:00:00Z", 25, billing.Dollar/4)},
		},
		total: billing.Sums{Calls: 1230, Errors: 4, Refused: 9, InputTokens: 1_234_567, OutputTokens: 88_000, USD: 85 * billing.Dollar},
	}
}

func (w *world) console() *Console {
	return New(Options{
		Tokens: func() []admin.Token { return w.tokens }, View: func() admin.View { return w.view }, Ledger: w,
		Flush: func(context.Context) error { return nil }, DataURL: "http://127.0.0.1:8080", Version: "1.2.3",
		Now: func() time.Time { return w.now }, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
}

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
	page := b.want("/", 200, "1,230", "1.32M", "$85.00", "research", "sales/crm", "(none)", "/sentiment", "sentiment<span class=\"soft\">@3</span>",
		"degraded", "1 of 2", "1 of 1", "none used", "runs out in 3 days, resets in 6 days", "curl http://127.0.0.1:8080/v1/chat/completions", "Sluice 1.2.3",
		"13:00: 50 calls, $1.00", "November 2026", "How to make a call")
	if strings.Contains(page, "Make a first call") {
		t.Error("who has called already needs no first call")
	}
	if n := strings.Count(page, "<title>"); n != 25 {
		t.Errorf("%d titles, want the page's and one for each of 24 hours", n)
	}
}

func TestOverviewWhenNothingWasCalled(t *testing.T) {
	w := newWorld()
	w.rows, w.total, w.view = nil, billing.Sums{}, admin.View{}
	signedIn(t, w.console(), "secret").want("/", 200, "Make a first call", "Nothing yet this month", "No team and no key has a budget", "$0")
}

func TestLedgerInTheWay(t *testing.T) {
	w := newWorld()
	w.err = errors.New("disk /var gone")
	if page := signedIn(t, w.console(), "secret").want("/", 503, "ledger"); strings.Contains(page, "/var") {
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
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "script-src") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: policy %q", path, csp)
		}
	}
	for _, path := range []string{"/assets/", "/assets/overview.html", "/nothing", "/requests"} {
		b.want(path, 404, "There is no page")
	}
}

// What the policy would block must not be on the pages, nor anything from
// elsewhere, nor links to pages that are not there.
func TestPagesNeedNothingElse(t *testing.T) {
	b := signedIn(t, newWorld().console(), "secret")
	for _, page := range []string{b.want("/", 200), (&browser{t: t, handler: b.handler}).want("/sign-in", 200)} {
		for _, bad := range []string{"<script", " style=", "<style", " onclick", "javascript:", "src=\"http", "href=\"http"} {
			if strings.Contains(page, bad) {
				t.Errorf("the page holds %q", bad)
			}
		}
		for _, part := range strings.Split(page, `href="`)[1:] {
			target, _, _ := strings.Cut(part, `"`)
			if target == "/metrics" { // the admin API's
				continue
			}
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
