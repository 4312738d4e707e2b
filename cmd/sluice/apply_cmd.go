package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"
)

// applier compares a file with what a running gateway has.
type applier struct {
	client  adminClient
	config  string
	message string
	force   bool
}

func diffCommand() *cobra.Command {
	a := &applier{}
	cmd := &cobra.Command{Use: "diff", Short: "Show what a configuration file would change in a running gateway", Args: cobra.NoArgs,
		Long: "Show what a configuration file would change in a running gateway, by object, and what of it breaks callers of routes: the gateway compares, so that the same in other words is no difference. " +
			"References such as ${NAME} and files are looked up where the gateway runs.\nExit code 0: no difference; 1: differences; 2: the file has faults.",
		RunE: command(func(cmd *cobra.Command, _ []string) error {
			text, err := a.read()
			if err != nil {
				return err
			}
			changes, err := a.diff(cmd.Context(), cmd.OutOrStdout(), text)
			if err == nil && len(changes) > 0 {
				return &failure{err: errors.New("there are differences"), code: 1, said: true}
			}
			return err
		})}
	configFlag(cmd, &a.config)
	a.client.flags(cmd)
	return cmd
}

func applyCommand() *cobra.Command {
	a := &applier{}
	cmd := &cobra.Command{Use: "apply", Short: "Make a running gateway what a configuration file says", Args: cobra.NoArgs,
		Long: "Show what a configuration file changes in a running gateway, and change it: whole, or not at all. The gateway must be led by its store (config: {lead: store}). What breaks callers who keep to the OpenAPI document that a route was held against is refused, unless forced.",
		RunE: command(func(cmd *cobra.Command, _ []string) error { return a.apply(cmd) })}
	configFlag(cmd, &a.config)
	cmd.Flags().StringVar(&a.message, "message", "", "what the change is for: it stands in the history")
	cmd.Flags().BoolVar(&a.force, "force", false, "change it although callers of routes break")
	a.client.flags(cmd)
	return cmd
}

// read is the file's text.
func (a *applier) read() ([]byte, error) {
	path, err := configFile(a.config)
	if err == nil && path == "" {
		return nil, unusable("there is no ./sluice.yaml: name a file with -c")
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, unusable("cannot read configuration: %w", err)
	}
	return text, nil
}

// diff asks the gateway what a text would change, and prints it.
func (a *applier) diff(ctx context.Context, w io.Writer, text []byte) ([]gjson.Result, error) {
	b, err := a.send(ctx, http.MethodPost, "config/diff", nil, text)
	if err != nil {
		return nil, err
	}
	changes := gjson.GetBytes(b, "changes").Array()
	if a.client.json {
		_, err = w.Write(b)
		return changes, err
	}
	err = printChanges(w, changes)
	for _, line := range gjson.GetBytes(b, "breaks").Array() {
		if err == nil {
			_, err = fmt.Fprintf(w, "! breaks callers: %s\n", line)
		}
	}
	return changes, err
}

// send posts a text. What is wrong with it is wrong with the file: exit code 2.
func (a *applier) send(ctx context.Context, method, path string, query url.Values, text []byte) ([]byte, error) {
	res, err := a.client.send(ctx, method, path, query, bytes.NewReader(text))
	var refused *refusedError
	if errors.As(err, &refused) && refused.status == http.StatusUnprocessableEntity {
		return nil, &failure{err: err, code: 2}
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Close() }()
	return io.ReadAll(io.LimitReader(res, longestAnswer))
}

func (a *applier) apply(cmd *cobra.Command) error {
	text, err := a.read()
	if err != nil {
		return err
	}
	// What is shown is what is changed, or it is refused.
	if a.client.match, err = a.client.running(cmd.Context()); err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if a.client.json { // the answer to the change has it all
		out = io.Discard
	}
	changes, err := a.diff(cmd.Context(), out, text)
	if err != nil {
		return err
	}
	query := url.Values{}
	if a.message != "" {
		query.Set("message", a.message)
	}
	if a.force {
		query.Set("force", "true")
	}
	b, err := a.send(cmd.Context(), http.MethodPut, "config", query, text)
	switch {
	case err != nil:
		return err
	case a.client.json:
		_, err = cmd.OutOrStdout().Write(b)
	case len(changes) > 0:
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "revision %d is in force\n", gjson.GetBytes(b, "revision").Int())
	}
	tellRestart(cmd.ErrOrStderr(), b)
	return err
}

// running is the digest of the revision that runs.
func (c *adminClient) running(ctx context.Context) (string, error) {
	b, err := c.call(ctx, http.MethodGet, "config/revisions", url.Values{"limit": {"1000"}}, nil)
	if err != nil {
		return "", err
	}
	return gjson.GetBytes(b, "data.#(running==true).digest").String(), nil
}

// printChanges writes objects with a sign (+ made, - gone, ~ changed) and what
// changes of them.
func printChanges(w io.Writer, changes []gjson.Result) error {
	if len(changes) == 0 {
		_, err := fmt.Fprintln(w, "no difference")
		return err
	}
	signs := map[string]string{"create": "+", "delete": "-", "update": "~"}
	for _, c := range changes {
		op := c.Get("op").String()
		if _, err := fmt.Fprintf(w, "%s %s\n", signs[op], c.Get("object")); err != nil {
			return err
		}
		for _, f := range c.Get("fields").Array() {
			line := f.Get("path").String() + ": "
			switch {
			case op == "create":
				line += f.Get("to").Raw
			case op == "delete":
				line += f.Get("from").Raw
			default:
				line += f.Get("from").Raw + " -> " + f.Get("to").Raw
			}
			if _, err := fmt.Fprintln(w, "    "+line); err != nil {
				return err
			}
		}
	}
	return nil
}
