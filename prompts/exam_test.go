package prompts

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Files with tests wait for them once there is somebody to ask, and are asked
// about once, until they change or all that failed is to be asked again.
func TestFilesWaitForTheirTests(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	r := NewRegistry(&memory{versions: map[string][]Version{}, labels: map[string]map[string]int{}}, time.Now)
	asked, answer := 0, "good"
	models := Models{Ask: func(context.Context, *Template, string, map[string]any) Answer {
		asked++
		return Answer{Text: answer}
	}}
	write := func(text string) {
		writeFile(t, dir, "one.prompt", "---\nmodel: m\nsluice.tests: [{name: t, input: {}, expect: {contains: good}}]\n---\n"+text)
	}
	publish := func(version int, waiting []string, faults int) {
		t.Helper()
		report, err := r.PublishDir(ctx, dir)
		l, _ := r.Snapshot().ByName("one")
		if err != nil || l == nil || l.Version != version || !slices.Equal(report.Waiting, waiting) || len(report.Faults) != faults {
			t.Errorf("%v %+v serves %+v, want version %d", err, report, l, version)
		}
	}
	test := func(again, ran bool) {
		t.Helper()
		if got, err := r.TestDir(ctx, dir, models, again); got != ran || err != nil {
			t.Errorf("tests ran: %v %v", got, err)
		}
	}
	write("first")
	publish(1, nil, 0) // at the start, for want of another
	r.TestFiles()
	test(false, false)
	write("second")
	publish(1, []string{"one"}, 0)
	test(false, true)
	publish(2, nil, 0)
	write("third")
	answer = "bad"
	test(false, true)
	publish(2, nil, 1)
	test(false, false)
	publish(2, nil, 1)
	answer = "good"
	test(true, true)
	publish(3, nil, 0)
	if asked != 3 {
		t.Errorf("asked %d times", asked)
	}
}

// What is published has to fit the world it is published into.
func TestWorld(t *testing.T) {
	r := NewRegistry(&memory{versions: map[string][]Version{}, labels: map[string]map[string]int{}}, time.Now)
	source := Publication{Name: "one", Source: []byte("---\nmodel: m\nsluice.path: /one\n---\nhi")}
	if _, _, err := r.Publish(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	r.SetWorld(World{Owner: func(path string) string { return "route " + path }, Serves: func(string) bool { return false }})
	if got := r.Strangers().Error(); !strings.Contains(got, "already that of route /one") || !strings.Contains(got, `"m" is not served`) {
		t.Errorf("what is served: %s", got)
	}
	source.Name = "two"
	source.Source = []byte("---\nmodel: m\nsluice.path: /two\n---\nhi")
	if _, _, err := r.Publish(t.Context(), source); err == nil || !strings.Contains(err.Error(), "two.prompt:3: sluice.path: ") {
		t.Errorf("a path that is taken: %v", err)
	}
	r.SetWorld(World{Serves: func(string) bool { return false }})
	if against, err := r.Review(t.Context(), source, Models{}); err != nil || len(against) != 1 || !strings.HasPrefix(against[0], "model: ") {
		t.Errorf("a model that is not served: %v %v", against, err)
	}
}

func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
