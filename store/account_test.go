package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"sluice/billing"
)

func TestAccount(t *testing.T) {
	l := testStore(t).Ledger()
	ctx := context.Background()
	add(t, l, entry("c1", noon, func(e *billing.Entry) { e.RequestID = "mine" }),
		entry("c1", noon, func(e *billing.Entry) { e.Attempt, e.Cost = 1, 5 }), entry("c10", noon), entry("c1-", noon))
	late := noon.Add(31 * 24 * time.Hour)
	a, err := l.Account(ctx, "mine")
	if err != nil {
		t.Fatal(err)
	}
	for i, usd := range []billing.Nano{-3000, -2000} {
		e, made, err := a.Correct(billing.CorrectionRequest{Call: "c1", USD: usd, Reason: "too dear"}, late.Add(time.Duration(i)*time.Hour))
		if err != nil || !made {
			t.Fatal(made, err)
		}
		add(t, l, e)
	}
	a, err = l.Account(ctx, "c1")
	if err != nil || a.Call.Call != "c1" || len(a.Attempts) != 1 || len(a.Corrections) != 2 || a.Net() != 45_000+5-5000 ||
		a.Corrections[0].Reason != "too dear" || a.Corrections[0].Corrects != "c1" {
		t.Errorf("account %+v, %v", a, err)
	}
	if _, err := l.Account(ctx, "c2"); !errors.Is(err, billing.ErrNotFound) {
		t.Errorf("no such call: %v", err)
	}
	verified(t, l, 6)
	r, err := l.Usage(ctx, billing.Query{GroupBy: []string{"month"}})
	if err != nil || r.Rows[1].USD != -5000 || r.Rows[1].Calls != 0 || r.Total.USD != 3*45_000+5-5000 {
		t.Errorf("report %+v, %v", r, err)
	}
	got, err := l.CorrectionsIn(ctx, billing.Query{Team: "research", From: late})
	if err != nil || len(got) != 2 {
		t.Errorf("corrections %v, %v", got, err)
	}
}
