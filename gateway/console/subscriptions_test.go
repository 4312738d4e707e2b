package console

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"sluice/billing"
	"sluice/gateway/admin"
	"sluice/prompts"
)

// subscriptions are those of the tests.
type subscriptions struct{ list []prompts.Subscription }

func (s *subscriptions) Subscriptions(context.Context) ([]prompts.Subscription, error) {
	return append([]prompts.Subscription{}, s.list...), nil
}

func (s *subscriptions) Subscribe(context.Context, prompts.Subscription) error { return nil }

func (s *subscriptions) Step(_ context.Context, id string, from prompts.SubscriptionStatus, step prompts.SubscriptionStep) error {
	for i := range s.list {
		if o := &s.list[i]; o.ID == id && o.Status == from {
			o.Status, o.Plan, o.History = step.Status, step.Plan, append(o.History, step)
			return nil
		}
	}
	return billing.ErrConflict
}

// applied is a subscription that waits.
func applied(id, team, prompt string, at time.Time) prompts.Subscription {
	return prompts.Subscription{ID: id, Team: team, Prompt: prompt, Plan: "free", Status: prompts.SubscriptionPending,
		History: []prompts.SubscriptionStep{{At: at, By: "team-owner " + team, Status: prompts.SubscriptionPending, Plan: "free", Note: "for <our> app"}}}
}

func TestSubscriptionsPage(t *testing.T) {
	w := newWorld()
	b := signedIn(t, w.console(), "secret")
	b.want("/subscriptions", 200, "sluice.access: subscribed", "None yet.")
	w.subs.list = []prompts.Subscription{applied("sub_1", "sales", "sentiment", w.now.Add(-time.Hour)), applied("sub_2", "research", "sentiment", w.now.Add(-2*time.Hour))}
	page := b.want("/subscriptions", 200, "“for &lt;our&gt; app”", "on the plan free", "Approve sales", "Reject sales", `href="/prompts/sentiment"`)
	if strings.Index(page, "Approve research") > strings.Index(page, "Approve sales") {
		t.Error("who waits longest does not come first")
	}
	b.want("/", 200, "2 subscriptions wait for a decision", `href="/subscriptions"`)
	if rec := b.do("POST", "/subscriptions/sub_1/decide", b.form(url.Values{"do": {"approve"}, "plan": {"gold"}, "note": {"welcome"}})); rec.Code != 303 {
		t.Fatalf("approve: %d %s", rec.Code, rec.Body)
	}
	if s := w.subs.list[0]; s.Status != prompts.SubscriptionApproved || s.Plan != "gold" || s.History[1].Note != "welcome" {
		t.Errorf("%+v", s)
	}
	b.want("/", 200, "Team research waits for its subscription to sentiment")
	if rec := b.do("POST", "/subscriptions/sub_1/decide", b.form(url.Values{"do": {"reject"}})); rec.Code != 409 || !strings.Contains(rec.Body.String(), "DELETE revokes it") {
		t.Errorf("rejected what is approved: %d %s", rec.Code, rec.Body)
	}
	if rec := b.do("POST", "/subscriptions/sub_2/decide", b.form(url.Values{"do": {"reject"}, "note": {strings.Repeat("x", 1001)}})); rec.Code != 400 || !strings.Contains(rec.Body.String(), `id="decide-sub_2-note-fault"`) {
		t.Errorf("too long a note: %d %s", rec.Code, rec.Body)
	}
	if rec := b.do("POST", "/subscriptions/sub_2/decide", b.form(url.Values{"do": {"reject"}, "note": {"no"}})); rec.Code != 303 || w.subs.list[1].Status != prompts.SubscriptionRejected {
		t.Errorf("reject: %d", rec.Code)
	}
	if rec := b.do("POST", "/subscriptions/sub_1/revoke", b.form(url.Values{"note": {"over"}})); rec.Code != 303 || w.subs.list[0].Status != prompts.SubscriptionRevoked {
		t.Errorf("revoke: %d %s", rec.Code, rec.Body)
	}
	b.want("/subscriptions?done=unsubscribed", 200, "The subscription is revoked.", "revoked by admin", "“over”", "rejected")
	if got := w.trail.records[len(w.trail.records)-1]; got.Action != "subscription.revoke" || got.Status != 204 {
		t.Errorf("%+v", got)
	}
}

// Who may decide is who the API lets decide; others see no form.
func TestSubscriptionsByRole(t *testing.T) {
	w := newWorld()
	w.tokens = append(w.tokens, admin.NewToken("runs", admin.RoleOperator, ""))
	w.view.Prompts[0].Team = "research" // whose owner publishes it
	w.subs.list = []prompts.Subscription{applied("sub_1", "sales", w.view.Prompts[0].Name, w.now.Add(-time.Hour)), applied("sub_2", "research", "other", w.now)}
	owner := signedIn(t, w.console(), "mine")
	page := owner.want("/subscriptions", 200, "Approve sales")
	if strings.Contains(page, "Approve research") || strings.Contains(page, `href="/prompts/`) {
		t.Errorf("a team-owner may not decide about its own team: %s", page)
	}
	owner.want("/", 200, "Team sales waits")
	if rec := owner.do("POST", "/subscriptions/sub_2/decide", owner.form(url.Values{"do": {"approve"}})); rec.Code != 403 {
		t.Errorf("own team: %d", rec.Code)
	}
	if rec := owner.do("POST", "/subscriptions/sub_1/decide", owner.form(url.Values{"do": {"approve"}})); rec.Code != 303 {
		t.Errorf("published by its team: %d %s", rec.Code, rec.Body)
	}
	operator := signedIn(t, w.console(), "runs")
	if page := operator.want("/subscriptions", 200, "An admin decides"); strings.Contains(page, "Approve") {
		t.Error("an operator sees a form")
	}
	if page := operator.want("/", 200); strings.Contains(page, "waits for its subscription") {
		t.Error("an operator is asked to decide")
	}
}
