package main

import (
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

func invoiceCommand() *cobra.Command {
	var d direct
	var month, by, format string
	cmd := &cobra.Command{Use: "invoice TEAM", Short: "Print what a team and those below it used in a month", Args: cobra.ExactArgs(1),
		Long: "Print what a team and those below it used in a month, in billing.time_zone, corrections as lines of their own. The total is that of\n" +
			"'sluice report', to the billionth of a dollar; what is shown rounded to cents stands beside it.",
		RunE: command(func(cmd *cobra.Command, args []string) error {
			if d.client.json {
				format = "json"
			}
			if !slices.Contains(billing.InvoiceFormats, format) {
				return unusable("--format %q is none of %s", format, strings.Join(billing.InvoiceFormats, ", "))
			}
			q := billing.InvoiceQuery{Team: args[0], Month: month, By: by}
			v, err := d.invoice(cmd, q)
			var bad billing.BadQuery
			if errors.As(err, &bad) {
				return unusable("%w", err)
			}
			if err != nil {
				return err
			}
			return v.Render(cmd.OutOrStdout(), format)
		})}
	d.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&month, "month", "", "such as 2026-10 (default: the last one that is over)")
	f.StringVar(&by, "by", "model", "what a line is for: "+strings.Join(billing.InvoiceDimensions, ", "))
	f.StringVar(&format, "format", "table", strings.Join(billing.InvoiceFormats, ", "))
	return cmd
}

func (d *direct) invoice(cmd *cobra.Command, q billing.InvoiceQuery) (v *billing.Invoice, err error) {
	ctx := cmd.Context()
	if cmd.Flags().Changed("data") {
		err = d.withStore(ctx, func(s *store.Store, teams []billing.Team, loc *time.Location) error {
			q.Teams, q.Now, q.Location = teams, time.Now(), loc
			v, err = billing.NewInvoice(ctx, s.Ledger(), q)
			return err
		})
		return v, err
	}
	query := url.Values{"by": {q.By}}
	if q.Month != "" {
		query.Set("month", q.Month)
	}
	b, err := d.client.call(ctx, http.MethodGet, "invoices/"+url.PathEscape(q.Team), query, nil)
	if err != nil {
		return nil, err
	}
	v = &billing.Invoice{}
	if err := json.Unmarshal(b, v); err != nil {
		return nil, fmt.Errorf("cannot read the invoice: %w", err)
	}
	return v, nil
}
