package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A split keeps a header's value with one version, and ends by itself when the
// new version fails.
func TestSplitStopsByItself(t *testing.T) {
	g := start(t, team)
	source := strings.Replace(labelled, "sluice.path", "sluice.split: {by: \"header:X-Visitor\", stop: {errors: 0.1, calls: 5}}\nsluice.path", 1)
	failing := strings.Replace(source, "mock/echo", "mock/fail-500", 1)
	for _, s := range []string{source, failing} {
		if a := g.api("POST", "prompts/label/publish", publication(s, true)); a.status != 201 {
			t.Fatalf("publish: %d %s", a.status, a.body)
		}
	}
	if a := g.api("PUT", "prompts/label/labels", `{"production":1}`); a.status != 200 {
		t.Fatalf("label: %d %s", a.status, a.body)
	}
	if a := g.api("GET", "prompts/label/split", ""); a.status != 404 {
		t.Errorf("without a split: %d %s", a.status, a.body)
	}
	if a := g.api("PUT", "prompts/label/split", `{"1":1,"2":1}`); a.status != 200 {
		t.Fatalf("split: %d %s", a.status, a.body)
	}
	served := map[string]string{}
	for i := range 200 {
		visitor := fmt.Sprint("visitor-", i%20)
		version := g.data("POST", "/label", `{"text":"a"}`, "X-Visitor", visitor).header.Get("x-sluice-prompt")
		if before := served[visitor]; before != "" && before != version && version != "label@1" {
			t.Errorf("%s got %s after %s", visitor, version, before)
		}
		served[visitor] = version
	}
	if a := g.data("POST", "/label", `{"text":"a"}`, "X-Visitor", "visitor-1"); a.status != 200 {
		t.Errorf("after the stop: %d %s", a.status, a.body)
	}
	if a := g.api("GET", "prompts/label/split", ""); !strings.Contains(a.get("stopped").String(), "label@2 failed in 100.0 % of 5 calls") ||
		a.get("arms.1.errors").Int() != 5 || a.get("arms.0.errors").Int() != 0 || a.get("arms.0.usd").String() == "0" {
		t.Errorf("how it went: %d %s", a.status, a.body)
	}
	if !eventually(10*time.Second, func() bool { return !g.api("GET", "prompts", "").get("data.0.split").Exists() }) {
		t.Errorf("the split is still in the store: %s", g.api("GET", "prompts", "").body)
	}
	if a := g.api("GET", "prompts/label/split", ""); a.get("stopped").String() == "" {
		t.Errorf("why is not told any more: %d %s", a.status, a.body)
	}
}
