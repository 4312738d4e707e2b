package prompts

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Answer is what a call of a prompt gave.
type Answer struct {
	Text    string // the output: text, or the checked JSON
	Model   string // that answered, as provider/model where it is known
	Cost    int64  // in 1e-9 dollars
	Latency time.Duration
	Err     error // why there is no output; the cost may be above 0 all the same
}

// Verbatim is the model that answers with what it is asked, for nothing: prompts
// that only put together what their steps bring have it, and keep it whatever
// model their tests are run on.
const Verbatim = "mock/verbatim"

// Ask calls a prompt with an input that fits its schema, by the model named, or
// the prompt's own if the name is empty. It is called from several goroutines.
type Ask func(ctx context.Context, t *Template, model string, input map[string]any) Answer

// TestResult is how one run of a test went.
type TestResult struct {
	Prompt   string
	Test     string
	Model    string  // that was asked for
	Run      int     // from 1 on, of the test's repeat
	Needed   float64 // the share of the test's runs that must pass
	Answer   Answer
	Failures []Failure // none: passed
}

// Failure is one expectation that was not met.
type Failure struct {
	Expect  string `json:"expect"` // its name; call: there was no output at all
	Message string `json:"message"`
}

// Passed tells whether every expectation was met.
func (r *TestResult) Passed() bool { return len(r.Failures) == 0 }

// Line says on one line what failed; empty if nothing did.
func (r *TestResult) Line() string {
	if r.Passed() {
		return ""
	}
	f := r.Failures[0]
	line := fmt.Sprintf("test %q on %s: %s: %s", r.Test, r.Model, f.Expect, f.Message)
	if n := len(r.Failures); n > 1 {
		line += fmt.Sprintf(" (and %d more)", n-1)
	}
	return line
}

// testsAtOnce bounds the runs that go on at the same time.
const testsAtOnce = 4

// RunTests runs the tests of sluice.tests: each on every model it names (else
// on model, else on the prompt's own), as often as it says. Results come in
// the order of the file, whatever the order in which they finish; each is
// given to told, one at a time, as soon as it is there. told may be nil. A
// context that is done leaves runs out: they fail as calls.
func (t *Template) RunTests(ctx context.Context, models Models, model string, told func(TestResult)) []TestResult {
	type run struct {
		test *Test
		at   int
	}
	var results []TestResult
	var runs []run
	for i := range t.Sluice.Tests {
		test := &t.Sluice.Tests[i]
		names := test.Models
		if model != "" || len(names) == 0 {
			names = []string{model}
		}
		for _, m := range names {
			shown := m
			if shown == "" {
				shown = t.Model
			}
			for n := range test.Repeat {
				runs = append(runs, run{test, len(results)})
				results = append(results, TestResult{Prompt: t.Name, Test: testName(test, i), Model: shown, Run: n + 1, Needed: test.Pass})
			}
		}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	places := make(chan struct{}, testsAtOnce)
	for _, r := range runs {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			res := &results[r.at]
			asked := res.Model
			if asked == t.Model {
				asked = ""
			}
			if res.Answer.Err = ctx.Err(); res.Answer.Err == nil {
				res.Answer = models.Ask(ctx, t.given(r.test.Steps), asked, r.test.Input)
			}
			res.Failures = t.judge(ctx, r.test, res.Answer, referees{embed: models.Embed, ask: func(ctx context.Context, t *Template, input map[string]any) Answer {
				return models.Ask(ctx, t, res.Model, input)
			}})
			if told != nil {
				mu.Lock()
				defer mu.Unlock()
				told(*res)
			}
		})
	}
	wg.Wait()
	return results
}

func testName(t *Test, i int) string {
	if t.Name != "" {
		return t.Name
	}
	return fmt.Sprintf("test %d", i+1)
}
