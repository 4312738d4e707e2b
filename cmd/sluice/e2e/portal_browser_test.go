package e2e

import (
	"strconv"
	"testing"
)

const portalConfig = `admin: {token: "` + adminToken + `"}
plans:
  free: {budget: {requests: 100, per: day, hard: true}}
  gold: {limits: {rpm: 100}, prices: {"*": {input: 100, output: 100}}}
teams:
  t: {budget: {usd: 20, per: month}, keys: [{name: k, value: "` + teamKey + `"}]}
  u: {}
routes:
  - {name: echo, match: {path: "/echo/**"}, backend: {static: {status: 200, body: "hello"}}, auth: {require: [key]}}
  - {name: orders, match: {path: "/orders/{id}"}, backend: {static: {status: 200, body: "{}"}}, auth: {require: [key], subscribed: true}}
`

// portalPrompts are of every kind that the portal shows.
var portalPrompts = map[string]string{
	"sentiment": `---
model: mock/echo
description: Tells whether a text is glad, sad or neither, and how sure it is of that.
input:
  schema:
    text: string, what to judge
    tone(enum, how it is written): [formal, casual]
    "loud?": boolean
    "times?": integer, how often
    "more?(object)": {a: string, "b?": number}
output: {schema: {mood(enum): [glad, sad], "sure?": number, "why?(array)": {word: string}}}
sluice.summary: Tell how a customer feels
sluice.tags: [text, support]
sluice.limits: {rpm: 1000}
sluice.versions: {"1": {deprecated: 2026-06-01, sunset: 2099-06-01, link: "https://example.com/next"}}
---
{{text}}
`,
	"extract": "---\nmodel: mock/lorem-20\ninput: {schema: {text: string}}\nsluice.summary: Extract a person\nsluice.access: public\nsluice.tags: [text]\n---\n{{text}}",
	"report":  "---\nmodel: mock/lorem-60\ninput: {schema: {topic: string}}\nsluice.summary: Write a report\nsluice.access: subscribed\nsluice.tags: [writing]\n---\n{{topic}}",
	"evil": "---\nmodel: mock/echo\ndescription: \"</p><img src=x onerror=alert(1)>\"\ninput: {schema: {text: \"string, </td><script>alert(2)</script>\"}, default: {text: \"<script>alert(3)</script>\"}}\n" +
		"sluice.summary: \"<img src=x onerror=alert(1)>\"\nsluice.tags: ['\"><script>alert(4)</script>']\n---\n{{text}}",
}

// The portal in a real browser: every page, and what callers do there.
func TestPortalInABrowser(t *testing.T) {
	chromium := browser(t)
	g := newGateway(t, "")
	i := startIssuer(t)
	i.says(map[string]any{"email": "ann@example.com", "email_verified": true, "team": []string{"t", "u"}})
	g.configure("server: {listen: LISTEN, admin: ADMIN}\nstore: \"sqlite:" + g.dir + "/sluice.db\"\n" +
		`portal: {oidc: {issuer: "` + i.URL + `", client_id: portal, client_secret: pw}}` + "\n" + portalConfig)
	g.start()
	for name, source := range portalPrompts {
		if a := g.api("POST", "prompts/"+name+"/publish", `{"force":true,"message":"first","source":`+strconv.Quote(source)+`}`); a.status != 201 {
			t.Fatalf("publish %s: %d %s", name, a.status, a.body)
		}
	}
	t.Setenv("SLUICE_BROWSER_ISSUER", i.URL)
	g.inBrowser(chromium, "portal.test.mjs")
}
