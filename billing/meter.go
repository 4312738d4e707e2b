package billing

import (
	"math"
	"time"
)

// meter is what one account has spent in one period's current window. The
// account's lock guards it.
type meter struct {
	period   Period
	since    int64 // unix ns: the window's first instant
	until    int64 // and the first one after it; rolling periods use neither
	spent    Nano
	restored bool // the ledger's part is in spent

	before Nano // what the window before had, if that is known: see foresee
	known  bool

	// Of a rolling period: what was spent in each of the last hours, by the
	// hour (since 1970) modulo the length. There is a slot more than the
	// period has hours: the oldest counts whole until all of it is outside, so
	// that no span of the period's length is ever let spend more.
	hours []Nano
	hour  int64 // the newest
}

func newMeter(p Period, now time.Time, loc *time.Location) *meter {
	m := &meter{period: p}
	if n := p.days(); n > 0 {
		m.hours = make([]Nano, n*24+1)
		m.hour = hourOf(now)
	} else {
		m.until = math.MinInt64
		m.roll(now, loc)
	}
	return m
}

func hourOf(t time.Time) int64 { return t.Unix() / 3600 }

// roll moves the window on to now, never back: what has left it is forgotten.
func (m *meter) roll(now time.Time, loc *time.Location) {
	if m.hours != nil {
		m.rollHours(hourOf(now))
		return
	}
	if now.UnixNano() < m.until {
		return
	}
	last, end := m.spent, m.until
	m.spent = 0
	if m.period == PeriodTotal {
		m.since, m.until = math.MinInt64, math.MaxInt64
		return
	}
	since, until := m.period.Window(now, loc)
	m.since, m.until = since.UnixNano(), until.UnixNano()
	if m.before, m.known = last, m.restored; m.since != end {
		m.before = 0 // nothing happened in the one before
	}
}

func (m *meter) rollHours(hour int64) {
	if hour-m.hour >= int64(len(m.hours)) {
		clear(m.hours)
		m.spent, m.hour = 0, hour
	}
	for m.hour < hour {
		m.hour++
		slot := m.slot(m.hour)
		m.spent -= *slot
		*slot = 0
	}
}

func (m *meter) slot(hour int64) *Nano { return &m.hours[hour%int64(len(m.hours))] }

// oldest is the first hour that still counts.
func (m *meter) oldest() int64 { return m.hour - int64(len(m.hours)) + 1 }

// charge adds what a call cost at a time; a window that is over takes nothing.
func (m *meter) charge(cost Nano, at time.Time, loc *time.Location) {
	m.roll(at, loc)
	if m.hours == nil {
		if at.UnixNano() >= m.since {
			m.spent += cost
		}
		return
	}
	if hour := hourOf(at); hour >= m.oldest() {
		*m.slot(hour) += cost
		m.spent += cost
	}
}

// empty forgets all that was spent, before the ledger says it anew.
func (m *meter) empty() {
	m.spent = 0
	clear(m.hours)
}

// start is the beginning of the window for the ledger; zero: of all time.
func (m *meter) start() time.Time {
	if m.hours != nil {
		return time.Unix(m.oldest()*3600, 0).UTC()
	}
	if m.period == PeriodTotal {
		return time.Time{}
	}
	return time.Unix(0, m.since).UTC()
}

// resets is when what was spent, or of a rolling period the first part of it,
// comes back; zero: never, or nothing was spent.
func (m *meter) resets() time.Time {
	if m.hours == nil {
		if m.period == PeriodTotal {
			return time.Time{}
		}
		return time.Unix(0, m.until).UTC()
	}
	for hour := m.oldest(); hour <= m.hour; hour++ {
		if *m.slot(hour) != 0 {
			return time.Unix((hour+int64(len(m.hours)))*3600, 0).UTC()
		}
	}
	return time.Time{}
}
