package gateway

import (
	"strings"
	"testing"

	"sluice/providers/schema"
)

// An array that is not waited for is run all the same; its answer is there for
// the key that sent it, good or not.
func TestPromptJobs(t *testing.T) {
	e := newEdge(t, twoPrompts)
	hold := make(chan struct{})
	e.model.say = func(_ int, req *schema.ChatRequest) (string, error) {
		<-hold
		for i := range req.Messages { // the turn that repairs it too
			if req.Messages[i].Text() == "bad" {
				return "not JSON at all", nil
			}
		}
		return `{"label":"x"}`, nil
	}
	begin := func(body string, header ...string) reply {
		t.Helper()
		a := e.call("POST", "/label", body, append([]string{"Prefer", "respond-async"}, header...)...)
		if a.status != 202 || !strings.HasPrefix(a.header.Get("Location"), "/v1/jobs/job_") || a.header.Get("Preference-Applied") != "respond-async" ||
			a.get("status").String() != "running" || a.get("total").Int() != 2 || a.header.Get("Retry-After") != "1" {
			t.Fatalf("%d %v %s", a.status, a.header, a.body)
		}
		return a
	}
	good, bad := begin(`[{"text":"a"},{"text":"b"}]`, "Idempotency-Key", "k"), begin(`[{"text":"bad"},{"text":"b"}]`)
	at := good.header.Get("Location")
	if again := begin(`[{"text":"a"},{"text":"b"}]`, "Idempotency-Key", "k"); again.header.Get("Location") != at {
		t.Errorf("the same again: %v", again.header)
	}
	if a := e.call("GET", at, ""); a.status != 202 || a.get("ready").Int() != 0 {
		t.Errorf("under way: %d %s", a.status, a.body)
	}
	for _, key := range []string{"Bearer " + poorKey, "none"} {
		if a := e.call("GET", at, "", "Authorization", key); a.status != 404 {
			t.Errorf("another's: %d %s", a.status, a.body)
		}
	}
	close(hold)
	wait := func(at string) reply {
		for {
			if a := e.call("GET", at, ""); a.status != 202 {
				return a
			}
		}
	}
	if a := wait(at); a.status != 200 || a.body != `[{"label":"x"},{"label":"x"}]` || a.header.Get("X-Sluice-Prompt") != "label@1" || a.header.Get("X-Sluice-Cost") == "0" {
		t.Errorf("done: %d %v %s", a.status, a.header, a.body)
	}
	if a := wait(bad.header.Get("Location")); a.status != 502 || !strings.Contains(a.get("detail").String(), "input 0 of the array") {
		t.Errorf("failed: %d %s", a.status, a.body)
	}
	if a := e.call("POST", "/label", `[{"txt":1}]`, "Prefer", "respond-async"); a.status != 422 {
		t.Errorf("an input that does not fit is told at once: %d", a.status)
	}
	if a := e.call("GET", "/v1/jobs/job_none", ""); a.status != 404 {
		t.Errorf("none: %d", a.status)
	}
	if a := e.call("POST", at, ""); a.status != 405 {
		t.Errorf("a POST: %d", a.status)
	}
}
