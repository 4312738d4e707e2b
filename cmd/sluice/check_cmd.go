package main

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"sluice/cmd/sluice/config"
	"sluice/prompts"
)

func checkCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{Use: "check", Short: "Validate configuration, prompts and the files they name", Args: cobra.NoArgs,
		Long: "Validate configuration, prompts and the files they name. Every fault is a line of file:line: message.\nExit code 0: no fault; 2: faults.",
		RunE: command(func(cmd *cobra.Command, _ []string) error {
			lines, err := check(path)
			if err != nil {
				return &failure{err: err, code: 2}
			}
			for _, line := range lines {
				fmt.Fprintln(cmd.OutOrStdout(), line)
			}
			if len(lines) > 0 {
				return &failure{err: errors.New("there are faults"), code: 2, said: true}
			}
			used, _ := configFile(path)
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: no faults\n", cmp.Or(used, "embedded defaults"))
			return err
		})}
	configFlag(cmd, &path)
	return cmd
}

// check lists the faults of a configuration and of the prompts that it names.
func check(path string) (lines []string, err error) {
	cfg, err := loadConfig(path, "")
	var faults config.Faults
	if errors.As(err, &faults) {
		for _, f := range faults {
			lines = append(lines, f.String())
		}
		return lines, nil
	}
	if err != nil || cfg.Prompts.Dir == "" {
		return nil, err
	}
	bad, err := prompts.CheckDir(cfg.Prompts.Dir, cfg.Prompts.Prefix, prompts.World{Owner: routePaths(cfg), Serves: servable(cfg)})
	for _, f := range bad {
		lines = append(lines, f.Error())
	}
	return lines, err
}
