package alert

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// Anomaly holds while an hour's figure is far from that of the same hour of
// days past: further from their median than some deviations. The median of the
// distances stands for the deviation (times 1.4826, as for a normal
// distribution), so that a day that was odd itself does not count for much; a
// tenth of the median is the least that it is taken for.
type Anomaly struct {
	Figure     string // cost, calls or tokens
	Days       int
	Deviations float64
	Least      float64 // that the figure must be away from the median
	Drops      bool    // an hour that is over may be too low as well

	hour   time.Time // of what is kept
	bounds map[string]bound
	before map[string]past
}

// past is the hour before: what it ought to have been, and what it was.
type past struct {
	bound
	was float64
}

// bound is what an hour ought to be like.
type bound struct{ median, away float64 }

// fewestDays with anything in that hour are needed before anything is odd.
const fewestDays = 3

// String is the condition in a few words.
func (a *Anomaly) String() string {
	return fmt.Sprintf("%s of an hour more than %g deviations from that of %d days", a.Figure, a.Deviations, a.Days)
}

func (a *Anomaly) read(ctx context.Context, r *reader, rule *Rule) ([]Reading, error) {
	local := r.now.In(r.Location())
	hour := time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), 0, 0, 0, local.Location())
	if hour.After(local) || local.Sub(hour) >= time.Hour { // the hour that a clock shows twice
		hour = local.Truncate(time.Hour)
	}
	if !hour.Equal(a.hour) {
		if err := a.learn(ctx, r, rule, hour); err != nil {
			return nil, err
		}
	}
	current, err := a.sums(ctx, r, rule, hour, time.Time{})
	if err != nil {
		return nil, err
	}
	var out []Reading
	for group := range a.bounds {
		out = append(out, a.judge(rule, group, current[group]))
	}
	return out, nil
}

// judge looks at the hour that runs, which can be too high already, and at the
// one before.
func (a *Anomaly) judge(rule *Rule, group string, running float64) Reading {
	unit, b, last := Figures[a.Figure].Unit, a.bounds[group], a.before[group]
	out := Reading{Labels: labelsOf(rule, group), Value: running}
	high := b.away > 0 && running > b.median+b.away
	was := last.away > 0 && (last.was > last.median+last.away || a.Drops && last.was < last.median-last.away)
	switch {
	case high:
		out.Text = fmt.Sprintf("%s of this hour is %s, usual is %s", a.Figure, unit.Text(running), unit.Text(b.median))
	case was:
		out.Value = last.was
		out.Text = fmt.Sprintf("%s of the last hour was %s, usual is %s", a.Figure, unit.Text(last.was), unit.Text(last.median))
	default:
		out.Text = fmt.Sprintf("%s of this hour is %s, usual is %s", a.Figure, unit.Text(running), unit.Text(b.median))
	}
	out.Holds = high || was
	return out
}

// learn keeps what an hour, and the one before, ought to be, and what the one
// before was.
func (a *Anomaly) learn(ctx context.Context, r *reader, rule *Rule, hour time.Time) error {
	previous := hour.Add(-time.Hour)
	bounds, err := a.usual(ctx, r, rule, hour)
	if err != nil {
		return err
	}
	before, err := a.usual(ctx, r, rule, previous)
	if err != nil {
		return err
	}
	was, err := a.sums(ctx, r, rule, previous, hour)
	if err != nil {
		return err
	}
	a.before = map[string]past{}
	for group, b := range before {
		a.before[group] = past{b, was[group]}
		if _, ok := bounds[group]; !ok {
			bounds[group] = bound{}
		}
	}
	a.hour, a.bounds = hour, bounds
	return nil
}

// usual tells from the days past what an hour ought to be like.
func (a *Anomaly) usual(ctx context.Context, r *reader, rule *Rule, hour time.Time) (map[string]bound, error) {
	days := make([]map[string]float64, 0, a.Days)
	names := map[string]int{}
	for back := 1; back <= a.Days; back++ {
		from := hour.AddDate(0, 0, -back)
		sums, err := a.sums(ctx, r, rule, from, from.Add(time.Hour))
		if err != nil {
			return nil, err
		}
		for group, v := range sums {
			if v > 0 {
				names[group]++
			}
		}
		days = append(days, sums)
	}
	out := map[string]bound{}
	for group, n := range names {
		if n < min(fewestDays, a.Days) {
			continue
		}
		values := make([]float64, 0, len(days))
		for _, d := range days {
			values = append(values, d[group])
		}
		m := median(values)
		for i := range values {
			values[i] = math.Abs(values[i] - m)
		}
		out[group] = bound{m, max(a.Deviations*max(1.4826*median(values), m/10), a.Least)}
	}
	return out, nil
}

// sums are the figure from one time to another.
func (a *Anomaly) sums(ctx context.Context, r *reader, rule *Rule, from, to time.Time) (map[string]float64, error) {
	report, err := r.usage(ctx, rule, from, to)
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for group, s := range groups(rule, report) {
		out[group] = Figures[a.Figure].sums(s)
	}
	return out, nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	switch {
	case n == 0:
		return 0
	case n%2 == 1:
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}
