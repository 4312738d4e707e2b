package admin

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"sluice/gateway/shared"
	"sluice/prompts"
	"sluice/providers/schema"
	"sluice/router"
)

func TestPrompts(t *testing.T) {
	w := newWorld()
	c := newClient(t, w, "admin")
	if l := c.object(200, "GET", "/admin/v1/prompts", ""); len(l["data"].([]any)) != 1 {
		t.Errorf("prompts %v", l)
	}
	if one := c.object(200, "GET", "/admin/v1/prompts/mood", ""); one["text"] != "two" || one["digest"] != "d2" || one["path"] != "/mood" {
		t.Errorf("prompt %v", one)
	}
	versions := c.object(200, "GET", "/admin/v1/prompts/mood/versions", "")["data"].([]any)
	newest := versions[0].(map[string]any)
	if len(versions) != 2 || newest["version"] != 2.0 || newest["labels"].([]any)[0] != "production" || newest["source"] != nil {
		t.Errorf("versions %v", versions)
	}
	if v := c.object(200, "GET", "/admin/v1/prompts/mood/versions/1", ""); v["source"] != "one" {
		t.Errorf("version %v", v)
	}
	labels := c.object(200, "PUT", "/admin/v1/prompts/mood/labels", `{"production":1,"staging":2}`)
	if labels["production"] != 1.0 || labels["staging"] != 2.0 || w.changed != 1 {
		t.Errorf("labels %v, put in force %d times", labels, w.changed)
	}
	c.problem("PUT", "/admin/v1/prompts/mood/labels", `{"beta":1,"production":9}`, 404, "not_found", "no version 9")
	if _, moved := w.labels["mood"]["beta"]; moved {
		t.Error("one label moved although the other could not")
	}
	c.problem("PUT", "/admin/v1/prompts/mood/labels", `{}`, 400, "invalid_request", "production")
	c.problem("PUT", "/admin/v1/prompts/mood/labels", `{"a b":1}`, 400, "invalid_request", "label")
	c.problem("PUT", "/admin/v1/prompts/mood/labels", `{"production":"3"}`, 400, "invalid_request", "whole number")
	c.problem("GET", "/admin/v1/prompts/none", "", 404, "not_found", "none")
	c.problem("GET", "/admin/v1/prompts/none/versions", "", 404, "not_found", "none")
	c.problem("GET", "/admin/v1/prompts/mood/versions/x", "", 404, "not_found", "x")
}

func TestPublish(t *testing.T) {
	w := newWorld()
	c := newClient(t, w, "admin")
	got := c.object(201, "POST", "/admin/v1/prompts/mood/publish", `{"source":"hello","message":"first","force":true}`)
	if got["version"] != 3.0 || string(w.published.Source) != "hello" || w.published.Author != "admin" || !w.published.Force {
		t.Errorf("published %+v, answered %v", w.published, got)
	}
	w.publErr = prompts.Faults{{File: "mood", Line: 3, Message: "bad"}, {File: "mood", Message: "worse"}}
	rec := c.do("POST", "/admin/v1/prompts/mood/publish", `{"source":"x"}`)
	var p problem
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || rec.Code != 422 || len(p.Errors) != 2 || p.Errors[0].Message != "mood:3: bad" {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	c.problem("POST", "/admin/v1/prompts/mood/publish", `{}`, 400, "invalid_request", "source is required")
	o := w.options()
	view := o.View
	o.View = func() View {
		v := view()
		v.Prompts = append(v.Prompts, Prompt{Name: "filed", Source: "file"})
		return v
	}
	for _, force := range []string{"", `,"force":true`} {
		client{t, New(o), "admin"}.problem("POST", "/admin/v1/prompts/filed/publish", `{"source":"x"`+force+`}`, 409, "conflict", "change the file")
	}
	o = w.options()
	o.Publish = nil
	client{t, New(o), "admin"}.problem("POST", "/admin/v1/prompts/mood/publish", `{"source":"x"}`, 409, "conflict", "prompts.dir")
}

func TestBreakers(t *testing.T) {
	w := newWorld()
	c := newClient(t, w, "operator")
	for _, target := range []string{"echo", "mock/echo"} {
		w.targets[0].State = "closed"
		if got := c.object(200, "POST", "/admin/v1/providers/mock/breakers/"+target, `{"state":"open"}`); got["state"] != "open" {
			t.Errorf("%s: %v", target, got)
		}
	}
	l := c.object(200, "GET", "/admin/v1/providers", "")["data"].([]any)
	if l[0].(map[string]any)["state"] != "down" {
		t.Errorf("providers %v", l)
	}
	c.problem("POST", "/admin/v1/providers/mock/breakers/echo", `{"state":"ajar"}`, 400, "invalid_request", "ajar")
	c.problem("POST", "/admin/v1/providers/mock/breakers/none", `{"state":"open"}`, 404, "not_found", "none")
	c.problem("POST", "/admin/v1/providers/none/breakers/echo", `{"state":"open"}`, 404, "not_found", "none")
}

func TestStanding(t *testing.T) {
	closed, half, open := router.TargetStatus{State: "closed"}, router.TargetStatus{State: "half_open"}, router.TargetStatus{State: "open"}
	ready, cooling := router.SecretStatus{State: "ready"}, router.SecretStatus{State: "cooling"}
	for _, c := range []struct {
		p    Provider
		want string
	}{
		{Provider{}, "ok"},
		{Provider{Targets: []router.TargetStatus{closed}, Keys: []router.SecretStatus{ready}}, "ok"},
		{Provider{Targets: []router.TargetStatus{closed, open}}, "degraded"},
		{Provider{Targets: []router.TargetStatus{half}}, "degraded"},
		{Provider{Targets: []router.TargetStatus{open, open}}, "down"},
		{Provider{Targets: []router.TargetStatus{closed}, Keys: []router.SecretStatus{ready, cooling}}, "degraded"},
		{Provider{Targets: []router.TargetStatus{closed}, Keys: []router.SecretStatus{cooling}}, "down"},
		{Provider{Targets: []router.TargetStatus{closed}, Keys: []router.SecretStatus{{State: "cooling", Target: "p/m"}}}, "degraded"},
		{Provider{State: "down"}, "down"},
	} {
		if got := c.p.Standing(); got.State != c.want || got.Targets == nil || got.Keys == nil {
			t.Errorf("%+v: %q, want %q", c.p, got.State, c.want)
		}
	}
}

func TestReload(t *testing.T) {
	w := newWorld()
	c := newClient(t, w, "operator")
	if got := c.object(200, "POST", "/admin/v1/reload", ""); got["revision"] != "r1" {
		t.Errorf("reload %v", got)
	}
	w.reloadErr = PromptFaults{"prompts/mood.prompt:4: bad"}
	c.problem("POST", "/admin/v1/reload", "", 422, "invalid_configuration", "is reloaded, but")
	w.reloadErr = errors.New("sluice.yaml:3: server.listn: unknown\nsluice.yaml:9: bad")
	rec := c.do("POST", "/admin/v1/reload", "")
	var p problem
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || rec.Code != 422 || p.Code != codeFaulty || len(p.Errors) != 2 ||
		!strings.HasPrefix(p.Errors[1].Message, "sluice.yaml:9") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

func TestModelsExplainHealth(t *testing.T) {
	w := newWorld()
	c := newClient(t, w, "viewer")
	if l := c.object(200, "GET", "/admin/v1/models", ""); len(l["data"].([]any)) != 2 || l["next"] != nil {
		t.Errorf("models %v", l)
	}
	if e := c.object(200, "GET", "/admin/v1/explain?model=fast", ""); e["chosen"] != "mock/fast" {
		t.Errorf("explain %v", e)
	}
	c.problem("GET", "/admin/v1/explain", "", 400, "invalid_request", "model is required")
	if h := c.object(200, "GET", "/admin/v1/health", ""); h["status"] != "ok" {
		t.Errorf("health %v", h)
	}
	o := w.options()
	o.Explain.Model = func(string) (router.Explanation, error) {
		return router.Explanation{}, &schema.Error{Code: schema.CodeModelNotFound, Status: 404, Message: "no such model"}
	}
	client{t, New(o), "viewer"}.problem("GET", "/admin/v1/explain?model=x", "", 404, "model_not_found", "no such")
}

func TestStoredButNotInForce(t *testing.T) {
	w := newWorld()
	o := w.options()
	o.Changed = func(context.Context) error { return errors.New("boom") }
	client{t, New(o), "admin"}.problem("POST", "/admin/v1/teams", `{"name":"x"}`, 500, "internal_error", "stored but not in force")
}

func TestCache(t *testing.T) {
	w := newWorld()
	c := newClient(t, w, "admin")
	if f := c.object(200, "GET", "/admin/v1/cache", ""); f["entries"] != 1.0 || f["saved_usd"] != "0" || f["models"].([]any)[0].(map[string]any)["semantic_hits"] != 0.0 {
		t.Errorf("figures %v", f)
	}
	for query, want := range map[string]shared.Purge{"tag=a": {Tag: "a"}, "key=fast/t/0": {Key: "fast/t/0"}, "prefix=fast/": {Prefix: "fast/"},
		"model=fast&tag=a": {Model: "fast", Tag: "a"}, "prefix=": {}} {
		w.purged = nil
		if a := c.object(200, "DELETE", "/admin/v1/cache?"+query, ""); a["purged"] != 2.0 || len(w.purged) != 1 || w.purged[0] != want {
			t.Errorf("%s: %v, purged %+v", query, a, w.purged)
		}
	}
	w.purged = nil
	c.problem("DELETE", "/admin/v1/cache", "", 400, "invalid_request", "prefix")
	c.problem("DELETE", "/admin/v1/cache?model=", "", 400, "invalid_request", "model is empty")
	c.problem("DELETE", "/admin/v1/cache?keys=a", "", 400, "invalid_request", "keys")
	if w.purged != nil {
		t.Errorf("purged %+v", w.purged)
	}
}
