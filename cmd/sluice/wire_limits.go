package main

import (
	"crypto/sha256"
	"encoding/hex"

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
		p := cfg.Providers[name]
		add(gateway.ProviderOwner(name), p.Limits)
		for value, limits := range keyLimits(p) {
			add(gateway.SecretOwner(name, secretID(value)), limits)
		}
	}
	return teams
}

// keyLimits are the limits of a provider's keys, by their values as the pool
// keeps them.
func keyLimits(p config.Provider) map[string]billing.Limits {
	list := map[string]billing.Limits{}
	for _, k := range p.Keys {
		if value, err := secretValue(k); err == nil && k.Weight > 0 { // an error is told where the pool is made
			list[value] = k.Limits
		}
	}
	return list
}

// secretID tells a key from others and does not tell the key. What was used of
// its limits stays with it when keys are added or moved.
func secretID(value string) string {
	sum := sha256.Sum256([]byte("limits of " + value))
	return hex.EncodeToString(sum[:8])
}

// giveLimits gives models and providers their limits, once the view has them.
func giveLimits(v *view) {
	for _, m := range v.models {
		m.Limits = v.owners.Team(gateway.ModelOwner(m.Name))
	}
	for _, p := range v.providers {
		p.Limits = v.owners.Team(gateway.ProviderOwner(p.Name))
		for _, s := range p.Pool.Secrets() { // of a pool that no call knows yet
			if o := v.owners.Team(gateway.SecretOwner(p.Name, secretID(s.Value))); o != nil {
				s.Payload = o
			}
		}
	}
}
