package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"

	"sluice/billing"
	"sluice/cmd/sluice/config"
	"sluice/store"
)

// direct is a command that asks the admin API, or with --data the store.
type direct struct {
	client adminClient
	config string
}

func (d *direct) flags(cmd *cobra.Command) {
	d.client.flags(cmd)
	configFlag(cmd, &d.config)
	cmd.Flags().Lookup("data").Usage = "read the store in this data directory, without the admin API"
}

// hasStore is an error where a store would have to be made first.
func hasStore(cfg *config.Config, data string) error {
	if path := cfg.SQLitePath(); path != "" {
		if _, err := os.Stat(path); err != nil {
			return unusable("there is no store in %s: %w", data, err)
		}
	}
	return nil
}

// withStore opens the store of the data directory. The teams are the file's and
// the store's.
func (d *direct) withStore(ctx context.Context, use func(*store.Store, []billing.Team, *time.Location) error) (err error) {
	if err := readable(d.config); err != nil {
		return err
	}
	cfg, err := loadConfig(d.config, d.client.data)
	if err != nil {
		return err
	}
	if err := hasStore(cfg, d.client.data); err != nil {
		return err
	}
	s, err := store.Open(ctx, cfg.Store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	teams, err := s.Tenants().Teams(ctx)
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(cfg.Teams) {
		teams = append(teams, billing.Team{Name: name, Parent: cfg.Teams[name].Parent, Source: "file"})
	}
	return use(s, teams, cfg.Billing.TimeZone)
}
