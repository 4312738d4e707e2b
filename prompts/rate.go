package prompts

import (
	"fmt"
	"math"
	"time"
)

// Rating is how the runs of one test on one model went, together.
type Rating struct {
	Prompt  string        `json:"prompt"`
	Test    string        `json:"test"`
	Model   string        `json:"model"`
	Runs    int           `json:"runs"`
	Passed  int           `json:"passed"`
	Needed  float64       `json:"needed"`     // the share of the runs that must pass
	Cost    int64         `json:"cost_nanos"` // of all runs, in 1e-9 dollars
	Latency time.Duration `json:"latency_ns"` // of all runs
	first   *TestResult   // that failed
}

// Rated puts the runs of each test on each model together, in their order.
func Rated(results []TestResult) []Rating {
	var out []Rating
	at := map[[3]string]int{}
	for i := range results {
		r := &results[i]
		key := [3]string{r.Prompt, r.Test, r.Model}
		n, ok := at[key]
		if !ok {
			n = len(out)
			at[key] = n
			out = append(out, Rating{Prompt: r.Prompt, Test: r.Test, Model: r.Model, Needed: r.Needed})
		}
		g := &out[n]
		g.Runs++
		g.Cost += r.Answer.Cost
		g.Latency += r.Answer.Latency
		if r.Passed() {
			g.Passed++
		} else if g.first == nil {
			g.first = r
		}
	}
	return out
}

// OK tells whether enough runs have passed.
func (g *Rating) OK() bool {
	return g.Passed >= int(math.Ceil(g.Needed*float64(g.Runs)-1e-9))
}

// Line says on one line what failed; empty if enough runs have passed.
func (g *Rating) Line() string {
	if g.OK() || g.first == nil {
		return ""
	}
	line := g.first.Line()
	if g.Runs > 1 {
		line += fmt.Sprintf(" (%d of %d runs passed, %.0f %% must)", g.Passed, g.Runs, 100*g.Needed)
	}
	return line
}
