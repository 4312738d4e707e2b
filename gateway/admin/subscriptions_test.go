package admin

import (
	"context"
	"testing"

	"sluice/billing"
	"sluice/prompts"
)

// subscriptions are the world's, in memory.
type subscriptions struct{ list []prompts.Subscription }

func (s *subscriptions) Subscriptions(context.Context) ([]prompts.Subscription, error) {
	return append([]prompts.Subscription{}, s.list...), nil
}

func (s *subscriptions) Subscribe(_ context.Context, n prompts.Subscription) error {
	s.list = append(s.list, n)
	return nil
}

func (s *subscriptions) Step(_ context.Context, id string, from prompts.SubscriptionStatus, step prompts.SubscriptionStep) error {
	for i := range s.list {
		if o := &s.list[i]; o.ID == id && o.Status == from {
			o.Status, o.Plan, o.History = step.Status, step.Plan, append(o.History, step)
			return nil
		}
	}
	return billing.ErrConflict
}

// Who may see and decide about a subscription, and from which state to which.
func TestSubscriptionRules(t *testing.T) {
	w := newWorld()
	c := newClient(t, w, "admin")
	id := c.object(201, "POST", "/admin/v1/subscriptions", `{"prompt":"mood","team":"sales","plan":"any word"}`)["id"].(string)
	at := "/admin/v1/subscriptions/" + id
	if w.changed != 1 {
		t.Errorf("put in force %d times", w.changed)
	}
	owner := c.as("team-owner") // of research
	owner.problem("GET", at, "", 404, "not_found", id)
	owner.problem("POST", "/admin/v1/subscriptions", `{"prompt":"mood","team":"sales"}`, 403, "permission_denied", "its own team")
	if got := owner.object(200, "GET", "/admin/v1/subscriptions", "")["data"].([]any); len(got) != 0 {
		t.Errorf("a team-owner sees %v", got)
	}
	if got := c.as("viewer").object(200, "GET", "/admin/v1/subscriptions?status=pending&team=sales&prompt=mood", "")["data"].([]any); len(got) != 1 {
		t.Errorf("a viewer sees %v", got)
	}
	c.problem("POST", at+"/reject", `{"plan":"x"}`, 400, "invalid_request", "plan")
	c.object(200, "POST", at+"/approve", `{"note":"yes"}`)
	c.problem("POST", at+"/approve", "", 409, "conflict", "already")
	c.problem("POST", at+"/reject", "", 409, "conflict", "approved")
	c.object(200, "POST", at+"/approve", `{"plan":"other"}`)
	c.object(204, "DELETE", at, "")
	c.problem("DELETE", at, "", 409, "conflict", "revoked")
	c.problem("POST", at+"/approve", "", 409, "conflict", "anew")
	own := owner.object(201, "POST", "/admin/v1/subscriptions", `{"prompt":"mood","team":"research"}`)["id"].(string)
	owner.problem("POST", "/admin/v1/subscriptions/"+own+"/approve", "", 403, "permission_denied", "sluice.team")
	owner.object(204, "DELETE", "/admin/v1/subscriptions/"+own, "")
}
