package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sluice/billing"
	"sluice/store"
)

// reporting is the flags of report.
type reporting struct {
	client               adminClient
	by, from, to, format string
	verify, direct       bool
	again                bool   // reprice
	with                 string // the file of prices
	config               string
	only                 map[string]*string // by team and billing.Filters

	zone      string   // whose days; empty: billing.time_zone
	reconcile []string // files
	tolerance string
}

func reportCommand() *cobra.Command {
	var r reporting
	cmd := &cobra.Command{Use: "report", Short: "Print what was used and what it cost, prove every sum, or tell what it would have cost",
		Long: "Print what was used and what it cost, through the admin API, or with --data straight from the store.\n\n" +
			"--reprice FROM TO --with FILE prints what the providers would have charged in that time at the prices of a file, beside what they did.\n" +
			"The file holds providers.NAME.prices as a configuration does; what it says nothing of keeps its cost. Nothing is changed.",
		Args: func(cmd *cobra.Command, args []string) error {
			if r.again {
				return cobra.ExactArgs(2)(cmd, args)
			}
			return cobra.NoArgs(cmd, args)
		},
		RunE: command(func(cmd *cobra.Command, args []string) error {
			r.direct = cmd.Flags().Changed("data")
			if r.client.json {
				r.format = "json"
			}
			if !slices.Contains(billing.ReportFormats, r.format) {
				return unusable("--format %q is none of %s", r.format, strings.Join(billing.ReportFormats, ", "))
			}
			if r.again {
				return r.repriced(cmd, args[0], args[1])
			}
			if _, err := billing.ParseQuery(r.from, r.to, r.by, time.Now(), time.UTC); err != nil {
				return unusable("%w", err)
			}
			if _, err := time.LoadLocation(r.zone); err != nil {
				return unusable("--time-zone: %w", err)
			}
			if len(r.reconcile) > 0 {
				return r.compare(cmd)
			}
			if r.verify {
				return r.prove(cmd)
			}
			report, err := r.read(cmd.Context())
			if err != nil {
				return err
			}
			return report.Render(cmd.OutOrStdout(), r.format)
		})}
	r.flags(cmd)
	return cmd
}

func (r *reporting) flags(cmd *cobra.Command) {
	r.client.flags(cmd)
	configFlag(cmd, &r.config)
	f := cmd.Flags()
	f.StringVar(&r.by, "by", "team,model", "what to sum by: "+strings.Join(billing.Dimensions, ", "))
	f.StringVar(&r.from, "from", "", "a date or RFC 3339 time (default: this month)")
	f.StringVar(&r.to, "to", "", "a date or RFC 3339 time, exclusive")
	f.StringArrayVar(&r.reconcile, "reconcile", nil, "compare with a usage or cost export of --provider, JSON or CSV: exit code 0, or 1 if they drift apart; may be given twice")
	f.StringVar(&r.tolerance, "tolerance", "0", "percentage that --reconcile lets a figure drift")
	f.StringVar(&r.zone, "time-zone", "", "whose days and months, such as UTC or Europe/Berlin (default: billing.time_zone)")
	f.StringVar(&r.format, "format", "table", strings.Join(billing.ReportFormats, ", "))
	r.only = map[string]*string{}
	for _, name := range append([]string{"team"}, billing.Filters...) {
		r.only[name] = f.String(name, "", onlyHelp(name))
	}
	f.BoolVar(&r.verify, "verify", false, "prove every sum of the ledger: exit code 0, or 1 and what differs")
	f.BoolVar(&r.again, "reprice", false, "FROM TO: what the calls of a time would have cost at the prices of --with")
	f.StringVar(&r.with, "with", "", "for --reprice: a YAML file of providers.NAME.prices")
	f.Lookup("data").Usage = "read the store in this data directory, without the admin API"
}

// onlyHelp says what a flag that narrows a report takes.
func onlyHelp(name string) string {
	switch name {
	case "key":
		return "only this key: TEAM/NAME, or its id"
	case "model":
		return "only calls that asked for this model"
	case "target":
		return "only what this PROVIDER/MODEL answered"
	case "tag":
		return "only calls that carry this tag"
	}
	return "only this " + name
}

// get is the value of a flag that narrows the report.
func (r *reporting) get(name string) string { return *r.only[name] }

func (r *reporting) read(ctx context.Context) (*billing.Report, error) {
	if r.direct {
		var report *billing.Report
		err := r.withLedger(ctx, func(l billing.Ledger, loc *time.Location) (err error) {
			if r.zone != "" {
				if loc, err = time.LoadLocation(r.zone); err != nil {
					return err
				}
			}
			q, err := billing.ParseQuery(r.from, r.to, r.by, time.Now(), loc)
			if err != nil {
				return err
			}
			q.Team = r.get("team")
			q.Select(r.get)
			report, err = l.Usage(ctx, q)
			return err
		})
		return report, err
	}
	query := url.Values{"group_by": {r.by}}
	if r.from != "" {
		query.Set("from", r.from)
	}
	if r.to != "" {
		query.Set("to", r.to)
	}
	if r.zone != "" {
		query.Set("time_zone", r.zone)
	}
	for name, value := range r.only {
		if *value != "" {
			query.Set(name, *value)
		}
	}
	b, err := r.client.call(ctx, http.MethodGet, "usage", query, nil)
	if err != nil {
		return nil, err
	}
	report := &billing.Report{}
	if err := json.Unmarshal(b, report); err != nil {
		return nil, fmt.Errorf("cannot read the report: %w", err)
	}
	return report, nil
}

// withLedger opens the store of the data directory.
func (r *reporting) withLedger(ctx context.Context, use func(billing.Ledger, *time.Location) error) (err error) {
	if err := readable(r.config); err != nil {
		return err
	}
	cfg, err := loadConfig(r.config, r.client.data)
	if err != nil {
		return err
	}
	if err := hasStore(cfg, r.client.data); err != nil {
		return err
	}
	s, err := store.Open(ctx, cfg.Store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return use(s.Ledger(), cfg.Billing.TimeZone)
}

// proof is what a verification found.
type proof struct {
	OK          bool     `json:"ok"`
	Entries     int64    `json:"entries"`
	Differences []string `json:"differences"`
}

func (r *reporting) prove(cmd *cobra.Command) error {
	p, err := r.verified(cmd.Context())
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	switch {
	case r.format == "json":
		b, err := json.Marshal(p)
		if err != nil {
			return err
		}
		if err := printJSON(out, b); err != nil {
			return err
		}
	case p.OK:
		fmt.Fprintf(out, "%d entries: every sum is right\n", p.Entries)
	default:
		for _, d := range p.Differences {
			fmt.Fprintln(out, d)
		}
	}
	if !p.OK {
		return fmt.Errorf("%d of the sums of %d entries differ", len(p.Differences), p.Entries)
	}
	return nil
}

func (r *reporting) verified(ctx context.Context) (p proof, err error) {
	if r.direct {
		p.Differences = []string{}
		err = r.withLedger(ctx, func(l billing.Ledger, _ *time.Location) error {
			entries, differences, err := l.Verify(ctx)
			p = proof{len(differences) == 0, entries, append(p.Differences, differences...)}
			return err
		})
		return p, err
	}
	b, err := r.client.call(ctx, http.MethodGet, "usage/verify", nil, nil)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return p, fmt.Errorf("cannot read the proof: %w", err)
	}
	return p, nil
}
