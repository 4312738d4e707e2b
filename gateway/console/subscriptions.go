package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"sluice/gateway/admin"
	"sluice/prompts"
)

// subscription is a subscription, and what who looks may do about it.
type subscription struct {
	prompts.Subscription
	MayDecide, MayRevoke bool
}

// What is what the team subscribes to.
func (s subscription) What() string { return cmp.Or(s.Prompt, "route "+s.Route) }

// Pending tells whether it waits for a decision.
func (s subscription) Pending() bool { return s.Status == prompts.SubscriptionPending }

// Asked is when the team applied, and what it said.
func (s subscription) Asked() prompts.SubscriptionStep {
	if len(s.History) == 0 {
		return prompts.SubscriptionStep{}
	}
	return s.History[0]
}

// Last is what happened last.
func (s subscription) Last() prompts.SubscriptionStep {
	if len(s.History) == 0 {
		return prompts.SubscriptionStep{}
	}
	return s.History[len(s.History)-1]
}

// approvals are the subscriptions by what they wait for.
type approvals struct {
	Pending, Others []subscription
	Waiting         int    // all that are pending
	More, Earlier   string // where more of each are; empty: there are none
	Plans           string // that other subscriptions have, for the hint
}

// Bounds of the page's lists.
const (
	mostPending = 40
	mostDecided = 60
)

// subscriptions lists those that wait for a decision, then all others, the
// newest first.
func (v *visit) subscriptions() error { return v.showSubscriptions(http.StatusOK, form{}) }

func (v *visit) showSubscriptions(status int, f form) error {
	list, err := all[subscription](v, "subscriptions", nil)
	if err != nil {
		return err
	}
	var a approvals
	plans := map[string]bool{}
	for _, s := range list {
		owner := v.who.Role == admin.RoleTeamOwner
		s.MayDecide = s.Pending() && admin.May(v.who.Role, "POST /admin/v1/subscriptions/{id}/approve") && (!owner || s.Team != v.who.Team)
		s.MayRevoke = s.Status == prompts.SubscriptionApproved && admin.May(v.who.Role, "DELETE /admin/v1/subscriptions/{id}")
		if s.Plan != "" && !plans[s.Plan] {
			plans[s.Plan] = true
			a.Plans = strings.TrimPrefix(a.Plans+", "+s.Plan, ", ")
		}
		if s.Pending() {
			a.Pending = append(a.Pending, s) // who waits longest comes first
		} else {
			a.Others = append(a.Others, s)
		}
	}
	byTime := func(a, b time.Time) int { return a.Compare(b) }
	slices.SortStableFunc(a.Pending, func(x, y subscription) int { return byTime(x.Asked().At, y.Asked().At) })
	slices.SortStableFunc(a.Others, func(x, y subscription) int { return byTime(y.Last().At, x.Last().At) })
	a.Waiting = len(a.Pending)
	a.Pending, a.More = part("/subscriptions", v.URL.Query(), "pending", a.Pending, mostPending)
	a.Others, a.Earlier = part("/subscriptions", v.URL.Query(), "decided", a.Others, mostDecided)
	return v.show(status, "subscriptions.html", page{Title: "Subscriptions", Form: f, Data: a})
}

// decideSubscription approves or rejects, as the path ends.
func (v *visit) decideSubscription() error {
	in := map[string]string{"note": strings.TrimSpace(v.PostForm.Get("note"))}
	verb := "approve"
	if v.PostForm.Get("do") == "reject" {
		verb = "reject"
	} else if plan := strings.TrimSpace(v.PostForm.Get("plan")); plan != "" {
		in["plan"] = plan
	}
	err := v.do(http.MethodPost, v.subscriptionPath()+"/"+verb, nil, in, nil)
	return v.decided("decide-", verb, err, "plan", "note")
}

func (v *visit) revokeSubscription() error {
	in := map[string]string{"note": strings.TrimSpace(v.PostForm.Get("note"))}
	return v.decided("revoke-", "unsubscribed", v.do(http.MethodDelete, v.subscriptionPath(), nil, in, nil), "note")
}

func (v *visit) subscriptionPath() string {
	return "subscriptions/" + url.PathEscape(v.PathValue("id"))
}

// decided ends a form of a subscription.
func (v *visit) decided(which, what string, err error, fields ...string) error {
	if err == nil {
		return v.goTo("/subscriptions", what)
	}
	f, err := refused(which+v.PathValue("id"), v.PostForm, err, fields...)
	if err != nil {
		return err
	}
	return v.showSubscriptions(f.Status, f)
}

// waiting tells of subscriptions that wait for who looks.
func (g *glance) waiting(v *visit) error {
	if !admin.May(v.who.Role, "POST /admin/v1/subscriptions/{id}/approve") {
		return nil
	}
	list, err := all[subscription](v, "subscriptions", url.Values{"status": {string(prompts.SubscriptionPending)}})
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(s subscription) bool { return v.who.Role == admin.RoleTeamOwner && s.Team == v.who.Team })
	switch n := int64(len(list)); {
	case n == 1:
		g.Trouble = append(g.Trouble, trouble{"Team " + list[0].Team + " waits for its subscription to " + list[0].What(), "/subscriptions", false})
	case n > 1:
		g.Trouble = append(g.Trouble, trouble{plural(n, "subscription") + " wait for a decision", "/subscriptions", false})
	}
	return nil
}
