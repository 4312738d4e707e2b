package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// voice is a provider that says one thing, or nothing until it is released.
type voice struct {
	*httptest.Server
	held chan struct{} // nil: it answers at once
}

func newVoice(t *testing.T, says string, held chan struct{}) *voice {
	v := &voice{held: held}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if v.held != nil {
			select {
			case <-v.held:
			case <-r.Context().Done():
				return
			}
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":%s}}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}`, quote(says))
	}))
	t.Cleanup(v.Close)
	return v
}

// as is the voice as a provider of the configuration.
func (v *voice) as(name string) string {
	return "  " + name + `: {kind: openai-compatible, base_url: "` + v.URL + `/v1", keys: [sk-v], prices: {"*": {input: 1, output: 2}}}` + "\n"
}

func (g *gateway) publish(name, source string) {
	g.t.Helper()
	if a := g.api("POST", "prompts/"+name+"/publish", publication(source, true)); a.status != 201 {
		g.t.Fatalf("publish: %d %s", a.status, a.body)
	}
}

// Answers to an Idempotency-Key and jobs are there after the process was
// killed; a job that it had not ended has failed, and says so.
func TestReplaysAndJobsAfterACrash(t *testing.T) {
	never := newVoice(t, "", make(chan struct{}))
	g := start(t, team+"providers:\n"+never.as("never"))
	g.publish("label", labelled)
	g.publish("slow", strings.NewReplacer("mock/echo", "never/m", "/label", "/slow").Replace(labelled))
	first := g.data("POST", "/label", `{"text":"a"}`, "Idempotency-Key", "once")
	if first.status != 200 {
		t.Fatalf("%d %s", first.status, first.body)
	}
	begin := func(path, key string) string {
		t.Helper()
		a := g.data("POST", path, `[{"text":"a"},{"text":"b"}]`, "Prefer", "respond-async", "Idempotency-Key", key)
		if a.status != 202 {
			t.Fatalf("%s: %d %s", path, a.status, a.body)
		}
		return a.header.Get("Location")
	}
	done, cut := begin("/label", "job"), begin("/slow", "cut")
	var answer answer
	if !eventually(20*time.Second, func() bool { answer = g.data("GET", done, ""); return answer.status != 202 }) || answer.status != 200 {
		t.Fatalf("the job: %d %s", answer.status, answer.body)
	}
	if a := g.data("GET", cut, ""); a.status != 202 {
		t.Fatalf("the slow job: %d %s", a.status, a.body)
	}
	g.kill()
	g.start()
	charged := func() string {
		a := g.api("GET", "usage?group_by=prompt", "")
		return a.get("total.calls").String() + " calls, $" + a.get("total.usd").String()
	}
	before := charged()
	if a := g.data("POST", "/label", `{"text":"a"}`, "Idempotency-Key", "once"); a.status != 200 || a.body != first.body ||
		a.header.Get("Idempotency-Replayed") != "true" || a.header.Get("X-Sluice-Cost") != first.header.Get("X-Sluice-Cost") {
		t.Errorf("again: %d %v %s", a.status, a.header, a.body)
	}
	if a := g.data("POST", "/label", `{"text":"b"}`, "Idempotency-Key", "once"); a.status != 409 {
		t.Errorf("another request with the key: %d %s", a.status, a.body)
	}
	if a := g.data("GET", done, ""); a.status != 200 || a.body != answer.body {
		t.Errorf("the job: %d %s, want %s", a.status, a.body, answer.body)
	}
	if a := g.data("GET", cut, ""); a.status != 503 || !strings.Contains(a.get("detail").String(), "stopped before the array was done") {
		t.Errorf("the job that was cut: %d %s", a.status, a.body)
	}
	if at := begin("/label", "job"); at != done {
		t.Errorf("begun again at %s, not %s", at, done)
	}
	if after := charged(); after != before {
		t.Errorf("what was given again is charged: %s, before %s", after, before)
	}
	if code := g.stop(); code != 0 {
		t.Errorf("the end: %d", code)
	}
}

// A split's figures are exact after the process was killed, and count: a few
// calls more and it is stopped. Why stays known after the next crash.
func TestSplitAfterACrash(t *testing.T) {
	judge := newVoice(t, `{"pass":false,"reason":"no"}`, nil)
	g := start(t, team+"providers:\n"+judge.as("strict"))
	source := strings.Replace(labelled, "sluice.path",
		`sluice.split: {by: "header:X-Visitor", stop: {judge: {criterion: is it a label, model: strict/m, sample: 1, answers: 12}}}`+"\nsluice.path", 1)
	g.publish("label", source)
	g.publish("label", source+"more")
	for _, c := range [][2]string{{"labels", `{"production":1}`}, {"split", `{"1":1,"2":1}`}} {
		if a := g.api("PUT", "prompts/label/"+c[0], c[1]); a.status != 200 {
			t.Fatalf("%s: %d %s", c[0], a.status, a.body)
		}
	}
	visitor := 0
	calls := map[string]int64{}
	report := func() answer { return g.api("GET", "prompts/label/split", "") }
	call := func(second int64) { // until version 2 was called so often, or is called no more
		t.Helper()
		for ; calls["label@2"] < second && report().get("stopped").String() == ""; visitor++ {
			a := g.data("POST", "/label", `{"text":"a"}`, "X-Visitor", fmt.Sprint(visitor))
			if a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			calls[a.header.Get("X-Sluice-Prompt")]++
		}
	}
	call(10)
	judged := func(n int64) bool {
		return eventually(20*time.Second, func() bool { return report().get("arms.1.judged").Int() == n })
	}
	if !judged(10) {
		t.Fatalf("judged: %s", report().body)
	}
	call(11) // the last is judged or not: it is killed at once
	g.kill()
	g.start()
	a := report()
	for i, version := range []string{"label@1", "label@2"} {
		if got := a.get(fmt.Sprintf("arms.%d.calls", i)).Int(); got != calls[version] {
			t.Errorf("%s: %d calls, want %d: %s", version, got, calls[version], a.body)
		}
	}
	if a.get("arms.1.judged").Int() < 10 || a.get("arms.0.judged").Int() != 0 || a.get("arms.0.usd").String() == "0" || a.get("stopped").String() != "" {
		t.Errorf("after the crash: %s", a.body)
	}
	call(13)
	why := func() bool {
		a := report()
		return strings.Contains(a.get("stopped").String(), "the judge found 0.0 % of 1") && a.get("by").String() == "judge"
	}
	if !eventually(20*time.Second, why) {
		t.Fatalf("it goes on: %s", report().body)
	}
	if !eventually(20*time.Second, func() bool { return !g.api("GET", "prompts", "").get("data.0.split").Exists() }) {
		t.Fatalf("the split is still in the store: %s", g.api("GET", "prompts", "").body)
	}
	if g.count(`sluice_prompt_split_stops_total{by="judge",prompt="label"}`) != 1 || !g.logs("the split of a prompt was stopped") {
		t.Error("neither log nor metrics tell of the stop")
	}
	g.kill()
	g.start()
	if !why() {
		t.Errorf("why is not told any more: %s", report().body)
	}
	for i := range 20 {
		if a := g.data("POST", "/label", `{"text":"a"}`, "X-Visitor", fmt.Sprint(i)); a.header.Get("X-Sluice-Prompt") != "label@1" {
			t.Errorf("after the stop: %s", a.header.Get("X-Sluice-Prompt"))
		}
	}
}
