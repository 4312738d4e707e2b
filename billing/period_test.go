package billing

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParsePeriod(t *testing.T) {
	for _, s := range []string{"hour", "day", "week", "month", "total", "1d", "30d", "366d"} {
		if p, err := ParsePeriod(s); err != nil || string(p) != s {
			t.Errorf("%q: %v, %v", s, p, err)
		}
	}
	for _, s := range []string{"", "year", "0d", "d", "-1d", "+3d", "03d", "367d", "30 d", "1.5d", "30D", "99999999999d"} {
		if _, err := ParsePeriod(s); err == nil {
			t.Errorf("%q is a period", s)
		}
	}
}

func TestWindow(t *testing.T) {
	for _, c := range []struct{ period, zone, now, since, until string }{
		{"hour", "UTC", "2026-03-04T05:59:59.9Z", "2026-03-04T05:00:00Z", "2026-03-04T06:00:00Z"},
		{"hour", "Asia/Kolkata", "2026-03-04T05:10:00Z", "2026-03-04T04:30:00Z", "2026-03-04T05:30:00Z"},
		{"day", "UTC", "2026-03-04T00:00:00Z", "2026-03-04T00:00:00Z", "2026-03-05T00:00:00Z"},
		{"day", "America/New_York", "2026-03-08T20:00:00Z", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"},  // 23 hours
		{"day", "America/New_York", "2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},  // 25 hours
		{"day", "Asia/Beirut", "2022-03-27T10:00:00Z", "2022-03-26T22:00:00Z", "2022-03-27T21:00:00Z"},       // no midnight
		{"day", "America/Havana", "2022-11-06T12:00:00Z", "2022-11-06T04:00:00Z", "2022-11-07T05:00:00Z"},    // two midnights
		{"day", "America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"}, // no midnight
		{"day", "Pacific/Apia", "2011-12-30T09:00:00Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},      // a day that never was follows
		{"week", "UTC", "2026-03-01T12:00:00Z", "2026-02-23T00:00:00Z", "2026-03-02T00:00:00Z"},              // a Sunday
		{"week", "UTC", "2026-03-02T00:00:00Z", "2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z"},              // a Monday
		{"month", "UTC", "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},             //
		{"month", "UTC", "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"},             //
		{"month", "Europe/Berlin", "2026-03-31T22:30:00Z", "2026-03-31T22:00:00Z", "2026-04-30T22:00:00Z"},   // April there
		{"30d", "UTC", "2026-03-31T06:07:08Z", "2026-03-01T06:07:08Z", "2026-03-31T06:07:08Z"},               //
		{"1d", "America/New_York", "2026-03-08T20:00:00Z", "2026-03-07T20:00:00Z", "2026-03-08T20:00:00Z"},   // 24 hours whatever clocks do
		{"total", "UTC", "2026-03-31T06:07:08Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"},             //
	} {
		since, until := Period(c.period).Window(at(t, c.now), zone(t, c.zone))
		if !since.Equal(at(t, c.since)) || !until.Equal(at(t, c.until)) {
			t.Errorf("%s of %s in %s: %s to %s, want %s to %s", c.period, c.now, c.zone,
				since.UTC().Format(time.RFC3339), until.UTC().Format(time.RFC3339), c.since, c.until)
		}
	}
}

// TestWindowsTile: every instant is in its window, the window that begins where
// another ends begins there, and all instants of a window have the same one.
func TestWindowsTile(t *testing.T) {
	zones := []string{"UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "America/Havana", "Asia/Beirut", "America/Santiago", "Africa/Cairo"}
	for _, name := range zones {
		zone(t, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		loc, _ := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		p := rapid.SampledFrom([]Period{PeriodHour, PeriodDay, PeriodWeek, PeriodMonth}).Draw(t, "period")
		now := time.Unix(rapid.Int64Range(1.2e9, 2.2e9).Draw(t, "now"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns"))
		since, until := p.Window(now, loc)
		if now.Before(since) || !now.Before(until) {
			t.Fatalf("%v is not in %v to %v", now, since, until)
		}
		if next, _ := p.Window(until, loc); !next.Equal(until) {
			t.Fatalf("after %v comes %v", until, next)
		}
		inside := since.Add(time.Duration(rapid.Int64Range(0, int64(until.Sub(since))-1).Draw(t, "inside")))
		if s, u := p.Window(inside, loc); !s.Equal(since) || !u.Equal(until) {
			t.Fatalf("%v is in %v to %v, %v in %v to %v", now, since, until, inside, s, u)
		}
	})
}
