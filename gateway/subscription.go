package gateway

import (
	"fmt"
	"slices"

	"sluice/billing"
	"sluice/gateway/proxy"
	"sluice/prompts"
	"sluice/providers/schema"
)

// Subscription is what a team's subscription to a prompt, or a route, means for
// its calls.
type Subscription struct {
	Status prompts.SubscriptionStatus
	Tag    string         // under which its calls are recorded, and count in the plan's budget and limits
	Rates  *billing.Rates // what the plan charges; nil: as the team is charged
}

// SubscriptionTag is the tag of the calls that a prompt's subscribers make. A
// plan's budget and limits are those of the subscriber's tag.
func SubscriptionTag(prompt string) string { return "subscription:" + prompt }

// RouteSubject is a route's name among those of what is subscribed to, which
// prompts have as they are: no prompt's has a space.
func RouteSubject(route string) string { return "route " + route }

// RouteTag is the tag of the requests that a route's subscribers make.
func RouteTag(route string) string { return "subscription:route/" + route }

// grantPrompt refuses a key that may not call the prompt.
func (c *Call) grantPrompt() error {
	for _, p := range [...]*prompts.Live{c.prompt, c.production()} {
		status, why := c.caller.refusesPrompt(p)
		if why == "" {
			continue
		}
		e := &schema.Error{Code: schema.CodePermissionDenied, Status: 403, Origin: schema.OriginPolicy,
			Message: fmt.Sprintf("this key may not call the prompt '%s'%s", p.Name, why)}
		if status == "" {
			return e
		}
		return &proxy.Unsubscribed{Fault: e, Status: status}
	}
	return nil
}

// mayPrompt tells whether a caller may call a prompt.
func (c *Caller) mayPrompt(p *prompts.Live) bool {
	_, why := c.refusesPrompt(p)
	return why == ""
}

// refusesPrompt says why a caller may not call a prompt; empty: it may. Grants
// of a key that name prompts allow these alone. One that is subscribed must be
// named, or the caller's team, or one above it, must have subscribed to it: else
// status tells how the subscription stands.
func (c *Caller) refusesPrompt(p *prompts.Live) (status, why string) {
	if granted := c.Key.Prompts; len(granted) > 0 {
		if slices.Contains(granted, p.Name) {
			return "", ""
		}
		return "", ": its grants do not name it"
	}
	if p.Template.Sluice.Access != prompts.AccessSubscribed {
		return "", ""
	}
	return c.unsubscribed(p.Name)
}

// RefusesRoute says why a caller may not use a route that wants a subscription,
// and how that stands; empty: it may.
func (c *Caller) RefusesRoute(name string) (status, why string) {
	return c.unsubscribed(RouteSubject(name))
}

// unsubscribed says why a subscription does not hold, and how it stands; empty:
// it does.
func (c *Caller) unsubscribed(subject string) (status, why string) {
	switch s := c.Subscriptions[subject]; {
	case s == nil:
		return proxy.NoSubscription, ": team '" + c.Key.Team + "' has not subscribed to it"
	case s.Status == prompts.SubscriptionApproved:
		return "", ""
	case s.Status == prompts.SubscriptionPending:
		return string(s.Status), ": the subscription of team '" + c.Key.Team + "' waits for approval (subscription_pending)"
	default:
		return string(s.Status), ": the subscription of team '" + c.Key.Team + "' was " + string(s.Status)
	}
}

// subscribed has the call of a prompt count in the caller's subscription to it.
// Calls that it makes itself, steps too, are made under the same one.
func (c *Call) subscribed() {
	if c.from.subscription != nil || c.from.depth > 0 || c.prompt == nil {
		return
	}
	s := c.caller.Subscriptions[c.prompt.Name]
	if s == nil || s.Status != prompts.SubscriptionApproved {
		return
	}
	c.from.subscription = s
	tags := slices.DeleteFunc(slices.Clone(c.entry.Tags), func(t string) bool { return t == s.Tag })
	c.entry.Tags = append(tags[:min(len(tags), maxLabels-1)], s.Tag)
}

// routeTags has a request to a route count in the caller's subscription to it,
// and gives the tags by which it does.
func (c *Call) routeTags() []string {
	if len(c.caller.Subscriptions) == 0 || c.from.route == nil {
		return nil
	}
	s := c.caller.Subscriptions[RouteSubject(c.from.route.Route.Name)]
	if s == nil || s.Status != prompts.SubscriptionApproved {
		return nil
	}
	c.entry.Tags = []string{s.Tag}
	return c.entry.Tags
}

// rates are what the caller is charged by; nil: what the providers charge.
func (c *Call) rates() *billing.Rates {
	if s := c.from.subscription; s != nil && s.Rates != nil {
		return s.Rates
	}
	if c.caller == nil {
		return nil
	}
	return c.caller.Rates
}
