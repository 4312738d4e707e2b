// Command bench measures Sluice against nginx and a bare fasthttp proxy, all
// on the same work in one run.
//
//	bench [flags]            the comparison
//	bench upstream [-addr A] the fake provider alone
//	bench proxy -to A        the bare fasthttp proxy alone
//	bench load -url U …      the load driver alone
//	bench scale [flags]      what three replicas do of what one does
//
// The process under test runs on the first core, the driver and the fake
// provider on the others. CPU time is that of the whole process tree.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	args := os.Args[1:]
	run := compare
	if len(args) > 0 {
		switch args[0] {
		case "upstream":
			run, args = serveUpstream, args[1:]
		case "proxy":
			run, args = serveProxy, args[1:]
		case "scale":
			run, args = scale, args[1:]
		case "load":
			run, args = drive, args[1:]
		}
	}
	err := run(ctx, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// errUsage marks arguments that make no sense.
var errUsage = errors.New("unusable arguments")

// parse reads flags; what is left over is an error.
func parse(fs *flag.FlagSet, args []string) error {
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("%w: %q is no flag", errUsage, fs.Arg(0))
	}
	return nil
}
