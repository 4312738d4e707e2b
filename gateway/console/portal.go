package console

import (
	"context"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	urlpath "path"
	"strings"
	"time"

	"sluice/billing"
	"sluice/gateway/admin"
	"sluice/prompts"
)

// PortalOptions are what the portal is made of. All functions may be called at
// once.
type PortalOptions struct {
	Face   Face   // its API is asked as the holder of a key, or as a person of a team
	Cookie string // name of the session's
	// Member is who has a key of this hash, if it may be used from an address;
	// nil: nobody.
	Member func(hash [32]byte, ip string) *Member
	// Person is a user of a team; nil: there is no such team.
	Person func(team, user string) *Member
	// Wrong is told of a wrong key, and says how long its address must wait.
	Wrong    func(ip string) time.Duration
	Versions func(ctx context.Context, prompt string) ([]prompts.Version, error)
	// Public are the prompts that who has no key may see.
	Public func() []Offer
}

// Member is who signed in to the portal: whoever has the key, or a person.
type Member struct {
	Key    *billing.Key // of a person: none, but its team and user
	Plans  []string
	Offers func() []Offer
	Routes func() []RouteOffer
	teams  []string // of a person, the one that is chosen first
	called string
}

// Offer is a prompt that somebody may call or subscribe to.
type Offer struct {
	Prompt        *prompts.Live
	Refused       string // why it may not be called; empty: it may
	Subscription  string // state of the team's; empty: it has none
	Input, Output billing.Nano
	Priced        bool // Input and Output are the dollars of a million tokens
}

// RouteOffer is a route that somebody may call or subscribe to.
type RouteOffer struct {
	admin.Route
	Refused      string
	Subscription string
}

// Portal serves the pages. It is safe for concurrent use.
type Portal struct {
	PortalOptions
	face
	routes  []portalRoute
	handler http.Handler
}

// portalRoute is a page of the portal, or what a form of one is sent to.
type portalRoute struct {
	pattern string
	name    string // in the navigation; empty: it does not stand there
	open    bool   // to those who have not signed in
	serve   func(*portalVisit) error
}

var portalRoutes = []portalRoute{
	{"GET /portal", "Catalogue", true, (*portalVisit).catalogue},
	{"GET /portal/apis/{name}", "", true, (*portalVisit).api},
	{"GET /portal/keys", "Keys", false, (*portalVisit).keys},
	{"POST /portal/keys", "", false, (*portalVisit).createKey},
	{"POST /portal/keys/{id}/rotate", "", false, (*portalVisit).rotateKey},
	{"POST /portal/keys/{id}/revoke", "", false, (*portalVisit).revokeKey},
	{"GET /portal/usage", "Usage", false, (*portalVisit).usage},
	{"GET /portal/subscriptions", "Subscriptions", false, (*portalVisit).subscriptions},
	{"POST /portal/subscriptions", "", false, (*portalVisit).subscribe},
	{"POST /portal/subscriptions/{id}/withdraw", "", false, (*portalVisit).withdraw},
	{"GET /portal/changes", "Changes", true, (*portalVisit).changes},
	{"GET /portal/openapi.json", "", true, (*portalVisit).openAPI},
	{"GET /docs", "Reference", true, (*portalVisit).docs},
	{"POST /portal/team", "", false, (*portalVisit).chooseTeam},
	{"POST /portal/sign-out", "", false, (*portalVisit).signOut},
}

// PortalPages are the patterns of all pages of the portal, as net/http has them.
func PortalPages() []string {
	out := []string{"GET /portal/sign-in"}
	for _, r := range portalRoutes {
		if strings.HasPrefix(r.pattern, "GET ") {
			out = append(out, r.pattern)
		}
	}
	return out
}

// portalDone is what a page says after a form that went well sent the browser
// there.
var portalDone = map[string]string{
	"revoked":    "The key is revoked.",
	"subscribed": "Your team has applied. Calls are answered once it is approved.",
	"withdrawn":  "The application is taken back.",
}

// NewPortal makes a portal in which nobody is signed in.
func NewPortal(o PortalOptions) *Portal {
	p := &Portal{PortalOptions: o, routes: portalRoutes}
	p.face = face{Face: o.Face.withDefaults(), base: "/portal", cookie: o.Cookie, paths: portalPaths, secret: "key", identify: p.identify}
	p.pages = template.Must(template.New("").Funcs(p.words()).ParseFS(assets, "assets/frame.html", "assets/error.html", "assets/welcome.html", "assets/portal/*.html"))
	mux := http.NewServeMux()
	for _, r := range portalRoutes {
		mux.HandleFunc(r.pattern, func(w http.ResponseWriter, req *http.Request) { p.visit(w, req, r) })
	}
	mux.HandleFunc("GET /portal/sign-in", p.signInPage)
	mux.HandleFunc("POST /portal/sign-in", p.signIn)
	p.handle(mux, map[string]string{"console.css": "console.css", "icon.svg": "icon.svg", "try.js": "portal/try.js"})
	p.handler = http.NewCrossOriginProtection().Handler(mux)
	return p
}

// ServeHTTP serves a page.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	protect(w.Header())
	p.handler.ServeHTTP(w, r)
}

// portalVisit is one request to the portal.
type portalVisit struct {
	*http.Request
	asker
	p      *Portal
	w      http.ResponseWriter
	member *Member // nil: nobody is signed in
	csrf   string
}

// visit serves a route to who is signed in, and to others what is open.
func (p *Portal) visit(w http.ResponseWriter, r *http.Request, at portalRoute) {
	v := &portalVisit{Request: r, p: p, w: w, member: p.who(r)}
	if v.member == nil && !at.open {
		next := "/portal"
		if r.Method == http.MethodGet {
			next = r.URL.RequestURI()
		}
		v.toSignIn(next)
		return
	}
	if v.member != nil {
		v.csrf = csrfOf(r, p.Cookie)
		v.asker = asker{p.API, r.Context(), memberOf(v.member.Key), r.RemoteAddr}
	}
	err := v.genuine()
	if err == nil {
		err = at.serve(v)
	}
	if err != nil {
		v.fail(err)
	}
}

func (v *portalVisit) toSignIn(next string) {
	http.Redirect(v.w, v.Request, "/portal/sign-in?next="+url.QueryEscape(local(next)), http.StatusSeeOther)
}

// genuine reads a form, and tells whether a page of this session sent it.
func (v *portalVisit) genuine() error {
	if v.Method != http.MethodPost {
		return nil
	}
	v.Body = http.MaxBytesReader(v.w, v.Body, maxForm)
	if err := v.ParseForm(); err != nil {
		return &problem{Status: http.StatusBadRequest, Detail: "The form could not be read."}
	}
	if !sameWord(v.PostForm.Get("csrf"), v.csrf) {
		return &problem{Status: http.StatusForbidden, Detail: "This form is of another session. Load the page again, then send it once more."}
	}
	if team := v.PostForm.Get("within"); team != "" && v.member != nil && team != v.member.Key.Team {
		return &problem{Status: http.StatusConflict, Detail: "This form is of the team " + team + ", and you have gone over to " + v.member.Key.Team + " since. Load the page again, then send it once more."}
	}
	return nil
}

// show writes a page with what every page has.
func (v *portalVisit) show(status int, name string, pg page) error {
	pg.Who, pg.CSRF = v.who, v.csrf
	if v.member != nil {
		pg.Called, pg.Teams = v.member.called, v.member.teams
	}
	if pg.Done == "" {
		pg.Done = portalDone[v.URL.Query().Get("done")]
	}
	for _, r := range v.p.routes {
		_, at, _ := strings.Cut(r.pattern, " ")
		if r.name != "" && (r.open || v.member != nil) {
			pg.Nav = append(pg.Nav, link{r.name, at, v.URL.Path == at || at == "/portal" && strings.HasPrefix(v.URL.Path, "/portal/apis/")})
		}
	}
	v.p.render(v.w, status, name, pg)
	return nil
}

func (v *portalVisit) goTo(path, what string) error {
	http.Redirect(v.w, v.Request, path+"?done="+what, http.StatusSeeOther)
	return nil
}

// fail shows an error instead of the page.
func (v *portalVisit) fail(err error) {
	var p *problem
	if !errors.As(err, &p) {
		v.p.Log.Error("portal page failed", "path", v.URL.Path, "error", err)
		p = &problem{Status: http.StatusInternalServerError, Detail: "The page could not be made. The log tells why."}
	}
	_ = v.show(p.Status, "error.html", page{Title: http.StatusText(p.Status), Error: p.Error()})
}

// local is a page of the portal that an address names, and the catalogue where
// it names anything else: nobody is sent to another site.
func local(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || u.Opaque != "" || strings.ContainsAny(address, "\\\r\n\t") || urlpath.Clean(u.Path) != u.Path {
		return "/portal"
	}
	if u.Path != "/docs" && !strings.HasPrefix(u.Path, "/portal/") || strings.HasPrefix(u.Path, "/portal/sign-") {
		return "/portal"
	}
	u.Fragment = ""
	return u.String()
}
