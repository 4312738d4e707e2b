package prompts

import (
	"context"
	"time"
)

// SubscriptionStatus is how far a subscription has come.
type SubscriptionStatus string

// The states: pending → approved or rejected; approved → revoked, and so can be
// one that is pending.
const (
	SubscriptionPending  SubscriptionStatus = "pending"
	SubscriptionApproved SubscriptionStatus = "approved"
	SubscriptionRejected SubscriptionStatus = "rejected"
	SubscriptionRevoked  SubscriptionStatus = "revoked"
)

// Open tells whether a subscription holds or may still come to: of one team to
// one prompt there is at most one that is open.
func (s SubscriptionStatus) Open() bool {
	return s == SubscriptionPending || s == SubscriptionApproved
}

// Subscription is a team's wish to call a prompt, or a route, and what became
// of it. Teams below the team may call too.
type Subscription struct {
	ID     string             `json:"id"`
	Prompt string             `json:"prompt,omitempty"` // its name, or
	Route  string             `json:"route,omitempty"`  // a route's
	Team   string             `json:"team"`
	Plan   string             `json:"plan,omitempty"` // empty: none
	Status SubscriptionStatus `json:"status"`

	History []SubscriptionStep `json:"history"` // oldest first; the last one made it what it is
}

// SubscriptionStep is one thing that happened to a subscription.
type SubscriptionStep struct {
	At     time.Time          `json:"at"`
	By     string             `json:"by"` // a role of the admin plane and its team, or a key
	Status SubscriptionStatus `json:"status"`
	Plan   string             `json:"plan,omitempty"` // from then on
	Note   string             `json:"note,omitempty"`
}

// Subscriptions keeps the subscriptions. Steps are added, never changed.
type Subscriptions interface {
	// Subscriptions are all of them, by ID, which is also the order of time.
	Subscriptions(ctx context.Context) ([]Subscription, error)
	// Subscribe adds one with its first step. A team's second open one of the
	// same prompt or route is billing.ErrConflict.
	Subscribe(ctx context.Context, s Subscription) error
	// Step adds a step to the one with this ID, if it is still at a status;
	// billing.ErrConflict if it is not, or is not there.
	Step(ctx context.Context, id string, from SubscriptionStatus, step SubscriptionStep) error
}
