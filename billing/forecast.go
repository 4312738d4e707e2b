package billing

import (
	"math/big"
	"time"
)

// pace is what there is to tell from how a budget goes on.
type pace struct {
	since, until time.Time // of its window; both zero: it has none
	before       int64     // what was spent in the window before
	known        bool      // whether before is known
}

// firstPart is the part of a window whose spending is no trend yet.
const firstPart = 24

// foresee tells from the rate of spending so far what will have been spent when
// the window ends, and when the budget runs out: zero if it does not before
// that. The rate is what was spent by the time that has passed; at the beginning
// that says little, so a twenty-fourth of the window before counts with it, as
// if it had been spent just before this one. ok is false where nothing can be
// told: the period has no end, or less than a twenty-fourth of the window is
// over and the one before is not known. A budget that is spent has run out now,
// whatever the rate.
func foresee(limit, spent int64, p pace, now time.Time) (runsOut time.Time, forecast int64, ok bool) {
	if spent >= limit {
		runsOut = now.UTC().Truncate(time.Second)
	}
	length, elapsed, left := p.until.Sub(p.since), max(now.Sub(p.since), 0), p.until.Sub(now)
	if length <= 0 || left < 0 || !p.known && elapsed < length/firstPart {
		return runsOut, 0, false
	}
	// The rate is money / span, in the budget's unit (of money, nanos) per nanosecond.
	money, span := big.NewInt(max(spent, 0)), big.NewInt(int64(elapsed))
	if p.known {
		scale := big.NewInt(firstPart)
		money.Add(money.Mul(money, scale), big.NewInt(max(p.before, 0)))
		span.Add(span.Mul(span, scale), big.NewInt(int64(length)))
	}
	expected := new(big.Int).Mul(money, big.NewInt(int64(left)))
	forecast = int64(roundDiv(expected.Add(expected, new(big.Int).Mul(big.NewInt(spent), span)), span))
	if runsOut.IsZero() && forecast > limit { // so that money is above 0
		need := new(big.Int).Mul(big.NewInt(limit-spent), span)
		runsOut = now.Add(time.Duration(roundDiv(need, money))).UTC().Truncate(time.Second)
	}
	return runsOut, forecast, true
}

// pace is that of the meter, rolled to now, of which resets is the end.
func (m *meter) pace(resets time.Time) pace {
	switch {
	case resets.IsZero():
		return pace{}
	case m.hours != nil: // of a rolling period, since the first money that is in it
		return pace{since: resets.Add(-time.Duration(len(m.hours)) * time.Hour), until: resets}
	}
	return pace{since: time.Unix(0, m.since), until: resets, before: m.before, known: m.known}
}

// foresee fills in the forecast, with its band where the days before tell one.
func (s *BudgetStatus) foresee(p pace, days *past, now time.Time) {
	runsOut, forecast, ok := foresee(s.Limit, s.Spent, p, now)
	if !runsOut.IsZero() {
		s.RunsOut = &runsOut
	}
	if !ok {
		return
	}
	s.Forecast = &forecast
	if low, high, ok := days.band(s.Spent, forecast, p, now); ok {
		s.ForecastLow, s.ForecastHigh = &low, &high
	}
}
