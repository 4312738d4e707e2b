// Command sluice is the gateway and its command line.
//
// Exit codes: 0 done, 1 failed at run time, 2 unusable arguments or
// configuration.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"sluice/cmd/sluice/config"
	"sluice/prompts"
)

// version and revision are set when the binary is linked by make.
var (
	version  = "dev"
	revision string // the commit; empty: what the Go tool noted
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// run is the whole program but for the process it ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := rootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	var ran *failure
	if !errors.As(err, &ran) { // cobra's: the command did not begin
		fmt.Fprintf(stderr, "sluice: %v\nSee '%s --help'.\n", err, cmd.CommandPath())
		return 2
	}
	if !ran.said {
		fmt.Fprintf(stderr, "sluice: %v\n", ran.err)
	}
	return ran.code
}

// failure is what a command that began ended with.
type failure struct {
	err  error
	code int
	said bool // the command has printed it itself
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// unusable is a failure because of arguments.
func unusable(format string, args ...any) error {
	return &failure{err: fmt.Errorf(format, args...), code: 2}
}

// command makes a failure of every error of a command's function.
func command(fn func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		err := fn(cmd, args)
		var known *failure
		var faults config.Faults
		var promptFaults prompts.Faults
		switch {
		case err == nil:
			return nil
		case errors.As(err, &known):
			return known
		case errors.As(err, &faults), errors.As(err, &promptFaults):
			return &failure{err: fmt.Errorf("not usable:\n%w", err), code: 2}
		}
		return &failure{err: err, code: 1}
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "sluice",
		Short:         "An AI gateway: one endpoint for many models, prompts as APIs, every token accounted for",
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(serveCommand(), checkCommand(), diffCommand(), applyCommand(), rollbackCommand(), teamCommand(), keyCommand(), budgetCommand(), routeCommand(), promptCommand(),
		reportCommand(), invoiceCommand(), ledgerCommand(), modelsCommand(), pricesCommand(),
		group("import", "Turn what other programs describe into a configuration", importOpenAPICommand(), importLiteLLMCommand()), openAPICommand(), auditCommand(), versionCommand())
	return root
}

// group is a command that only holds others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, Args: func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("%s needs a command", cmd.CommandPath())
		}
		var names []string
		for _, c := range cmd.Commands() {
			names = append(names, c.Name())
		}
		return fmt.Errorf("unknown command %q for %s; known are %s", args[0], cmd.CommandPath(), strings.Join(names, ", "))
	}, RunE: func(*cobra.Command, []string) error { return nil }}
	g.AddCommand(commands...)
	return g
}

func versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print version, commit and Go version", Args: cobra.NoArgs,
		RunE: command(func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "sluice %s, commit %s, %s\n", version, commit(), runtime.Version())
			return err
		})}
}

// commit is what the binary was built from.
func commit() string {
	if revision != "" {
		return revision
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	noted := settings["vcs.revision"]
	if noted == "" {
		return "unknown"
	}
	if settings["vcs.modified"] == "true" {
		noted += " (changed)"
	}
	return noted
}
