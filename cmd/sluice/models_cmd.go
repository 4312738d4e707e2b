package main

import (
	"encoding/json"

	"github.com/spf13/cobra"
	"github.com/tidwall/gjson"

	"sluice/providers/catalog"
)

func modelsCommand() *cobra.Command {
	var provider string
	var asJSON bool
	cmd := &cobra.Command{Use: "models", Short: "List the models of the catalogue, with prices in dollars per million tokens", Args: cobra.NoArgs,
		RunE: command(func(cmd *cobra.Command, _ []string) error {
			c := catalog.Load()
			models := c.Models()
			if provider != "" {
				p, ok := c.Provider(provider)
				if !ok {
					return unusable("the catalogue has no provider %q", provider)
				}
				models = p.Models
			}
			b, err := json.Marshal(models)
			if err != nil {
				return err
			}
			return printItems(cmd.OutOrStdout(), gjson.ParseBytes(b).Array(), asJSON, column{"PROVIDER", "provider"}, column{"MODEL", "id"},
				column{"MODE", "mode"}, column{"CONTEXT", "context_window"}, column{"OUTPUT", "max_output"}, column{"IN $", "prices.input"},
				column{"CACHED $", "prices.cached_input"}, column{"OUT $", "prices.output"}, column{"CAN", "capabilities"})
		})}
	cmd.Flags().StringVar(&provider, "provider", "", "only this provider's")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.AddCommand(armsCommand())
	return cmd
}
