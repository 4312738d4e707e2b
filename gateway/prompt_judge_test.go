package gateway

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/billing"
	"sluice/prompts"
	"sluice/providers/schema"
)

// asked tells whether a request is one to the judge.
func asked(req *schema.ChatRequest) bool {
	return strings.Contains(req.Messages[0].Text(), "You judge the output")
}

// reach calls n times, and wants a version's answer each time.
func (e *edge) reach(version string, n int) {
	e.t.Helper()
	for range n {
		a := e.call("POST", "/label", `{"text":"hello"}`, "X-Sluice-Tags", "mine")
		if a.status != 200 || a.header.Get("X-Sluice-Prompt") != version {
			e.t.Fatalf("%d %s %s", a.status, a.header.Get("X-Sluice-Prompt"), a.body)
		}
	}
}

func TestJudgeStopsASplit(t *testing.T) {
	e := newEdge(t, twoPrompts)
	e.split(strings.Replace(labelPrompt, "sluice.path", "sluice.split: {stop: {judge: {criterion: be kind, model: m/judge, sample: 1, answers: 3}}}\nsluice.path", 1), map[int]int{1: 1})
	hold := make(chan struct{})
	e.model.say = func(_ int, req *schema.ChatRequest) (string, error) {
		if !asked(req) {
			return `{"label":"rude"}`, nil
		}
		<-hold
		for _, part := range []string{"be kind", `{"text":"hello"}`, `{"label":"rude"}`} {
			if !strings.Contains(req.Messages[1].Text(), part) {
				t.Errorf("the judge is asked %q, which lacks %s", req.Messages[1].Text(), part)
			}
		}
		return `{"pass":false,"reason":"it is rude"}`, nil
	}
	e.reach("label@1", 3) // while the judge thinks: nobody waits for it
	close(hold)
	var report *prompts.SplitReport
	for end := time.Now().Add(20 * time.Second); report == nil || report.Stopped == ""; time.Sleep(time.Millisecond) {
		if report = e.prompts.SplitReport("label"); time.Now().After(end) {
			t.Fatalf("the split goes on: %+v", report)
		}
	}
	if report.By != prompts.StoppedByJudge || report.Arms[0].Judged != 3 || report.Arms[0].Good != 0 || report.Arms[0].Calls != 3 {
		t.Errorf("%+v", report)
	}
	e.reach("label@2", 1)
	if !e.quiet(10 * time.Second) {
		t.Fatal("calls do not end")
	}
	var charged []billing.Entry
	for _, en := range e.recorded() {
		if slices.Contains(en.Tags, judgeTag) {
			charged = append(charged, en)
		}
	}
	if len(charged) != 3 || len(e.store.judged) != 3 {
		t.Fatalf("%d judgements charged, %d stored", len(charged), len(e.store.judged))
	}
	for _, en := range charged {
		if en.Team != "t" || en.Key != "t/all" || en.Prompt != "label" || en.Version != 1 || en.Model != "m/judge" || en.Cost == 0 ||
			en.Split.Since != 0 || !slices.Contains(en.Tags, "mine") {
			t.Errorf("%+v", en)
		}
	}
}

// Whatever way an answer goes, the judge sees the whole of it; an answer that
// failed is not judged.
func TestJudgeSeesEveryAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		path, body string
		header     []string
		judged     int
		fails      bool
	}{
		"an object": {path: "/label", body: `{"text":"a"}`, judged: 1},
		"a form":    {path: "/label", body: `text=a`, header: []string{"Content-Type", "application/x-www-form-urlencoded"}, judged: 1},
		"an array":  {path: "/label", body: `[{"text":"a"},{"text":"a"}]`, judged: 2},
		"a stream":  {path: "/label?stream=1", body: `{"text":"a"}`, judged: 1},
		"a model":   {path: "/v1/chat/completions", body: chatBody("prompt/label", `{"text":"a"}`, ""), judged: 1},
		"a version": {path: "/label@1", body: `{"text":"a"}`},
		"a failure": {path: "/label", body: `{"text":"a"}`, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEdge(t, twoPrompts)
			e.split(strings.Replace(labelPrompt, "sluice.path", "sluice.split: {stop: {judge: {criterion: be kind, sample: 1}}}\nsluice.path", 1), map[int]int{1: 1})
			e.model.say = func(_ int, req *schema.ChatRequest) (string, error) {
				switch {
				case !asked(req) && c.fails:
					return "no JSON", nil
				case !asked(req):
					return `{"label":"x"}`, nil
				case !strings.Contains(req.Messages[1].Text(), `{"text":"a"}`) || !strings.Contains(req.Messages[1].Text(), `{"label":"`):
					t.Errorf("the judge is asked %q", req.Messages[1].Text())
				}
				return `{"pass":true,"reason":"fine"}`, nil
			}
			e.call("POST", c.path, c.body, c.header...)
			if !e.quiet(10 * time.Second) {
				t.Fatal("calls do not end")
			}
			if got := e.prompts.SplitReport("label").Arms[0]; got.Judged != int64(c.judged) || got.Good != int64(c.judged) {
				t.Errorf("%+v, want %d judged", got, c.judged)
			}
		})
	}
}

// A judge that gives no answer says nothing of the version.
func TestJudgeFails(t *testing.T) {
	e := newEdge(t, twoPrompts)
	e.split(strings.Replace(labelPrompt, "sluice.path", "sluice.split: {stop: {judge: {criterion: be kind, sample: 1, answers: 1}}}\nsluice.path", 1), map[int]int{1: 1})
	e.model.say = func(_ int, req *schema.ChatRequest) (string, error) {
		if asked(req) {
			return "", context.DeadlineExceeded
		}
		return `{"label":"x"}`, nil
	}
	e.call("POST", "/label", `{"text":"a"}`)
	if !e.quiet(10 * time.Second) {
		t.Fatal("calls do not end")
	}
	if r := e.prompts.SplitReport("label"); r.Stopped != "" || r.Arms[0].Judged != 0 || r.Arms[0].Calls != 1 || r.Arms[0].Errors != 0 {
		t.Errorf("%+v", r)
	}
}

// What a split's calls cost and whether they failed is in their entries, for
// the next process.
func TestSplitMarksEntries(t *testing.T) {
	e := newEdge(t, twoPrompts)
	e.split(strings.Replace(labelPrompt, "Label it", "Label it well", 1), map[int]int{1: 1})
	e.says("no JSON")
	e.call("POST", "/label", `{"text":"a"}`)
	e.says(`{"label":"x"}`)
	e.call("POST", "/label", `{"text":"a"}`)
	e.call("POST", "/label@1", `{"text":"a"}`)
	arm := e.prompts.SplitReport("label").Arms[0]
	var calls, failed, nanos int64
	for _, en := range e.recorded() {
		if m := en.Split; m.Since == 1 {
			calls, nanos = calls+1, nanos+int64(m.Cost)
			if m.Failed {
				failed++
			}
		}
	}
	if calls != 2 || failed != 1 || calls != arm.Calls || failed != arm.Errors || nanos != arm.Nanos || nanos == 0 {
		t.Errorf("entries: %d calls, %d failed, %d; the arm: %+v", calls, failed, nanos, arm)
	}
}
