package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sluice/billing"
)

// An invoice is the sum of its lines and corrections, and that of the report,
// whatever the month, its clocks and its refunds.
func TestInvoiceIsTheReport(t *testing.T) {
	s := testStore(t)
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		run++ // teams of its own
		top, sub := fmt.Sprint("top", run), fmt.Sprint("sub", run)
		entries := drawEntries(t)
		for i := range entries {
			e := &entries[i]
			e.Call = fmt.Sprint(run, "/", i)
			e.Team = map[string]string{"a": top, "b": sub}[e.Team]
			e.Attempt = 0
			e.Time = e.Time.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "hours later")) * time.Hour)
			if rapid.Bool().Draw(t, "a correction") {
				e.Attempt, e.Refused, e.Cost, e.Reason = billing.Correction, false, -e.Cost/2, "refund"
			}
		}
		if err := s.Ledger().Append(context.Background(), entries); err != nil {
			t.Fatal(err)
		}
		loc, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		month := rapid.SampledFrom([]string{"2026-03", "2026-04"}).Draw(t, "month")
		v, err := billing.NewInvoice(context.Background(), s.Ledger(), billing.InvoiceQuery{Team: top, Month: month, Location: loc,
			By:  rapid.SampledFrom([]string{"", "key", "model,prompt", "user,day", "version"}).Draw(t, "by"),
			Now: time.Date(2026, 5, 1, 12, 0, 0, 0, loc), Teams: []billing.Team{{Name: sub, Parent: top, Source: "file"}, {Name: top, Source: "file"}}})
		if err != nil {
			t.Fatal(err)
		}
		var want, got billing.Nano
		corrections := 0
		for _, e := range entries {
			if e.Time.In(loc).Format("2006-01") == month {
				want += e.Cost
				if e.Attempt == billing.Correction {
					corrections++
				}
			}
		}
		for _, section := range v.Sections {
			var sum billing.Nano
			for _, l := range section.Lines {
				sum += l.USD
			}
			for _, c := range section.Corrections {
				sum += c.USD
				corrections--
			}
			if sum != section.Subtotal {
				t.Fatalf("section %s adds up to %v, says %v", section.Team, sum, section.Subtotal)
			}
			got += sum
		}
		if got != want || v.Total != want || corrections != 0 || len(v.Sections) != 2 {
			t.Fatalf("lines %v, total %v, want %v; %d corrections missing", got, v.Total, want, corrections)
		}
	})
}

func TestInvoiceOfNobody(t *testing.T) {
	l := testStore(t).Ledger()
	_, err := billing.NewInvoice(context.Background(), l, billing.InvoiceQuery{Team: "nobody", Now: noon})
	if !errors.Is(err, billing.ErrNotFound) {
		t.Errorf("%v", err)
	}
	add(t, l, entry("c1", noon)) // of a team that has been deleted since
	v, err := billing.NewInvoice(context.Background(), l, billing.InvoiceQuery{Team: "research", Month: noon.Format("2006-01"), Now: noon})
	if err != nil || v.Total != 45_000 || !v.Preliminary || v.Rounded != "0.00" || v.Number != "SL-"+noon.Format("200601")+"-research" {
		t.Errorf("%+v %v", v, err)
	}
	for _, q := range []billing.InvoiceQuery{{Month: "October"}, {Month: noon.AddDate(0, 1, 0).Format("2006-01")}, {By: "tag"}, {By: "model,model"}} {
		var bad billing.BadQuery
		q.Team, q.Now = "research", noon
		if _, err := billing.NewInvoice(context.Background(), l, q); !errors.As(err, &bad) {
			t.Errorf("%+v: %v", q, err)
		}
	}
}
