package billing

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Period is the span of a budget: hour, day, week, month, total, or a rolling
// number of days such as 30d.
type Period string

// The calendar periods. PeriodTotal never ends.
const (
	PeriodHour  Period = "hour"
	PeriodDay   Period = "day"
	PeriodWeek  Period = "week" // begins on Monday
	PeriodMonth Period = "month"
	PeriodTotal Period = "total"
)

// mostDays is the longest rolling period: what has been spent is kept by the
// hour, so that it bounds the memory of a budget to 70 KiB.
const mostDays = 366

// ParsePeriod reads a period as the configuration spells it.
func ParsePeriod(s string) (Period, error) {
	switch p := Period(s); p {
	case PeriodHour, PeriodDay, PeriodWeek, PeriodMonth, PeriodTotal:
		return p, nil
	}
	if digits, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(digits, 10, 16)
		if err == nil && n >= 1 && n <= mostDays && digits[0] != '0' {
			return Period(s), nil
		}
	}
	return "", fmt.Errorf("period %q is none of hour, day, week, month, total, or 1d to %dd", s, mostDays)
}

// days is the length of a rolling period; 0: it is not a rolling one.
func (p Period) days() int {
	if digits, ok := strings.CutSuffix(string(p), "d"); ok {
		n, _ := strconv.Atoi(digits)
		return n
	}
	return 0
}

// Window is the span that now falls into: since is inside it, until is not. The
// calendar is that of loc, so that a day may have 23 or 25 hours. A rolling
// period's window ends at now; PeriodTotal has neither a beginning nor an end:
// both are zero.
func (p Period) Window(now time.Time, loc *time.Location) (since, until time.Time) {
	now = now.In(loc)
	y, m, d := now.Date()
	switch p {
	case PeriodHour:
		past := time.Duration(now.Minute())*time.Minute + time.Duration(now.Second())*time.Second + time.Duration(now.Nanosecond())
		since = now.Add(-past).Round(0)
		return since, since.Add(time.Hour)
	case PeriodDay:
		return dayStart(y, m, d, loc), dayStart(y, m, d+1, loc)
	case PeriodWeek:
		monday := d - (int(now.Weekday())+6)%7
		return dayStart(y, m, monday, loc), dayStart(y, m, monday+7, loc)
	case PeriodMonth:
		return dayStart(y, m, 1, loc), dayStart(y, m+1, 1, loc)
	}
	if n := p.days(); n > 0 {
		now = now.Round(0)
		return now.Add(-time.Duration(n) * 24 * time.Hour), now
	}
	return time.Time{}, time.Time{}
}

// dayStart is the first instant of a day. Clocks that change at midnight make
// an hour of it missing, where time.Date may answer with the day before, or
// happen twice, where it may answer with the second time.
func dayStart(y int, m time.Month, d int, loc *time.Location) time.Time {
	t := time.Date(y, m, d, 0, 0, 0, 0, loc)
	zoneStart, zoneEnd := t.ZoneBounds()
	wanted := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	if before(t, wanted) {
		return zoneEnd // midnight was skipped: the day begins with the change
	}
	if !zoneStart.IsZero() {
		_, offset := t.Zone()
		_, earlier := zoneStart.Add(-1).Zone()
		first := t.Add(time.Duration(offset-earlier) * time.Second)
		if offset < earlier && first.Before(zoneStart) && !before(first, wanted) {
			return first
		}
	}
	return t
}

// before tells whether t's date, on its own clock, is before a day's.
func before(t, day time.Time) bool {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Before(day)
}
