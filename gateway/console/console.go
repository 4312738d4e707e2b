package console

import (
	"context"
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"sluice/billing"
	"sluice/gateway/admin"
)

//go:embed assets
var assets embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"usd": usd, "count": count, "short": short, "ago": ago,
}).ParseFS(assets, "assets/*.html"))

// Options are what the console is made of. All functions may be called at once.
type Options struct {
	Tokens func() []admin.Token // in force
	View   func() admin.View
	Ledger billing.Ledger
	// Flush moves to the ledger what is still in the spool.
	Flush    func(ctx context.Context) error
	Location func() *time.Location // nil: UTC
	DataURL  string                // of the data plane, for the first call
	Version  string
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger     // nil: slog.Default
}

// Console serves the pages. It is safe for concurrent use.
type Console struct {
	Options
	sessions sessions
	handler  http.Handler
}

// New makes a console in which nobody is signed in.
func New(o Options) *Console {
	if o.Location == nil {
		o.Location = func() *time.Location { return time.UTC }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	c := &Console{Options: o}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", c.overview)
	mux.HandleFunc("GET /sign-in", c.signInPage)
	mux.HandleFunc("POST /sign-in", c.signIn)
	mux.HandleFunc("POST /sign-out", c.signOut)
	mux.Handle("GET /assets/console.css", http.FileServerFS(assets))
	mux.Handle("GET /assets/icon.svg", http.FileServerFS(assets))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c.fail(w, http.StatusNotFound, "There is no page at "+r.URL.Path+".")
	})
	c.handler = http.NewCrossOriginProtection().Handler(mux)
	return c
}

// policy allows our own style sheet and icon, forms to ourselves, and nothing
// else.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// ServeHTTP serves a page.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer") // the sign-in link is a secret
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	c.handler.ServeHTTP(w, r)
}

// page is what every page has.
type page struct {
	Title   string
	Version string
	Who     admin.Identity // zero: nobody is signed in
	Go      bool           // to the overview, at once
	Error   string
	Data    any
}

// render writes a page.
func (c *Console) render(w http.ResponseWriter, status int, name string, p page) {
	p.Version = c.Version
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := pages.ExecuteTemplate(w, name, p); err != nil {
		c.Log.Debug("console page not written", "page", name, "error", err) // the reader left
	}
}

func (c *Console) fail(w http.ResponseWriter, status int, message string) {
	c.render(w, status, "error.html", page{Title: http.StatusText(status), Error: message})
}
