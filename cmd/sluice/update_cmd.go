package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

// change sets what the flags that were given say in a team or key as it was
// read, so that what nobody mentioned stays.
func (t *terms) change(cmd *cobra.Command, now map[string]any) error {
	given := cmd.Flags().Changed
	if given("models") {
		now["models"] = t.models
	}
	limits, _ := now["limits"].(map[string]any)
	if limits == nil {
		limits = map[string]any{}
	}
	l := &t.limits
	for flag, n := range map[string]int64{"rpm": l.RPM, "tpm": l.TPM, "input-tpm": l.InputTPM, "output-tpm": l.OutputTPM,
		"rpd": l.RPD, "tpd": l.TPD, "parallel": l.Parallel} {
		if given(flag) {
			limits[strings.ReplaceAll(flag, "-", "_")] = n
		}
	}
	now["limits"] = limits
	return t.changeBudget(cmd, now)
}

// changeBudget is change for the budget: --budget none takes it away.
func (t *terms) changeBudget(cmd *cobra.Command, now map[string]any) error {
	if t.budget.none() {
		now["budget"] = nil
		return nil
	}
	if _, several := now["budget"].([]any); several {
		for _, name := range append([]string{"per", "hard", "warn-at", "budget-models", "carry-over", "time-zone", "raise"}, amounts...) {
			if cmd.Flags().Changed(name) {
				return unusable("--%s: there are several budgets; change them through the admin API", name)
			}
		}
		return nil
	}
	budget, _ := now["budget"].(map[string]any)
	budget, err := t.budget.change(cmd, budget)
	if budget != nil {
		now["budget"] = budget
	}
	return err
}

// update reads what is at a path, changes it and puts it back.
func (c *adminClient) update(ctx context.Context, path string, change func(now map[string]any) error) ([]byte, error) {
	b, err := c.call(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return nil, err
	}
	var now map[string]any
	if err := json.Unmarshal(b, &now); err != nil {
		return nil, fmt.Errorf("cannot read the answer of the admin API: %w", err)
	}
	if err := change(now); err != nil {
		return nil, err
	}
	return c.call(ctx, http.MethodPut, path, nil, now)
}

func teamUpdateCommand() *cobra.Command {
	var c adminClient
	var t terms
	var parent string
	var weight int64
	cmd := &cobra.Command{Use: "update NAME", Short: "Change a team: what the flags say, and nothing else", Args: cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			b, err := c.update(cmd.Context(), "teams/"+url.PathEscape(args[0]), func(now map[string]any) error {
				if cmd.Flags().Changed("parent") {
					now["parent"] = parent
				}
				if cmd.Flags().Changed("weight") {
					now["weight"] = weight
				}
				return t.change(cmd, now)
			})
			if err != nil {
				return err
			}
			return printFields(cmd.OutOrStdout(), b, c.json)
		})}
	c.flags(cmd)
	t.flags(cmd)
	cmd.Flags().StringVar(&parent, "parent", "", `team above it; "" puts it on top`)
	weightFlag(cmd, &weight)
	cmd.Flags().Lookup("budget").Usage = "budget in dollars, such as 20 or 0.5; none takes it away"
	return cmd
}

func keyUpdateCommand() *cobra.Command {
	var c adminClient
	var t terms
	var expires, user string
	var prompts, ips []string
	cmd := &cobra.Command{Use: "update ID", Short: "Change a key, by its id or as TEAM/NAME: what the flags say, and nothing else", Args: cobra.ExactArgs(1),
		RunE: command(func(cmd *cobra.Command, args []string) error {
			path, err := c.keyPath(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			b, err := c.update(cmd.Context(), path, func(now map[string]any) error {
				for name, value := range map[string]any{"user": user, "expires": expires, "prompts": prompts, "ips": ips} {
					if cmd.Flags().Changed(name) {
						now[name] = value
					}
				}
				return t.change(cmd, now)
			})
			if err != nil {
				return err
			}
			return printFields(cmd.OutOrStdout(), b, c.json)
		})}
	c.flags(cmd)
	t.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&expires, "expires", "", `when it ends: a date or an RFC 3339 time; "" is never`)
	f.StringVar(&user, "user", "", `whose the key is; "": requests say whose they are`)
	f.StringSliceVar(&prompts, "prompts", nil, `prompts granted; "" grants all that the team has`)
	f.StringSliceVar(&ips, "ips", nil, `addresses or networks it may be used from; "" is everywhere`)
	f.Lookup("budget").Usage = "budget in dollars, such as 20 or 0.5; none takes it away"
	return cmd
}
