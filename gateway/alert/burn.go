package alert

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// Burn holds while an error budget is spent too fast: in a long window, so that
// it matters, and in a short one, so that it is still so. Any pair of windows is
// enough.
type Burn struct {
	Objective float64 // the share of calls that must not fail, such as 0.999
	Windows   []BurnWindow
	Calls     int64 // fewer in the long window say nothing
}

// BurnWindow is a pair of windows, and how many times faster than the objective
// allows the error budget may be spent in both.
type BurnWindow struct {
	Long, Short time.Duration
	Burn        float64
}

// BurnWindows are those of a rule that says none: of an objective for 30 days,
// 2 % of the error budget in an hour, or 5 % in six.
var BurnWindows = []BurnWindow{{time.Hour, 5 * time.Minute, 14.4}, {6 * time.Hour, 30 * time.Minute, 6}}

// String is the condition in a few words.
func (b *Burn) String() string {
	text := "error budget of " + strconv.FormatFloat(b.Objective*100, 'f', -1, 64) + " % burns"
	for i, w := range b.Windows {
		if i > 0 {
			text += " or"
		}
		text += fmt.Sprintf(" %gx over %s and %s", w.Burn, Short(w.Long), Short(w.Short))
	}
	return text
}

func (b *Burn) read(ctx context.Context, r *reader, rule *Rule) ([]Reading, error) {
	found := map[string]*Reading{}
	for _, w := range b.Windows {
		long, err := failures(ctx, r, rule, w.Long, Share)
		if err != nil {
			return nil, err
		}
		brief, err := failures(ctx, r, rule, w.Short, Share)
		if err != nil {
			return nil, err
		}
		for group, m := range long {
			allowed := 1 - b.Objective
			rate, now := m.value/allowed, brief[group].value/allowed
			one := found[group]
			if one == nil {
				one = &Reading{Labels: labelsOf(rule, group)}
				found[group] = one
			}
			holds := rate > w.Burn && now > w.Burn && m.of >= float64(b.Calls)
			if holds && !one.Holds || !one.Holds && rate > one.Value {
				one.Value, one.Holds = rate, holds
				one.Text = fmt.Sprintf("the error budget burns %.1fx over %s and %.1fx over %s, more than %gx: %s of the calls fail",
					rate, Short(w.Long), now, Short(w.Short), w.Burn, Share.Text(m.value))
			}
		}
	}
	var out []Reading
	for _, one := range found {
		out = append(out, *one)
	}
	return out, nil
}

// failures are the calls, or the shares of calls, with a status of 500 and
// above. Without a call there is no group, but for that of all.
func failures(ctx context.Context, r *reader, rule *Rule, over time.Duration, unit Unit) (map[string]measure, error) {
	report, err := r.usage(ctx, rule, r.now.Add(-over), time.Time{}, "status")
	if err != nil {
		return nil, err
	}
	out := map[string]measure{}
	if rule.Each == "" {
		out[""] = measure{}
	}
	for i := range report.Rows {
		row := &report.Rows[i]
		group := ""
		if rule.Each != "" {
			if group = row.Values[0]; group == "" {
				continue
			}
		}
		m, known := out[group]
		if !known && len(out) == mostGroups {
			continue
		}
		m.of += float64(row.Calls)
		if status := row.Values[len(row.Values)-1]; len(status) == 3 && status[0] == '5' {
			m.value += float64(row.Calls)
		}
		out[group] = m
	}
	for group, m := range out {
		if unit == Share && m.of > 0 {
			m.value /= m.of
			out[group] = m
		}
	}
	return out, nil
}
