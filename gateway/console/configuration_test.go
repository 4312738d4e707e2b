package console

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"sluice/gateway/admin"
)

// configuration has two revisions, the second of which runs.
func (w *world) configuration() admin.Configuration {
	check := func(text []byte) error {
		if strings.Contains(string(text), "bad") {
			return admin.ConfigFaults{{Line: 2, Message: "unknown key bad"}}
		}
		return nil
	}
	return admin.Configuration{
		Shown: func(context.Context, bool) (admin.ConfigShown, error) {
			lead := w.lead
			if lead == "" {
				lead = "store"
			}
			return admin.ConfigShown{JSON: []byte(`{"everything":1}`), Digest: "d2", Lead: lead, Revision: 2}, w.err
		},
		Diff: func(_ context.Context, text []byte) (admin.ConfigDiff, error) {
			changes := []admin.ConfigChange{{Op: "update", Object: "teams/t", Fields: []admin.ConfigField{{Path: "limits.rpm", From: json.RawMessage("60"), To: json.RawMessage("70")}}}}
			if strings.Contains(string(text), "narrower") {
				return admin.ConfigDiff{Changes: changes, Breaks: []string{"route orders: GET /orders: no longer"}}, nil
			}
			return admin.ConfigDiff{Changes: changes}, check(text)
		},
		Put: func(_ context.Context, text []byte, e admin.ConfigEdit) (admin.ConfigApplied, error) {
			if e.Match != "" && e.Match != "d2" {
				return admin.ConfigApplied{}, admin.ErrConfigMoved{Digest: "d2"}
			}
			if err := check(text); err != nil {
				return admin.ConfigApplied{}, err
			}
			w.applied = append(w.applied, e)
			return admin.ConfigApplied{Revision: 3, Digest: "d3", Restart: w.late}, nil
		},
		Revisions: func(context.Context) ([]admin.Revision, error) {
			return []admin.Revision{{N: 2, Digest: "d2", Author: "admin", Message: "slower", Created: w.now, Running: true}, {N: 1, Author: "file", Created: w.now}}, w.err
		},
		Revision: func(_ context.Context, n int64) (admin.RevisionText, error) {
			text := map[int64]string{1: "text: of-one\n", 2: "key: ${NAME}\n"}[n]
			return admin.RevisionText{Revision: admin.Revision{N: n, Created: w.now, Running: n == 2}, Text: text, Config: json.RawMessage("{}")}, w.err
		},
	}
}

func TestConfigurationPage(t *testing.T) {
	w := newWorld()
	b := signedIn(t, w.console(), "secret")
	b.want("/config", 200, "${NAME}", "slower", "in force", "Look at it, or go back", "Show what changes")
	b.want("/config?revision=1", 200, "text: of-one", "What going back to it changes", "limits.rpm", "Put revision 1 in force")
	b.want("/config?revision=2", 200, "It is in force.")
	if page := b.want("/config?view=effective", 200, "everything", "slower"); strings.Contains(page, "Show what changes") {
		t.Error("both texts stand on one page")
	}
	rec := b.do("POST", "/config", b.form(url.Values{"text": {"a: 1"}, "do": {"compare"}}))
	if body := rec.Body.String(); rec.Code != 200 || !strings.Contains(body, "limits.rpm") || !strings.Contains(body, "teams/t") || !strings.Contains(body, "Put it in force") || len(w.applied) > 0 {
		t.Errorf("compare: %d %s", rec.Code, body)
	}
	rec = b.do("POST", "/config", b.form(url.Values{"text": {"a: 1\nbad: 2"}, "do": {"apply"}, "digest": {`"d2"`}}))
	if body := rec.Body.String(); rec.Code != 422 || !strings.Contains(body, "line 2: unknown key bad\n→ bad: 2") || !strings.Contains(body, `aria-describedby="edit-text-fault"`) || len(w.applied) > 0 {
		t.Errorf("a faulty text: %d %s", rec.Code, body)
	}
	if rec := b.do("POST", "/config", b.form(url.Values{"text": {"a: 1"}, "do": {"apply"}, "digest": {`"d1"`}})); rec.Code != 412 || !strings.Contains(rec.Body.String(), "Somebody has changed") || !strings.Contains(rec.Body.String(), "limits.rpm") || len(w.applied) > 0 {
		t.Errorf("another state: %d %s", rec.Code, rec.Body)
	}
	if rec := b.do("POST", "/config", b.form(url.Values{"text": {"a: 1"}, "do": {"apply"}, "digest": {`"d2"`}, "message": {"why"}})); rec.Code != 303 || len(w.applied) != 1 || w.applied[0].Message != "why" {
		t.Errorf("apply: %d %+v %s", rec.Code, w.applied, rec.Body)
	}
	if rec := b.do("POST", "/config", b.form(url.Values{"text": {"a: 1"}, "do": {"apply"}, "message": {strings.Repeat("m", 501)}})); rec.Code != 400 || !strings.Contains(rec.Body.String(), `id="edit-message-fault"`) || len(w.applied) != 1 {
		t.Errorf("a long message: %d %s", rec.Code, rec.Body)
	}
	if rec := b.do("POST", "/config/rollback", b.form(url.Values{"to": {"1"}})); rec.Code != 303 || len(w.applied) != 2 || w.applied[1].To != 1 {
		t.Errorf("rollback: %d %+v %s", rec.Code, w.applied, rec.Body)
	}
	rec = b.do("POST", "/config", b.form(url.Values{"text": {"narrower: 1"}, "do": {"compare"}}))
	if body := rec.Body.String(); rec.Code != 200 || !strings.Contains(body, "route orders: GET /orders: no longer") || !strings.Contains(body, "though callers break") {
		t.Errorf("what breaks callers: %d %s", rec.Code, body)
	}
	if rec := b.do("POST", "/config", b.form(url.Values{"text": {"narrower: 1"}, "do": {"force"}})); rec.Code != 303 || !w.applied[2].Force || w.applied[0].Force {
		t.Errorf("by force: %d %+v %s", rec.Code, w.applied, rec.Body)
	}
	w.late = []string{"server.listen"}
	if rec := b.do("POST", "/config/rollback", b.form(url.Values{"to": {"1"}})); rec.Header().Get("Location") != "/config?done=restart" {
		t.Errorf("what a restart takes in: %v", rec.Header())
	}
	w.lead = "file"
	if body := b.do("GET", "/config", nil).Body.String(); strings.Contains(body, "Put it in force") || strings.Contains(b.do("GET", "/config?revision=1", nil).Body.String(), "Put revision") {
		t.Error("a page of what a file leads offers changes")
	}
}
