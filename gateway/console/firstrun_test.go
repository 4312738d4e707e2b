package console

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"sluice/billing"
	"sluice/gateway/admin"
)

func TestFirstRun(t *testing.T) {
	var asked []string
	plane := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, r.URL.Path+" "+r.Header.Get("Authorization")+" "+string(body))
		w.Header().Set("X-Request-Id", "c1")
		if r.URL.Path == "/v1/chat/completions" {
			_, _ = io.WriteString(w, `{"choices":[{"message":{"content":"said <b>"}}]}`)
			return
		}
		if strings.Contains(string(body), "wrong") {
			w.WriteHeader(422)
			_, _ = io.WriteString(w, `{"detail":"text is missing"}`)
			return
		}
		_, _ = io.WriteString(w, `the output`)
	}))
	defer plane.Close()
	w := newWorld()
	w.dataURL = plane.URL
	w.total, w.rows = billing.Sums{}, nil
	b := signedIn(t, w.console(), "secret")
	b.want("/", 200, "Nothing was called yet", "Make a key and begin", `action="/first-run"`)
	b.want("/first-run", 200, "Make a key", "It takes a key.", "engineering", "research")
	step := func(status int, form url.Values, parts ...string) string {
		t.Helper()
		rec := b.do("POST", "/first-run", b.form(form))
		if rec.Code != status {
			t.Fatalf("%v: %d %s", form, rec.Code, rec.Body)
		}
		for _, part := range parts {
			if !strings.Contains(rec.Body.String(), part) {
				t.Errorf("%v: %q is missing in %s", form, part, rec.Body)
			}
		}
		return rec.Body.String()
	}
	page := step(200, url.Values{"do": {"key"}, "team": {"sales"}}, "The key is made", "Send it from here", "Publish")
	made := w.view.Keys[len(w.view.Keys)-1]
	_, rest, _ := strings.Cut(page, `<code id="secret">`)
	secret, _, _ := strings.Cut(rest, "<")
	if made.Team != "sales" || billing.HashKey(secret) != made.Hash || !strings.Contains(page, "Bearer "+secret) {
		t.Fatalf("made %+v, shown %q", made, secret)
	}
	step(200, url.Values{"do": {"call"}, "key": {secret}, "model": {"mock/echo"}, "text": {"hi"}}, "said &lt;b&gt;", `href="/requests/c1"`, secret)
	step(400, url.Values{"do": {"call"}, "key": {secret}, "model": {"mock/echo"}}, `id="call-text-fault"`, secret)
	step(422, url.Values{"do": {"publish"}, "key": {secret}, "name": {"sentiment"}, "source": {"---\nmodel: [\n---\n"}}, `role="alert"`, secret)
	step(200, url.Values{"do": {"publish"}, "key": {secret}, "name": {"sentiment"}, "source": {"Hello {{text}}"}}, "is served at <code>"+w.view.Prompts[0].Path, "Call it", secret)
	if w.published.Name != "sentiment" || string(w.published.Source) != "Hello {{text}}" {
		t.Errorf("published %+v", w.published)
	}
	step(200, url.Values{"do": {"ask"}, "key": {secret}, "name": {"sentiment"}, "input": {`{"text": "it's"}`}}, "the output", `it&#39;\&#39;&#39;s`)
	step(200, url.Values{"do": {"ask"}, "key": {secret}, "name": {"sentiment"}, "input": {`{"wrong": 1}`}}, "422", "text is missing")
	step(400, url.Values{"do": {"ask"}, "key": {secret}, "name": {"sentiment"}, "input": {" "}}, `id="ask-input-fault"`)
	step(400, url.Values{"do": {"own"}, "key": {"two words"}}, `id="own-key-fault"`)
	step(400, url.Values{"do": {"dance"}}, "no such step")
	want := w.view.Prompts[0].Path + " Bearer " + secret + ` {"text": "it's"}`
	if len(asked) != 3 || asked[1] != want {
		t.Errorf("asked %q", asked)
	}
	plane.Close()
	step(400, url.Values{"do": {"ask"}, "key": {secret}, "name": {"sentiment"}, "input": {"{}"}}, `id="ask-input-fault"`, "cannot be reached")
}

// A team-owner makes keys of its team and calls; prompts are published by admins.
func TestFirstRunOfOthers(t *testing.T) {
	w := newWorld()
	w.tokens = append(w.tokens, admin.NewToken("looks", admin.RoleViewer, ""))
	w.total, w.rows = billing.Sums{}, nil
	c := w.console()
	owner := signedIn(t, c, "mine")
	rec := owner.do("POST", "/first-run", owner.form(url.Values{"do": {"key"}}))
	if rec.Code != 200 || strings.Contains(rec.Body.String(), "3. A prompt") || w.view.Keys[len(w.view.Keys)-1].Team != "research" {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	viewer := signedIn(t, c, "looks")
	viewer.want("/first-run", 403)
	if page := viewer.want("/", 200, "Nothing was called yet", "SLUICE_KEY"); strings.Contains(page, "Make a key and begin") {
		t.Error("a viewer is led where it may not go")
	}
}

// Where there is no team, the first key makes one.
func TestFirstRunMakesATeam(t *testing.T) {
	w := newWorld()
	w.view.Teams, w.view.Keys = nil, nil
	b := signedIn(t, w.console(), "secret")
	if rec := b.do("POST", "/first-run", b.form(url.Values{"do": {"key"}})); rec.Code != 200 {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	if len(w.view.Teams) != 1 || w.view.Teams[0].Name != "default" || w.view.Keys[0].Team != "default" {
		t.Errorf("%+v %+v", w.view.Teams, w.view.Keys)
	}
}
