package main

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"
)

func armsCommand() *cobra.Command {
	var client adminClient
	var from, to string
	cmd := &cobra.Command{Use: "arms MODEL", Short: "Compare the targets of a model, and its shadow: cost, time, errors, length of answers",
		Long: "Compare the targets of a name under models:, and its shadow, through the admin API.\n\n" +
			"Costs, times and lengths of one call are of the newest 10,000 calls at most.", Args: cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			query := url.Values{"model": {args[0]}}
			for name, value := range map[string]string{"from": from, "to": to} {
				if value != "" {
					query.Set(name, value)
				}
			}
			b, err := client.call(cmd.Context(), http.MethodGet, "arms", query, nil)
			if err != nil {
				return err
			}
			return printItems(cmd.OutOrStdout(), gjson.GetBytes(b, "arms").Array(), client.json, column{"TARGET", "target"}, column{"SHADOW", "shadow"},
				column{"CALLS", "calls"}, column{"ERRORS", "errors"}, column{"FAILED", "failed_attempts"}, column{"USD", "usd"}, column{"USD/CALL", "usd_per_call"},
				column{"MS P50", "latency_p50_ms"}, column{"P95", "latency_p95_ms"}, column{"TTFT P50", "ttft_p50_ms"}, column{"P95", "ttft_p95_ms"},
				column{"OUTPUT P50", "output_tokens_p50"})
		})}
	client.flags(cmd)
	cmd.Flags().StringVar(&from, "from", "", "a date or RFC 3339 time (default: this month)")
	cmd.Flags().StringVar(&to, "to", "", "a date or RFC 3339 time, exclusive")
	return cmd
}
