package console

import (
	"net/http"
	"net/url"
	"slices"

	"sluice/prompts"
)

// subscriptionsPage is what a team has applied for, and what it may apply for.
type subscriptionsPage struct {
	Team  string
	List  []prompts.Subscription // newest first
	Offer []listing
}

func (v *portalVisit) subscriptions() error {
	list, err := all[prompts.Subscription](v, "subscriptions", nil)
	if err != nil {
		return err
	}
	slices.Reverse(list)
	s := subscriptionsPage{Team: v.member.Key.Team, List: list}
	for _, l := range v.listings() {
		if l.State != "" {
			s.Offer = append(s.Offer, l)
		}
	}
	return v.show(http.StatusOK, "portal-subscriptions.html", page{Title: "Subscriptions", Data: s})
}

// subscribe applies for a subscription of the key's team.
func (v *portalVisit) subscribe() error {
	subject := "prompt"
	if v.PostForm.Get("kind") == "API" {
		subject = "route"
	}
	in := map[string]any{subject: v.PostForm.Get("name"), "team": v.member.Key.Team, "plan": v.PostForm.Get("plan"), "note": v.PostForm.Get("note")}
	if err := v.do(http.MethodPost, "subscriptions", nil, in, nil); err != nil {
		f, err := refused("subscribe", v.PostForm, err, "plan", "note")
		if err != nil {
			return err
		}
		return v.showAPI(f.Status, f)
	}
	return v.goTo("/portal/subscriptions", "subscribed")
}

// withdraw takes back what is still pending.
func (v *portalVisit) withdraw() error {
	if err := v.do(http.MethodDelete, "subscriptions/"+url.PathEscape(v.PathValue("id")), nil, nil, nil); err != nil {
		return err
	}
	return v.goTo("/portal/subscriptions", "withdrawn")
}
