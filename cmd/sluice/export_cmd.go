package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice/billing"
	"sluice/billing/export"
	"sluice/store"
)

// exporting is the flags of export.
type exporting struct {
	direct
	from, to, format, out, endpoint, team string
	force                                 bool
}

func ledgerExportCommand() *cobra.Command {
	var x exporting
	cmd := &cobra.Command{Use: "export", Short: "Write the ledger's entries to files, one a day", Args: cobra.NoArgs,
		Long: "Write the ledger's entries to files, one a day of billing.time_zone, in a folder or an S3-compatible bucket. A file has its name once it is\n" +
			"whole; days that are over and have their file are passed over, so that a broken export can be run again. Credentials of a bucket are\n" +
			"AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, its region is AWS_REGION.",
		RunE: command(func(cmd *cobra.Command, _ []string) error {
			job, err := x.job(time.Now())
			if err != nil {
				return err
			}
			var entries int64
			var usd billing.Nano
			out := cmd.OutOrStdout()
			job.Done = func(f export.File) {
				if f.Kept {
					fmt.Fprintf(out, "%s is there already\n", f.Name)
					return
				}
				entries, usd = entries+f.Entries, usd+f.USD
				fmt.Fprintf(out, "%s: %d entries, %v USD\n", f.Name, f.Entries, f.USD)
			}
			if cmd.Flags().Changed("data") {
				err = x.withStore(cmd.Context(), func(s *store.Store, _ []billing.Team, loc *time.Location) error {
					job.Source = x.fromStore(s, loc)
					return job.Run(cmd.Context())
				})
			} else {
				job.Source = x.fromAPI
				err = job.Run(cmd.Context())
			}
			if err == nil {
				fmt.Fprintf(out, "%d entries, %v USD\n", entries, usd)
			}
			return err
		})}
	x.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&x.from, "from", "", "the first day, such as 2026-11-01")
	f.StringVar(&x.to, "to", "", "the day after the last one (default: today)")
	f.StringVar(&x.format, "format", "jsonl", strings.Join(export.Formats, ", "))
	f.StringVar(&x.out, "out", "", "a folder, or s3://bucket/prefix")
	f.StringVar(&x.endpoint, "endpoint", "", "URL of an S3-compatible service that is not Amazon's")
	f.StringVar(&x.team, "team", "", "only this team's entries")
	f.BoolVar(&x.force, "force", false, "write files that are there already")
	return cmd
}

// job checks the flags.
func (x *exporting) job(now time.Time) (*export.Job, error) {
	j := &export.Job{Format: x.format, Team: x.team, Force: x.force}
	if !slices.Contains(export.Formats, x.format) {
		return nil, unusable("--format %q is none of %s", x.format, strings.Join(export.Formats, ", "))
	}
	if strings.ContainsAny(x.team, `/\`) {
		return nil, unusable("--team %q is no team's name", x.team)
	}
	// In every zone of the world, the days before this one are over.
	j.Today = dateOf(now.UTC().Add(-12 * time.Hour))
	j.To = dateOf(now.UTC())
	for _, d := range []struct {
		flag, text string
		at         *time.Time
	}{{"from", x.from, &j.From}, {"to", x.to, &j.To}} {
		at, err := time.Parse(time.DateOnly, d.text)
		switch {
		case err == nil:
			*d.at = at
		case d.text != "":
			return nil, unusable("--%s %q is not a date such as 2026-11-01", d.flag, d.text)
		case d.flag == "from":
			return nil, unusable("--from is needed: the first day, such as 2026-11-01")
		}
	}
	if !j.From.Before(j.To) {
		return nil, unusable("--from %s is not before --to %s", j.From.Format(time.DateOnly), j.To.Format(time.DateOnly))
	}
	var err error
	j.Sink, err = x.sink()
	return j, err
}

func dateOf(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}

func (x *exporting) sink() (export.Sink, error) {
	if x.out == "" {
		return nil, unusable("--out is needed: a folder, or s3://bucket/prefix")
	}
	if !strings.Contains(x.out, "://") {
		if x.endpoint != "" {
			return nil, unusable("--endpoint is for an --out of s3://bucket/prefix")
		}
		return export.Folder(x.out), nil
	}
	b, err := export.ParseBucket(x.out)
	if err != nil {
		return nil, unusable("--out: %w", err)
	}
	b.Endpoint = x.endpoint
	b.Region = cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), "us-east-1")
	b.AccessKey, b.Secret, b.Token = os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")
	if b.AccessKey == "" || b.Secret == "" {
		return nil, unusable("the environment has no AWS_ACCESS_KEY_ID or no AWS_SECRET_ACCESS_KEY")
	}
	return &b, nil
}

// fromStore reads a day from the store.
func (x *exporting) fromStore(s *store.Store, loc *time.Location) export.Source {
	return func(ctx context.Context, day string, use func(*export.Row) error) error {
		q, err := billing.ParseQuery(day, nextDay(day), "", time.Now(), loc)
		if err != nil {
			return err
		}
		q.Team = x.team
		return s.Ledger().Each(ctx, q, func(e *billing.Entry) error {
			row := export.Of(e)
			return use(&row)
		})
	}
}

// fromAPI reads a day from the admin API, as it comes.
func (x *exporting) fromAPI(ctx context.Context, day string, use func(*export.Row) error) error {
	query := url.Values{"from": {day}, "to": {nextDay(day)}}
	if x.team != "" {
		query.Set("team", x.team)
	}
	body, err := x.client.open(ctx, http.MethodGet, "entries", query)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	in := json.NewDecoder(bufio.NewReaderSize(body, 64<<10))
	for in.More() {
		var row export.Row
		if err := in.Decode(&row); err != nil {
			return fmt.Errorf("cannot read the entries: %w", err)
		}
		if err := use(&row); err != nil {
			return err
		}
	}
	// More is false at the end and at a fault alike.
	if _, err := in.Token(); err != io.EOF {
		return fmt.Errorf("the entries of %s were cut: %w", day, err)
	}
	return nil
}

func nextDay(day string) string {
	at, _ := time.Parse(time.DateOnly, day) // it was made by Format
	return at.AddDate(0, 0, 1).Format(time.DateOnly)
}
