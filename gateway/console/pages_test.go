package console

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"sluice/billing"
	"sluice/gateway/admin"
	"sluice/prompts"
)

// Every page is for whom the admin API's table says, and forms are refused
// without the word that our own pages put in them.
func TestEveryRouteTimesEveryRole(t *testing.T) {
	fill := strings.NewReplacer("{$}", "", "{name}", "research", "{id}", "key_r", "{target...}", "openai/o3", "{model...}", "fast")
	for _, role := range []admin.Role{admin.RoleAdmin, admin.RoleOperator, admin.RoleViewer, admin.RoleTeamOwner} {
		for _, r := range routes {
			w := newWorld()
			w.tokens = []admin.Token{admin.NewToken("t", role, "research")}
			w.view.Prompts[0].Team = "research"
			w.subs.list = []prompts.Subscription{applied("sub_1", "sales", w.view.Prompts[0].Name, w.now)}
			b := signedIn(t, w.console(), "t")
			method, path, _ := strings.Cut(fill.Replace(r.pattern), " ")
			if strings.HasPrefix(path, "/requests/") {
				path = "/requests/c1"
			}
			path = strings.Replace(path, "/prompts/research", "/prompts/sentiment", 1)
			path = strings.Replace(path, "/models/research", "/models/openai", 1)
			path = strings.Replace(path, "/subscriptions/key_r", "/subscriptions/sub_1", 1)
			stranger := &browser{t: t, handler: b.handler}
			if rec := stranger.do(method, path, nil); rec.Code != 303 || rec.Header().Get("Location") != "/sign-in" {
				t.Errorf("%s %s without a session: %d", method, path, rec.Code)
			}
			if method == "POST" {
				if rec := b.do(method, path, url.Values{"csrf": {"wrong"}}); rec.Code != 403 {
					t.Errorf("%s: %s %s with a wrong word: %d", role, method, path, rec.Code)
				}
			}
			rec := b.do(method, path, b.form(url.Values{"name": {"n"}, "models": {"fast"}, "rpm": {"60"}, "usd": {"100"}, "per": {"month"}, "grace": {"0s"}, "state": {"open"}, "label": {"x"}, "version": {"1"}, "all": {"yes"}, "source": {"Hi"}, "key": {"k"}, "do": {"approve"}}))
			// A team-owner may move labels of its own prompts, over the API alone so far.
			if role == admin.RoleTeamOwner && strings.HasSuffix(path, "/labels") {
				continue
			}
			if may := admin.May(role, r.needs); may != (rec.Code != 403) {
				t.Errorf("%s: %s %s: %d, but may is %v", role, method, path, rec.Code, may)
			}
			if rec.Code >= 500 || rec.Code == 404 {
				t.Errorf("%s: %s %s: %d %s", role, method, path, rec.Code, rec.Body)
			}
		}
	}
}

// A route must need a line that the admin API has.
func TestRoutesNeedWhatIsThere(t *testing.T) {
	for _, r := range routes {
		if !admin.May(admin.RoleAdmin, r.needs) {
			t.Errorf("%s needs %q, which an admin may not", r.pattern, r.needs)
		}
	}
}

func TestRequestsPage(t *testing.T) {
	w := newWorld()
	b := signedIn(t, w.console(), "secret")
	b.want("/requests", 200, `href="/requests/c1"`, "upstream_error", "2 tries", "$0.2500", `href="/requests?after=cursor"`, `<script src="/assets/live.js"`)
	b.want("/requests?team=sales&from=2026-11-24T10:00&to=2026-11-24T11:00:05&key=sales/crm&model=fast&prompt=p&status=502&tag=x&min_usd=0.5&q=c", 200, `value="sales"`, `value="2026-11-24T10:00"`)
	if q := w.listed; q.Team != "sales" || q.From.Hour() != 10 || q.To.Second() != 5 || q.Key != "sales/crm" || q.Model != "fast" || q.Prompt != "p" || q.Status != 502 ||
		q.Tag != "x" || q.MinUSD != billing.Dollar/2 || q.Text != "c" || q.Limit != 50 {
		t.Errorf("asked %+v", q)
	}
	b.want("/requests?status=high", 400, "status-fault", "is not a number")
	b.want("/requests?min_usd=much", 400, "min_usd-fault")
	if rows := b.want("/requests?part=rows", 200, "<tr>", "c1"); strings.Contains(rows, "<html") {
		t.Error("a part is a whole page")
	}
	page := b.want("/requests?after=cursor", 200, "Newest")
	if strings.Contains(page, "Older") {
		t.Error("the last page has an older one")
	}
	w.entries, w.next = nil, "further"
	b.want("/requests?tag=rare", 200, "there may be older ones", "after=further")
	w.next = ""
	b.want("/requests", 200, "Nothing was called yet")
	b.want("/requests?team=none", 200, "No call fits")
}

func TestOneCall(t *testing.T) {
	w := newWorld()
	b := signedIn(t, w.console(), "secret")
	b.want("/requests/c1", 200, "The provider failed (upstream_error). Every target that was tried failed", "openai/gpt-4o: 503 overloaded, 300 ms", "900 ms in 2 attempts",
		"Sluice: checks, limits, guards and waiting, 100 ms", `x="111" width="333"`, "nightly", "first in order", "No guard had anything to do")
	b.want("/requests/c2", 200, "It was answered.", "would mask", "email", "$0.25", "first byte after 100 ms", `<line x1="250"`)
	b.want("/requests/none", 404, "not found")
	owner := signedIn(t, w.console(), "mine")
	owner.want("/requests/c1", 200)
	owner.want("/requests/c2", 404)
}

// Attempts end where their stream begins; what was before them is a wait.
func TestWaterfallOfAStream(t *testing.T) {
	first := int64(196)
	c := &call{Stream: true, outcome: outcome{LatencyMS: 295, TTFTMS: &first, Attempts: []billing.AttemptLog{{Target: "a", Status: 503, LatencyMS: 81}, {Target: "b", Status: 200, LatencyMS: 60}}}}
	var names []string
	for _, l := range fall(c) {
		names = append(names, l.Name)
		if l.X < 0 || l.X+l.Width > laneWidth+3 {
			t.Errorf("lane %+v", l)
		}
	}
	want := "The whole call, 295 ms|Sluice: checks, limits, guards and waiting, 55 ms|a: 503, 81 ms|b, 60 ms|The stream, 99 ms"
	if got := strings.Join(names, "|"); got != want {
		t.Errorf("lanes %s, want %s", got, want)
	}
}

func TestTeamsPage(t *testing.T) {
	b := signedIn(t, newWorld().console(), "secret")
	b.want("/teams", 200, `<span class="depth-1"><a href="/teams/research">`, "$83.00 of $100.00", "60 requests/min, 5.00k tokens/day", "Make a team")
	if page := signedIn(t, newWorld().console(), "mine").want("/teams", 200, "/teams/research"); strings.Contains(page, "sales") || strings.Contains(page, "Make a team") {
		t.Error("a team-owner sees too much")
	}
}

// A team, a budget and a key are made, used up, changed and ended.
func TestLifeOfATeam(t *testing.T) {
	w := newWorld()
	b := signedIn(t, w.console(), "secret")
	post := func(path string, status int, form url.Values, parts ...string) string {
		t.Helper()
		rec := b.do("POST", path, b.form(form))
		if rec.Code != status {
			t.Fatalf("POST %s: %d %s", path, rec.Code, rec.Body)
		}
		for _, part := range parts {
			if body := rec.Body.String() + rec.Header().Get("Location"); !strings.Contains(body, part) {
				t.Errorf("POST %s: %q is missing in %s", path, part, body)
			}
		}
		return rec.Body.String()
	}
	post("/teams", 400, url.Values{"name": {"a b"}, "rpm": {"7"}}, `id="create-name-fault"`, `value="a b"`, `value="7"`)
	post("/teams", 400, url.Values{"name": {"new"}, "rpm": {"many"}}, `id="create-rpm-fault"`)
	post("/teams", 400, url.Values{"name": {"new"}, "usd": {"lots"}}, "lots")
	post("/teams", 409, url.Values{"name": {"sales"}}, "already")
	post("/teams", 303, url.Values{"name": {"new"}, "parent": {"engineering"}, "models": {"fast, claude/*"}, "usd": {"$1,000.50"}, "per": {"week"}, "hard": {"warn only"}, "rpm": {"60"}}, "/teams/new?done=team")
	made := w.view.Team("new")
	if made == nil || made.Parent != "engineering" || len(made.Models) != 2 || made.Limits.RPM != 60 || len(made.Budgets) != 1 ||
		made.Budgets[0].USD != 1000*billing.Dollar+billing.Dollar/2 || made.Budgets[0].Per != "week" || made.Budgets[0].Hard {
		t.Fatalf("made %+v", made)
	}
	b.want("/teams/new?done=team", 200, "The team is made", "Make a key", "below <a href=\"/teams/engineering\">")

	secret := regexp.MustCompile(`sk-sl-[0-9A-Za-z]{12}-[0-9A-Za-z]{38}`)
	page := post("/teams/new/keys", 201, url.Values{"name": {"app"}, "usd": {"5"}, "per": {"day"}, "parallel": {"3"}, "expires": {"2027-01-01"}}, "shown this once")
	if secret.FindString(page) == "" {
		t.Fatal("the key is not shown")
	}
	if page := b.want("/teams/new", 200, "$5.00 per day", "3 at once"); secret.MatchString(page) {
		t.Error("the key is shown twice")
	}
	post("/teams/new/keys", 400, url.Values{"name": {"late"}, "expires": {"2020-01-01"}}, `id="key-expires-fault"`, "in the past")
	id := w.view.Keys[len(w.view.Keys)-1].ID
	post("/teams/new/keys/"+id+"/rotate", 201, url.Values{"grace": {"10m"}}, "shown this once")
	post("/teams/new/keys/"+id+"/rotate", 409, url.Values{"grace": {"10m"}}, "revoked already")
	post("/teams/new/keys/"+id+"/revoke", 303, nil, "done=revoked")
	post("/teams/new/delete", 409, nil, "revoke them first")
	post("/teams/new/keys/"+w.view.Keys[len(w.view.Keys)-2].ID+"/revoke", 303, nil)
	for _, k := range w.view.Keys {
		if k.Team == "new" && k.InForce(w.now) {
			post("/teams/new/keys/"+k.ID+"/revoke", 303, nil)
		}
	}
	post("/teams/new/delete", 303, nil, "/teams?done=team-deleted")
}

// What a form does not show stays as it is.
func TestTeamsKeepWhatFormsDoNotShow(t *testing.T) {
	w := newWorld()
	b := signedIn(t, w.console(), "secret")
	for path, form := range map[string]url.Values{
		"/teams/research/terms":  {"models": {"fast smart"}, "rpm": {""}, "parallel": {"9"}},
		"/teams/research/budget": {"usd": {"250"}, "per": {"month"}, "hard": {"refuse calls"}},
	} {
		if rec := b.do("POST", path, b.form(form)); rec.Code != 303 {
			t.Fatalf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
	r := w.view.Team("research")
	if r.Limits != (billing.Limits{TPD: 5000, Parallel: 9}) || len(r.Models) != 2 || r.Parent != "engineering" {
		t.Errorf("terms %+v", r)
	}
	if len(r.Budgets) != 2 || r.Budgets[0].Tokens != 1000 || r.Budgets[1].USD != 250*billing.Dollar || !r.Budgets[1].Hard {
		t.Errorf("budgets %+v", r.Budgets)
	}
	if rec := b.do("POST", "/teams/research/budget", b.form(url.Values{"per": {"month"}})); rec.Code != 303 || len(w.view.Team("research").Budgets) != 1 {
		t.Errorf("an empty amount takes the budget away: %d %+v", rec.Code, w.view.Team("research").Budgets)
	}
}

// What the file declares is marked, and has no form; sent all the same, it is
// refused.
func TestDeclaredTeamsAreNotEdited(t *testing.T) {
	b := signedIn(t, newWorld().console(), "secret")
	page := b.want("/teams/engineering", 200, "the configuration file declares this team")
	for _, path := range []string{"/teams/engineering/terms", "/teams/engineering/budget", "/teams/engineering/delete"} {
		if strings.Contains(page, path) {
			t.Errorf("the page has a form for %s", path)
		}
		if rec := b.do("POST", path, b.form(nil)); rec.Code != http.StatusConflict || !strings.Contains(rec.Body.String(), "file") {
			t.Errorf("POST %s: %d", path, rec.Code)
		}
	}
	if page := b.want("/teams/sales", 200, "file"); strings.Contains(page, "/keys/key_s/rotate") || strings.Contains(page, "/keys/key_s/revoke") {
		t.Error("a declared key can be rotated")
	}
}

// A team-owner may narrow its own team, and make keys of it alone.
func TestTeamOwnerOnPages(t *testing.T) {
	w := newWorld()
	b := signedIn(t, w.console(), "mine")
	b.want("/teams/research", 200, "Make a key", "Set a budget")
	b.want("/teams/sales", 404)
	for path, c := range map[string]struct {
		form   url.Values
		status int
	}{
		"/teams/research/budget": {url.Values{"usd": {"500"}, "per": {"month"}}, 403},
		"/teams/research/keys":   {url.Values{"name": {"mine"}}, 201},
		"/teams/sales/keys":      {url.Values{"name": {"mine"}}, 404},
		"/teams/sales/terms":     {url.Values{}, 404},
	} {
		if rec := b.do("POST", path, b.form(c.form)); rec.Code != c.status {
			t.Errorf("POST %s: %d, want %d", path, rec.Code, c.status)
		}
	}
}

func TestReload(t *testing.T) {
	w := newWorld()
	b := signedIn(t, w.console(), "secret")
	b.want("/settings", 200, "disk is nearly full", "Read the configuration again")
	if rec := b.do("POST", "/settings/reload", b.form(nil)); rec.Code != 303 || rec.Header().Get("Location") != "/settings?done=reloaded" {
		t.Errorf("reload: %d", rec.Code)
	}
	w.reloadErr = errors.New("sluice.yaml:7: unknown key\nsluice.yaml:9: no such model")
	if rec := b.do("POST", "/settings/reload", b.form(nil)); rec.Code != 422 || !strings.Contains(rec.Body.String(), "sluice.yaml:9: no such model") {
		t.Errorf("a faulty file: %d %s", rec.Code, rec.Body)
	}
}
