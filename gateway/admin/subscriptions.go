package admin

import (
	"cmp"
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"sluice/prompts"
	"sluice/providers/schema"
)

// subscriptionIn asks for a subscription of a team.
type subscriptionIn struct {
	Prompt string `json:"prompt"` // its name, or
	Route  string `json:"route"`
	Team   string `json:"team"`
	Plan   string `json:"plan"` // empty: none
	Note   string `json:"note"`
}

// decisionIn is what may be said about a subscription.
type decisionIn struct {
	Plan string `json:"plan"` // of an approval; empty: the one asked for
	Note string `json:"note"`
}

// by is who makes a request, for histories.
func (id Identity) by() string {
	switch {
	case id.IsPerson(): // whose name the audit records must not have
		return "a user of " + id.Team
	case id.Key != nil:
		return "key " + id.Key.Team + "/" + id.Key.Name
	}
	return strings.TrimSpace(string(id.Role) + " " + id.Team)
}

// seesSubscription tells whether an identity may know of a subscription.
func (a *api) seesSubscription(id Identity, s *prompts.Subscription) bool {
	return id.Owns(s.Team) || id.Key == nil && a.publishesPrompt(id, s.Prompt)
}

func (a *api) listSubscriptions(q *request) error {
	values, err := q.query("team", "prompt", "route", "status", "limit", "after")
	if err != nil {
		return err
	}
	all, err := a.Subscriptions.Subscriptions(a.behalf(q))
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(s prompts.Subscription) bool {
		team, prompt, route, status := values.Get("team"), values.Get("prompt"), values.Get("route"), values.Get("status")
		return !a.seesSubscription(q.id, &s) || team != "" && team != s.Team || prompt != "" && prompt != s.Prompt || route != "" && route != s.Route || status != "" && status != string(s.Status)
	})
	l, err := page(values, all, func(s *prompts.Subscription) string { return s.ID })
	if err != nil {
		return err
	}
	return q.answer(http.StatusOK, l)
}

// subscription is the one that the path names. One that a team-owner may not
// know of is not there for it.
func (a *api) subscription(q *request) (*prompts.Subscription, error) {
	id := q.PathValue("id")
	all, err := a.Subscriptions.Subscriptions(a.behalf(q))
	if err != nil {
		return nil, err
	}
	for i := range all {
		if s := &all[i]; s.ID == id && a.seesSubscription(q.id, s) {
			return s, nil
		}
	}
	return nil, errNotFound("there is no subscription %q", id)
}

func (a *api) showSubscription(q *request) error {
	s, err := a.subscription(q)
	if err != nil {
		return err
	}
	return q.answer(http.StatusOK, s)
}

// subscribe applies for a subscription: 201, or 409 if the team has one that is
// pending or approved.
func (a *api) subscribe(q *request) error {
	var in subscriptionIn
	if err := q.read(&in); err != nil {
		return err
	}
	if err := cmp.Or(checkName("team", in.Team), checkNote(in.Note)); err != nil {
		return err
	}
	if err := q.mayAsk(in.Team); err != nil {
		return err
	}
	a.changes.Lock()
	defer a.changes.Unlock()
	if err := a.checkSubscription(&in); err != nil {
		return err
	}
	now := a.Now().UTC()
	s := prompts.Subscription{ID: "sub_" + strconv.FormatInt(now.UnixNano(), 36) + strings.ToLower(rand.Text()[:6]),
		Prompt: in.Prompt, Route: in.Route, Team: in.Team, Plan: in.Plan, Status: prompts.SubscriptionPending,
		History: []prompts.SubscriptionStep{{At: now, By: q.id.by(), Status: prompts.SubscriptionPending, Plan: in.Plan, Note: in.Note}}}
	all, err := a.Subscriptions.Subscriptions(a.behalf(q))
	if err != nil {
		return err
	}
	for i := range all {
		if o := &all[i]; o.Status.Open() && o.Team == s.Team && o.Prompt == s.Prompt && o.Route == s.Route {
			return errConflict("team %q has a subscription to %q already: %s is %s", s.Team, cmp.Or(s.Prompt, s.Route), o.ID, o.Status)
		}
	}
	ctx := context.WithoutCancel(q.Context())
	if err := a.Subscriptions.Subscribe(ctx, s); err != nil {
		return err
	}
	if err := a.apply(ctx); err != nil {
		return err
	}
	return q.answer(http.StatusCreated, s)
}

// checkSubscription finds what cannot be subscribed to.
func (a *api) checkSubscription(in *subscriptionIn) error {
	view := a.View()
	switch {
	case in.Prompt == "" && in.Route == "":
		return schema.Invalid("prompt", "prompt is required: the name of what the team subscribes to, or route")
	case in.Prompt != "" && in.Route != "":
		return schema.Invalid("route", "give either prompt or route, not both")
	case in.Route != "" && !slices.ContainsFunc(view.Routes, func(r Route) bool { return r.Name == in.Route }):
		return errNotFound("there is no route %q", in.Route)
	case in.Route == "" && !slices.ContainsFunc(view.Prompts, func(p Prompt) bool { return p.Name == in.Prompt }):
		return errNotFound("there is no prompt %q", in.Prompt)
	case view.Team(in.Team) == nil:
		return schema.Invalid("team", "there is no team %q", in.Team)
	}
	return checkPlan(view.Plans, in.Plan)
}

// checkPlan refuses a plan that is not declared, where any is.
func checkPlan(declared []string, plan string) error {
	if plan != "" && len(declared) > 0 && !slices.Contains(declared, plan) {
		return schema.Invalid("plan", "there is no plan %q%s", plan, meant(plan, declared))
	}
	if len(plan) > 100 || strings.ContainsFunc(plan, unicode.IsControl) {
		return schema.Invalid("plan", "plan must be at most 100 bytes, without control characters")
	}
	return nil
}

func checkNote(note string) error {
	if len(note) > 1000 {
		return schema.Invalid("note", "note must be at most 1000 bytes")
	}
	return nil
}

// approve approves a subscription that is pending, or gives one that is
// approved another plan.
func (a *api) approveSubscription(q *request) error {
	return a.decide(q, prompts.SubscriptionApproved, func(s *prompts.Subscription, in *decisionIn) error {
		switch {
		case !s.Status.Open():
			return errConflict("subscription %s was %s: the team must apply anew", s.ID, s.Status)
		case s.Status == prompts.SubscriptionApproved && cmp.Or(in.Plan, s.Plan) == s.Plan:
			return errConflict("subscription %s is approved already", s.ID)
		}
		return checkPlan(a.View().Plans, in.Plan)
	})
}

func (a *api) rejectSubscription(q *request) error {
	return a.decide(q, prompts.SubscriptionRejected, func(s *prompts.Subscription, in *decisionIn) error {
		switch {
		case in.Plan != "":
			return schema.Invalid("plan", "plan is for approvals only")
		case s.Status != prompts.SubscriptionPending:
			return errConflict("subscription %s is %s, not pending: DELETE revokes it", s.ID, s.Status)
		}
		return nil
	})
}

// revokeSubscription ends a subscription, for those who publish and for the
// team itself.
func (a *api) revokeSubscription(q *request) error {
	return a.decide(q, prompts.SubscriptionRevoked, func(s *prompts.Subscription, in *decisionIn) error {
		switch {
		case in.Plan != "":
			return schema.Invalid("plan", "plan is for approvals only")
		case !s.Status.Open():
			return errConflict("subscription %s was %s already", s.ID, s.Status)
		case q.id.Key != nil && s.Status != prompts.SubscriptionPending:
			return forbidden("a key may take back what is pending; who owns the team ends what was approved")
		}
		return nil
	})
}

// decide takes a subscription a step further, unless may refuses it, and puts
// that in force.
func (a *api) decide(q *request, to prompts.SubscriptionStatus, may func(*prompts.Subscription, *decisionIn) error) error {
	var in decisionIn
	if err := q.read(&in); err != nil {
		return err
	}
	if err := checkNote(in.Note); err != nil {
		return err
	}
	a.changes.Lock()
	defer a.changes.Unlock()
	s, err := a.subscription(q)
	if err != nil {
		return err
	}
	if !a.publishesPrompt(q.id, s.Prompt) && (to != prompts.SubscriptionRevoked || !q.id.Owns(s.Team)) {
		return forbidden("a team-owner may decide about subscriptions to what its own team publishes (sluice.team) only")
	}
	if err := may(s, &in); err != nil {
		return err
	}
	step := prompts.SubscriptionStep{At: a.Now().UTC(), By: q.id.by(), Status: to, Plan: cmp.Or(in.Plan, s.Plan), Note: in.Note}
	ctx := context.WithoutCancel(q.Context())
	if err := a.Subscriptions.Step(ctx, s.ID, s.Status, step); err != nil {
		return err
	}
	if err := a.apply(ctx); err != nil {
		return err
	}
	if q.Method == http.MethodDelete {
		return q.done()
	}
	s.Status, s.Plan, s.History = to, step.Plan, append(s.History, step)
	return q.answer(http.StatusOK, s)
}

// ownPrompts refuses a team-owner the grant of a subscribed prompt that its
// team has not been given: a key that names one needs no subscription.
func (a *api) ownPrompts(q *request, team string, granted []string) error {
	if q.id.Role != RoleTeamOwner || len(granted) == 0 {
		return nil
	}
	var all []prompts.Subscription
	if a.Subscriptions != nil {
		var err error
		if all, err = a.Subscriptions.Subscriptions(a.behalf(q)); err != nil {
			return err
		}
	}
	for _, p := range a.View().Prompts {
		if p.Access != string(prompts.AccessSubscribed) || !slices.Contains(granted, p.Name) || p.Team == q.id.Team {
			continue
		}
		if !slices.ContainsFunc(all, func(s prompts.Subscription) bool {
			return s.Team == team && s.Prompt == p.Name && s.Status == prompts.SubscriptionApproved
		}) {
			return forbidden("a team-owner may not grant the prompt " + p.Name + ", to which its team has no approved subscription")
		}
	}
	return nil
}
