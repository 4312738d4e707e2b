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
// of the tag that the calls to the prompt, or the route, carry. A plan that is not declared
// sets nothing.
func withPlans(cfg *config.Config, teams []billing.Team, list []prompts.Subscription) []billing.Team {
	terms := map[string]billing.People{}
	for i := range list {
		s := &list[i]
		if s.Status != prompts.SubscriptionApproved {
			continue
		}
		if terms[s.Team] == nil {
			terms[s.Team] = billing.People{}
		}
		plan := cfg.Plans[s.Plan]
		_, tag := subjectOf(s)
		terms[s.Team][tag] = billing.Terms{Budgets: plan.Budget, Limits: plan.Limits}
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

// subjectOf is what a subscription is to, and the tag of the calls under it.
func subjectOf(s *prompts.Subscription) (subject, tag string) {
	if s.Route != "" {
		return gateway.RouteSubject(s.Route), gateway.RouteTag(s.Route)
	}
	return s.Prompt, gateway.SubscriptionTag(s.Prompt)
}

// subscriptionsOf are what calls need of the subscriptions, by team and subject.
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
		if own[s.Team] == nil {
			own[s.Team] = map[string]*gateway.Subscription{}
		}
		subject, tag := subjectOf(s)
		own[s.Team][subject] = &gateway.Subscription{Status: s.Status, Tag: tag, Rates: rates[s.Plan]}
	}
	all := map[string]map[string]*gateway.Subscription{}
	for i := range v.teams {
		for t := v.owners.Team(v.teams[i].Name); t != nil; t = t.Parent() {
			for subject, s := range own[t.Name] {
				into := all[v.teams[i].Name]
				if into == nil {
					into = map[string]*gateway.Subscription{}
					all[v.teams[i].Name] = into
				}
				if near := into[subject]; near == nil || near.Status != prompts.SubscriptionApproved && s.Status == prompts.SubscriptionApproved {
					into[subject] = s
				}
			}
		}
	}
	return all, nil
}
