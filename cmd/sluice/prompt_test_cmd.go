package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"sluice/billing"
	"sluice/prompts"
)

// exitFailedTests is the exit code of prompt test when assertions failed.
const exitFailedTests = 100

func promptTestCommand() *cobra.Command {
	var a asker
	var models []string
	report := testReport{}
	cmd := &cobra.Command{Use: "test FILE|DIR", Short: "Run the sluice.tests of a prompt file, or of all below a directory, or a promptfooconfig.yaml", Args: cobra.ExactArgs(1),
		Long: "Run the sluice.tests of a prompt file, or of all files below a directory. Models are asked through a\nrunning gateway, or, for mock/…, in this process. A test with repeat passes if the share of its runs that\npass: says does. --baseline compares with what --save wrote. Exit codes: 0 all passed, 100 some failed,\nor pass less often than in the baseline.",
		RunE: command(func(cmd *cobra.Command, args []string) error {
			list, err := testedPrompts(args[0])
			if err != nil {
				return err
			}
			if len(models) == 0 {
				models = []string{a.model}
			}
			for _, m := range models {
				if err := a.prepare(testedModels(list, m)...); err != nil {
					return err
				}
			}
			if err := a.beside(args[0]); err != nil {
				return err
			}
			report.out, report.progress = cmd.OutOrStdout(), cmd.ErrOrStderr()
			if err := report.readBaseline(); err != nil {
				return err
			}
			for _, t := range list {
				for _, m := range models {
					report.results = append(report.results, t.RunTests(cmd.Context(), prompts.Models{Ask: a.ask, Embed: a.embed}, m, report.told)...)
				}
			}
			return report.finish()
		})}
	a.flags(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&models, "models", nil, "models to ask instead of the tests' own, side by side, such as fast,openai/gpt-4o")
	f.BoolVar(&report.json, "json", false, "print a JSON array of results")
	f.StringVar(&report.save, "save", "", "write how often each test passed, and what it took, to a file")
	f.StringVar(&report.against, "baseline", "", "compare with a file that --save wrote")
	return cmd
}

// testedPrompts are the prompts of a file or directory that have tests.
func testedPrompts(path string) ([]*prompts.Template, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, unusable("%w", err)
	}
	var all []*prompts.Template
	if ext := filepath.Ext(path); ext == ".yaml" || ext == ".yml" {
		return promptfoo(path)
	}
	if info.IsDir() {
		list, faults, err := prompts.ReadDir(path)
		if err != nil {
			return nil, err
		}
		if len(faults) > 0 {
			return nil, faults
		}
		for _, l := range list {
			all = append(all, l.Template)
		}
	} else {
		t, err := readPrompt(path)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	var tested []*prompts.Template
	for _, t := range all {
		if len(t.Sluice.Tests) > 0 {
			tested = append(tested, t)
		}
	}
	return tested, nil
}

// testedModels are the models that tests will ask.
func testedModels(list []*prompts.Template, override string) []string {
	var models []string
	for _, t := range list {
		for _, test := range t.Sluice.Tests {
			if override == "" && len(test.Models) > 0 {
				models = append(models, test.Models...)
			} else {
				models = append(models, cmp.Or(override, t.Model))
			}
		}
	}
	return models
}

// testReport gathers results, and tells of progress meanwhile.
type testReport struct {
	out, progress io.Writer
	json          bool
	save, against string // files of ratings; empty: none
	done          int
	results       []prompts.TestResult
	baseline      []prompts.Rating
}

// told is given every result as it comes.
func (r *testReport) told(prompts.TestResult) {
	r.done++
	if f, ok := r.progress.(*os.File); ok && isTerminal(f) {
		fmt.Fprintf(f, "\r%d done", r.done)
	}
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// readBaseline reads the ratings that the results are compared with.
func (r *testReport) readBaseline() error {
	if r.against == "" {
		return nil
	}
	b, err := os.ReadFile(r.against)
	if err != nil {
		return unusable("%w", err)
	}
	if err := json.Unmarshal(b, &r.baseline); err != nil {
		return unusable("%s is no file that --save wrote: %w", r.against, err)
	}
	return nil
}

// finish prints the results, keeps them, and is an error if they are not good
// enough.
func (r *testReport) finish() error {
	if err := r.print(); err != nil {
		return err
	}
	ratings := prompts.Rated(r.results)
	if r.save != "" {
		b, err := json.MarshalIndent(ratings, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(r.save, append(b, '\n'), 0o644); err != nil {
			return err
		}
	}
	failed, worse := 0, 0
	for i := range ratings {
		g := &ratings[i]
		if !g.OK() {
			failed += g.Runs - g.Passed
		}
		for j := range r.baseline {
			b := &r.baseline[j]
			if b.Prompt == g.Prompt && b.Test == g.Test && b.Model == g.Model && g.Passed*b.Runs < b.Passed*g.Runs {
				worse++
			}
		}
	}
	switch {
	case failed > 0:
		return &failure{err: fmt.Errorf("%d of %d failed", failed, len(r.results)), code: exitFailedTests}
	case worse > 0:
		return &failure{err: fmt.Errorf("%d of %d pass less often than in %s", worse, len(ratings), r.against), code: exitFailedTests}
	}
	return nil
}

// print writes the table, then what failed.
func (r *testReport) print() error {
	if f, ok := r.progress.(*os.File); ok && isTerminal(f) && r.done > 0 {
		fmt.Fprint(f, "\r")
	}
	if r.json {
		return r.printJSON()
	}
	if len(r.results) == 0 {
		_, err := fmt.Fprintln(r.out, "No prompt here has sluice.tests.")
		return err
	}
	tw := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "PROMPT\tTEST\tMODEL\tRUN\tRESULT\tCOST\tLATENCY")
	for i := range r.results {
		t := &r.results[i]
		word := "passed"
		if !t.Passed() {
			word = "FAILED"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", t.Prompt, t.Test, t.Model, t.Run, word,
			billing.Nano(t.Answer.Cost).String(), t.Answer.Latency.Round(time.Millisecond))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if err := r.printRatings(); err != nil {
		return err
	}
	for i := range r.results {
		t := &r.results[i]
		for _, f := range t.Failures {
			fmt.Fprintf(r.out, "\n%s, %s on %s, run %d: %s: %s\n", t.Prompt, t.Test, t.Model, t.Run, f.Expect, f.Message)
		}
	}
	passed := 0
	for i := range r.results {
		if r.results[i].Passed() {
			passed++
		}
	}
	_, err := fmt.Fprintf(r.out, "\n%d passed, %d failed\n", passed, len(r.results)-passed)
	return err
}

// printRatings prints the models side by side, where there is more to tell than
// the runs do: several models, repeats, or a baseline.
func (r *testReport) printRatings() error {
	ratings := prompts.Rated(r.results)
	var models []string
	var tests [][2]string
	cells := map[[3]string]*prompts.Rating{}
	for i := range ratings {
		g := &ratings[i]
		if !slices.Contains(models, g.Model) {
			models = append(models, g.Model)
		}
		if test := [2]string{g.Prompt, g.Test}; !slices.Contains(tests, test) {
			tests = append(tests, test)
		}
		cells[[3]string{g.Prompt, g.Test, g.Model}] = g
	}
	if len(models) < 2 && len(ratings) == len(r.results) && r.baseline == nil {
		return nil
	}
	fmt.Fprintln(r.out)
	tw := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "PROMPT\tTEST\t"+strings.Join(models, "\t"))
	for _, test := range tests {
		fmt.Fprintf(tw, "%s\t%s", test[0], test[1])
		for _, m := range models {
			fmt.Fprint(tw, "\t"+r.cell(cells[[3]string{test[0], test[1], m}]))
		}
		fmt.Fprintln(tw)
	}
	return tw.Flush()
}

// cell is how a test went on a model, a run's average cost and latency, and
// what it was in the baseline.
func (r *testReport) cell(g *prompts.Rating) string {
	if g == nil {
		return "-"
	}
	text := rated(g)
	for i := range r.baseline {
		if b := &r.baseline[i]; b.Prompt == g.Prompt && b.Test == g.Test && b.Model == g.Model && b.Runs > 0 {
			text += " (was " + rated(b) + ")"
		}
	}
	return text
}

func rated(g *prompts.Rating) string {
	n := max(g.Runs, 1)
	return fmt.Sprintf("%d/%d $%s %s", g.Passed, g.Runs, billing.Nano(g.Cost/int64(n)), (g.Latency / time.Duration(n)).Round(time.Millisecond))
}

func (r *testReport) printJSON() error {
	type line struct {
		Prompt    string            `json:"prompt"`
		Test      string            `json:"test"`
		Model     string            `json:"model"`
		Run       int               `json:"run"`
		Passed    bool              `json:"passed"`
		Failures  []prompts.Failure `json:"failures"`
		Output    string            `json:"output"`
		Cost      billing.Nano      `json:"cost"`
		LatencyMS int64             `json:"latency_ms"`
	}
	list := []line{}
	for i := range r.results {
		t := &r.results[i]
		list = append(list, line{t.Prompt, t.Test, t.Model, t.Run, t.Passed(), append([]prompts.Failure{}, t.Failures...),
			t.Answer.Text, billing.Nano(t.Answer.Cost), t.Answer.Latency.Milliseconds()})
	}
	b, err := json.Marshal(list)
	if err != nil {
		return err
	}
	return printJSON(r.out, b)
}
