package console

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"

	"sluice/gateway/admin"
)

// route is a page, or what a form of a page is sent to. Who may use it is who
// may make its request to the admin API; the API decides once more about every
// request that the page makes.
type route struct {
	pattern string
	needs   string // a line of the admin API's table of routes
	name    string // in the navigation; empty: it does not stand there
	serve   func(*visit) error
}

// routes is every page but the sign-in, in the order of the navigation.
var routes = []route{
	{"GET /{$}", "GET /admin/v1/usage", "Overview", (*visit).overview},
	{"GET /requests", "GET /admin/v1/requests", "Requests", (*visit).requests},
	{"GET /requests/{id}", "GET /admin/v1/requests/{id}", "", (*visit).request},
	{"GET /teams", "GET /admin/v1/teams", "Teams", (*visit).teams},
	{"POST /teams", "POST /admin/v1/teams", "", (*visit).createTeam},
	{"GET /teams/{name}", "GET /admin/v1/teams/{name}", "", (*visit).team},
	{"POST /teams/{name}/terms", "PUT /admin/v1/teams/{name}", "", (*visit).setTerms},
	{"POST /teams/{name}/budget", "PUT /admin/v1/teams/{name}", "", (*visit).setBudget},
	{"POST /teams/{name}/delete", "DELETE /admin/v1/teams/{name}", "", (*visit).deleteTeam},
	{"POST /teams/{name}/keys", "POST /admin/v1/keys", "", (*visit).createKey},
	{"POST /teams/{name}/keys/{id}/rotate", "POST /admin/v1/keys/{id}/rotate", "", (*visit).rotateKey},
	{"POST /teams/{name}/keys/{id}/revoke", "DELETE /admin/v1/keys/{id}", "", (*visit).revokeKey},
	{"GET /models", "GET /admin/v1/providers", "Models", (*visit).models},
	{"POST /models/try", "GET /admin/v1/providers", "", (*visit).tryModel},
	{"POST /models/{name}/breakers/{target...}", "POST /admin/v1/providers/{name}/breakers/{target...}", "", (*visit).setBreaker},
	{"GET /prompts", "GET /admin/v1/prompts", "Prompts", (*visit).prompts},
	{"GET /prompts-new", "POST /admin/v1/prompts/{name}/publish", "", (*visit).newPrompt},
	{"GET /prompts/{name}", "GET /admin/v1/prompts/{name}", "", (*visit).prompt},
	{"POST /prompts/{name}/labels", "PUT /admin/v1/prompts/{name}/labels", "", (*visit).setLabel},
	{"POST /prompts/{name}/split", "PUT /admin/v1/prompts/{name}/split", "", (*visit).setSplit},
	{"POST /prompts/{name}/edit", "POST /admin/v1/prompts/{name}/publish", "", (*visit).edit},
	{"GET /subscriptions", "GET /admin/v1/subscriptions", "Subscriptions", (*visit).subscriptions},
	{"POST /subscriptions/{id}/decide", "POST /admin/v1/subscriptions/{id}/approve", "", (*visit).decideSubscription},
	{"POST /subscriptions/{id}/revoke", "DELETE /admin/v1/subscriptions/{id}", "", (*visit).revokeSubscription},
	{"GET /routes", "GET /admin/v1/routes", "Routes", (*visit).httpRoutes},
	{"GET /reports", "GET /admin/v1/usage", "Reports", (*visit).reports},
	{"GET /reports/export", "GET /admin/v1/usage", "", (*visit).export},
	{"GET /invoices/{name}", "GET /admin/v1/invoices/{name}", "", (*visit).invoice},
	{"GET /cache", "GET /admin/v1/cache", "Cache", (*visit).cache},
	{"POST /cache/purge", "DELETE /admin/v1/cache", "", (*visit).purge},
	{"GET /guards", "GET /admin/v1/guards", "Guards", (*visit).guards},
	{"GET /alerts", "GET /admin/v1/alerts", "Alerts", (*visit).alerts},
	{"POST /alerts/{name}/mute", "POST /admin/v1/alerts/{name}/mute", "", (*visit).muteAlert},
	{"GET /config", "GET /admin/v1/config", "Configuration", (*visit).configuration},
	{"POST /config", "POST /admin/v1/config/diff", "", (*visit).compareConfiguration},
	{"POST /config/rollback", "POST /admin/v1/config/rollback", "", (*visit).rollback},
	{"GET /audit", "GET /admin/v1/audit", "Audit", (*visit).audit},
	{"GET /first-run", "POST /admin/v1/keys", "", (*visit).firstRun},
	{"POST /first-run", "POST /admin/v1/keys", "", (*visit).firstStep},
	{"GET /settings", "GET /admin/v1/health", "Settings", (*visit).settings},
	{"POST /settings/reload", "POST /admin/v1/reload", "", (*visit).reload},
	{"POST /sign-out", "GET /admin/v1/health", "", (*visit).signOut},
}

// Pages are the patterns of all pages of the console, as net/http has them.
func Pages() []string {
	out := []string{"GET /sign-in"}
	for _, r := range routes {
		if strings.HasPrefix(r.pattern, "GET ") {
			out = append(out, r.pattern)
		}
	}
	return out
}

// visit is one request of somebody who is signed in.
type visit struct {
	*http.Request
	asker
	c    *Console
	w    http.ResponseWriter
	csrf string
	at   route
}

// visit serves a route to who is signed in, and sends others to the sign-in.
func (c *Console) visit(w http.ResponseWriter, r *http.Request, at route) {
	who, ok := c.who(r)
	if !ok {
		http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
		return
	}
	v := &visit{Request: r, asker: asker{c.API, r.Context(), who, c.ClientIP(r)}, c: c, w: w, csrf: csrfOf(r, cookieName), at: at}
	err := v.allowed()
	if err == nil {
		err = at.serve(v)
	}
	if err != nil {
		v.fail(err)
	}
}

// maxForm bounds what a form may send; prompts are the largest.
const maxForm = 1 << 20

// allowed looks at the role, and at forms whether a page of ours sent them.
func (v *visit) allowed() error {
	if !admin.May(v.who.Role, v.at.needs) {
		return &problem{Status: http.StatusForbidden, Detail: "The role " + string(v.who.Role) + " may not do this."}
	}
	if v.Method != http.MethodPost {
		return nil
	}
	v.Body = http.MaxBytesReader(v.w, v.Body, maxForm)
	if err := v.ParseForm(); err != nil {
		return &problem{Status: http.StatusBadRequest, Detail: "The form could not be read."}
	}
	if subtle.ConstantTimeCompare([]byte(v.PostForm.Get("csrf")), []byte(v.csrf)) != 1 {
		return &problem{Status: http.StatusForbidden, Detail: "This form is of another session. Load the page again, then send it once more."}
	}
	return nil
}

// csrfOf is the word that forms of a session carry: it follows from the
// session's secret, and tells nothing about it.
func csrfOf(r *http.Request, name string) string {
	cookie, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return csrfWord(cookie.Value)
}

func csrfWord(secret string) string {
	sum := sha256.Sum256([]byte("form " + secret))
	return hex.EncodeToString(sum[:16])
}

// show writes a page.
func (v *visit) show(status int, name string, p page) error {
	v.dress(&p)
	v.c.render(v.w, status, name, p)
	return nil
}

// dress gives a page what every page of somebody signed in has.
func (v *visit) dress(p *page) {
	p.Who, p.CSRF = v.who, v.csrf
	if p.Done == "" {
		p.Done = done[v.URL.Query().Get("done")]
	}
	for _, r := range v.c.routes {
		_, path, _ := strings.Cut(strings.TrimSuffix(r.pattern, "{$}"), " ")
		if r.name != "" && admin.May(v.who.Role, r.needs) {
			here := v.URL.Path == path || path != "/" && strings.HasPrefix(v.URL.Path, path+"/")
			p.Nav = append(p.Nav, link{r.name, path, here})
		}
	}
}

// done is what a page says after a form that went well sent the browser there.
var done = map[string]string{
	"team":         "The team is made. Give it a key.",
	"team-deleted": "The team is deleted.",
	"saved":        "Saved, and in force.",
	"restart":      "Saved. Some of it, such as listeners and the store, is in force once the process starts anew.",
	"reloaded":     "The configuration is read again, and in force.",
	"breaker":      "The breaker is set.",
	"published":    "Published.",
	"revoked":      "The key is revoked.",
	"approve":      "Approved, and in force.",
	"reject":       "Rejected.",
	"unsubscribed": "The subscription is revoked.",
}

// goTo sends the browser to a page that says what was done.
func (v *visit) goTo(path, what string) error {
	http.Redirect(v.w, v.Request, path+"?done="+what, http.StatusSeeOther)
	return nil
}

// fail shows an error instead of the page.
func (v *visit) fail(err error) {
	var p *problem
	if !errors.As(err, &p) {
		v.c.Log.Error("console page failed", "path", v.URL.Path, "error", err)
		p = &problem{Status: http.StatusInternalServerError, Detail: "The page could not be made. The log tells why."}
	}
	_ = v.show(p.Status, "error.html", page{Title: http.StatusText(p.Status), Error: p.Error()})
}
