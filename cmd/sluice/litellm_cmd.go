package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

func importLiteLLMCommand() *cobra.Command {
	return &cobra.Command{Use: "litellm FILE", Short: "Print the sluice.yaml that does what a LiteLLM config.yaml does", Args: cobra.ExactArgs(1),
		Long: "Print the sluice.yaml that does what a LiteLLM proxy's config.yaml does: its models, their providers and keys, retries,\n" +
			"fallbacks, cooldowns, limits and cache. os.environ/NAME becomes ${NAME}; a key that is written in the file is written in\n" +
			"what is printed. A comment names each thing that could not be carried over, with its line in FILE.",
		RunE: command(func(cmd *cobra.Command, args []string) error {
			text, err := readLiteLLMConfig(args[0])
			if err != nil {
				return unusable("%w", err)
			}
			source, err := parseLiteLLMConfig(text)
			if err != nil {
				return unusable("%s: %w", args[0], err)
			}
			c := &litellmConfig{file: args[0], source: source}
			out, err := c.yaml()
			if err != nil {
				return unusable("%s: %w", args[0], err)
			}
			_, err = io.WriteString(cmd.OutOrStdout(), out)
			return err
		})}
}

func readLiteLLMConfig(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxDocument+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	case len(text) > maxDocument:
		return nil, fmt.Errorf("%s has more than %d MiB", name, maxDocument>>20)
	}
	return text, nil
}
