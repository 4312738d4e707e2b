package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"sluice/billing/reconcile"
)

// longestExport bounds what is read of a provider's export.
const longestExport = 256 << 20

// compare puts what the ledger says of a provider beside what its own exports
// say. That they are further apart than the tolerance is an error.
func (r *reporting) compare(cmd *cobra.Command) error {
	tolerance, err := reconcile.Percent(r.tolerance)
	switch {
	case err != nil:
		return unusable("--tolerance: %w", err)
	case r.get("provider") == "":
		return unusable("--reconcile needs --provider: the name that the exports' provider has in the configuration")
	case r.verify:
		return unusable("--reconcile and --verify are two questions: ask one")
	case cmd.Flags().Changed("time-zone"):
		return unusable("--reconcile counts days in UTC, as providers do: leave --time-zone out")
	}
	var exports []*reconcile.Export
	for _, name := range r.reconcile {
		e, err := readExport(name)
		if err != nil {
			return unusable("--reconcile %s: %w", name, err)
		}
		exports = append(exports, e)
	}
	from, to, err := reconcile.Days(exports, r.from, r.to)
	if err != nil {
		return unusable("--%w", err)
	}
	r.by, r.zone, r.from, r.to = "target,day", "UTC", from.Format(time.DateOnly), to.Format(time.DateOnly)
	report, err := r.read(cmd.Context())
	if err != nil {
		return err
	}
	here, err := reconcile.Here(report)
	if err != nil {
		return err
	}
	result, err := reconcile.Compare(here, exports, from, to, tolerance)
	if err != nil {
		return unusable("--reconcile: %w", err)
	}
	if err := result.Render(cmd.OutOrStdout(), r.format); err != nil {
		return err
	}
	if result.Apart > 0 {
		return fmt.Errorf("%d of %d rows drift by more than %s %%", result.Apart, len(result.Rows), result.Tolerance)
	}
	return nil
}

func readExport(name string) (_ *reconcile.Export, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	b, err := io.ReadAll(io.LimitReader(f, longestExport+1))
	if err != nil {
		return nil, err
	}
	if len(b) > longestExport {
		return nil, fmt.Errorf("it is larger than %d MiB", longestExport>>20)
	}
	return reconcile.Parse(b)
}
