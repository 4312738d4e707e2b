package main

import (
	"fmt"
	"maps"

	"sluice/billing"
	"sluice/cmd/sluice/config"
	"sluice/gateway"
	"sluice/prompts"
)

// withPlans are the teams with what their subscriptions' plans set: the terms
// of the tag that the calls to the prompt carry. A plan that is not declared
// sets nothing.
func withPlans(cfg *config.Config, teams []billing.Team, list []prompts.Subscription) []billing.Team {
	terms := map[string]billing.People{}
	for i := range list {
		s := &list[i]
		if s.Prompt == "" || s.Status != prompts.SubscriptionApproved {
			continue
		}
		if terms[s.Team] == nil {
			terms[s.Team] = billing.People{}
		}
		plan := cfg.Plans[s.Plan]
		terms[s.Team][gateway.SubscriptionTag(s.Prompt)] = billing.Terms{Budgets: plan.Budget, Limits: plan.Limits}
	}
	if len(terms) == 0 {
		return teams
	}
	out := make([]billing.Team, len(teams))
	for i, t := range teams {
		if own := terms[t.Name]; own != nil {
			maps.Copy(own, t.Tags) // what the team sets for that tag itself stands before
			t.Tags = own
		}
		out[i] = t
	}
	return out
}

// subscriptionsOf are what calls need of the subscriptions, by team and prompt.
// A team has those of the teams above it too: the nearest that is approved,
// else the nearest.
func subscriptionsOf(cfg *config.Config, v *view) (map[string]map[string]*gateway.Subscription, error) {
	if len(v.subscriptions) == 0 {
		return nil, nil
	}
	rates := map[string]*billing.Rates{}
	for _, name := range sortedKeys(cfg.Plans) {
		var err error
		if rates[name], err = ratesFrom(cfg.Plans[name].Prices); err != nil {
			return nil, fmt.Errorf("plans.%s.prices.%w", name, err)
		}
	}
	own := map[string]map[string]*gateway.Subscription{}
	for i := range v.subscriptions { // in the order of time: the last one counts
		s := &v.subscriptions[i]
		if s.Prompt == "" {
			continue
		}
		if own[s.Team] == nil {
			own[s.Team] = map[string]*gateway.Subscription{}
		}
		own[s.Team][s.Prompt] = &gateway.Subscription{Status: s.Status, Tag: gateway.SubscriptionTag(s.Prompt), Rates: rates[s.Plan]}
	}
	all := map[string]map[string]*gateway.Subscription{}
	for i := range v.teams {
		for t := v.owners.Team(v.teams[i].Name); t != nil; t = t.Parent() {
			for prompt, s := range own[t.Name] {
				into := all[v.teams[i].Name]
				if into == nil {
					into = map[string]*gateway.Subscription{}
					all[v.teams[i].Name] = into
				}
				if near := into[prompt]; near == nil || near.Status != prompts.SubscriptionApproved && s.Status == prompts.SubscriptionApproved {
					into[prompt] = s
				}
			}
		}
	}
	return all, nil
}
