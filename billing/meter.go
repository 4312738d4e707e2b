package billing

import (
	"math"
	"strings"
	"time"
)

// meterKey tells the meters of an account apart.
type meterKey struct {
	unit   Unit
	per    Period
	zone   string
	models string // the patterns, by line
}

func (b *Budget) meterKey() meterKey {
	return meterKey{b.Unit(), b.Per, b.TimeZone, strings.Join(b.Models, "\n")}
}

// meter is what one account has used in one period's current window, of calls
// to some models, in one unit. The account's lock guards it.
type meter struct {
	meterKey
	patterns []string // of models; none: all
	loc      *time.Location
	seen     uint32 // the last view that had it; the Book's lock guards it

	since    int64 // unix ns: the window's first instant
	until    int64 // and the first one after it; rolling periods use neither
	spent    int64
	held     int64   // set aside by calls that are running
	warned   float64 // the highest warning level that is reached
	restored bool    // the ledger's part is in spent

	// The window before, for what it leaves over and for forecasts.
	former int64 // its first instant
	before int64 // what was spent in it
	used   bool  // it has counted a call, in this window or before
	inUse  bool  // it had when the window began: only then is something left over
	known  bool  // before has all: the ledger's part was in it

	// Of a rolling period: what was spent in each of the last hours, by the
	// hour (since 1970) modulo the length. There is a slot more than the
	// period has hours: the oldest counts whole until all of it is outside, so
	// that no span of the period's length is ever let spend more.
	hours []int64
	hour  int64 // the newest

	past *past // the days before, for bands; nil: not read yet

	shared *sharedMeter // nil: replicas share nothing of it
}

func newMeter(b *Budget, now time.Time, loc *time.Location) *meter {
	m := &meter{meterKey: b.meterKey(), patterns: b.Models, loc: loc}
	if b.TimeZone != "" {
		m.loc, _ = time.LoadLocation(b.TimeZone) // which Check has tried
	}
	if n := b.Per.days(); n > 0 {
		m.hours = make([]int64, n*24+1)
		m.hour = hourOf(now)
	} else {
		m.until = math.MinInt64
		m.roll(now)
	}
	return m
}

func hourOf(t time.Time) int64 { return t.Unix() / 3600 }

// counts tells whether calls of a model count.
func (m *meter) counts(c Called) bool {
	return len(m.patterns) == 0 || MatchModel(m.patterns, c.Model) || c.Target != "" && MatchModel(m.patterns, c.Target)
}

// roll moves the window on to now, never back: what has left it is forgotten.
func (m *meter) roll(now time.Time) {
	if m.hours != nil {
		m.rollHours(hourOf(now))
		return
	}
	if now.UnixNano() < m.until {
		return
	}
	if m.per == PeriodTotal {
		m.since, m.until = math.MinInt64, math.MaxInt64
		return
	}
	since, until := m.per.Window(now, m.loc)
	before, _ := m.per.Window(since.Add(-1), m.loc)
	former := before.UnixNano()
	m.turnShared(former == m.since)
	if former == m.since {
		m.before = m.spent
	} else {
		m.before = 0 // windows without a call lie between
	}
	m.spent, m.warned, m.inUse, m.known = 0, 0, m.used, m.restored
	m.former, m.since, m.until = former, since.UnixNano(), until.UnixNano()
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

func (m *meter) slot(hour int64) *int64 { return &m.hours[hour%int64(len(m.hours))] }

// oldest is the first hour that still counts.
func (m *meter) oldest() int64 { return m.hour - int64(len(m.hours)) + 1 }

// charge adds what a call used at a time; a window that is over takes nothing,
// but for the one before, of which something may be carried over.
func (m *meter) charge(n int64, at time.Time) {
	m.roll(at)
	part := m.part(at)
	if c := m.common(); c != nil && part >= 0 {
		c.owe(n, part, at)
	}
	switch part {
	case 0:
		m.spent += n
		if m.hours != nil {
			*m.slot(hourOf(at)) += n
		}
	case 1:
		m.before += n
	}
}

// part tells whether a time is in the window (0), in the one before (1), or in
// neither.
func (m *meter) part(at time.Time) int {
	if m.hours != nil {
		if hourOf(at) >= m.oldest() {
			return 0
		}
		return -1
	}
	switch ns := at.UnixNano(); {
	case ns >= m.since:
		return 0
	case ns >= m.former:
		return 1
	}
	return -1
}

// carried is what the window before has left over for this one: at most amount.
func (m *meter) carried(amount int64) int64 {
	before, others := m.before, m.othersBefore()
	if !m.inUse && others == 0 {
		return 0
	}
	return min(max(amount-before-others, 0), amount)
}

// called notes that a call was counted at a time. What a window leaves over may
// depend only on calls that the ledger has, so that a restart finds the same.
func (m *meter) called(at time.Time) {
	m.used = true
	if m.hours == nil && at.UnixNano() < m.since {
		m.inUse = true
	}
}

// empty forgets all that was spent, before the ledger says it anew.
func (m *meter) empty() {
	if c := m.common(); c != nil {
		c.read = [2]int64{} // what was spent here replicas go on to tell
		return
	}
	m.spent, m.before = 0, 0
	clear(m.hours)
}

// start is the beginning of the window for the ledger; zero: of all time.
func (m *meter) start() time.Time {
	if m.hours != nil {
		return time.Unix(m.oldest()*3600, 0).UTC()
	}
	if m.per == PeriodTotal {
		return time.Time{}
	}
	return time.Unix(0, m.since).UTC()
}

// resets is when what was spent, or of a rolling period the first part of it,
// comes back; zero: never, or nothing was spent.
func (m *meter) resets() time.Time {
	if m.hours == nil {
		if m.per == PeriodTotal {
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
