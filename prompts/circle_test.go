package prompts

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func calls(names ...string) string {
	steps := make([]string, len(names))
	for i, n := range names {
		steps[i] = fmt.Sprintf("{as: s%d, prompt: %s}", i, n)
	}
	return "---\nmodel: m/x\nsluice.steps: [[" + strings.Join(steps, ", ") + "]]\n---\nx"
}

// Circles and chains that are too deep are found by check, and not published.
func TestStepCircles(t *testing.T) {
	s := newShop(t)
	for name, source := range map[string]string{
		"a": calls("leaf", "b"), "b": calls("c"), "c": calls("a", "gone"), "leaf": "x",
		"d1": calls("d2"), "d2": calls("d3"), "d3": calls("d4"), "d4": calls("d5"), "d5": calls("d6"), "d6": calls("leaf"), "d7": calls("leaf"),
		"old": calls("old2"), "old2": calls("old@1"), // a version may be another than the one that calls
	} {
		s.write(name+".prompt", source)
	}
	faults, err := CheckDir(s.dir, "", World{})
	if err != nil || len(faults) != 4 {
		t.Errorf("%v\n%v", err, faults)
	}
	for _, want := range []string{"a.prompt:3: the steps go in a circle: a → b → c → a", "b.prompt:3: the steps go in a circle: b → c → a → b",
		"c.prompt:3: ", "d1.prompt:3: the steps call prompts with steps more than 5 deep: d1 → d2 → d3 → d4 → d5 → d6 → leaf"} {
		if !strings.Contains(faults.Error(), want) {
			t.Errorf("faults\n%v\nlack %s", faults, want)
		}
	}
	if r := s.publish(); len(r.Faults) != 1 || !strings.Contains(r.Faults.Error(), "c.prompt:3: the steps go in a circle: c → a → b → c") {
		t.Errorf("published: %v", r.Faults)
	}
	var bad Faults
	_, _, err = s.Publish(t.Context(), Publication{Name: "leaf", Source: []byte(calls("d4"))})
	if !errors.As(err, &bad) || !strings.Contains(bad.Error(), "circle: leaf → d4 → d5 → d6 → leaf") {
		t.Errorf("by hand: %v", err)
	}
}
