package billing

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// A forecast has a band: of five windows, four are to end within it. It is made
// of how far the days before this one were from their mean, from three weeks on
// from the mean of their weekday: see band.
const (
	bandDays     = 56 // are looked at, at most
	bandLeast    = 7  // are needed
	bandWeekdays = 21 // are needed to tell weekdays apart
	bandZ        = 1.2815515655446004
)

// past is what was used on whole days, in a budget's unit. It never changes.
type past struct {
	until time.Time // the day after the last, in the budget's calendar
	days  []int64   // oldest first, from the first on which something was used
}

// weekly is something of each weekday.
type weekly [7]float64

// daysBetween are the days of a span, by weekday: parts of days are parts.
func daysBetween(from, to time.Time, loc *time.Location) (by weekly, all float64) {
	for from = from.In(loc); from.Before(to); {
		y, m, d := from.Date()
		begun, end := dayStart(y, m, d, loc), dayStart(y, m, d+1, loc)
		next := end
		if to.Before(end) {
			next = to
		}
		part := float64(next.Sub(from)) / float64(end.Sub(begun))
		by[from.Weekday()] += part
		all += part
		from = next.In(loc)
	}
	return by, all
}

// spread is the mean of each weekday, of how many days it is, and the standard
// deviation of days from it with its degrees of freedom. With less than three
// weeks all weekdays have one mean.
func (p *past) spread() (means, counts weekly, deviation float64, free int) {
	var sums weekly
	total, n := 0.0, len(p.days)
	weekday := func(i int) time.Weekday { return p.until.AddDate(0, 0, i-n).Weekday() }
	for i, used := range p.days {
		sums[weekday(i)] += float64(used)
		counts[weekday(i)]++
		total += float64(used)
	}
	free = n - 1
	if n >= bandWeekdays {
		free = n - 7
	}
	for w := range means {
		if means[w] = total / float64(n); n >= bandWeekdays {
			means[w] = sums[w] / counts[w]
		}
	}
	squares := 0.0
	for i, used := range p.days {
		off := float64(used) - means[weekday(i)]
		squares += off * off
	}
	return means, counts, math.Sqrt(squares / float64(free)), free
}

// band is what will have been spent, at least and at most, when a window ends of
// which spent is gone and forecast expected. Days are taken to be independent of
// each other. What is left of the window is off by their deviation for each of
// its days, and by as much as the rate so far is, which is a mean of the days
// that are over; what weekdays differ by moves it. ok is false with less than a
// week of days before, and for a window shorter than that: what hours differ by
// is not known. The forecast is always in the band, and what is spent below it.
func (p *past) band(spent, forecast int64, window pace, now time.Time) (low, high int64, ok bool) {
	if p == nil || len(p.days) < bandLeast || window.since.IsZero() {
		return 0, 0, false
	}
	loc := p.until.Location()
	over, passed := daysBetween(window.since, now, loc)
	left, ahead := daysBetween(now, window.until, loc)
	length := passed + ahead
	rateOf, variance := passed, passed // the days that the rate is of, and by how many it is off
	if window.known {                  // a twenty-fourth of the window before counts too: see foresee
		rateOf, variance = passed+length/firstPart, passed+length/(firstPart*firstPart)
	}
	if length < bandLeast-0.5 || rateOf <= 0 {
		return 0, 0, false
	}
	means, counts, deviation, free := p.spread()
	days := ahead + ahead*ahead*variance/(rateOf*rateOf)
	move := 0.0
	if len(p.days) >= bandWeekdays {
		for w := range means {
			if window.known {
				over[w] += length / firstPart / 7
			}
			more := left[w] - ahead*over[w]/rateOf // days of this weekday, beyond its part in the rate
			move += more * means[w]
			days += more * more / counts[w]
		}
	}
	half := quantile(free) * deviation * math.Sqrt(days)
	low = max(spent, min(forecast, whole(float64(forecast)+move-half)))
	high = max(forecast, whole(float64(forecast)+move+half))
	return min(low, forecast), high, true
}

// quantile is that of nine tenths of Student's distribution (Cornish and Fisher's
// expansion, within a thousandth of it from six degrees of freedom on).
func quantile(free int) float64 {
	z, f := bandZ, float64(free)
	z3 := z * z * z
	return z + (z3+z)/(4*f) + (5*z3*z*z+16*z3+3*z)/(96*f*f)
}

// whole is the nearest number that there is.
func whole(x float64) int64 {
	switch {
	case x >= math.MaxInt64:
		return math.MaxInt64
	case x <= math.MinInt64:
		return math.MinInt64
	}
	return int64(math.Round(x))
}

// Learn reads from the ledger, once a day for each budget of teams and keys whose
// window is a week or longer, what was used on the days before: the bands of
// forecasts come from that. Until then they have none.
func (b *Book) Learn(ctx context.Context, ledger Ledger) error {
	b.mu.Lock()
	view := b.latest
	b.mu.Unlock()
	var failed []error
	for own := range view.ownBudgets() {
		per := own.budget.Per
		if per != PeriodWeek && per != PeriodMonth && per.days() < bandLeast {
			continue
		}
		r := restoration{book: b, ledger: ledger, view: view, budgetLink: own.budgetLink, account: own.account}
		if err := r.learn(ctx, b.now()); err != nil {
			failed = append(failed, fmt.Errorf("cannot read the days of the budget of %v: %w", own.owner.ownerName(), err))
			if ctx.Err() != nil {
				break
			}
		}
	}
	return errors.Join(failed...)
}

func (r *restoration) learn(ctx context.Context, now time.Time) error {
	loc := r.meter.loc
	y, m, d := now.In(loc).Date()
	p := &past{until: dayStart(y, m, d, loc)}
	r.account.mu.Lock()
	known := r.meter.past != nil && r.meter.past.until.Equal(p.until)
	r.account.mu.Unlock()
	if known {
		return nil
	}
	at := map[string]int{}
	for i := range bandDays {
		at[time.Date(y, m, d-bandDays+i, 12, 0, 0, 0, loc).Format(time.DateOnly)] = i
	}
	days := make([]int64, bandDays)
	q := Query{From: dayStart(y, m, d-bandDays, loc), To: p.until, GroupBy: []string{"day"}, Location: loc}
	err := r.rows(ctx, q, func(values []string, u used) error {
		if i, ok := at[values[0]]; ok {
			days[i] += u.amount
		}
		return nil
	})
	if err != nil {
		return err
	}
	for len(days) > 0 && days[0] == 0 { // it was not used yet
		days = days[1:]
	}
	p.days = days
	r.account.mu.Lock()
	r.meter.past = p
	r.account.mu.Unlock()
	return nil
}
