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
	models      []string
	budget, per string
	hard        bool
	warnAt      []float64
	limits      billing.Limits
}

func (t *terms) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&t.models, "models", nil, "patterns of the models granted, such as fast,claude/* (default all)")
	f.StringVar(&t.budget, "budget", "", "budget in dollars, such as 20 or 0.5")
	f.StringVar(&t.per, "per", "month", "period of the budget: hour, day, week, month, total or 30d")
	f.BoolVar(&t.hard, "hard", true, "refuse what goes beyond the budget; --hard=false only counts")
	f.Float64SliceVar(&t.warnAt, "warn-at", nil, "shares of the budget to warn at, such as 0.8,0.95")
	f.Int64Var(&t.limits.RPM, "rpm", 0, "limit of requests per minute (0: none)")
	f.Int64Var(&t.limits.TPM, "tpm", 0, "limit of tokens per minute (0: none)")
	f.Int64Var(&t.limits.InputTPM, "input-tpm", 0, "limit of input tokens per minute (0: none)")
	f.Int64Var(&t.limits.OutputTPM, "output-tpm", 0, "limit of output tokens per minute (0: none)")
	f.Int64Var(&t.limits.RPD, "rpd", 0, "limit of requests in any 24 hours (0: none)")
	f.Int64Var(&t.limits.TPD, "tpd", 0, "limit of tokens in any 24 hours (0: none)")
	f.Int64Var(&t.limits.Parallel, "parallel", 0, "limit of calls at once (0: none)")
}

// body is the terms as the admin API takes them, checked as far as can be done
// here.
func (t *terms) body(cmd *cobra.Command) (map[string]any, error) {
	body := map[string]any{"models": t.models, "limits": t.limits}
	if t.budget == "" {
		for _, name := range []string{"per", "hard", "warn-at"} {
			if cmd.Flags().Changed(name) {
				return nil, unusable("--%s needs --budget", name)
			}
		}
		return body, nil
	}
	usd, err := billing.ParseUSD(t.budget)
	if err != nil {
		return nil, unusable("--budget: %w", err)
	}
	per, err := billing.ParsePeriod(t.per)
	if err != nil {
		return nil, unusable("--per: %w", err)
	}
	body["budget"] = billing.Budget{USD: usd, Per: per, WarnAt: t.warnAt, Hard: t.hard}
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
				column{"SPENT", "spent.usd"}, column{"BUDGET", "budget.usd"}, column{"PER", "budget.per"},
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
	cmd := &cobra.Command{Use: "create NAME", Short: "Create a team", Args: cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			body, err := t.body(cmd)
			if err != nil {
				return err
			}
			body["name"], body["parent"] = args[0], parent
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
	return cmd
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

func budgetCommand() *cobra.Command {
	var c adminClient
	var team string
	list := &cobra.Command{Use: "list", Short: "List the budgets of teams and keys, and how they stand", Args: cobra.NoArgs,
		RunE: command(func(cmd *cobra.Command, _ []string) error {
			query := url.Values{}
			if team != "" {
				query.Set("team", team)
			}
			items, err := c.all(cmd.Context(), "budgets", query)
			if err != nil {
				return err
			}
			return printItems(cmd.OutOrStdout(), items, c.json, column{"OWNER", "owner"}, column{"BUDGET", "usd"}, column{"PER", "per"},
				column{"SPENT", "spent"}, column{"HELD", "held"}, column{"REMAINING", "remaining"}, column{"RESETS", "resets"}, column{"FORECAST", "forecast"}, column{"RUNS OUT", "runs_out"}, column{"HARD", "hard"})
		})}
	c.flags(list)
	list.Flags().StringVar(&team, "team", "", "only this team and its keys")
	return group("budget", "Budgets: what may be spent, and what was", list)
}
