package console

import (
	"crypto/tls"
	"embed"
	"html/template"
	"net/http"

	"sluice/gateway/admin"
)

//go:embed assets
var assets embed.FS

// Options are what the console is made of. All functions may be called at once.
type Options struct {
	Face    Face
	Tokens  func() []admin.Token // in force
	DataURL string               // of the data plane, for calls
	DataTLS *tls.Config          // how it is known; nil: it is not encrypted
}

// Console serves the pages. It is safe for concurrent use.
type Console struct {
	Options
	face
	routes  []route
	handler http.Handler
	calls   http.Client // to the data plane
}

// New makes a console in which nobody is signed in.
func New(o Options) *Console {
	c := &Console{Options: o, routes: routes, calls: http.Client{Timeout: tryTime, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: o.DataTLS}}}
	c.face = face{Face: o.Face.withDefaults(), cookie: cookieName, paths: []string{"/"}, secret: "token", identify: identity}
	c.pages = template.Must(template.New("").Funcs(c.words()).ParseFS(assets, "assets/*.html"))
	mux := http.NewServeMux()
	for _, r := range routes {
		mux.HandleFunc(r.pattern, func(w http.ResponseWriter, req *http.Request) { c.visit(w, req, r) })
	}
	mux.HandleFunc("GET /sign-in", c.signInPage)
	mux.HandleFunc("POST /sign-in", c.signIn)
	c.handle(mux, map[string]string{"console.css": "console.css", "icon.svg": "icon.svg", "live.js": "live.js", "copy.js": "copy.js"})
	c.handler = http.NewCrossOriginProtection().Handler(mux)
	return c
}

// ServeHTTP serves a page.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	protect(w.Header())
	c.handler.ServeHTTP(w, r)
}
