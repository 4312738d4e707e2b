package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// portalOIDC is a gateway whose portal people sign in to with an issuer.
func portalOIDC(i *issuer) string {
	return head + `portal:
  oidc: {issuer: "` + i.URL + `", client_id: portal, client_secret: pw, user_claim: email, teams: {lab: [researchers], t: [everybody], gone: [leavers]}}
teams:
  t: {keys: [{name: k, value: "` + teamKey + `"}]}
  lab: {users: {ann@example.com: {budget: {usd: 7, per: month}}}}
`
}

func startPortalOIDC(t *testing.T) *desk {
	t.Helper()
	i := startIssuer(t)
	g := newGateway(t, "")
	g.configure(portalOIDC(i))
	g.start()
	return &desk{gateway: g, i: i, root: "http://" + g.listen + "/portal", home: "/keys", client: "portal",
		good: map[string]any{"email": "ann@example.com", "email_verified": true, "groups": []string{"researchers"}}}
}

// TestPortalOIDC: who may sign in, as whom, and what is refused.
func TestPortalOIDC(t *testing.T) {
	d := startPortalOIDC(t)
	for _, name := range []string{"mood"} {
		if a := d.api("POST", "prompts/"+name+"/publish", `{"source":"---\nmodel: mock/echo\ninput: {schema: {text: string}}\n---\n{{text}}"}`); a.status != 201 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if r := d.page(d.browse(), "GET", "/sign-in?next=/portal/usage", ""); !strings.Contains(r.body, `href="/portal/sign-in/oidc?next=%2fportal%2fusage"`) {
		t.Errorf("the page does not offer it: %s", r.body)
	}
	for name, c := range map[string]struct {
		claims map[string]any
		status int
		says   string
	}{
		"by a group":     {map[string]any{"email": "ann@example.com", "email_verified": true, "groups": "researchers"}, 200, "ann@example.com of"},
		"by a claim":     {map[string]any{"email": "bob@example.com", "email_verified": true, "team": "t", "name": "Bob"}, 200, "bob@example.com of"},
		"of no team":     {map[string]any{"email": "ann@example.com", "email_verified": true, "groups": []string{"visitors"}}, 403, "You are in no team here"},
		"of none at all": {map[string]any{"email": "ann@example.com", "email_verified": true}, 403, "You are in no team here"},
		"of one gone":    {map[string]any{"email": "ann@example.com", "email_verified": true, "groups": "leavers"}, 403, "There is no team gone here"},
		"of one of ours": {map[string]any{"email": "ann@example.com", "email_verified": true, "team": "prompt mood"}, 403, "There is no team"},
		"public":         {map[string]any{"email": "ann@example.com", "email_verified": true, "team": "public"}, 403, "There is no team public"},
		"nobody":         {map[string]any{"groups": "researchers"}, 403, "by the claim email"},
		"unverified":     {map[string]any{"email": "ann@example.com", "email_verified": false, "groups": "researchers"}, 403, "has not verified"},
		"in words":       {map[string]any{"email": "ann@example.com", "email_verified": "false", "groups": "researchers"}, 403, "has not verified"},
		"not said":       {map[string]any{"email": "ann@example.com", "groups": "researchers"}, 403, "has not verified"},
		"too long":       {map[string]any{"email": strings.Repeat("x", 201), "groups": "researchers"}, 401, "is not good"},
	} {
		d.i.says(c.claims)
		b := d.browse()
		r := d.page(b, "GET", "/sign-in/oidc", "")
		if r.status != c.status || d.in(b) != (c.status == 200) {
			t.Errorf("%s: %d %s; want %d", name, r.status, r.body, c.status)
		}
		if c.status == 200 {
			r = d.page(b, "GET", "/keys", "")
		}
		if !strings.Contains(r.body, c.says) {
			t.Errorf("%s: %q is not said: %s", name, c.says, r.body)
		}
	}
	for next, want := range map[string]string{"/portal/usage?of=team": "/portal/usage?of=team", "//evil.example": "/portal", "https://evil.example/portal/keys": "/portal",
		"/portal/sign-out": "/portal", "javascript:alert(1)": "/portal", "/docs": "/docs", "/v1/models": "/portal"} {
		d.i.says(d.good)
		r := d.page(d.browse(), "GET", "/sign-in/oidc?next="+url.QueryEscape(next), "")
		if r.status != 200 || !strings.Contains(r.body, `content="0;url=`+want+`"`) || strings.Contains(r.body, "evil") {
			t.Errorf("next %s: %d %s", next, r.status, r.body)
		}
	}
	d.badTokens()
	d.abuse()
	d.logout()
	d.noUsersInTrail("ann@", "bob@")
	d.dead()
	// A session is worth no more than what the configuration says of its groups.
	d.i.fail(false)
	b := d.signedIn()
	d.configure(strings.Replace(portalOIDC(d.i), "lab: [researchers], ", "", 1))
	if a := d.api("POST", "reload", ""); a.status != 200 || d.in(b) {
		t.Errorf("%d %s: signed in although the group has no team", a.status, a.body)
	}
}

// noUsersInTrail looks for names in the audit trail, which must have the
// sign-ins that were and were not let in.
func (d *desk) noUsersInTrail(names ...string) {
	d.t.Helper()
	d.noUsers(names...)
	good, bad := 0, 0
	for _, r := range d.audited("action=sign-in&limit=1000") {
		switch {
		case r.Resource == "portal" && r.Status == 200 && r.Actor == "(user)" && r.IP == "127.0.0.1" && strings.Contains(string(r.After), `"user":"(user)"`):
			good++
		case r.Resource == "portal/oidc" && r.Status == 401:
			bad++
		default:
			d.t.Errorf("%+v", r)
		}
	}
	if good == 0 || bad == 0 {
		d.t.Errorf("%d good and %d refused sign-ins have records", good, bad)
	}
}

var secretShown = regexp.MustCompile(`id="secret">(sk-sl-[^<]+)<`)

// submit sends a form as a page of the browser's session has it.
func (d *desk) submit(b *gateway, path string, values url.Values) answer {
	d.t.Helper()
	if values == nil {
		values = url.Values{}
	}
	_, session, _ := strings.Cut(cookiesOf(b, d.root+d.home), "=")
	values.Set("csrf", csrfOf(session))
	return d.page(b, "POST", path, values.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

func csrfOf(session string) string {
	sum := sha256.Sum256([]byte("form " + session))
	return hex.EncodeToString(sum[:16])
}

// TestPortalOfAPerson: keys that a person makes are that person's, and so is
// what is called with them; no other person and no key of the team has them.
func TestPortalOfAPerson(t *testing.T) {
	d := startPortalOIDC(t)
	if a := d.api("POST", "prompts/mood/publish", `{"source":"---\nmodel: mock/echo\ninput: {schema: {text: string}}\n---\n{{text}}"}`); a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := d.api("POST", "prompts/members/publish", `{"source":"---\nmodel: mock/echo\nsluice.access: subscribed\n---\nHello"}`); a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	ann := d.signedIn()
	d.i.says(map[string]any{"email": "bob@example.com", "email_verified": true, "sub": "bob", "groups": []string{"researchers", "everybody"}})
	bob := d.browse()
	d.page(bob, "GET", "/sign-in/oidc", "")
	for _, page := range []string{"", "/keys", "/usage", "/usage?of=team", "/subscriptions", "/changes", "/apis/mood", "/apis/members"} {
		if r := d.page(ann, "GET", page, ""); r.status != 200 || strings.Contains(r.body, "<no value>") {
			t.Errorf("%s: %d %s", page, r.status, r.body)
		}
	}
	if r := d.page(ann, "GET", "/apis/mood", ""); !strings.Contains(r.body, "Make a key") {
		t.Errorf("a prompt cannot be tried without a key: %s", r.body)
	}
	for path, csrf := range map[string]string{"/keys": "", "/team": "", "/subscriptions": "0", "/sign-out": "0"} {
		if r := d.page(ann, "POST", path, "csrf="+csrf, "Content-Type", "application/x-www-form-urlencoded"); r.status != 403 {
			t.Errorf("%s without the session's word: %d", path, r.status)
		}
	}
	made := d.submit(ann, "/keys", url.Values{"name": {"mine"}})
	secret := secretShown.FindStringSubmatch(made.body)
	if made.status != 201 || secret == nil {
		t.Fatalf("%d %s", made.status, made.body)
	}
	k := gjson.Get(d.api("GET", "keys?team=lab", "").body, `data.#(name=="mine")`)
	if k.Get("user").String() != "ann@example.com" || k.Get("team").String() != "lab" {
		t.Errorf("the key is %s", k.Raw)
	}
	if a := d.chat(chatBody("mock/echo", "hello", ""), "Authorization", "Bearer "+secret[1]); a.status != 200 {
		t.Errorf("the key does not work: %d %s", a.status, a.body)
	}
	session := strings.TrimPrefix(cookiesOf(ann, d.root+"/keys"), "sluice_portal=")
	if a := d.page(ann, "POST", "/try/prompts/mood", `{"text":"hi"}`, "Content-Type", "application/json", "X-Sluice-Portal", csrfOf(session)); a.status != 200 {
		t.Errorf("trying it: %d %s", a.status, a.body)
	}
	if a := d.page(ann, "POST", "/try/prompts/mood", `{"text":"hi"}`, "Content-Type", "application/json"); a.status != 403 {
		t.Errorf("trying it from elsewhere: %d", a.status)
	}
	d.othersKeys(ann, bob, k.Get("id").String())
	d.ownFigures(ann, bob)
	d.movesTeam(bob)
	d.portalTrail(ann, k.Get("id").String())
}

// othersKeys: a person has the keys of its own, in its team.
func (d *desk) othersKeys(ann, bob *gateway, id string) {
	d.t.Helper()
	if r := d.page(ann, "GET", "/keys", ""); !strings.Contains(r.body, "mine") || !strings.Contains(r.body, ">tries<") {
		d.t.Errorf("the page has no key: %s", r.body)
	}
	if r := d.page(bob, "GET", "/keys", ""); strings.Contains(r.body, "mine") || !strings.Contains(r.body, "You have no key yet") {
		d.t.Errorf("another person sees it: %s", r.body)
	}
	for _, what := range []string{"rotate", "revoke"} {
		if r := d.submit(bob, "/keys/"+id+"/"+what, nil); r.status != 404 {
			d.t.Errorf("%s of another's key: %d %s", what, r.status, r.body)
		}
	}
}

// ownFigures: usage is what a person's keys were used for, or the team.
func (d *desk) ownFigures(ann, bob *gateway) {
	d.t.Helper()
	for name, c := range map[string]struct {
		who  *gateway
		page string
		sees bool
	}{"own": {ann, "/usage", true}, "another's": {bob, "/usage", false}, "of the team": {bob, "/usage?of=team", true}} {
		if r := d.page(c.who, "GET", c.page, ""); strings.Contains(r.body, "<td>mood</td>") != c.sees {
			d.t.Errorf("%s: %s", name, r.body)
		}
	}
	if r := d.page(ann, "GET", "/usage", ""); !strings.Contains(r.body, "$7") {
		d.t.Errorf("the budget of the user is not shown: %s", r.body)
	}
	if r := d.page(bob, "GET", "/usage", ""); strings.Contains(r.body, "$7") || strings.Contains(r.body, "ann@") {
		d.t.Errorf("another's budget is shown: %s", r.body)
	}
}

// movesTeam: who is in several teams chooses.
func (d *desk) movesTeam(bob *gateway) {
	d.t.Helper()
	if r := d.page(bob, "GET", "/keys", ""); !strings.Contains(r.body, "<option>lab</option><option>t</option>") {
		d.t.Errorf("the teams are not offered: %s", r.body)
	}
	for team, status := range map[string]int{"gone": 403, "t": 200} {
		if r := d.submit(bob, "/team", url.Values{"team": {team}}); r.status != status {
			d.t.Errorf("team %s: %d %s", team, r.status, r.body)
		}
	}
	if r := d.submit(bob, "/keys", url.Values{"name": {"stale"}, "within": {"lab"}}); r.status != 409 || !strings.Contains(r.body, "of the team lab") {
		d.t.Errorf("a form of the team before: %d %s", r.status, r.body)
	}
	if r := d.submit(bob, "/keys", url.Values{"name": {"bobs"}, "within": {"t"}}); r.status != 201 {
		d.t.Errorf("%d %s", r.status, r.body)
	}
	if k := gjson.Get(d.api("GET", "keys?team=t", "").body, `data.#(name=="bobs")`); k.Get("user").String() != "bob@example.com" {
		d.t.Errorf("the key is %s", k.Raw)
	}
}

// portalTrail: whatever a person does in the portal is in the audit trail, under
// no name.
func (d *desk) portalTrail(ann *gateway, id string) {
	d.t.Helper()
	if r := d.submit(ann, "/subscriptions", url.Values{"name": {"members"}, "kind": {"prompt"}, "note": {"for us"}}); r.status != 200 || !strings.Contains(r.body, "pending by a user of lab: for us") {
		d.t.Errorf("%d %s", r.status, r.body)
	}
	sub := gjson.Get(d.api("GET", "subscriptions?team=lab", "").body, "data.0.id").String()
	if r := d.submit(ann, "/subscriptions/"+sub+"/withdraw", nil); r.status != 200 {
		d.t.Errorf("%d %s", r.status, r.body)
	}
	rotated := d.submit(ann, "/keys/"+id+"/rotate", url.Values{"grace": {"0s"}})
	if rotated.status != 201 || !strings.Contains(rotated.body, ">tries<") {
		d.t.Errorf("%d %s", rotated.status, rotated.body)
	}
	fresh := gjson.Get(d.api("GET", "keys?team=lab", "").body, `data.#(revoked==~null).id`).String()
	if r := d.submit(ann, "/keys/"+fresh+"/revoke", nil); r.status != 200 || !d.in(ann) {
		d.t.Errorf("%d %s", r.status, r.body)
	}
	if r := d.submit(ann, "/sign-out", nil); r.status != 200 || d.in(ann) {
		d.t.Errorf("%d %s", r.status, r.body)
	}
	if r := d.page(d.browse(), "POST", "/sign-in", "key=wrong", "Content-Type", "application/x-www-form-urlencoded"); r.status != 401 {
		d.t.Errorf("%d %s", r.status, r.body)
	}
	byKey := d.browse()
	if r := d.page(byKey, "POST", "/sign-in", "key="+teamKey, "Content-Type", "application/x-www-form-urlencoded"); r.status != 200 || !d.in(byKey) {
		d.t.Errorf("%d %s", r.status, r.body)
	}
	d.submit(byKey, "/sign-out", nil)
	for action, want := range map[string][]string{"key.create": {"(user)", "(user)"}, "key.rotate": {"(user)", "(user)"}, "key.revoke": {"(user)", "(user)"}, "subscription.create": {"(user)"},
		"subscription.revoke": {"(user)"}, "sign-out": {"key t/k", "(user)"}} {
		var actors []string
		for _, r := range d.audited("action=" + action) {
			actors = append(actors, r.Actor)
		}
		if strings.Join(actors, ",") != strings.Join(want, ",") {
			d.t.Errorf("%s: by %v, want %v", action, actors, want)
		}
	}
	signIns := d.audited("action=sign-in")
	if len(signIns) != 4 || signIns[0].Actor != "key t/k" || signIns[0].Resource != "portal" || signIns[1].Resource != "portal/key" || signIns[1].Status != 401 {
		d.t.Errorf("sign-ins: %+v", signIns)
	}
	trail := d.api("GET", "audit?limit=1000", "").body
	for _, name := range []string{"ann@", "bob@", "sk-sl-"} {
		if strings.Contains(strings.ReplaceAll(trail, `"prefix":"sk-sl-`, ""), name) {
			d.t.Errorf("the trail has %s: %s", name, trail)
		}
	}
	if ok, _, _ := d.verdict(); !ok {
		d.t.Error("the chain is broken")
	}
}
