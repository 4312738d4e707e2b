package main

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"sluice/billing"
)

func ledgerCommand() *cobra.Command {
	return group("ledger", "The ledger: show a call, give money back, correct a charge, export entries, erase them",
		ledgerShowCommand(), ledgerRefundCommand(), ledgerCorrectCommand(), ledgerExportCommand(), ledgerEraseCommand())
}

func ledgerShowCommand() *cobra.Command {
	var c adminClient
	cmd := &cobra.Command{Use: "show CALL", Short: "Show a call and its corrections, by its id or its x-request-id", Args: cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			b, err := c.call(cmd.Context(), http.MethodGet, "requests/"+url.PathEscape(args[0]), nil, nil)
			if err != nil {
				return err
			}
			return printFields(cmd.OutOrStdout(), b, c.json)
		})}
	c.flags(cmd)
	return cmd
}

// correcting is the flags of refund and correct.
type correcting struct {
	client      adminClient
	reason, key string
}

func (c *correcting) flags(cmd *cobra.Command) {
	c.client.flags(cmd)
	cmd.Flags().StringVar(&c.reason, "reason", "", "why, in one line: it stands in the ledger")
	cmd.Flags().StringVar(&c.key, "idempotency-key", "", "a request with the same key is the same (default: one with the same amount and reason is)")
}

func (c *correcting) send(cmd *cobra.Command, r billing.CorrectionRequest, body map[string]any) error {
	r.Reason, r.Key = c.reason, c.key
	if err := r.Check(); err != nil {
		return unusable("%w", err)
	}
	body["call"], body["reason"], body["idempotency_key"] = r.Call, r.Reason, r.Key
	b, err := c.client.call(cmd.Context(), http.MethodPost, "corrections", nil, body)
	if err != nil {
		return err
	}
	return printFields(cmd.OutOrStdout(), b, c.client.json)
}

func ledgerRefundCommand() *cobra.Command {
	var c correcting
	cmd := &cobra.Command{Use: "refund CALL", Short: "Give back all that is left of a call's cost", Args: cobra.ExactArgs(1),
		Long: "Give back all that is left of a call's cost, by a new entry of the ledger. Budgets get it back in the window in which the call was made,\n" +
			"as long as that lasts.",
		RunE: command(func(cmd *cobra.Command, args []string) error {
			return c.send(cmd, billing.CorrectionRequest{Call: args[0], Refund: true}, map[string]any{"refund": true})
		})}
	c.flags(cmd)
	return cmd
}

func ledgerCorrectCommand() *cobra.Command {
	var c correcting
	var usd string
	cmd := &cobra.Command{Use: "correct CALL", Short: "Add an amount to a call's cost, or give a part of it back", Args: cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			if usd == "" {
				return unusable("--usd is needed, such as -0.02")
			}
			amount, err := billing.ParseUSD(usd)
			if err != nil {
				return unusable("--usd: %w", err)
			}
			return c.send(cmd, billing.CorrectionRequest{Call: args[0], USD: amount}, map[string]any{"usd": amount})
		})}
	c.flags(cmd)
	cmd.Flags().StringVar(&usd, "usd", "", "dollars to add; below 0 they are given back")
	return cmd
}

func ledgerEraseCommand() *cobra.Command {
	var c adminClient
	var e billing.Erasure
	var before string
	cmd := &cobra.Command{Use: "erase", Short: "Erase a team's entries, or a user's name in them; every sum stays", Args: cobra.NoArgs,
		Long: "Erase a team's entries before a time: their sums by hour, key, model and so on stay, so that reports, budgets and 'sluice report --verify'\n" +
			"say what they said. With --user, entries stay and only lose that user's name, which the sums lose too. There is no way back.",
		RunE: command(func(cmd *cobra.Command, _ []string) error {
			if before == "" && e.User == "" || e.Team == "" {
				return unusable("--team is needed, and --user or --before or both")
			}
			b, err := c.call(cmd.Context(), http.MethodPost, "erasures", nil, map[string]string{"team": e.Team, "user": e.User, "before": before})
			if err != nil {
				return err
			}
			return printFields(cmd.OutOrStdout(), b, c.json)
		})}
	c.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&e.Team, "team", "", "whose entries; those of teams below it stay")
	f.StringVar(&e.User, "user", "", "make this user's name unreadable, and keep the entries")
	f.StringVar(&before, "before", "", "a date or RFC 3339 time: only entries before it")
	return cmd
}
