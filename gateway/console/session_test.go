package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sluice/gateway/admin"
)

func TestLinkSignsInOnce(t *testing.T) {
	w := newWorld()
	c := w.console()
	link := c.OneTimeLink()
	first, second := &browser{t: t, handler: c}, &browser{t: t, handler: c}
	if rec := first.do("HEAD", link, nil); rec.Code != 200 || first.cookie != nil {
		t.Errorf("a look ahead (HEAD) must not use the link up: %d", rec.Code)
	}
	first.want(link, 200, `content="0;url=/"`)
	cookie := first.cookie
	if cookie == nil || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" {
		t.Fatalf("cookie %+v", cookie)
	}
	first.want("/", 200, "signed in as")
	second.want(link, 401, "used already")
	if second.cookie != nil {
		t.Error("the second use opened a session")
	}
}

func TestLinksAndSessionsEnd(t *testing.T) {
	w := newWorld()
	c := w.console()
	late := c.OneTimeLink()
	b := signedIn(t, c, "secret")
	w.now = w.now.Add(linkLife)
	(&browser{t: t, handler: c}).want(late, 401, "too old")
	b.want("/", 200)
	w.now = w.now.Add(sessionLife)
	b.want("/", 303)
}

func TestSignInByToken(t *testing.T) {
	w := newWorld()
	c := w.console()
	b := &browser{t: t, handler: c}
	if rec := b.do("GET", "/", nil); rec.Code != 303 || rec.Header().Get("Location") != "/sign-in" {
		t.Errorf("without a session: %d %v", rec.Code, rec.Header())
	}
	for _, form := range []url.Values{{"token": {"wrong"}}, {"token": {""}}, {}} {
		if rec := b.do("POST", "/sign-in", form); rec.Code != 401 || b.cookie != nil {
			t.Errorf("%v: %d", form, rec.Code)
		}
	}
	if rec := b.do("POST", "/sign-in?token=secret", nil); rec.Code != 401 {
		t.Errorf("a token in the URL of the form: %d", rec.Code)
	}
	if rec := b.do("POST", "/sign-in", url.Values{"token": {strings.Repeat("x", 1<<20)}}); rec.Code != 400 {
		t.Errorf("an endless form: %d", rec.Code)
	}
	b = signedIn(t, c, "secret")
	if rec := b.do("GET", "/sign-in", nil); rec.Code != 303 || rec.Header().Get("Location") != "/" {
		t.Errorf("signed in already: %d", rec.Code)
	}
	old := b.cookie
	if rec := b.do("POST", "/sign-out", b.form(nil)); rec.Code != 303 || b.cookie != nil {
		t.Errorf("sign-out: %d", rec.Code)
	}
	b.cookie = old
	b.want("/", 303)
}

// A session is worth no more than its token.
func TestSessionEndsWithItsToken(t *testing.T) {
	w := newWorld()
	b := signedIn(t, w.console(), "secret")
	w.tokens[0].Role, w.tokens[0].Team = admin.RoleTeamOwner, "sales"
	b.want("/", 200, "team-owner of sales")
	w.tokens = w.tokens[1:]
	b.want("/", 303)
}

func TestOtherSitesCannotPost(t *testing.T) {
	c := newWorld().console()
	b := signedIn(t, c, "secret")
	for _, header := range []http.Header{
		{"Sec-Fetch-Site": {"cross-site"}},
		{"Origin": {"https://evil.example"}},
	} {
		b.header = header
		for _, path := range []string{"/sign-out", "/sign-in"} {
			if rec := b.do("POST", path, url.Values{"token": {"secret"}}); rec.Code != 403 {
				t.Errorf("POST %s with %v: %d", path, header, rec.Code)
			}
		}
	}
	b.header = http.Header{"Sec-Fetch-Site": {"same-origin"}}
	b.want("/", 200)
}

func TestSessionsAreBounded(t *testing.T) {
	var s sessions
	now := time.Unix(0, 0)
	first := s.begin(session{}, now)
	for i := range mostSessions {
		s.begin(session{}, now.Add(time.Duration(i+1)*time.Second))
	}
	if len(s.open) != mostSessions {
		t.Errorf("%d sessions", len(s.open))
	}
	if _, ok := s.find(first, now); ok {
		t.Error("the one that ends first should have made room")
	}
	last := s.begin(session{}, now.Add(2*sessionLife))
	if _, ok := s.find(last, now.Add(2*sessionLife)); !ok || len(s.open) != 1 {
		t.Errorf("%d sessions after all others ended", len(s.open))
	}
}
