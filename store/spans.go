package store

import "time"

// interval is a stretch of time that a report keeps apart: [from, to) in Unix
// nanoseconds, with what it is called when grouped by hour, day and month.
type interval struct {
	from, to         int64
	hour, day, month string
}

// intervals cuts [from, to) at the borders of the finest of the time
// dimensions, as the clocks of loc show them; none: one interval.
func intervals(from, to int64, groupBy []string, loc *time.Location) []interval {
	next := finest(groupBy)
	if next == nil {
		return []interval{{from: from, to: to}}
	}
	var out []interval
	for from < to {
		at := time.Unix(0, from).In(loc)
		end := min(next(at).UnixNano(), to)
		if end <= from { // the clocks were set back over the border
			end = min(from+hour, to)
		}
		out = append(out, interval{from: from, to: end, hour: hourOf(at).Format(time.RFC3339),
			day: at.Format(time.DateOnly), month: at.Format("2006-01")})
		from = end
	}
	return out
}

// finest is how to find the next border of the finest time dimension in groupBy.
func finest(groupBy []string) func(time.Time) time.Time {
	var has = map[string]bool{}
	for _, g := range groupBy {
		has[g] = true
	}
	switch {
	case has["hour"]:
		return func(t time.Time) time.Time { return hourOf(t).Add(time.Hour) }
	case has["day"]:
		return func(t time.Time) time.Time { return midnight(t, 0, 1) }
	case has["month"]:
		return func(t time.Time) time.Time { return midnight(t.AddDate(0, 0, 1-t.Day()), 1, 0) }
	}
	return nil
}

// hourOf is the beginning of the hour that a clock in t's zone shows.
func hourOf(t time.Time) time.Time {
	return t.Add(-time.Duration(t.Minute())*time.Minute - time.Duration(t.Second())*time.Second -
		time.Duration(t.Nanosecond()))
}

// midnight is the beginning of the day that is so many months and days later.
func midnight(t time.Time, months, days int) time.Time {
	return time.Date(t.Year(), t.Month()+time.Month(months), t.Day()+days, 0, 0, 0, 0, t.Location())
}

// span is a stretch of days, hours or nanoseconds [lo, hi), for interval n.
type span struct {
	lo, hi int64
	n      int
}

// cover lists what makes up the intervals: whole UTC days, whole hours around
// them, and the entries at the ragged ends.
type cover struct {
	days, hours, entries []span
}

func coverOf(parts []interval) (c cover) {
	for n, p := range parts {
		// Up to the first whole hour and from the last one on.
		h0, h1 := ceilDiv(p.from, hour), p.to/hour
		if h0 >= h1 {
			c.entries = addSpan(c.entries, p.from, p.to, n)
			continue
		}
		c.entries = addSpan(c.entries, p.from, h0*hour, n)
		c.entries = addSpan(c.entries, h1*hour, p.to, n)
		d0, d1 := ceilDiv(h0, 24), h1/24
		if d0 >= d1 {
			c.hours = addSpan(c.hours, h0, h1, n)
			continue
		}
		c.hours = addSpan(c.hours, h0, d0*24, n)
		c.hours = addSpan(c.hours, d1*24, h1, n)
		c.days = addSpan(c.days, d0, d1, n)
	}
	return c
}

func addSpan(to []span, lo, hi int64, n int) []span {
	if lo < hi {
		to = append(to, span{lo, hi, n})
	}
	return to
}

// ceilDiv is a/b rounded up, for a ≥ 0 and b > 0.
func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }
