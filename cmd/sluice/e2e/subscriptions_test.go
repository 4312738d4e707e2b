package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

const subscribedPrompt = `---
model: mock/echo
input: {schema: {text: string}}
sluice.access: subscribed
sluice.team: makers
---
{{text}}
`

const subscribers = `admin: {token: "` + adminToken + `", tokens: [{value: owner-of-t, role: team-owner, team: t}, {value: owner-of-makers, role: team-owner, team: makers},
  {value: the-operator, role: operator}]}
plans:
  free: {budget: {requests: 3, per: day, hard: true}}
  gold: {limits: {rpm: 100}, prices: {"*": {input: 100, output: 100}}}
teams:
  makers: {}
  t: {keys: [{name: k, value: "` + teamKey + `"}]}
  below: {parent: t, keys: [{name: k, value: sk-e2e-below-0123456789}]}
  other: {keys: [{name: k, value: sk-e2e-other-0123456789}]}
`

// A subscription's life: applied for, approved, with its plan's quota and
// price, given another plan, revoked; what each state lets through, who may
// decide, and that a crash right after the approval loses nothing.
func TestSubscriptions(t *testing.T) {
	g := newGateway(t, "")
	g.configure(strings.Replace("server: {listen: LISTEN, admin: ADMIN}\nstore: \"sqlite:DIR/sluice.db\"\n", "DIR", g.dir, 1) + subscribers)
	g.start()
	if a := g.api("POST", "prompts/mood/publish", publication(subscribedPrompt, false)); a.status != 201 {
		t.Fatalf("publish: %d %s", a.status, a.body)
	}
	refused := func(why string, header ...string) {
		t.Helper()
		a := g.data("POST", "/prompts/mood", `{"text":"hi"}`, header...)
		if a.status != 403 || a.get("code").String() != "permission_denied" || !strings.Contains(a.get("detail").String(), why) {
			t.Errorf("want a refusal with %q: %d %s", why, a.status, a.body)
		}
	}
	as := func(token, method, path, body string) answer {
		t.Helper()
		a, err := g.send(method, "http://"+g.admin+"/admin/v1/"+path, body, "Authorization", "Bearer "+token)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	refused("has not subscribed")
	for body, status := range map[string]int{
		`{"prompt":"mood","team":"t","plan":"fre"}`: 400, `{"prompt":"none","team":"t"}`: 404, `{"prompt":"mood","team":"none"}`: 400,
		`{"team":"t"}`: 400, `{"prompt":"mood","route":"r","team":"t"}`: 400, `{"route":"r","team":"t"}`: 404, `{"prompt":"mood","team":"t","x":1}`: 400,
	} {
		if a := g.api("POST", "subscriptions", body); a.status != status {
			t.Errorf("%s: %d %s, want %d", body, a.status, a.body, status)
		}
	}
	const wish = `{"prompt":"mood","team":"t","plan":"free","note":"for our site"}`
	a := as("owner-of-t", "POST", "subscriptions", wish)
	id := a.get("id").String()
	if a.status != 201 || id == "" || a.get("status").String() != "pending" {
		t.Fatalf("apply: %d %s", a.status, a.body)
	}
	if a := g.api("POST", "subscriptions", wish); a.status != 409 {
		t.Errorf("a repeat: %d %s", a.status, a.body)
	}
	refused("subscription_pending")
	for _, token := range []string{"the-operator", "owner-of-t"} {
		if a := as(token, "POST", "subscriptions/"+id+"/approve", ""); a.status != 403 {
			t.Errorf("%s approves: %d %s", token, a.status, a.body)
		}
	}
	if a := as("owner-of-t", "POST", "keys", `{"team":"t","prompts":["mood"]}`); a.status != 403 {
		t.Errorf("a team-owner helps itself: %d %s", a.status, a.body)
	}
	if a := as("owner-of-makers", "POST", "subscriptions/"+id+"/approve", `{"note":"welcome"}`); a.status != 200 || a.get("status").String() != "approved" {
		t.Fatalf("approve: %d %s", a.status, a.body)
	}
	g.kill()
	g.start()
	g.quota(t, refused)
	if a := g.api("POST", "subscriptions/"+id+"/approve", `{"plan":"gold"}`); a.status != 200 || a.get("plan").String() != "gold" {
		t.Fatalf("another plan: %d %s", a.status, a.body)
	}
	usual := g.chat(chatBody("mock/echo", "hi", "")).header.Get("x-sluice-cost")
	if a := g.data("POST", "/prompts/mood", `{"text":"hi"}`); a.status != 200 || gjson.Parse(a.header.Get("x-sluice-cost")).Float() < 30*gjson.Parse(usual).Float() {
		t.Errorf("at the price of gold, when %s is usual: %d %v", usual, a.status, a.header)
	}
	if a := g.api("DELETE", "subscriptions/"+id, `{"note":"over"}`); a.status != 204 {
		t.Errorf("revoke: %d %s", a.status, a.body)
	}
	refused("was revoked")
	a = g.api("GET", "subscriptions/"+id, "")
	var steps []string
	for _, s := range a.get("history").Array() {
		steps = append(steps, s.Get("by").String()+" "+s.Get("status").String()+" "+s.Get("plan").String()+" "+s.Get("note").String())
	}
	if got, want := strings.Join(steps, "|"), "team-owner t pending free for our site|team-owner makers approved free welcome|admin approved gold |admin revoked gold over"; got != want {
		t.Errorf("history: %s\nwant     %s", got, want)
	}
	if a := g.api("POST", "subscriptions", wish); a.status != 201 || g.api("POST", "subscriptions/"+a.get("id").String()+"/reject", "").status != 200 {
		t.Errorf("anew, rejected: %d %s", a.status, a.body)
	}
	refused("was rejected")
}

// quota uses up the three calls a day of the plan, the team below included.
func (g *gateway) quota(t *testing.T, refused func(string, ...string)) {
	t.Helper()
	below := []string{"Authorization", "Bearer sk-e2e-below-0123456789"}
	for i, header := range [][]string{nil, below, {"X-Sluice-Tags", "subscription:mood"}} {
		if a := g.data("POST", "/prompts/mood", `{"text":"hi"}`, header...); a.status != 200 {
			t.Errorf("call %d: %d %s", i, a.status, a.body)
		}
	}
	for _, header := range [][]string{nil, below} {
		if a := g.data("POST", "/prompts/mood", `{"text":"hi"}`, header...); a.status != 429 || a.get("code").String() != "insufficient_quota" {
			t.Errorf("beyond the quota: %d %s", a.status, a.body)
		}
	}
	if a := g.chat(`{"model":"prompt/mood","messages":[{"role":"user","content":"x"}]}`); a.status != 429 {
		t.Errorf("as a model, beyond the quota: %d %s", a.status, a.body)
	}
	if a := g.chat(chatBody("mock/echo", "hi", "")); a.status != 200 {
		t.Errorf("another call is not bound by it: %d %s", a.status, a.body)
	}
	refused("has not subscribed", "Authorization", "Bearer sk-e2e-other-0123456789")
	if a := g.data("GET", "/v1/models", ""); !strings.Contains(a.body, "prompt/mood") {
		t.Errorf("it is not listed for its subscribers")
	}
	if a := g.data("GET", "/v1/models", "", "Authorization", "Bearer sk-e2e-other-0123456789"); strings.Contains(a.body, "prompt/mood") {
		t.Errorf("it is listed for others")
	}
}

// What has begun under a subscription comes to its end though it is revoked
// meanwhile, and is charged under it; the next call is refused.
func TestSubscriptionRevokedInStream(t *testing.T) {
	g := newGateway(t, "")
	g.configure(strings.Replace("server: {listen: LISTEN, admin: ADMIN}\nstore: \"sqlite:DIR/sluice.db\"\n", "DIR", g.dir, 1) + subscribers + "providers: {slow: {kind: mock, rate: 20}}\n")
	g.start()
	source := strings.Replace(subscribedPrompt, "mock/echo", "slow/lorem-60", 1)
	if a := g.api("POST", "prompts/mood/publish", publication(source, false)); a.status != 201 {
		t.Fatalf("publish: %d %s", a.status, a.body)
	}
	id := g.api("POST", "subscriptions", `{"prompt":"mood","team":"t","plan":"gold"}`).get("id").String()
	pending := g.data("POST", "/prompts/mood", `{"text":"hi"}`)
	if pending.status != 403 || pending.get("subscription").Str != "pending" || pending.get("link").Str != "/portal/subscriptions" {
		t.Errorf("pending: %d %s", pending.status, pending.body)
	}
	asModel := g.chat(chatBody("prompt/mood", "hi", ""))
	if asModel.status != 403 || asModel.get("error.code").Str != "permission_denied" || asModel.header.Get("Link") != `</portal/subscriptions>; rel="help"` {
		t.Errorf("pending, as a model: %d %v %s", asModel.status, asModel.header, asModel.body)
	}
	if a := g.api("POST", "subscriptions/"+id+"/approve", ""); a.status != 200 {
		t.Fatalf("approve: %d %s", a.status, a.body)
	}
	req, err := http.NewRequest("POST", "http://"+g.listen+"/prompts/mood", strings.NewReader(`{"text":"hi"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer " + teamKey}, "Accept": {"text/event-stream"}, "Content-Type": {"application/json"}}
	res, err := g.client.Do(req)
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%v %v", res, err)
	}
	defer res.Body.Close()
	first := make([]byte, 1)
	if _, err := io.ReadFull(res.Body, first); err != nil {
		t.Fatal(err)
	}
	if a := g.api("DELETE", "subscriptions/"+id, ""); a.status != 204 {
		t.Fatalf("revoke: %d %s", a.status, a.body)
	}
	if a := g.data("POST", "/prompts/mood", `{"text":"hi"}`); a.status != 403 || a.get("subscription").Str != "revoked" {
		t.Errorf("the next call: %d %s", a.status, a.body)
	}
	rest, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(rest), "event: done") || strings.Contains(string(rest), "event: error") {
		t.Errorf("the stream ended with %v: %s", err, tail(string(rest), 500))
	}
	tagged := func() bool {
		return g.api("GET", "usage?group_by=tag", "").get(`rows.#(tag=="subscription:mood").calls`).Int() == 1
	}
	if !eventually(30*time.Second, tagged) {
		t.Errorf("it is not charged under the subscription: %s", g.api("GET", "usage?group_by=tag", "").body)
	}
}
