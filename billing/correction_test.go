package billing

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestCorrectionRequests(t *testing.T) {
	for want, r := range map[string]CorrectionRequest{
		"call is needed":   {USD: -1, Reason: "x"},
		"usd: give either": {Call: "c", Refund: true, USD: 1, Reason: "x"},
		"usd: want":        {Call: "c", Reason: "x"},
		"reason is needed": {Call: "c", Refund: true, Reason: " "},
		"reason: longer":   {Call: "c", Refund: true, Reason: strings.Repeat("x", 501)},
		"reason: want one": {Call: "c", Refund: true, Reason: "a\nb"},
		"idempotency_key":  {Call: "c", Refund: true, Reason: "a", Key: strings.Repeat("k", 501)},
	} {
		var bad BadQuery
		if err := r.Check(); !errors.As(err, &bad) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", r, err, want)
		}
	}
}

// A call gives back what it cost and no more, and the same request is the same
// correction.
func TestCorrect(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	a := &Account{Call: Entry{Call: "c", Team: "t", KeyID: "k", Model: "m", Cost: 100, Status: 200}, Attempts: []Entry{{Call: "c", Attempt: 1, Cost: 20}}}
	for i, step := range []struct {
		r    CorrectionRequest
		usd  Nano
		made bool
		fail string
	}{
		{CorrectionRequest{USD: -121, Reason: "a"}, 0, false, "cannot give back"},
		{CorrectionRequest{USD: -30, Reason: "a"}, -30, true, ""},
		{CorrectionRequest{USD: -30, Reason: "a"}, -30, false, ""},
		{CorrectionRequest{USD: -30, Reason: "b"}, -30, true, ""},
		{CorrectionRequest{USD: -61, Reason: "c"}, 0, false, "cannot give back"},
		{CorrectionRequest{USD: 5, Reason: "late", Key: "k1"}, 5, true, ""},
		{CorrectionRequest{USD: 5, Reason: "late", Key: "k1"}, 5, false, ""},
		{CorrectionRequest{USD: 6, Reason: "late", Key: "k1"}, 0, false, "idempotency_key"},
		{CorrectionRequest{Refund: true, Reason: "sorry"}, -65, true, ""},
		{CorrectionRequest{Refund: true, Reason: "sorry"}, -65, false, ""},
		{CorrectionRequest{Refund: true, Reason: "again"}, 0, false, "nothing is left"},
	} {
		step.r.Call = "c"
		e, made, err := a.Correct(step.r, now)
		switch {
		case step.fail != "":
			if err == nil || !strings.Contains(err.Error(), step.fail) || !errors.Is(err, ErrConflict) {
				t.Errorf("step %d: %v, want %q", i, err, step.fail)
			}
			continue
		case err != nil || made != step.made || e.Cost != step.usd || e.Corrects != "c" || e.Attempt != Correction || !strings.HasPrefix(e.Call, CorrectionsOf("c")):
			t.Errorf("step %d: %+v, %v, %v", i, e, made, err)
		}
		if made {
			a.Corrections = append(a.Corrections, e)
		}
		if a.Net() < 0 {
			t.Errorf("step %d: the call has cost %v", i, a.Net())
		}
	}
}

// A budget gets money back when the correction is made, as the reports of its
// window tell; what is credited beyond what was spent buys nothing.
func TestCorrectionsInBudgets(t *testing.T) {
	c := &clock{at(t, "2026-05-15T10:30:00Z")}
	b, v := book(t, c, []Team{{Name: "corp", Budgets: append(hard(1000, "month"), Budget{Tokens: 50, Per: "day"}, Budget{USD: 90, Per: "day", Models: []string{"dear"}})},
		{Name: "lab", Parent: "corp", Budgets: hard(1000, "day")}}, []Key{{ID: "1", Name: "ci", Team: "lab", Budgets: hard(1000, "2d")}})
	h, _, err := holdUSD(v.Key("1"), 100, 100)
	if err != nil {
		t.Fatal(err)
	}
	h.Settle(Charge{USD: 100, Tokens: 7}, c.at)
	spent := func(corp, lab, key int64) {
		t.Helper()
		for o, want := range map[*Owner]int64{v.Team("corp"): corp, v.Team("lab"): lab, v.Key("1"): key} {
			if s := o.OwnBudgets(c.at)[0]; s.Spent != want {
				t.Errorf("%s has spent %v, want %v", o.Name, s.Spent, want)
			}
		}
	}
	back := func(key string, usd Nano) {
		b.Correct(&Entry{Team: "lab", KeyID: key, Cost: usd, Model: "cheap", Time: c.at})
	}
	back("1", -40)
	spent(60, 60, 60)
	c.at = at(t, "2026-05-16T09:00:00Z")
	back("1", -40)
	spent(20, -40, 20)
	if h, granted, _ := holdUSD(v.Team("lab"), 2000, 1); granted != 980 { // what corp has left
		t.Errorf("granted %v", granted)
	} else {
		h.Settle(Charge{}, c.at)
	}
	back("gone", 7) // a key that is no more: its team's
	spent(27, -33, 20)
	c.at = at(t, "2026-06-01T00:00:00Z")
	back("1", -5)
	if h, granted, _ := holdUSD(v.Key("1"), 2000, 1); granted != 1000 {
		t.Errorf("a credit is granted: %v", granted)
	} else {
		h.Settle(Charge{}, c.at)
	}
	b.Correct(&Entry{Team: "gone", Cost: -1, Time: c.at})
	spent(-5, -5, -5)
	for _, s := range v.Team("corp").OwnBudgets(c.at)[1:] {
		if s.Spent != 0 {
			t.Errorf("%+v", s)
		}
	}
}
