package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// memoryGoal is the most that Sluice may take with many connections, in MiB.
const memoryGoal = 100

// setGoal is how many times the CPU a call may take with everything set up that
// it does not need.
const setGoal = 1.05

// report is what a run found; -json prints it as it is.
type report struct {
	Rounds   int             `json:"rounds"`
	Conns    int             `json:"connections"`
	Seconds  float64         `json:"seconds"`
	Targets  []string        `json:"targets"`
	Cells    []*cell         `json:"cells"`
	Start    []startFigure   `json:"start"`
	Memory   []memoryFigure  `json:"memory"`
	HalfRate float64         `json:"half_rate"`
	Half     []latencyFigure `json:"half_load"`
	Rate     float64         `json:"rate,omitempty"` // 0: a closed loop
	Lost     []lossFigure    `json:"lost,omitempty"`
	Notes    []string        `json:"notes,omitempty"`
	Faults   []string        `json:"faults,omitempty"`

	works     []work
	manyConns int
}

// cell is one work through one target; the figures are of each round.
type cell struct {
	Target string    `json:"target"`
	Work   string    `json:"work"`
	CPU    []float64 `json:"cpu_us"` // per request, or per chunk where the work says so
	Rate   []float64 `json:"per_second"`
	P50    []float64 `json:"p50_us"`
	P99    []float64 `json:"p99_us"`
	Ratio  float64   `json:"ratio,omitempty"` // of the CPU to that of the target in Against
	// Low and High are what the middle 95 of a hundred draws of the rounds lie
	// between; 0: there are too few rounds.
	Low  float64 `json:"ratio_low,omitempty"`
	High float64 `json:"ratio_high,omitempty"`

	Against string `json:"against,omitempty"`
}

type startFigure struct {
	Target  string  `json:"target"`
	FirstMS float64 `json:"first_answer_ms"`
	IdleMiB float64 `json:"idle_mib"`
	OwnMiB  float64 `json:"idle_own_mib"` // without pages of files, such as the binary
}

type memoryFigure struct {
	Target  string  `json:"target"`
	Work    string  `json:"work"`
	PeakMiB float64 `json:"peak_mib"`
}

type latencyFigure struct {
	Target string  `json:"target"`
	P50    float64 `json:"p50_us"`
	P99    float64 `json:"p99_us"`
}

// lossFigure is what a target has lost to a sink.
type lossFigure struct {
	Target string `json:"target"`
	Sink   string `json:"sink"`
	Lost   int64  `json:"lost"`
}

func newReport(o *options, chosen []work) *report {
	return &report{Rounds: o.rounds, Conns: o.conns, Seconds: o.seconds, Rate: o.rate, works: chosen, manyConns: o.manyConns}
}

func (r *report) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

func (r *report) fault(target, what string, err error) {
	if err != nil {
		r.Faults = append(r.Faults, fmt.Sprintf("%s, %s: %v", target, what, err))
	}
}

func (r *report) add(t *target, w *work, s sample) {
	r.fault(t.name, w.name, errors.Join(s.err, s.result.Err))
	if s.err != nil || s.result.Requests == 0 {
		return
	}
	c := r.cell(t.name, w.name)
	if c == nil {
		c = &cell{Target: t.name, Work: w.name, Against: t.against}
		r.Cells = append(r.Cells, c)
	}
	units := float64(s.result.Requests)
	if w.perChunk {
		units *= float64(w.chunks)
	}
	c.CPU = append(c.CPU, micros(s.cpu)/units)
	c.Rate = append(c.Rate, s.result.Rate())
	c.P50 = append(c.P50, micros(s.result.Latency.Quantile(0.5)))
	c.P99 = append(c.P99, micros(s.result.Latency.Quantile(0.99)))
}

// compare finds the ratios, once all is measured.
func (r *report) compare() {
	for _, c := range r.Cells {
		base := c.Work
		if c.Against == "nginx" && workNamed(base).ours() {
			base = "small"
		}
		if with := r.cell(c.Against, base); with != nil {
			c.compare(with)
		}
	}
}

// fewRounds are too few to tell how far a ratio may be off.
const fewRounds = 5

// compare finds the ratio to another cell. Both had the same machine in the
// same round, so rounds are drawn as pairs.
func (c *cell) compare(with *cell) {
	c.Ratio = median(c.CPU) / median(with.CPU)
	n := len(c.CPU)
	if n < fewRounds || n != len(with.CPU) {
		return
	}
	of := func(values []float64, rounds []int) float64 {
		drawn := make([]float64, len(rounds))
		for i, n := range rounds {
			drawn[i] = values[n]
		}
		return median(drawn)
	}
	c.Low, c.High = spread(n, func(rounds []int) float64 { return of(c.CPU, rounds) / of(with.CPU, rounds) })
}

func (r *report) cell(target, work string) *cell {
	for _, c := range r.Cells {
		if c.Target == target && c.Work == work {
			return c
		}
	}
	return nil
}

// slowest is the lowest rate that a target reached on a work, or 0.
func (r *report) slowest(work string) float64 {
	least := 0.0
	for _, c := range r.Cells {
		if rate := median(c.Rate); c.Work == work && (least == 0 || rate < least) {
			least = rate
		}
	}
	return least
}

func (r *report) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 8, 3, ' ', 0)
	say := func(format string, args ...any) { fmt.Fprintf(w, format, args...) } //nolint:errcheck // a tabwriter keeps it for Flush
	say("CPU µs per request of the whole process tree, and times nginx (median of %d rounds, %d connections, one core)\n", r.Rounds, r.Conns)
	r.grid(say, func(c *cell) string {
		if c.Target == "direct" {
			return "–"
		}
		return c.costs()
	})
	loop := "closed loop"
	if r.Rate > 0 {
		loop = fmt.Sprintf("%.0f a second, from the time they were due", r.Rate)
	}
	say("\nrequests per second, %s\n", loop)
	r.grid(say, func(c *cell) string { return fmt.Sprintf("%.0f", median(c.Rate)) })
	say("\nlatency µs, p50 / p99, %s\n", loop)
	r.grid(say, func(c *cell) string { return fmt.Sprintf("%.0f / %.0f", median(c.P50), median(c.P99)) })
	if len(r.Half) > 0 {
		say("\nsmall calls at half load (%.0f/s, from the time they were due), µs\n\tp50\tp99\n", r.HalfRate)
		for _, f := range r.Half {
			say("%s\t%.0f\t%.0f\n", f.Target, f.P50, f.P99)
		}
	}
	say("\nstart to first answer, ms\tidle memory, MiB\tof it no page of a file\n")
	for _, f := range r.Start {
		say("%s  %.0f\t%.1f\t%.1f\n", f.Target, f.FirstMS, f.IdleMiB, f.OwnMiB)
	}
	if len(r.Memory) > 0 {
		say("\npeak memory at %d connections, MiB\n", r.manyConns)
		for i, f := range r.Memory {
			if i == 0 || f.Target != r.Memory[i-1].Target {
				say("%s", f.Target)
			}
			say("\t%s %.1f", f.Work, f.PeakMiB)
			if i == len(r.Memory)-1 || f.Target != r.Memory[i+1].Target {
				say("\n")
			}
		}
	}
	for i, l := range r.Lost {
		if i == 0 {
			say("\nlines and spans that were lost\n")
		}
		say("%s\t%s %d\n", l.Target, l.Sink, l.Lost)
	}
	for _, n := range r.Notes {
		say("\nnote: %s\n", n)
	}
	w.Flush() //nolint:errcheck // nothing can be done about a closed stdout
}

// costs is what a request costs, and against what.
func (c *cell) costs() string {
	text := fmt.Sprintf("%.1f", median(c.CPU))
	if c.Ratio > 0 {
		text += fmt.Sprintf("  ×%.2f", c.Ratio)
	}
	if c.Low > 0 {
		text += fmt.Sprintf(" (%.2f–%.2f)", c.Low, c.High)
	}
	if c.Ratio > 0 && c.Against != "nginx" {
		text += " " + c.Against
	}
	return text
}

func (r *report) grid(say func(string, ...any), text func(*cell) string) {
	say("\t%s\n", strings.Join(r.Targets, "\t"))
	for i := range r.works {
		row := []string{r.works[i].name + " (" + r.works[i].what + ")"}
		for _, t := range r.Targets {
			if c := r.cell(t, r.works[i].name); c != nil {
				row = append(row, text(c))
			} else {
				row = append(row, "")
			}
		}
		say("%s\n", strings.Join(row, "\t"))
	}
}

// verdict is an error if answers were wrong, or, where goals count, if Sluice
// misses one.
func (r *report) verdict(goals bool) error {
	missed := slices.Clone(r.Faults)
	if goals {
		for i := range r.works {
			w := &r.works[i]
			if c := r.cell("sluice", w.name); c != nil && w.goal > 0 && c.Ratio > w.goal {
				missed = append(missed, fmt.Sprintf("%s costs %.2f times nginx, the goal is %.2f", w.name, c.Ratio, w.goal))
			}
			if c := r.cell("set", w.name); c != nil && c.Ratio > setGoal {
				missed = append(missed, fmt.Sprintf("%s costs %.3f times as much with all set up, the goal is %.2f", w.name, c.Ratio, setGoal))
			}
		}
		for _, f := range r.Memory {
			if f.Target == "sluice" && f.PeakMiB > memoryGoal {
				missed = append(missed, fmt.Sprintf("peak memory is %.0f MiB on %s, the goal is %d", f.PeakMiB, f.Work, memoryGoal))
			}
		}
	}
	if len(missed) > 0 {
		return errors.New(strings.Join(missed, "\n"))
	}
	return nil
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
