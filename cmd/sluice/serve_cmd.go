package main

import (
	"os"

	"github.com/spf13/cobra"
)

func serveCommand() *cobra.Command {
	var configPath, dataDir string
	cmd := &cobra.Command{Use: "serve", Short: "Run the gateway", Args: cobra.NoArgs,
		Long: "Run the gateway. Without -c it uses ./sluice.yaml if there is one, else the embedded defaults.",
		RunE: command(func(cmd *cobra.Command, _ []string) error {
			if err := readable(configPath); err != nil {
				return err
			}
			return serve(cmd.Context(), configPath, dataDir)
		})}
	configFlag(cmd, &configPath)
	cmd.Flags().StringVar(&dataDir, "data", "", "directory of the store and the usage spool")
	return cmd
}

// configFlag adds -c.
func configFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", "", "configuration file (default ./sluice.yaml if there is one)")
}

// readable tells early whether a file that was named is there; empty: none was.
func readable(path string) error {
	if path == "" {
		return nil
	}
	if _, err := os.Stat(path); err != nil {
		return unusable("cannot read configuration: %w", err)
	}
	return nil
}
