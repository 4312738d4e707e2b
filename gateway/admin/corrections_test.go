package admin

import (
	"context"
	"testing"
	"time"

	"sluice/billing"
)

func TestCorrections(t *testing.T) {
	w := newWorld()
	c := newClient(t, w, "admin")
	out := c.object(201, "POST", "/admin/v1/corrections", `{"call": "c1", "usd": "-0.02", "reason": "too dear"}`)
	if out["usd"] != "-0.02" || out["net_usd"] != "0.23" || out["call"] != "c1" || out["team"] != "research" || out["reason"] != "too dear" {
		t.Errorf("correction %v", out)
	}
	c.object(200, "POST", "/admin/v1/corrections", `{"id": "c1", "usd": -0.02, "reason": "too dear"}`)
	if out := c.object(201, "POST", "/admin/v1/corrections", `{"call": "c1", "refund": true, "reason": "sorry"}`); out["usd"] != "-0.23" || out["net_usd"] != "0" {
		t.Errorf("refund %v", out)
	}
	c.problem("POST", "/admin/v1/corrections", `{"call": "c1", "usd": -1, "reason": "more"}`, 409, "conflict", "cannot give back")
	c.problem("POST", "/admin/v1/corrections", `{"call": "c9", "refund": true, "reason": "x"}`, 404, "not_found", "c9")
	for body, detail := range map[string]string{
		`{}`:                                       "call is needed",
		`{"call": "c1", "refund": true}`:           "reason is needed",
		`{"call": "c1", "reason": "x"}`:            "usd: want",
		`{"call": "c1", "id": "c1", "usd": 1}`:     "either call or id",
		`{"call": "c1", "usd": 0, "refund": true}`: "either usd or refund",
		`{"call": "c1", "usd": "much"}`:            "much",
	} {
		c.problem("POST", "/admin/v1/corrections", body, 400, "invalid_request", detail)
	}
}

// correct is Options.Correct of the tests.
func (w *world) correct(r billing.CorrectionRequest) (billing.Entry, *billing.Account, bool, error) {
	call, err := ledger{w}.Request(context.Background(), r.Call)
	if err != nil {
		return billing.Entry{}, nil, false, err
	}
	a := w.accounts[r.Call]
	if a == nil {
		a = &billing.Account{Call: *call}
		if w.accounts == nil {
			w.accounts = map[string]*billing.Account{}
		}
		w.accounts[r.Call] = a
	}
	e, made, err := a.Correct(r, testNow.Add(time.Minute))
	if made {
		a.Corrections = append(a.Corrections, e)
	}
	return e, a, made, err
}

func TestErasures(t *testing.T) {
	w := newWorld()
	c := newClient(t, w, "admin")
	if out := c.object(200, "POST", "/admin/v1/erasures", `{"team": "sales", "before": "2026-11-01"}`); out["entries"] != 2.0 || out["usd"] != "1" ||
		w.erased.Team != "sales" || !w.erased.Before.Equal(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%v, %+v", out, w.erased)
	}
	if out := c.object(200, "POST", "/admin/v1/erasures", `{"team": "sales", "user": "ann"}`); out["user"] != "ann" || out["before"] != nil || !w.erased.Before.IsZero() {
		t.Errorf("%v, %+v", out, w.erased)
	}
	for body, detail := range map[string]string{
		`{}`:                "team is needed",
		`{"team": "sales"}`: "give a user",
		`{"team": "sales", "before": "yesterday"}`:  "before",
		`{"team": "sales", "before": "2036-11-01"}`: "in the future",
		`{"team": "sales", "user": "(erased)"}`:     "erased already",
	} {
		c.problem("POST", "/admin/v1/erasures", body, 400, "invalid_request", detail)
	}
}
