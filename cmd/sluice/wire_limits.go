package main

import (
	"sluice/billing"
	"sluice/cmd/sluice/config"
	"sluice/gateway"
)

// limitedTeams are the limits of models and providers, kept like those of teams.
func limitedTeams(cfg *config.Config) []billing.Team {
	var teams []billing.Team
	add := func(owner string, limits billing.Limits) {
		if limits != (billing.Limits{}) {
			teams = append(teams, billing.Team{Name: owner, Source: sourceBuiltIn, Limits: limits})
		}
	}
	for _, name := range sortedKeys(cfg.Models) {
		add(gateway.ModelOwner(name), cfg.Models[name].Limits)
	}
	for _, name := range sortedKeys(cfg.Providers) {
		add(gateway.ProviderOwner(name), cfg.Providers[name].Limits)
	}
	return teams
}

// giveLimits gives models and providers their limits, once the view has them.
func giveLimits(v *view) {
	for _, m := range v.models {
		m.Limits = v.owners.Team(gateway.ModelOwner(m.Name))
	}
	for _, p := range v.providers {
		p.Limits = v.owners.Team(gateway.ProviderOwner(p.Name))
	}
}
