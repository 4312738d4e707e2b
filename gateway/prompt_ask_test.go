package gateway

import (
	"strings"
	"testing"

	"sluice/prompts"
	"sluice/providers/schema"
)

// A prompt's tests are calls like all others, of a key of their own.
func TestReviewAsksModels(t *testing.T) {
	e := newEdge(t, twoPrompts)
	e.model.say = func(_ int, req *schema.ChatRequest) (string, error) {
		if strings.Contains(req.Messages[0].Text(), "You judge") {
			return `{"pass":true,"reason":"fine"}`, nil
		}
		return `{"label":"x"}`, nil
	}
	source := func(expect string) prompts.Publication {
		return prompts.Publication{Name: "label", Source: []byte(strings.Replace(labelPrompt, "sluice.path",
			"sluice.tests: [{input: {text: a}, expect: {"+expect+"}}]\nsluice.path", 1))}
	}
	against, err := e.prompts.Review(t.Context(), source(`json: {label: x}, judge: fine`), e.TestModels())
	if err != nil || len(against) != 0 {
		t.Errorf("a good one: %q, %v", against, err)
	}
	entries := e.recorded()
	if len(entries) != 2 || entries[0].Team != TesterID || entries[0].Key != "tests/prompts" || entries[0].Prompt != "label" ||
		entries[0].Version != 0 || entries[0].Cost == 0 || entries[1].Prompt != "judge" || entries[1].Model != "m/echo" {
		t.Errorf("entries %+v", entries)
	}
	p := source(`json: {label: y}`)
	p.Source = []byte(strings.Replace(string(p.Source), `, "tone?": string`, "", 1))
	against, err = e.prompts.Review(t.Context(), p, e.TestModels())
	if err != nil || len(against) != 2 || against[0] != "breaks callers: input /tone: is gone" || !strings.Contains(against[1], `test "test 1" on m/echo: json`) {
		t.Errorf("a bad one: %q, %v", against, err)
	}
	e.model.say = func(int, *schema.ChatRequest) (string, error) { return "never", nil }
	against, err = e.prompts.Review(t.Context(), source(`schema: true`), e.TestModels())
	if err != nil || len(against) != 1 || !strings.Contains(against[0], "the model's output breaks") {
		t.Errorf("broken output: %q, %v", against, err)
	}
	asked := e.model.calls()
	if against, err = e.prompts.Review(t.Context(), prompts.Publication{Name: "label", Source: []byte(labelPrompt)}, e.TestModels()); err != nil || against != nil || e.model.calls() != asked {
		t.Errorf("the same bytes: %q, %v", against, err)
	}
	if _, err = e.prompts.Review(t.Context(), prompts.Publication{Name: "label", Source: []byte("---\nmodel: 7\n---\n")}, e.TestModels()); err == nil {
		t.Error("a faulty one passes")
	}
}

// A test that compares by meaning has its embeddings made as calls of the team
// tests.
func TestPromptsThatAreSimilar(t *testing.T) {
	e := newEdge(t, map[string]string{"say": sayPrompt})
	review := func(expect string) []string {
		against, err := e.prompts.Review(t.Context(), prompts.Publication{Name: "say", Source: []byte(strings.Replace(sayPrompt, "\n---\n",
			"\nsluice.tests: [{input: {text: a fine day}, expect: {similar: "+expect+"}}]\n---\n", 1))}, e.TestModels())
		if err != nil {
			t.Fatal(err)
		}
		return against
	}
	for expect, fails := range map[string]string{
		`{value: A FINE day, model: m/embed}`:            "",
		`{value: a day, model: m/embed, threshold: 0.6}`: "",
		`{value: rain again, model: m/embed}`:            "less than 0.75",
		`{value: a fine day, model: m/no}`:               "could not be compared",
		`{value: a fine day, model: nobody/at-all}`:      "could not be compared",
	} {
		if against := strings.Join(review(expect), "\n"); (against == "") != (fails == "") || !strings.Contains(against, fails) {
			t.Errorf("%s: %q, want %q", expect, against, fails)
		}
	}
	spent := 0
	for _, en := range e.recorded() {
		if en.Operation == "embed" && en.Team == TesterID && en.Status == 200 && en.Cost > 0 && en.Target == "m/embed" && len(en.Tags) == 1 {
			spent++
		}
	}
	if spent != 3 {
		t.Errorf("%d embeddings in the ledger", spent)
	}
}
