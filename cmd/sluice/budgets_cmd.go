package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"
)

func budgetCommand() *cobra.Command {
	return group("budget", "Budgets: what may be spent, and what was",
		budgetListCommand(), budgetShowCommand(), budgetCreateCommand(), budgetDeleteCommand())
}

var budgetColumns = []column{{"OWNER", "owner"}, {"USD", "usd"}, {"TOKENS", "tokens"}, {"REQUESTS", "requests"}, {"PER", "per"}, {"MODELS", "models"},
	{"SPENT", "spent"}, {"HELD", "held"}, {"REMAINING", "remaining"}, {"RESETS", "resets"}, {"FORECAST", "forecast"}, {"LOW", "forecast_low"}, {"HIGH", "forecast_high"},
	{"RUNS OUT", "runs_out"}, {"HARD", "hard"}}

func budgetListCommand() *cobra.Command {
	var c adminClient
	var team string
	cmd := &cobra.Command{Use: "list", Short: "List the budgets of teams and keys, and how they stand", Args: cobra.NoArgs,
		RunE: command(func(cmd *cobra.Command, _ []string) error {
			query := url.Values{}
			if team != "" {
				query.Set("team", team)
			}
			items, err := c.all(cmd.Context(), "budgets", query)
			if err != nil {
				return err
			}
			return printItems(cmd.OutOrStdout(), items, c.json, budgetColumns...)
		})}
	c.flags(cmd)
	cmd.Flags().StringVar(&team, "team", "", "only this team and its keys")
	return cmd
}

func budgetShowCommand() *cobra.Command {
	var c adminClient
	cmd := &cobra.Command{Use: "show OWNER", Short: "Show how the budgets of a team, or of a key as TEAM/NAME, stand", Args: cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			path, err := c.ownerPath(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			b, err := c.call(cmd.Context(), http.MethodGet, path, nil, nil)
			if err != nil {
				return err
			}
			owner := gjson.ParseBytes(b)
			team, label := owner.Get("name").String(), ""
			if strings.HasPrefix(path, "keys/") {
				team = owner.Get("team").String()
				label = team + "/" + owner.Get("name").String()
			}
			items, err := c.all(cmd.Context(), "budgets", url.Values{"team": {team}})
			if err != nil {
				return err
			}
			own := []gjson.Result{}
			for _, s := range items {
				if s.Get("owner.key").String() == label && (label != "" || s.Get("owner.team").String() == team) {
					own = append(own, s)
				}
			}
			return printItems(cmd.OutOrStdout(), own, c.json, budgetColumns...)
		})}
	c.flags(cmd)
	return cmd
}

// ownerPath is the path of a team, or of a key by its id or as team/name.
func (c *adminClient) ownerPath(ctx context.Context, owner string) (string, error) {
	if strings.Contains(owner, "/") || strings.HasPrefix(owner, "key_") {
		return c.keyPath(ctx, owner)
	}
	return "teams/" + url.PathEscape(owner), nil
}

func budgetCreateCommand() *cobra.Command {
	var c adminClient
	var t terms
	cmd := &cobra.Command{Use: "create OWNER", Short: "Give a team, or a key as TEAM/NAME, a budget beside those it has", Args: cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			budget, err := t.budget.change(cmd, nil)
			if err != nil {
				return err
			}
			if budget == nil {
				return unusable("one of --budget, --budget-tokens and --budget-requests is required")
			}
			return c.changeBudgets(cmd, args[0], func(list []any) ([]any, error) { return append(list, budget), nil })
		})}
	c.flags(cmd)
	t.budget.flags(cmd)
	return cmd
}

func budgetDeleteCommand() *cobra.Command {
	var c adminClient
	var per, of string
	cmd := &cobra.Command{Use: "delete OWNER", Short: "Take a budget from a team, or from a key as TEAM/NAME", Args: cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			return c.changeBudgets(cmd, args[0], func(list []any) (rest []any, err error) {
				for _, b := range list {
					fields, _ := b.(map[string]any)
					if _, counts := fields[of]; of != "" && !counts || per != "" && fields["per"] != per {
						rest = append(rest, b)
					}
				}
				switch len(list) - len(rest) {
				case 1:
					return rest, nil
				case 0:
					return nil, unusable("%s has no such budget", args[0])
				}
				return nil, unusable("%s has several budgets: say which by --per and --of", args[0])
			})
		})}
	c.flags(cmd)
	cmd.Flags().StringVar(&per, "per", "", "the one of this period, where there are several")
	cmd.Flags().StringVar(&of, "of", "", "the one of usd, tokens or requests, where there are several")
	return cmd
}

// changeBudgets changes the list of a team's or key's own budgets.
func (c *adminClient) changeBudgets(cmd *cobra.Command, owner string, change func([]any) ([]any, error)) error {
	path, err := c.ownerPath(cmd.Context(), owner)
	if err != nil {
		return err
	}
	b, err := c.update(cmd.Context(), path, func(now map[string]any) error {
		list, several := now["budget"].([]any)
		if one := now["budget"]; !several && one != nil {
			list = []any{one}
		}
		list, err := change(list)
		now["budget"] = list
		return err
	})
	if err != nil {
		return err
	}
	return printFields(cmd.OutOrStdout(), b, c.json)
}
