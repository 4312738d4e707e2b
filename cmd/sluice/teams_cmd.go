package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"sluice/billing"
)

// terms are the flags that teams and keys share.
type terms struct {
	models []string
	budget budgetFlags
	limits billing.Limits
}

func (t *terms) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&t.models, "models", nil, "patterns of the models granted, such as fast,claude/* (default all)")
	f.Int64Var(&t.limits.RPM, "rpm", 0, "limit of requests per minute (0: none)")
	f.Int64Var(&t.limits.TPM, "tpm", 0, "limit of tokens per minute (0: none)")
	f.Int64Var(&t.limits.InputTPM, "input-tpm", 0, "limit of input tokens per minute (0: none)")
	f.Int64Var(&t.limits.OutputTPM, "output-tpm", 0, "limit of output tokens per minute (0: none)")
	f.Int64Var(&t.limits.RPD, "rpd", 0, "limit of requests in any 24 hours (0: none)")
	f.Int64Var(&t.limits.TPD, "tpd", 0, "limit of tokens in any 24 hours (0: none)")
	f.Int64Var(&t.limits.Parallel, "parallel", 0, "limit of calls at once (0: none)")
	t.budget.flags(cmd)
}

// body is the terms as the admin API takes them, checked as far as can be done
// here.
func (t *terms) body(cmd *cobra.Command) (map[string]any, error) {
	budget, err := t.budget.change(cmd, nil)
	if err != nil {
		return nil, err
	}
	body := map[string]any{"models": t.models, "limits": t.limits}
	if budget != nil {
		body["budget"] = budget
	}
	return body, nil
}

func teamCommand() *cobra.Command {
	return group("team", "Teams: groups of callers with grants, limits and a budget",
		teamListCommand(), teamShowCommand(), teamCreateCommand(), teamUpdateCommand(), teamDeleteCommand())
}

func teamListCommand() *cobra.Command {
	var c adminClient
	cmd := &cobra.Command{Use: "list", Short: "List the teams", Args: cobra.NoArgs,
		RunE: command(func(cmd *cobra.Command, _ []string) error {
			items, err := c.all(cmd.Context(), "teams", nil)
			if err != nil {
				return err
			}
			return printItems(cmd.OutOrStdout(), items, c.json, column{"NAME", "name"}, column{"PARENT", "parent"},
				column{"SPENT", "spent.usd"}, column{"BUDGET", "budget"},
				column{"MODELS", "models"}, column{"LIMITS", "limits"}, column{"SOURCE", "source"})
		})}
	c.flags(cmd)
	return cmd
}

func teamShowCommand() *cobra.Command {
	var c adminClient
	cmd := &cobra.Command{Use: "show NAME", Short: "Show a team", Args: cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			b, err := c.call(cmd.Context(), http.MethodGet, "teams/"+url.PathEscape(args[0]), nil, nil)
			if err != nil {
				return err
			}
			return printFields(cmd.OutOrStdout(), b, c.json)
		})}
	c.flags(cmd)
	return cmd
}

func teamCreateCommand() *cobra.Command {
	var c adminClient
	var t terms
	var parent string
	var weight int64
	cmd := &cobra.Command{Use: "create NAME", Short: "Create a team", Args: cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			body, err := t.body(cmd)
			if err != nil {
				return err
			}
			body["name"], body["parent"] = args[0], parent
			if cmd.Flags().Changed("weight") {
				body["weight"] = weight
			}
			b, err := c.call(cmd.Context(), http.MethodPost, "teams", nil, body)
			if err != nil {
				return err
			}
			if c.json {
				return printJSON(cmd.OutOrStdout(), b)
			}
			_, err = fmt.Fprintf(cmd.ErrOrStderr(), "Team %s was created. Make a key for it: sluice key create --team %s\n", args[0], args[0])
			return err
		})}
	c.flags(cmd)
	t.flags(cmd)
	cmd.Flags().StringVar(&parent, "parent", "", "team above it, whose budget its spending counts against too")
	weightFlag(cmd, &weight)
	return cmd
}

func weightFlag(cmd *cobra.Command, weight *int64) {
	cmd.Flags().Int64Var(weight, "weight", 1, "its share of what a provider's limits allow, against other teams: 1 to 100")
}

func teamDeleteCommand() *cobra.Command {
	var c adminClient
	cmd := &cobra.Command{Use: "delete NAME", Short: "Delete a team that has no keys in force", Args: cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			if _, err := c.call(cmd.Context(), http.MethodDelete, "teams/"+url.PathEscape(args[0]), nil, nil); err != nil {
				return err
			}
			return c.done(cmd, map[string]string{"name": args[0]}, "Team %s was deleted. What it used stays in the ledger.\n", args[0])
		})}
	c.flags(cmd)
	return cmd
}

// done says on stderr that something was done, or prints JSON for machines.
func (c *adminClient) done(cmd *cobra.Command, v any, format string, args ...any) error {
	if c.json {
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		return printJSON(cmd.OutOrStdout(), b)
	}
	_, err := fmt.Fprintf(cmd.ErrOrStderr(), format, args...)
	return err
}
