package console

import (
	"bytes"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"sluice/gateway/admin"
	"sluice/gateway/audit"
)

// Face is what the console and the portal are both made of. All functions may
// be called at once.
type Face struct {
	// API is the admin API: every figure of the pages is its answer, and every
	// change a request to it, made as who is signed in.
	API      http.Handler
	OIDC     func() *OIDC // in force; nil, or nil from it: nobody signs in so
	Version  string
	Trail    *audit.Trail               // has a record of every sign-in
	ClientIP func(*http.Request) string // nil: the peer
	Location func() *time.Location      // nil: UTC
	Now      func() time.Time           // nil: time.Now
	Log      *slog.Logger               // nil: slog.Default
}

// face is the console or the portal: who is signed in, and how their pages are
// written.
type face struct {
	Face
	base   string   // before its paths: empty, or /portal
	cookie string   // has the secret of a session
	paths  []string // where browsers send it
	secret string   // what people sign in with who do not with OpenID Connect
	pages  *template.Template
	// identify is who a person is to this face, or why they may not sign in.
	identify func(*OIDC, *person) (who admin.Identity, refusal string)
	sessions sessions
	attempts attempts
}

func (f Face) withDefaults() Face {
	if f.Location == nil {
		f.Location = func() *time.Location { return time.UTC }
	}
	if f.ClientIP == nil {
		f.ClientIP = func(r *http.Request) string { return audit.ClientIP(r, nil) }
	}
	if f.Now == nil {
		f.Now = time.Now
	}
	if f.Log == nil {
		f.Log = slog.Default()
	}
	return f
}

// handle adds what both faces answer beside their pages.
func (f *face) handle(mux *http.ServeMux, files map[string]string) {
	mux.HandleFunc("GET "+f.base+"/sign-in/oidc", f.beginOIDC)
	mux.HandleFunc("GET "+f.base+"/sign-in/callback", f.endOIDC)
	mux.HandleFunc("POST "+f.base+"/sign-in/logout", f.logOut) // which the issuer asks for
	for name, file := range files {
		mux.HandleFunc("GET "+f.base+"/assets/"+name, func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, assets, "assets/"+file) })
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		f.fail(w, http.StatusNotFound, "There is no page at "+r.URL.Path+".")
	})
}

// policy allows our own style sheet, icon and script file, requests and forms to
// ourselves, and nothing else: no script and no style that stands in a page.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

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
	Called  string         // what who is signed in is called in the portal
	Teams   []string       // that they may choose from; the one they have chosen stands first
	CSRF    string         // goes along with every form
	Nav     []link
	Next    string // the page to go to at once; empty: this one stays
	Base    string // before the paths of the face
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
func (f *face) render(w http.ResponseWriter, status int, name string, p page) {
	p.Version, p.Base = f.Version, f.base
	var body bytes.Buffer // a page is there whole, or not at all
	if err := f.pages.ExecuteTemplate(&body, name, p); err != nil {
		f.Log.Error("a page cannot be made", "page", f.base+"/"+name, "error", err)
		http.Error(w, "The page could not be made. The log tells why.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // the reader may have left
}

func (f *face) fail(w http.ResponseWriter, status int, message string) {
	f.render(w, status, "error.html", page{Title: http.StatusText(status), Error: message})
}
