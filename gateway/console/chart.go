package console

import (
	"strconv"
	"strings"
)

// chart is a figure over time: a bar for each part of it, and as a line the
// same figure a period earlier. It is drawn as SVG by the template "chart", in
// a view box of chartWidth by chartHeight that is stretched to its card.
type chart struct {
	Name   string
	Value  string // of the whole period
	Change string // against the period before; empty: nothing was then
	Bad    bool   // the value is one to look at
	Note   string
	Bars   []bar
	Before string // the line, as points; empty: there is none
	Most   string // what the highest bar stands for
	First  string // what the first and last bars are of
	Last   string
}

// bar is one part of the time, in the units of the view box.
type bar struct {
	X, Y, Width, Height int64
	Label               string
}

const (
	chartWidth  = 600
	chartHeight = 100
)

// point is a value and what it is of.
type point struct {
	Label string
	Value int64
}

// draw fills in the bars and the line.
func (c *chart) draw(now []point, before []int64, text func(int64) string) {
	if len(now) == 0 {
		return
	}
	var most int64
	for _, p := range now {
		most = max(most, p.Value)
	}
	for _, n := range before {
		most = max(most, n)
	}
	step := chartWidth / int64(len(now))
	gap := max(step/6, 1)
	for i, p := range now {
		height := int64(1) // a line where nothing was
		if p.Value > 0 {
			height = max(thousandths(p.Value, most)*chartHeight/1000, 3)
		}
		c.Bars = append(c.Bars, bar{X: int64(i) * step, Y: chartHeight - height, Width: step - gap, Height: height,
			Label: p.Label + ": " + text(p.Value)})
	}
	c.Before = line(before, most, step, gap)
	c.Most, c.First, c.Last = text(most), now[0].Label, now[len(now)-1].Label
}

// line is the points of a line through the middles of bars; empty if all of it
// is zero.
func line(values []int64, most, step, gap int64) string {
	var b strings.Builder
	some := false
	for i, n := range values {
		some = some || n > 0
		y := int64(chartHeight)
		if most > 0 {
			y -= thousandths(n, most) * chartHeight / 1000
		}
		b.WriteString(strconv.FormatInt(int64(i)*step+(step-gap)/2, 10) + "," + strconv.FormatInt(y, 10) + " ")
	}
	if !some {
		return ""
	}
	return strings.TrimSpace(b.String())
}

// change says by how much a figure differs from the one before it.
func change(now, before int64) string {
	if before <= 0 {
		return ""
	}
	percent := (float64(now) - float64(before)) * 100 / float64(before)
	switch {
	case percent >= 1000:
		return "×" + strconv.FormatFloat(float64(now)/float64(before), 'f', 0, 64)
	case percent >= 0.5:
		return "+" + strconv.FormatFloat(percent, 'f', 0, 64) + " %"
	case percent <= -0.5:
		return "−" + strconv.FormatFloat(-percent, 'f', 0, 64) + " %"
	}
	return "±0 %"
}
