package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/billing"
)

// configuration is one that the store leads, of the digest d1.
func (w *world) configuration() Configuration {
	changes := []ConfigChange{{Op: "update", Object: "teams/t", Fields: []ConfigField{{Path: "limits.rpm", From: json.RawMessage("60"), To: json.RawMessage("70")}}}}
	check := func(text []byte) error {
		if strings.Contains(string(text), "bad") {
			return ConfigFaults{{Line: 2, Message: "unknown key \"bad\""}, {File: "SLUICE_X__Y", Message: "no"}}
		}
		return nil
	}
	return Configuration{
		Shown: func(_ context.Context, effective bool) (ConfigShown, error) {
			c := ConfigShown{JSON: []byte(`{"teams":{}}`), YAML: []byte("teams: {}\n"), Digest: "d1", Lead: "store", Revision: 2}
			if effective {
				c.JSON, c.YAML = []byte(`{"server":{},"teams":{}}`), nil
			}
			return c, w.broken
		},
		Validate: func(_ context.Context, text []byte) error { return check(text) },
		Diff: func(_ context.Context, text []byte) (ConfigDiff, error) {
			return ConfigDiff{changes, []string{"route orders: GET /orders"}}, check(text)
		},
		Put: func(_ context.Context, text []byte, e ConfigEdit) (ConfigApplied, error) {
			w.edit, w.text = e, string(text)
			switch {
			case w.led != nil:
				return ConfigApplied{}, w.led
			case e.Match != "" && e.Match != "d1":
				return ConfigApplied{}, ErrConfigMoved{Digest: "d1"}
			case e.To > 2:
				return ConfigApplied{}, fmt.Errorf("there is no revision %d: %w", e.To, billing.ErrNotFound)
			}
			return ConfigApplied{Revision: 3, Digest: "d2", Changes: changes}, check(text)
		},
		Revisions: func(context.Context) ([]Revision, error) {
			return []Revision{{N: 2, Digest: "d1", Created: testNow, Author: "admin", Source: "store", Running: true}, {N: 1, Created: testNow, Author: "file", Source: "file"}}, w.broken
		},
		Revision: func(_ context.Context, n int64) (RevisionText, error) {
			if n > 2 {
				return RevisionText{}, billing.ErrNotFound
			}
			return RevisionText{Revision: Revision{N: n, Created: testNow}, Text: "teams: {}\n", Config: json.RawMessage("{}")}, w.broken
		},
	}
}

func TestConfiguration(t *testing.T) {
	w := newWorld()
	c := newClient(t, w, "admin")
	rec := c.do("GET", "/admin/v1/config", "")
	if rec.Code != 200 || rec.Header().Get("ETag") != `"d1"` || gjson.Get(rec.Body.String(), "teams").Raw != "{}" || rec.Header().Get("X-Sluice-Revision") != "2" {
		t.Errorf("%d %v %s", rec.Code, rec.Header(), rec.Body)
	}
	if rec := c.do("GET", "/admin/v1/config?view=effective", ""); !strings.Contains(rec.Body.String(), "server") {
		t.Errorf("effective: %d %s", rec.Code, rec.Body)
	}
	rec = c.do("PUT", "/admin/v1/config?message=more", "teams: {}")
	if rec.Code != 200 || rec.Header().Get("ETag") != `"d2"` || w.edit.Message != "more" || w.edit.Author != "admin" || w.text != "teams: {}" ||
		gjson.Get(rec.Body.String(), "changes.0.fields.0.to").Int() != 70 {
		t.Errorf("%d %+v %s", rec.Code, w.edit, rec.Body)
	}
	for _, path := range []string{"/admin/v1/config/validate", "/admin/v1/config/diff", "/admin/v1/config"} {
		method := "POST"
		if path == "/admin/v1/config" {
			method = "PUT"
		}
		rec := c.do(method, path, "a: 1\nbad: 2")
		if rec.Code != 422 || gjson.Get(rec.Body.String(), "errors.0.line").Int() != 2 || gjson.Get(rec.Body.String(), "errors.1.file").String() != "SLUICE_X__Y" ||
			!strings.Contains(gjson.Get(rec.Body.String(), "errors.0.message").String(), "bad") {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
	if rec := c.do("POST", "/admin/v1/config/rollback", `{"to":1,"message":"back"}`); rec.Code != 200 || w.edit.To != 1 || w.edit.Message != "back" {
		t.Errorf("rollback: %d %+v %s", rec.Code, w.edit, rec.Body)
	}
	rec = c.do("GET", "/admin/v1/config/revisions?limit=1", "")
	next := gjson.Get(rec.Body.String(), "next").String()
	if gjson.Get(rec.Body.String(), "data.0.revision").Int() != 2 || next == "" {
		t.Errorf("the newest is not first: %s", rec.Body)
	}
	if rec := c.do("GET", "/admin/v1/config/revisions?limit=1&after="+next, ""); gjson.Get(rec.Body.String(), "data.0.revision").Int() != 1 {
		t.Errorf("the next page: %s", rec.Body)
	}
	for path, want := range map[string]int{"GET config/revisions/3": 404, "GET config/revisions/x": 404, "POST config/rollback {}": 400, "POST config/rollback {\"to\":9}": 404,
		"GET config?view=all": 400} {
		parts := strings.SplitN(path+"  ", " ", 3)
		if rec := c.do(parts[0], "/admin/v1/"+parts[1], strings.TrimSpace(parts[2])); rec.Code != want {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
	w.led = ErrConfigLed{File: "/etc/sluice.yaml"}
	for _, what := range []string{"PUT /admin/v1/config", "POST /admin/v1/config/rollback"} {
		method, path, _ := strings.Cut(what, " ")
		if rec := c.do(method, path, `{"to":1}`); rec.Code != 409 || !strings.Contains(rec.Body.String(), "/etc/sluice.yaml") {
			t.Errorf("%s: %d %s", what, rec.Code, rec.Body)
		}
	}
}

func TestConfigurationMoved(t *testing.T) {
	c := newClient(t, newWorld(), "admin")
	for match, want := range map[string]int{`"d1"`: 200, `W/"d1"`: 200, "*": 200, `"d0"`: 412} {
		if rec := c.do("PUT", "/admin/v1/config", "{}", "If-Match", match); rec.Code != want || rec.Header().Get("ETag") == "" {
			t.Errorf("%s: %d %s", match, rec.Code, rec.Body)
		}
	}
}
