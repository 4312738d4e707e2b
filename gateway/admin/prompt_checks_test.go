package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/prompts"
)

// liveOf is a version of the prompt mood.
func liveOf(t *testing.T, n int, source string) *prompts.Live {
	t.Helper()
	tm, faults := prompts.Parse("mood", []byte(source), prompts.ParseOptions{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return &prompts.Live{Name: "mood", Version: n, Template: tm, Path: "/mood", Source: []byte(source)}
}

// checked is a client of a world whose prompts are checked.
func checked(t *testing.T, token string, change func(*Options)) client {
	t.Helper()
	o := newWorld().options()
	lives := []*prompts.Live{
		liveOf(t, 1, "---\nmodel: m/a\ninput: {schema: {text: string, \"old?\": string}}\n---\n{{text}} one\n"),
		liveOf(t, 2, "---\nmodel: m/b\ninput: {schema: {text: string}}\n---\n{{text}} two\n"),
	}
	o.Live = func(_ context.Context, name string, n int, label string) (*prompts.Live, error) {
		switch {
		case name == "down":
			return nil, errors.New("the store is down")
		case name != "mood":
			return nil, fmt.Errorf("prompt %q: %w", name, prompts.ErrNoPrompt)
		case label == "old":
			return lives[0], nil
		case n == 0 && label == "":
			return lives[1], nil
		case n < 1 || n > 2:
			return nil, fmt.Errorf("prompt %q, version %d: %w", name, n, prompts.ErrNoVersion)
		}
		return lives[n-1], nil
	}
	if change != nil {
		change(&o)
	}
	return client{t, New(o), token}
}

func TestDiffOfVersions(t *testing.T) {
	c := checked(t, "viewer", nil)
	for _, path := range []string{"diff?from=1&to=2", "diff", "diff?from=1"} {
		got := c.object(200, "GET", "/admin/v1/prompts/mood/"+path, "")
		breaking := fmt.Sprint(got["breaking"])
		if got["from"] != 1.0 || got["to"] != 2.0 || !strings.Contains(breaking, "input /old: is gone") || !strings.Contains(got["text"].(string), "-{{text}} one") {
			t.Errorf("%s: %v", path, got)
		}
	}
	c.problem("GET", "/admin/v1/prompts/mood/diff?from=3", "", 404, "not_found", "version 3")
	c.problem("GET", "/admin/v1/prompts/mood/diff?from=x", "", 400, "invalid_request", "number")
	c.problem("GET", "/admin/v1/prompts/mood/diff?to=1", "", 400, "invalid_request", "the first")
	c.problem("GET", "/admin/v1/prompts/none/diff", "", 404, "not_found", "none")
	c.problem("GET", "/admin/v1/prompts/down/diff", "", 503, "unavailable", "store")
	c.as("team-owner").problem("GET", "/admin/v1/prompts/mood/diff", "", 403, "permission_denied", "team-owner")
}

func TestRender(t *testing.T) {
	c := checked(t, "viewer", nil)
	for query, want := range map[string]string{
		"input=%7B%22text%22:%22hi%22%7D":           "hi two",
		"input=%7B%22text%22:%22hi%22%7D&version=1": "hi one",
		"input=%7B%22text%22:%22hi%22%7D&label=old": "hi one",
	} {
		got := c.do("GET", "/admin/v1/prompts/mood/render?"+query, "")
		if got.Code != 200 || !strings.Contains(got.Body.String(), want) || !strings.Contains(got.Body.String(), `"messages"`) {
			t.Errorf("%s: %d %s", query, got.Code, got.Body)
		}
	}
	c.problem("GET", "/admin/v1/prompts/mood/render", "", 422, "invalid_request", "schema")
	var p struct{ Errors []prompts.Problem }
	if got := c.do("GET", "/admin/v1/prompts/mood/render", ""); json.Unmarshal(got.Body.Bytes(), &p) != nil || len(p.Errors) != 1 || p.Errors[0] != (prompts.Problem{Pointer: "/text", Message: "is required"}) {
		t.Errorf("faults of an input: %s", got.Body)
	}
	c.problem("GET", "/admin/v1/prompts/mood/render?input=[", "", 400, "invalid_request", "JSON")
	c.problem("GET", "/admin/v1/prompts/mood/render?inptu=1", "", 400, "invalid_request", "inptu")
}

func TestTestsOfPrompts(t *testing.T) {
	var asked Publication
	var model string
	c := checked(t, "admin", func(o *Options) {
		o.Test = func(_ context.Context, p Publication, m string) ([]prompts.TestResult, error) {
			asked, model = p, m
			if string(p.Source) == "bad" {
				return nil, prompts.Faults{{File: "mood", Message: "no good"}}
			}
			return []prompts.TestResult{
				{Test: "a", Model: "m/a", Run: 1, Answer: prompts.Answer{Text: "x", Cost: 5_000_000, Latency: 40 * time.Millisecond}},
				{Test: "b", Model: "m/a", Run: 1, Failures: []prompts.Failure{{Expect: "equals", Message: "not so"}}},
			}, nil
		}
	})
	got, err := json.Marshal(c.object(200, "POST", "/admin/v1/prompts/mood/test", `{"version":1,"model":"m/x"}`))
	want := `{"failed":1,"passed":1,"results":[{"cost":"0.005","failures":[],"latency_ms":40,"model":"m/a","output":"x","passed":true,"run":1,"test":"a"},` +
		`{"cost":"0","failures":[{"expect":"equals","message":"not so"}],"latency_ms":0,"model":"m/a","output":"","passed":false,"run":1,"test":"b"}]}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
	if !strings.Contains(string(asked.Source), "one") || model != "m/x" {
		t.Errorf("tested %s on %s", asked.Source, model)
	}
	c.object(200, "POST", "/admin/v1/prompts/new/test", `{"source":"hello"}`)
	if string(asked.Source) != "hello" || asked.Name != "new" {
		t.Errorf("tested %+v", asked)
	}
	c.problem("POST", "/admin/v1/prompts/new/test", `{"source":"bad"}`, 422, "invalid_configuration", "faults")
	c.problem("POST", "/admin/v1/prompts/none/test", ``, 404, "not_found", "none")
	c.as("viewer").problem("POST", "/admin/v1/prompts/mood/test", ``, 403, "permission_denied", "viewer")
	checked(t, "admin", nil).problem("POST", "/admin/v1/prompts/mood/test", ``, 409, "conflict", "no tests")
}

// What speaks against a publication stops it, unless it is forced.
func TestPublishIsReviewed(t *testing.T) {
	published := 0
	var fails error
	c := checked(t, "admin", func(o *Options) {
		o.Publish = func(context.Context, Publication) (int, bool, error) { published++; return 3, true, nil }
		o.Review = func(_ context.Context, p Publication) ([]string, error) {
			if string(p.Source) == "good" {
				return nil, nil
			}
			return []string{`test "a" on m/a: equals: no`, "breaks callers: input /a: is gone"}, fails
		}
	})
	rec := c.do("POST", "/admin/v1/prompts/mood/publish", `{"source":"bad"}`)
	var p problem
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || rec.Code != 422 || len(p.Errors) != 2 || !strings.Contains(p.Detail, "force") || published != 0 {
		t.Errorf("%d %s, %d published", rec.Code, rec.Body, published)
	}
	c.object(201, "POST", "/admin/v1/prompts/mood/publish", `{"source":"bad","force":true}`)
	c.object(201, "POST", "/admin/v1/prompts/mood/publish", `{"source":"good"}`)
	if published != 2 {
		t.Errorf("%d published, want 2", published)
	}
	fails = prompts.Faults{{File: "mood", Message: "no good"}}
	c.problem("POST", "/admin/v1/prompts/mood/publish", `{"source":"bad"}`, 422, "invalid_configuration", "faults")
	fails = errors.New("down")
	c.problem("POST", "/admin/v1/prompts/mood/publish", `{"source":"bad"}`, 503, "unavailable", "store")
}
