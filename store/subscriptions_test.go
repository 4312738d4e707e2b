package store

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"sluice/billing"
	"sluice/prompts"
)

// A subscription's life: at most one of a team to a prompt is open, a step
// counts only from where it starts, and no step is lost.
func TestSubscriptions(t *testing.T) {
	s := testStore(t)
	p, ctx := s.Prompts(), t.Context()
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	step := func(status prompts.SubscriptionStatus, plan, note string) prompts.SubscriptionStep {
		at = at.Add(time.Minute)
		return prompts.SubscriptionStep{At: at, By: "admin", Status: status, Plan: plan, Note: note}
	}
	first := prompts.Subscription{ID: "sub_1", Prompt: "mood", Team: "t", Plan: "free", Status: prompts.SubscriptionPending,
		History: []prompts.SubscriptionStep{step(prompts.SubscriptionPending, "free", "please")}}
	if err := p.Subscribe(ctx, first); err != nil {
		t.Fatal(err)
	}
	again := first
	again.ID = "sub_2"
	if err := p.Subscribe(ctx, again); !errors.Is(err, billing.ErrConflict) {
		t.Errorf("a second open one: %v", err)
	}
	approve := step(prompts.SubscriptionApproved, "gold", "")
	if err := p.Step(ctx, "sub_1", prompts.SubscriptionPending, approve); err != nil {
		t.Fatal(err)
	}
	if err := p.Step(ctx, "sub_1", prompts.SubscriptionPending, approve); !errors.Is(err, billing.ErrConflict) {
		t.Errorf("approved twice: %v", err)
	}
	if err := p.Step(ctx, "sub_9", prompts.SubscriptionPending, approve); !errors.Is(err, billing.ErrConflict) {
		t.Errorf("one that is not there: %v", err)
	}
	revoke := step(prompts.SubscriptionRevoked, "gold", "enough")
	if err := p.Step(ctx, "sub_1", prompts.SubscriptionApproved, revoke); err != nil {
		t.Fatal(err)
	}
	if err := p.Subscribe(ctx, again); err != nil {
		t.Errorf("after the first has ended: %v", err)
	}
	first.Status, first.Plan = prompts.SubscriptionRevoked, "gold"
	first.History = append(first.History, approve, revoke)
	got, err := p.Subscriptions(ctx)
	if err != nil || !reflect.DeepEqual(got, []prompts.Subscription{first, again}) {
		t.Errorf("%v\n%+v", err, got)
	}
}
