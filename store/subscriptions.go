package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"sluice/billing"
	"sluice/prompts"
)

var _ prompts.Subscriptions = (*Prompts)(nil)

// Subscriptions are all of them, by ID, each with its history.
func (p *Prompts) Subscriptions(ctx context.Context) ([]prompts.Subscription, error) {
	rows, err := p.read.QueryContext(ctx, "SELECT s.id, s.prompt, s.route, s.team, s.plan, s.status, h.time, h.by, h.status, h.plan, h.note "+
		"FROM subscriptions s JOIN subscription_steps h ON h.subscription = s.id ORDER BY s.id, h.id")
	if err != nil {
		return nil, fmt.Errorf("cannot list subscriptions: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []prompts.Subscription
	for rows.Next() {
		var s prompts.Subscription
		var step prompts.SubscriptionStep
		var at int64
		if err := rows.Scan(&s.ID, &s.Prompt, &s.Route, &s.Team, &s.Plan, &s.Status, &at, &step.By, &step.Status, &step.Plan, &step.Note); err != nil {
			return nil, fmt.Errorf("cannot list subscriptions: %w", err)
		}
		step.At = fromUnix(at)
		if n := len(out); n == 0 || out[n-1].ID != s.ID {
			out = append(out, s)
		}
		last := &out[len(out)-1]
		last.History = append(last.History, step)
	}
	return out, rows.Err()
}

// Subscribe adds a subscription, which is what its last step says; a team's
// second open one of the same prompt or route is billing.ErrConflict.
func (p *Prompts) Subscribe(ctx context.Context, s prompts.Subscription) error {
	err := p.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO subscriptions (id, prompt, route, team, plan, status) VALUES (?, ?, ?, ?, ?, ?)",
			s.ID, s.Prompt, s.Route, s.Team, s.Plan, s.Status)
		if err != nil {
			return err
		}
		for _, step := range s.History {
			if err := addStep(ctx, tx, s.ID, step); err != nil {
				return err
			}
		}
		return nil
	})
	if notUnique(err) {
		err = billing.ErrConflict
	}
	if err != nil {
		return fmt.Errorf("cannot write a subscription of team %q: %w", s.Team, err)
	}
	return nil
}

// Step adds a step to a subscription that is at a status; billing.ErrConflict
// if it is not, or is not there.
func (p *Prompts) Step(ctx context.Context, id string, from prompts.SubscriptionStatus, step prompts.SubscriptionStep) error {
	err := p.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "UPDATE subscriptions SET status = ?, plan = ? WHERE id = ? AND status = ?", step.Status, step.Plan, id, from)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, billing.ErrConflict)
		}
		return addStep(ctx, tx, id, step)
	})
	if err != nil {
		return fmt.Errorf("cannot change subscription %q: %w", id, err)
	}
	return nil
}

func addStep(ctx context.Context, tx *sql.Tx, id string, s prompts.SubscriptionStep) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO subscription_steps (subscription, time, by, status, plan, note) VALUES (?, ?, ?, ?, ?, ?)",
		id, unix(s.At), s.By, s.Status, s.Plan, s.Note)
	return err
}
