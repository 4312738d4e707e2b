package console

import (
	"bytes"
	"crypto/tls"
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"sluice/gateway/admin"
	"sluice/gateway/audit"
)

//go:embed assets
var assets embed.FS

// Options are what the console is made of. All functions may be called at once.
type Options struct {
	// API is the admin API: every figure of the pages is its answer, and every
	// change a request to it, made as who is signed in.
	API      http.Handler
	Tokens   func() []admin.Token  // in force
	Location func() *time.Location // nil: UTC
	OIDC     func() *OIDC          // in force; nil, or nil from it: nobody signs in so
	DataURL  string                // of the data plane, for calls
	DataTLS  *tls.Config           // how it is known; nil: it is not encrypted
	Version  string
	Trail    *audit.Trail               // has a record of every sign-in
	ClientIP func(*http.Request) string // nil: the peer
	Now      func() time.Time           // nil: time.Now
	Log      *slog.Logger               // nil: slog.Default
}

// Console serves the pages. It is safe for concurrent use.
type Console struct {
	Options
	sessions sessions
	attempts attempts
	routes   []route
	pages    *template.Template
	handler  http.Handler
	calls    http.Client // to the data plane
}

// New makes a console in which nobody is signed in.
func New(o Options) *Console {
	if o.Location == nil {
		o.Location = func() *time.Location { return time.UTC }
	}
	if o.ClientIP == nil {
		o.ClientIP = func(r *http.Request) string { return audit.ClientIP(r, nil) }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	c := &Console{Options: o, routes: routes, calls: http.Client{Timeout: tryTime, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: o.DataTLS}}}
	c.pages = template.Must(template.New("").Funcs(c.words()).ParseFS(assets, "assets/*.html"))
	mux := http.NewServeMux()
	for _, r := range routes {
		mux.HandleFunc(r.pattern, func(w http.ResponseWriter, req *http.Request) { c.visit(w, req, r) })
	}
	mux.HandleFunc("GET /sign-in", c.signInPage)
	mux.HandleFunc("POST /sign-in", c.signIn)
	mux.HandleFunc("GET /sign-in/oidc", c.beginOIDC)
	mux.HandleFunc("GET /sign-in/callback", c.endOIDC)
	mux.HandleFunc("POST /sign-in/logout", c.logOut) // which the issuer asks for
	for _, name := range []string{"console.css", "icon.svg", "live.js", "copy.js"} {
		mux.Handle("GET /assets/"+name, http.FileServerFS(assets))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c.fail(w, http.StatusNotFound, "There is no page at "+r.URL.Path+".")
	})
	c.handler = http.NewCrossOriginProtection().Handler(mux)
	return c
}

// policy allows our own style sheet, icon and script file, requests and forms to
// ourselves, and nothing else: no script and no style that stands in a page.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// ServeHTTP serves a page.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	protect(w.Header())
	c.handler.ServeHTTP(w, r)
}

// protect sets what every answer of both faces tells browsers.
func protect(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer") // the sign-in link is a secret
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// page is what every page has.
type page struct {
	Title   string
	Version string
	Who     admin.Identity // zero: nobody is signed in
	CSRF    string         // goes along with every form
	Nav     []link
	Next    string // the page to go to at once; empty: this one stays
	Base    string // before the paths of assets
	OIDC    bool   // people may sign in with it
	Error   string
	Done    string // what was just done
	Form    form
	Data    any
}

// May tells whether who looks may make a request to the admin API: forms that
// they may not send are not shown.
func (p page) May(line string) bool { return admin.May(p.Who.Role, line) }

// link is an entry of the navigation.
type link struct {
	Name, Path string
	Here       bool
}

// render writes a page.
func (c *Console) render(w http.ResponseWriter, status int, name string, p page) {
	p.Version = c.Version
	var body bytes.Buffer // a page is there whole, or not at all
	if err := c.pages.ExecuteTemplate(&body, name, p); err != nil {
		c.Log.Error("console page cannot be made", "page", name, "error", err)
		http.Error(w, "The page could not be made. The log tells why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // the reader may have left
}

func (c *Console) fail(w http.ResponseWriter, status int, message string) {
	c.render(w, status, "error.html", page{Title: http.StatusText(status), Error: message})
}
