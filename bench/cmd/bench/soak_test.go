package main

import (
	"math"
	"strings"
	"testing"
	"time"

	"sluice/bench/load"
)

func TestLeastSquares(t *testing.T) {
	if slope, spread := leastSquares([]float64{0, 1, 2, 3}, []float64{5, 7, 9, 11}); slope != 2 || spread != 0 {
		t.Errorf("a line: %v ± %v", slope, spread)
	}
	// By hand: the slope is 3/5, what is left over squared 1.8, over 2 degrees of freedom and 5.
	slope, spread := leastSquares([]float64{0, 1, 2, 3}, []float64{1, 0, 2, 2})
	if math.Abs(slope-0.5) > 1e-12 || math.Abs(spread-math.Sqrt(1.5/2/5)) > 1e-12 {
		t.Errorf("points: %v ± %v", slope, spread)
	}
}

func TestSeriesOf(t *testing.T) {
	text := "# HELP go_goroutines x\ngo_goroutines 39\ngo_gc_duration_seconds{quantile=\"1\"} 2.5e-05\n"
	if v := seriesOf(text, "go_goroutines"); v != 39 {
		t.Errorf("goroutines %v", v)
	}
	if v := seriesOf(text, `go_gc_duration_seconds{quantile="1"}`); v != 2.5e-05 {
		t.Errorf("pause %v", v)
	}
	if v := seriesOf(text, "go_go"); !math.IsNaN(v) {
		t.Errorf("nothing is %v", v)
	}
}

// What comes before the caches are full is left out of the slopes.
func TestSlopesLeaveOutTheBegin(t *testing.T) {
	var course []moment
	for n := range 10 {
		m := moment{at: time.Duration(n) * time.Minute, values: make([]float64, len(watched))}
		if n < 3 {
			m.values[0] = -100
		}
		course = append(course, m)
	}
	var out strings.Builder
	printSlopes(&out, course, 3*time.Minute)
	if !strings.HasPrefix(out.String(), "resident MiB: +0 an hour, ± 0 (two standard errors, 7 samples)\n") {
		t.Errorf("%s", out.String())
	}
}

func TestApartPrinted(t *testing.T) {
	took := func(ms ...time.Duration) *load.Hist {
		var h load.Hist
		for _, n := range ms {
			h.Add(n * time.Millisecond)
		}
		return &h
	}
	seen := [][3]side{{
		{[]float64{5, 6, 7}, []*load.Hist{took(8), took(8), took(8)}},
		{[]float64{5, 6, 7}, []*load.Hist{took(8), took(8, 8), took(8, 8)}},
		{[]float64{9, 8, 10}, []*load.Hist{took(16, 16), took(16, 16), took(16, 32)}},
	}}
	var out strings.Builder
	printApart(&out, works[:1], seen)
	for _, want := range []string{"| ×2.01 (2.00 to 2.01) | ×2.01 (2.00 to 2.01) |", "| ×4.00 (2.00 to 4.00) | ×4.00 (2.00 to 4.00) |", "| small | CPU µs a call | 6 | 6 | 9 |"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, out.String())
		}
	}
}
