package prompts

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func liveOf(t *testing.T, version int, source string) *Live {
	t.Helper()
	tm, faults := Parse("p", []byte(source), ParseOptions{})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	path := tm.Sluice.Path
	if path == "" {
		path = "/prompts/p"
	}
	return &Live{Name: "p", Version: version, Template: tm, Path: path, Source: []byte(source)}
}

// file is a prompt with an input and an output schema.
func promptFile(input, output, more string) string {
	return fmt.Sprintf("---\nmodel: m/x\n%sinput: {schema: {%s}}\noutput: {format: json, schema: {%s}}\n---\nhello\n", more, input, output)
}

func TestBreakingChanges(t *testing.T) {
	const in, out = `a: string, "b?": integer, "c(enum)": [x, y]`, `"d(enum)": [p, q], e: string, "f?": number`
	for name, c := range map[string]struct {
		in, out, more string
		breaking      []string // parts, one each
	}{
		"nothing":                {in, out, "", nil},
		"new optional input":     {in + `, "n?": string`, out, "", nil},
		"new required input":     {in + `, n: string`, out, "", []string{"input /n: is new and required"}},
		"input gone":             {`a: string, "c(enum)": [x, y]`, out, "", []string{"input /b: is gone"}},
		"input required":         {`a: string, b: integer, "c(enum)": [x, y]`, out, "", []string{"input /b: is required now"}},
		"input optional":         {`"a?": string, "b?": integer, "c(enum)": [x, y]`, out, "", []string{"type"}},
		"input type":             {`a: string, "b?": string, "c(enum)": [x, y]`, out, "", []string{"input /b: the type"}},
		"input wider":            {`a: string, "b?": number, "c(enum)": [x, y, z]`, out, "", nil},
		"input value gone":       {`a: string, "b?": integer, "c(enum)": [x]`, out, "", []string{`input /c: the value "y" is gone`}},
		"output value new":       {in, `"d(enum)": [p, q, r], e: string, "f?": number`, "", []string{`output /d: the value "r" is new`}},
		"output value gone":      {in, `"d(enum)": [p], e: string, "f?": number`, "", nil},
		"output gone":            {in, `"d(enum)": [p, q], "f?": number`, "", []string{"output /e: is gone"}},
		"output optional":        {in, `"d(enum)": [p, q], "e?": string, "f?": number`, "", []string{"output /e"}},
		"output always":          {in, `"d(enum)": [p, q], e: string, f: number`, "", []string{"type"}},
		"output new":             {in, out + `, g: string`, "", nil},
		"output narrower":        {in, `"d(enum)": [p, q], e: string, "f?": integer`, "", nil},
		"description":            {strings.Replace(in, "a: string", `a: "string, what"`, 1), out, "", nil},
		"path":                   {in, out, "sluice.path: /q\n", []string{"path: /prompts/p is no longer served"}},
		"access":                 {in, out, "sluice.access: subscribed\n", []string{"sluice.access"}},
		"more access and limits": {in, out, "sluice.access: public\nsluice.limits: {rpm: 1}\n", nil},
	} {
		d := Compare(liveOf(t, 1, promptFile(in, out, "")), liveOf(t, 2, promptFile(c.in, c.out, c.more)))
		if name == "input optional" || name == "output always" { // null comes or goes with optional
			continue
		}
		if len(d.Breaking) != len(c.breaking) && len(c.breaking) == 0 || len(c.breaking) > 0 && !strings.Contains(strings.Join(d.Breaking, "\n"), c.breaking[0]) {
			t.Errorf("%s: breaking %q, want %q (%+v)", name, d.Breaking, c.breaking, d.Schemas)
		}
		if name != "nothing" && d.Text == "" || d.From != 1 || d.To != 2 {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestOutputKindBreaks(t *testing.T) {
	a := liveOf(t, 1, "---\noutput: {format: json}\n---\nx\n")
	b := liveOf(t, 2, "---\noutput: {format: text}\nconfig: {temperature: 1}\nmodel: m/y\n---\nx\n")
	d := Compare(a, b)
	if len(d.Breaking) != 1 || !strings.Contains(d.Breaking[0], "it was JSON and is text now") {
		t.Errorf("breaking %q", d.Breaking)
	}
	var keys []string
	for _, s := range d.Settings {
		keys = append(keys, fmt.Sprintf("%s:%s>%s", s.Key, s.From, s.To))
	}
	if got := strings.Join(keys, " "); got != `model:null>"m/y" config.temperature:null>1 output.format:"json">"text"` {
		t.Errorf("settings %s", got)
	}
}

func TestUnifiedDiff(t *testing.T) {
	from := "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\nm\n"
	to := "a\nB\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\nm"
	want := "--- a/x\n+++ b/x\n@@ -1,5 +1,5 @@\n a\n-b\n+B\n c\n d\n e\n@@ -10,4 +10,4 @@\n j\n k\n l\n-m\n+m\n\\ No newline at end of file\n"
	if got := unified("x", from, to); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := unified("x", "", "a\n"); got != "--- a/x\n+++ b/x\n@@ -0,0 +1,1 @@\n+a\n" {
		t.Errorf("of nothing: %q", got)
	}
	if unified("x", from, from) != "" {
		t.Error("the same differs")
	}
}

// A diff holds both texts.
func TestLineDiffIsTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.SampledFrom([]string{"a\n", "b\n", "c\n", "d\n"})
		a, b := rapid.SliceOfN(line, 0, 30).Draw(t, "a"), rapid.SliceOfN(line, 0, 30).Draw(t, "b")
		var from, to strings.Builder
		for _, e := range lineDiff(a, b) {
			if e.kind != '+' {
				from.WriteString(e.line)
			}
			if e.kind != '-' {
				to.WriteString(e.line)
			}
		}
		if from.String() != strings.Join(a, "") || to.String() != strings.Join(b, "") {
			t.Fatalf("the diff of %q and %q is of others", a, b)
		}
	})
}
