package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"

	"sluice/billing"
	"sluice/prompts"
	"sluice/prompts/ordered"
)

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
			if err := a.beside(args[0]); err != nil {
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
