package billing

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/providers/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a time that tests set.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// at reads an RFC 3339 time.
func at(t testing.TB, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// usd reads an amount.
func usd(t testing.TB, s string) Nano {
	t.Helper()
	n, err := ParseUSD(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Skipf("no time zone data: %v", err)
	}
	return loc
}

// book makes a book and its view.
func book(t testing.TB, c *clock, teams []Team, keys []Key) (*Book, *Owners) {
	t.Helper()
	b := NewBook(time.UTC, c.now)
	v, err := b.Rebuild(teams, keys)
	if err != nil {
		t.Fatal(err)
	}
	return b, v
}

func hard(usd Nano, per Period) Budgets { return Budgets{{USD: usd, Per: per, Hard: true}} }

// holdUSD holds money alone, and tells how much.
func holdUSD(o *Owner, want, least Nano) (Hold, Nano, *schema.Error) {
	h, err := o.Hold(Need{USD: want, MinUSD: least})
	return h, h.USD(), err
}

// budgetOf is how the owner's first own budget stands.
func budgetOf(o *Owner, now time.Time) (BudgetStatus, bool) {
	if all := o.OwnBudgets(now); len(all) > 0 {
		return all[0], true
	}
	return BudgetStatus{}, false
}
