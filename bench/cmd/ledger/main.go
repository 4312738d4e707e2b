// Command ledger measures what a large ledger costs: it writes records through
// the store's own writer and tells how fast that is, starts the gateway on that
// database, asks for every report and list of the admin API and for every page
// of the console and of the portal, and compares what a call costs with an empty
// table and with the full one.
//
//	ledger -n 10000000 [-sums N] [-dir DIR] [-store postgres://…] [-binary bin/sluice]
//
// With -sums there are so many further calls of which only the sums are written:
// reports on more calls than one would wait for. A directory, or PostgreSQL, that
// holds a database of an earlier run is measured as it is. With
// -ask=false nothing is measured: sluice serve --data DIR/data then shows a month
// of a company's traffic.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"sluice/store"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "ledger:", err)
		os.Exit(1)
	}
}

// options of a run.
type options struct {
	records int
	sums    int // calls beside them of which only the sums are written
	days    int
	dir     string
	store   string
	binary  string
	rounds  int
	limit   time.Duration
	check   bool
	calls   bool
	api     bool
	ask     bool
}

func readOptions(args []string) (o options, err error) {
	fs := flag.NewFlagSet("ledger", flag.ContinueOnError)
	fs.IntVar(&o.records, "n", 1_000_000, "records to write")
	fs.IntVar(&o.sums, "sums", 0, "further calls of which only the sums are written")
	fs.StringVar(&o.store, "store", "", "postgres://USER@HOST/DATABASE (default: SQLite in -dir)")
	fs.IntVar(&o.days, "days", 90, "over how many days")
	fs.StringVar(&o.dir, "dir", "", "where to keep the database (default: a temporary directory that is removed)")
	fs.StringVar(&o.binary, "binary", "bin/sluice", "the gateway's binary")
	fs.IntVar(&o.rounds, "rounds", 3, "how often each question is asked; the slowest counts")
	fs.DurationVar(&o.limit, "limit", 300*time.Millisecond, "what a report, list or page may take")
	fs.BoolVar(&o.check, "check", false, "fail if one takes longer, or a page weighs too much")
	fs.BoolVar(&o.calls, "calls", true, "compare the cost of calls too")
	fs.BoolVar(&o.api, "api", true, "ask the admin API for reports and lists")
	fs.BoolVar(&o.ask, "ask", true, "measure; without, the database is written and that is all")
	if err = fs.Parse(args); err == nil && !o.ask && o.dir == "" {
		return o, errors.New("-ask=false wants -dir: nothing would be left")
	}
	if err == nil && (o.records < 1 || o.sums < 0 || o.days < 1 || o.rounds < 1 || fs.NArg() > 0) {
		err = errors.New("-n, -days and -rounds must be positive, -sums not negative, and nothing else is taken")
	}
	return o, err
}

func run(ctx context.Context, args []string) error {
	o, err := readOptions(args)
	if err != nil {
		return err
	}
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "sluice-ledger-"); err != nil {
			return err
		}
		defer os.RemoveAll(o.dir) //nolint:errcheck // a temporary directory
	}
	// The last record is from this hour, so that "this month" holds some.
	w := newWorld(time.Now().UTC().Truncate(time.Hour).Add(-time.Duration(o.days)*24*time.Hour), o.days)
	if err := prepare(ctx, &o, w); err != nil || !o.ask {
		return err
	}
	slow, err := askAll(ctx, &o, w)
	if err != nil {
		return err
	}
	if o.calls {
		if err := compareCalls(ctx, &o); err != nil {
			return err
		}
	}
	if o.check && slow > 0 {
		return fmt.Errorf("%d questions and pages took longer than %v or weigh more than %d KiB", slow, o.limit, heaviest>>10)
	}
	return nil
}

// prepare opens the database, and fills one that is new.
func prepare(ctx context.Context, o *options, w *world) (err error) {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return err
	}
	path, err := filepath.Abs(filepath.Join(o.dir, "data", "sluice.db"))
	if err != nil {
		return err
	}
	onFile := o.store == ""
	if onFile {
		o.store = "sqlite:" + path
	}
	s, err := store.Open(ctx, o.store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	teams, err := s.Ledger().LedgerTeams(ctx)
	if err != nil {
		return err
	}
	if len(teams) == 0 {
		if err := fill(ctx, s, w, o); err != nil {
			return err
		}
	}
	if info, err := os.Stat(path); onFile && err == nil {
		fmt.Printf("database: %.1f GiB\n", float64(info.Size())/(1<<30))
	}
	if !o.ask {
		return nil
	}
	return furnish(ctx, s, w, o.records)
}
