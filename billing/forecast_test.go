package billing

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestForesee(t *testing.T) {
	day := func(hours float64) time.Time {
		return time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC).Add(time.Duration(hours * float64(time.Hour)))
	}
	window := pace{since: day(0), until: day(24)}
	after := func(before int64) pace { return pace{since: day(0), until: day(24), before: before, known: true} }
	for name, c := range map[string]struct {
		usd, spent Nano
		pace       pace
		now        time.Time
		runsOut    string
		forecast   string // empty: none
	}{
		"evenly, enough":               {24, 6, window, day(12), "", "0.000000012"},
		"evenly, exactly enough":       {12 * Dollar, 6 * Dollar, window, day(12), "", "12"},
		"evenly, too much":             {24 * Dollar, 18 * Dollar, window, day(12), "2026-11-02T16:00:00Z", "36"},
		"nothing yet":                  {24 * Dollar, 0, window, day(12), "", "0"},
		"too early to tell":            {24 * Dollar, Dollar, window, day(0.5), "", ""},
		"spent too early to tell":      {24 * Dollar, 24 * Dollar, window, day(0.5), "2026-11-02T00:30:00Z", ""},
		"no longer too early":          {240 * Dollar, Dollar, window, day(1), "", "24"},
		"the first moment":             {24 * Dollar, 0, after(int64(48 * Dollar)), day(0), "2026-11-02T12:00:00Z", "48"},
		"the first moment, idle":       {24 * Dollar, 0, after(0), day(0), "", "0"},
		"a dear first call":            {24 * Dollar, Dollar, after(0), day(0), "2026-11-02T23:00:00Z", "25"},
		"an hour in, faster":           {100 * Dollar, 4 * Dollar, after(int64(24 * Dollar)), day(1), "", "61.5"}, // $2.50 an hour
		"after a refund":               {24 * Dollar, -Dollar, window, day(12), "", "-1"},
		"spent":                        {24 * Dollar, 24 * Dollar, window, day(12), "2026-11-02T12:00:00Z", "48"},
		"more than spent":              {24 * Dollar, 30 * Dollar, window, day(20), "2026-11-02T20:00:00Z", "36"},
		"nothing was given":            {0, 0, window, day(20), "2026-11-02T20:00:00Z", "0"},
		"the end":                      {24 * Dollar, 6 * Dollar, window, day(24), "", "6"},
		"past the end":                 {24 * Dollar, 6 * Dollar, window, day(25), "", ""},
		"a clock that went back":       {24 * Dollar, 6 * Dollar, after(int64(24 * Dollar)), day(-1), "2026-11-02T01:34:17Z", "181"},
		"no window":                    {24 * Dollar, 6 * Dollar, pace{}, day(12), "", ""},
		"no window, spent":             {24 * Dollar, 24 * Dollar, pace{}, day(12), "2026-11-02T12:00:00Z", ""},
		"more than there are numbers":  {24 * Dollar, 1 << 62, window, day(1), "2026-11-02T01:00:00Z", "9223372036.854775807"},
		"soon":                         {1<<62 + 1, 1 << 62, window, day(12), "2026-11-02T12:00:00Z", "9223372036.854775807"},
		"less than a second before it": {24*Dollar - 1, 12 * Dollar, window, day(12), "2026-11-02T23:59:59Z", "24"},
	} {
		runsOut, forecast, ok := foresee(int64(c.usd), int64(c.spent), c.pace, c.now)
		got := ""
		if !runsOut.IsZero() {
			got = runsOut.Format(time.RFC3339Nano)
		}
		text := ""
		if ok {
			text = Nano(forecast).String()
		}
		if got != c.runsOut || text != c.forecast {
			t.Errorf("%s: runs out %q, forecast %q, want %q, %q", name, got, text, c.runsOut, c.forecast)
		}
	}
}

// A budget runs out within its window exactly if more than it is expected to be
// spent by the end, or it is spent.
func TestForeseeAgreesWithItself(t *testing.T) {
	since := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		money := func(label string) int64 { return rapid.Int64Range(0, 1<<60).Draw(t, label) }
		length := time.Duration(rapid.Int64Range(int64(time.Hour), int64(366*24*time.Hour)).Draw(t, "length"))
		p := pace{since, since.Add(length), money("before"), rapid.Bool().Draw(t, "known")}
		now := since.Add(time.Duration(rapid.Int64Range(0, int64(length)).Draw(t, "elapsed")))
		usd, spent := money("usd"), money("spent")
		runsOut, forecast, ok := foresee(usd, spent, p, now)
		if ok != (p.known || now.Sub(since) >= length/firstPart) {
			t.Fatalf("ok is %v", ok)
		}
		if ok && forecast < spent || ok && !runsOut.IsZero() != (forecast > usd || spent >= usd) {
			t.Fatalf("forecast %v, spent %v of %v, runs out %v", forecast, spent, usd, runsOut)
		}
		if !runsOut.IsZero() && (runsOut.Before(now.Truncate(time.Second)) || runsOut.After(p.until)) {
			t.Fatalf("runs out at %v, now is %v, the end %v", runsOut, now, p.until)
		}
	})
}

// The meter knows the window before if it has counted all of it.
func TestPace(t *testing.T) {
	at := func(hours float64) time.Time {
		return time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC).Add(time.Duration(hours * float64(time.Hour)))
	}
	m := newMeter(&Budget{Per: PeriodDay}, at(12), time.UTC)
	m.charge(5, at(13))
	if p := m.pace(m.resets()); p.known || !p.since.Equal(at(0)) || !p.until.Equal(at(24)) {
		t.Errorf("the first window: %+v", p)
	}
	m.roll(at(25))
	if p := m.pace(m.resets()); p.known {
		t.Errorf("the ledger's part was never added: %+v", p)
	}
	m.restored = true
	m.charge(7, at(26))
	m.roll(at(48))
	if p := m.pace(m.resets()); !p.known || p.before != 7 || !p.since.Equal(at(48)) {
		t.Errorf("the next window: %+v", p)
	}
	m.roll(at(120))
	if p := m.pace(m.resets()); !p.known || p.before != 0 {
		t.Errorf("after idle windows: %+v", p)
	}
	if p := newMeter(&Budget{Per: PeriodTotal}, at(0), time.UTC).pace(time.Time{}); p != (pace{}) {
		t.Errorf("total: %+v", p)
	}
	m = newMeter(&Budget{Per: "30d"}, at(0), time.UTC)
	if p := m.pace(m.resets()); p != (pace{}) {
		t.Errorf("nothing was spent: %+v", p)
	}
	m.charge(9, at(3.5))
	if p := m.pace(m.resets()); !p.since.Equal(at(3)) || !p.until.Equal(at(3+30*24+1)) || p.known {
		t.Errorf("rolling: %+v", p)
	}
}
