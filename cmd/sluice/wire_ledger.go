package main

import (
	"context"
	"fmt"
	"time"

	"sluice/billing"
)

// correct brings a correction into the spool, the budgets and the ledger. One is
// made at a time, after all before it are in the ledger, so that no two give the
// same money back.
func (s *server) correct(ctx context.Context, r billing.CorrectionRequest) (billing.Entry, *billing.Account, bool, error) {
	s.correcting.Lock()
	defer s.correcting.Unlock()
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
	s.book.Correct(&e)
	account.Corrections = append(account.Corrections, e)
	s.log.Info("call corrected", "call", e.Corrects, "correction", e.Call, "team", e.Team, "usd", e.Cost.String(), "reason", e.Reason)
	return e, account, true, nil
}
