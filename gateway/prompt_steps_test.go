package gateway

import (
	"strings"
	"testing"

	"sluice/prompts"
	"sluice/providers/schema"
)

// stepped calls two prompts at once, then one with what both brought.
const stepped = `---
model: m/echo
input: {schema: {text: string, "tone?": string}, default: {tone: kind}}
sluice.steps:
  - [{as: mood, prompt: label, input: {text: "{{text}}", tone: "{{tone}}"}}, {as: twice, prompt: say, input: {text: "{{text}} {{text}}"}}]
  - {as: last, prompt: say, input: {text: "{{mood.label}} of {{twice}}"}}
---
{{mood.label}}/{{twice}}/{{last}}
`

func stepFiles() map[string]string {
	return map[string]string{"label": labelPrompt, "say": sayPrompt, "main": stepped}
}

func TestSteps(t *testing.T) {
	e := newEdge(t, stepFiles())
	e.model.say = func(_ int, req *schema.ChatRequest) (string, error) {
		last := req.Messages[len(req.Messages)-1].Text()
		if strings.HasPrefix(req.Messages[0].Text(), "Label") {
			return `{"label":"L(` + last + `)"}`, nil
		}
		return strings.TrimSpace(last), nil
	}
	a := e.call("POST", "/prompts/main", `{"text":"{{x}}"}`)
	const want = "L({{x}})/{{x}} {{x}}/L({{x}}) of {{x}} {{x}}"
	if a.status != 200 || a.body != want {
		t.Fatalf("%d %s, want %s", a.status, a.body, want)
	}
	entries := e.recorded()
	calls := map[string]int{}
	for _, en := range entries {
		calls[en.Prompt]++
		if en.RequestID != a.header.Get("X-Request-Id") || en.Key != "t/all" || en.Version != 1 || en.Cost != entries[0].Cost {
			t.Errorf("entry %+v", en)
		}
	}
	if calls["main"] != 1 || calls["say"] != 2 || calls["label"] != 1 || len(entries) != 4 {
		t.Errorf("calls %v", calls)
	}
	if entries[3].Prompt != "main" || a.header.Get("X-Sluice-Cost") != (4*entries[0].Cost).String() {
		t.Errorf("the answer cost %s, each call %s", a.header.Get("X-Sluice-Cost"), entries[0].Cost)
	}
	a = e.call("POST", "/prompts/main", `[{"text":"a"},{"text":"b"}]`, "Prefer", "return=envelope")
	if a.get("1.output").String() != "L(b)/b b/L(b) of b b" || a.get("1.usage.output_tokens").Int() != 20 {
		t.Errorf("array: %d %s", a.status, a.body)
	}
	a = e.call("POST", "/v1/chat/completions", chatBody("prompt/main", "q", ""))
	if a.get("choices.0.message.content").String() != "L(q)/q q/L(q) of q q" {
		t.Errorf("as a model: %d %s", a.status, a.body)
	}
	e.model.say = nil
	a = e.call("POST", "/prompts/main", `{"text":"a"}`, "Accept", "text/event-stream")
	if a.status != 200 || !strings.Contains(a.body, `event: done`) || !strings.Contains(a.body, `{"output":"label/a a/label of a a`) {
		t.Errorf("stream: %d %s", a.status, a.body)
	}
}

func TestStepsFail(t *testing.T) {
	files := stepFiles()
	files["circle"] = "---\nmodel: m/x\nsluice.steps: [{as: a, prompt: ring}]\n---\n{{a}}\n"
	files["ring"] = "---\nmodel: m/x\nsluice.steps: [{as: a, prompt: circle@1}]\n---\n{{a}}\n"
	files["lost"] = "---\nmodel: m/x\nsluice.steps: [{as: a, prompt: nowhere}]\n---\n{{a}}\n"
	files["unfit"] = "---\nmodel: m/x\nsluice.steps: [{as: a, prompt: say, input: {txt: b}}]\n---\n{{a}}\n"
	files["routed"] = "---\nmodel: m/x\nsluice.steps: [{as: a, route: GET /x}]\n---\n{{a}}\n"
	e := newEdge(t, files)
	e.model.say = func(int, *schema.ChatRequest) (string, error) { return "no label", nil }
	for path, c := range map[string]struct {
		status int
		detail string
	}{
		"/prompts/main":   {502, "step mood: the model's output breaks"},
		"/prompts/circle": {508, "circle"},
		"/prompts/lost":   {503, "step a: the prompt nowhere is not served"},
		"/prompts/unfit":  {422, "step a: its input does not fit the schema of say"},
		"/prompts/routed": {503, "step a: no route takes GET /x"},
	} {
		a := e.call("POST", path, `{"text":"a"}`)
		if a.status != c.status || !strings.Contains(a.get("detail").String(), c.detail) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	for _, en := range e.recorded() {
		if en.Prompt == "main" && en.Cost != 0 {
			t.Errorf("the prompt itself was asked: %+v", en)
		}
	}
}

// Steps count against the caller's limits.
func TestStepsAndLimits(t *testing.T) {
	e := newEdge(t, stepFiles())
	e.model.say = func(int, *schema.ChatRequest) (string, error) { return `{"label":"x"}`, nil }
	a := e.call("POST", "/prompts/main", `{"text":"a"}`, "Authorization", "Bearer "+poorKey)
	if a.status != 429 {
		t.Errorf("the fourth call of three: %d %s", a.status, a.body)
	}
	if _, _, err := e.prompts.Publish(t.Context(), prompts.Publication{Name: "closed",
		Source: []byte(strings.Replace(stepped, "sluice.steps", "sluice.access: subscribed\nsluice.steps", 1))}); err != nil {
		t.Fatal(err)
	}
	if a = e.call("POST", "/prompts/closed", `{"text":"a"}`); a.status != 403 {
		t.Errorf("not subscribed: %d %s", a.status, a.body)
	}
}
