package main

import (
	"context"
	"fmt"
	"time"

	"sluice/billing"
	"sluice/cmd/sluice/config"
)

// correct brings a correction into the spool, the budgets and the ledger. One is
// made at a time, after all before it are in the ledger, so that no two give the
// same money back.
func (s *server) correct(ctx context.Context, r billing.CorrectionRequest) (e billing.Entry, account *billing.Account, made bool, err error) {
	s.correcting.Lock()
	defer s.correcting.Unlock()
	err = s.store.Alone(ctx, func() (err error) {
		if e, account, made, err = s.correctAlone(ctx, r); err != nil || !made || s.store.Changed() == nil {
			return err
		}
		return s.flush(ctx) // another replica sees what is in the ledger
	})
	if made {
		s.book.Correct(&e)
	}
	return e, account, made, err
}

func (s *server) correctAlone(ctx context.Context, r billing.CorrectionRequest) (billing.Entry, *billing.Account, bool, error) {
	if err := s.flush(ctx); err != nil {
		return billing.Entry{}, nil, false, fmt.Errorf("cannot correct now: %w", err)
	}
	account, err := s.store.Ledger().Account(ctx, r.Call)
	if err != nil {
		return billing.Entry{}, nil, false, err
	}
	e, made, err := account.Correct(r, time.Now().UTC())
	if err != nil || !made {
		return e, account, made, err
	}
	if err := s.spool.Append(&e); err != nil {
		return billing.Entry{}, nil, false, err
	}
	account.Corrections = append(account.Corrections, e)
	s.log.Info("call corrected", "call", e.Corrects, "correction", e.Call, "team", e.Team, "usd", e.Cost.String(), "reason", e.Reason)
	return e, account, true, nil
}

// erase erases from the ledger, when nothing of it can come back from the spool.
func (s *server) erase(ctx context.Context, e billing.Erasure) (billing.Erased, error) {
	s.correcting.Lock() // a call must not be corrected while it is erased
	defer s.correcting.Unlock()
	clearing, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	if err := s.spool.Clear(clearing); err != nil {
		return billing.Erased{}, fmt.Errorf("cannot erase now: %w", err)
	}
	out, err := s.store.Ledger().Erase(ctx, e)
	if out.Entries > 0 {
		s.log.Info("ledger entries erased", "team", e.Team, "one_user", e.User != "", "before", e.Before, "entries", out.Entries, "usd", out.USD.String())
	}
	return out, err
}

// learnEvery is how often budgets are looked for of which the days before are not
// known, as of new ones, or are those before yesterday.
const learnEvery = time.Minute

// learn has forecasts know how days differ.
func (s *server) learn(ctx context.Context) {
	for {
		if err := s.book.Learn(ctx, s.store.Ledger()); err != nil && ctx.Err() == nil {
			s.log.Warn("forecasts have no bands yet", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(learnEvery):
		}
	}
}

// retainEvery is how often entries are looked for that are older than they may be.
const retainEvery = time.Hour

// retain erases, every hour, the entries that are older than a team's retention
// or billing's, and the audit records that are older than theirs. It goes by
// whole days of UTC.
func (s *server) retain(ctx context.Context) {
	for {
		now := time.Now()
		if err := s.retainOnce(ctx, now); err != nil && ctx.Err() == nil {
			s.log.Error("old ledger entries are still kept", "error", err)
		}
		if days := s.build.view().cfg.Audit.Retention; days > 0 {
			if err := s.trail.Retain(ctx, s.store.Audit(), daysBefore(now, days)); err != nil && ctx.Err() == nil {
				s.log.Error("old audit records are still kept", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(retainEvery):
		}
	}
}

func (s *server) retainOnce(ctx context.Context, now time.Time) error {
	cfg := s.build.view().cfg
	if !cfg.Retains() {
		return nil
	}
	teams, err := s.store.Ledger().LedgerTeams(ctx)
	if err != nil {
		return err
	}
	parents := map[string]string{}
	for _, t := range s.build.view().teams {
		parents[t.Name] = t.Parent
	}
	for _, team := range teams {
		days := cfg.RetentionOf(team, parents)
		if days <= 0 {
			continue
		}
		if _, err := s.erase(ctx, billing.Erasure{Team: team, Before: daysBefore(now, days)}); err != nil {
			return err
		}
	}
	return nil
}

func daysBefore(now time.Time, days config.Days) time.Time {
	return now.UTC().Truncate(24*time.Hour).AddDate(0, 0, -int(days))
}
