package alert

import (
	"context"
	"fmt"
	"time"
)

// Threshold holds while a figure is above, or below, a bound.
type Threshold struct {
	Figure string // of Figures
	Bound  float64
	Below  bool
	Over   time.Duration // of a figure that is counted over a time
	Calls  int64         // of fewer calls, figures that are no counts say nothing
}

// String is the condition in a few words.
func (t *Threshold) String() string {
	text := fmt.Sprintf("%s %s %s", t.Figure, t.side(), t.unit().Text(t.Bound))
	if t.windowed() {
		text += " over " + Short(t.Over)
	}
	return text
}

func (t *Threshold) side() string {
	if t.Below {
		return "below"
	}
	return "above"
}

func (t *Threshold) unit() Unit     { return Figures[t.Figure].Unit }
func (t *Threshold) windowed() bool { return Figures[t.Figure].Window }

func (t *Threshold) read(ctx context.Context, r *reader, rule *Rule) ([]Reading, error) {
	all, err := r.measures(ctx, rule, t.Figure, t.Over)
	if err != nil {
		return nil, err
	}
	var out []Reading
	for group, m := range all {
		holds := m.value > t.Bound
		if t.Below {
			holds = m.value < t.Bound
		}
		if u := t.unit(); t.windowed() && (u == Share || u == Seconds) && (m.of < float64(t.Calls) || m.of == 0) {
			holds = false
		}
		out = append(out, Reading{Labels: labelsOf(rule, group), Value: m.value, Holds: holds,
			Text: fmt.Sprintf("%s is %s, %s", t.Figure, t.unit().Text(m.value), t.rest())})
	}
	return out, nil
}

func (t *Threshold) rest() string {
	text := t.side() + " " + t.unit().Text(t.Bound)
	if t.windowed() {
		text += " over " + Short(t.Over)
	}
	return text
}

// Short is a duration without the zeros at its end: 5m, not 5m0s.
func Short(d time.Duration) string {
	text := d.String()
	if d >= time.Minute && d%time.Minute == 0 {
		text = text[:len(text)-len("0s")]
	}
	if d >= time.Hour && d%time.Hour == 0 {
		text = text[:len(text)-len("0m")]
	}
	return text
}
