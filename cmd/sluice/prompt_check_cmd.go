package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"

	"sluice/billing"
	"sluice/prompts"
	"sluice/prompts/ordered"
)

// exitFailedTests is the exit code of prompt test when assertions failed.
const exitFailedTests = 100

func promptRunCommand() *cobra.Command {
	var a asker
	var input string
	var asJSON bool
	cmd := &cobra.Command{Use: "run FILE --input JSON", Short: "Call a prompt file once, published or not", Args: cobra.ExactArgs(1),
		Long: "Call a prompt file once: it is rendered here, and its model asked through a running gateway, or, for\nmock/…, in this process. The JSON may also be @FILE, or - for standard input.",
		RunE: command(func(cmd *cobra.Command, args []string) error {
			t, err := readPrompt(args[0])
			if err != nil {
				return err
			}
			o, err := object("--input", input, cmd.InOrStdin())
			if err != nil {
				return err
			}
			values, _ := ordered.Plain(o).(map[string]any)
			if p := t.CheckInput(values); len(p) > 0 {
				text := "the input does not fit the prompt's schema:"
				for _, f := range p {
					text += "\n  " + strings.TrimSpace(f.Pointer+" "+f.Message)
				}
				return unusable("%s", text)
			}
			if err := a.prepare(cmp.Or(a.model, t.Model)); err != nil {
				return err
			}
			out := a.ask(cmd.Context(), t, a.model, values)
			if out.Err != nil {
				return out.Err
			}
			return printAnswer(cmd.OutOrStdout(), t, &out, asJSON)
		})}
	a.flags(cmd)
	cmd.Flags().StringVar(&input, "input", "{}", "the input, as a JSON object")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print {output, cost, model, latency_ms}")
	return cmd
}

// printAnswer prints an output alone, or with what is known about it.
func printAnswer(w io.Writer, t *prompts.Template, a *prompts.Answer, asJSON bool) error {
	if !asJSON {
		if t.Output.JSON() {
			return printJSON(w, []byte(a.Text))
		}
		_, err := fmt.Fprintln(w, strings.TrimRight(a.Text, "\n"))
		return err
	}
	var output any = a.Text
	if t.Output.JSON() {
		output = json.RawMessage(a.Text)
	}
	b, err := json.Marshal(struct {
		Output    any          `json:"output"`
		Cost      billing.Nano `json:"cost"`
		Model     string       `json:"model"`
		LatencyMS int64        `json:"latency_ms"`
	}{output, billing.Nano(a.Cost), a.Model, a.Latency.Milliseconds()})
	if err != nil {
		return err
	}
	return printJSON(w, b)
}

// readPrompt reads a prompt file as it would be published.
func readPrompt(path string) (*prompts.Template, error) {
	name, source, partials, err := prompts.ReadFile(path)
	if err != nil {
		return nil, unusable("%w", err)
	}
	t, faults := prompts.Parse(name, source, prompts.ParseOptions{File: path,
		Partials: func(n string) (string, bool) { text, ok := partials[n]; return text, ok }})
	if len(faults) > 0 {
		return nil, faults
	}
	return t, nil
}

func promptTestCommand() *cobra.Command {
	var a asker
	var asJSON bool
	cmd := &cobra.Command{Use: "test FILE|DIR", Short: "Run the sluice.tests of a prompt file, or of all below a directory", Args: cobra.ExactArgs(1),
		Long: "Run the sluice.tests of a prompt file, or of all files below a directory. Models are asked through a\nrunning gateway, or, for mock/…, in this process. Exit codes: 0 all passed, 100 some failed.",
		RunE: command(func(cmd *cobra.Command, args []string) error {
			list, err := testedPrompts(args[0])
			if err != nil {
				return err
			}
			if err := a.prepare(testedModels(list, a.model)...); err != nil {
				return err
			}
			report := testReport{out: cmd.OutOrStdout(), progress: cmd.ErrOrStderr(), json: asJSON}
			for _, t := range list {
				report.add(t.RunTests(cmd.Context(), a.ask, a.model, report.told))
			}
			if err := report.print(); err != nil {
				return err
			}
			if report.failed > 0 {
				return &failure{err: fmt.Errorf("%d of %d failed", report.failed, len(report.results)), code: exitFailedTests}
			}
			return nil
		})}
	a.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array of results")
	return cmd
}

// testedPrompts are the prompts of a file or directory that have tests.
func testedPrompts(path string) ([]*prompts.Template, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, unusable("%w", err)
	}
	var all []*prompts.Template
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
	done, failed  int
	results       []prompts.TestResult
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

func (r *testReport) add(results []prompts.TestResult) {
	for i := range results {
		if !results[i].Passed() {
			r.failed++
		}
	}
	r.results = append(r.results, results...)
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
	for i := range r.results {
		t := &r.results[i]
		for _, f := range t.Failures {
			fmt.Fprintf(r.out, "\n%s, %s on %s, run %d: %s: %s\n", t.Prompt, t.Test, t.Model, t.Run, f.Expect, f.Message)
		}
	}
	_, err := fmt.Fprintf(r.out, "\n%d passed, %d failed\n", len(r.results)-r.failed, r.failed)
	return err
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

func promptDiffCommand() *cobra.Command {
	var c adminClient
	cmd := &cobra.Command{Use: "diff NAME A B | FILE|DIR", Short: "Show what differs between two versions of a prompt, or between files and what is served", Args: cobra.RangeArgs(1, 3),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			switch len(args) {
			case 1:
				return c.diffFiles(cmd, args[0])
			case 2:
				return unusable("want a prompt's name and two versions, or a file or directory")
			}
			for _, n := range args[1:] {
				if v, err := strconv.Atoi(n); err != nil || v < 1 {
					return unusable("version %q is not a number from 1 on", n)
				}
			}
			b, err := c.call(cmd.Context(), http.MethodGet, "prompts/"+url.PathEscape(args[0])+"/diff",
				url.Values{"from": {args[1]}, "to": {args[2]}}, nil)
			if err != nil {
				return err
			}
			if c.json {
				return printJSON(cmd.OutOrStdout(), b)
			}
			return printDiff(cmd.OutOrStdout(), gjson.ParseBytes(b))
		})}
	c.flags(cmd)
	return cmd
}

// printCompared prints a diff that was made here.
func printCompared(w io.Writer, d prompts.Diff) error {
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return printDiff(w, gjson.ParseBytes(b))
}

// printDiff prints a diff for people: what breaks callers first.
func printDiff(w io.Writer, d gjson.Result) error {
	if d.Get("text").String() == "" {
		_, err := fmt.Fprintln(w, "The versions are the same.")
		return err
	}
	for _, line := range d.Get("breaking").Array() {
		fmt.Fprintln(w, "breaks callers:", line.String())
	}
	for _, s := range d.Get("settings").Array() {
		fmt.Fprintf(w, "setting %s: %s -> %s\n", s.Get("key"), s.Get("from").Raw, s.Get("to").Raw)
	}
	for _, s := range d.Get("schemas").Array() {
		if !s.Get("breaking").Bool() {
			fmt.Fprintf(w, "%s %s: %s\n", s.Get("side"), s.Get("pointer"), s.Get("message"))
		}
	}
	_, err := fmt.Fprintf(w, "\n%s", d.Get("text"))
	return err
}
