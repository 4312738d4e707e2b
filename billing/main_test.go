package billing

import (
	"testing"
	"time"

	"go.uber.org/goleak"
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

func hard(usd Nano, per Period) *Budget { return &Budget{USD: usd, Per: per, Hard: true} }
