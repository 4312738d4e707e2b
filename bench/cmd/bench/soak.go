package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"sluice/bench/load"
)

// soakWorks are driven together for as long as it takes, each by connections of
// its own.
var soakWorks = []string{"small", "large", "stream", "paced", "route", "translated", "prompt"}

// watched are the series whose course is told, with what one unit of the metric
// is in the table.
var watched = []struct {
	series, head string
	unit         float64
}{
	{"process_resident_memory_bytes", "resident MiB", 1 << 20},
	{"go_memstats_heap_inuse_bytes", "heap MiB", 1 << 20},
	{"go_goroutines", "goroutines", 1},
	{"process_open_fds", "open files", 1},
	{"sluice_connections", "callers", 1},
	{`sluice_upstream_connections{provider="up"}`, "upstream", 1},
	{`go_gc_duration_seconds{quantile="1"}`, "longest GC pause, ms", 1e-3},
}

// moment is what was watched at a time.
type moment struct {
	at     time.Duration // since the load began
	values []float64
}

// soak drives a mix of works at the gateway and prints what it takes of memory,
// goroutines and files, and how that grows.
func soak(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("bench soak", flag.ContinueOnError)
	minutes := fs.Float64("minutes", 5, "how long")
	warm := fs.Float64("warm", 1, "minutes at the begin that the slopes leave out: caches and pools fill")
	every := fs.Duration("every", 10*time.Second, "how often to look")
	rate := fs.Float64("rate", 280, "requests a second, of all works together")
	binary := fs.String("binary", "bin/sluice", "the gateway's binary")
	if err := parse(fs, args); err != nil {
		return err
	}
	if *minutes <= *warm || *warm < 0 || *every <= 0 || *rate <= 0 {
		return fmt.Errorf("%w: -minutes must be more than -warm, and -every and -rate positive", errUsage)
	}
	length := time.Duration(*minutes * float64(time.Minute))
	return withGateway(*binary, sluice, func(t *target) error {
		var driving sync.WaitGroup
		results := make([]*load.Result, len(soakWorks))
		for i, name := range soakWorks {
			driving.Go(func() {
				results[i] = load.Do(ctx, load.Run{Work: workNamed(name).request(t), Addr: t.addr, Conns: 48, Rate: *rate / float64(len(soakWorks)), Length: length})
			})
		}
		course, err := watch(ctx, t, length, *every)
		driving.Wait()
		if err != nil {
			return err
		}
		for i, r := range results {
			fmt.Printf("%s: %d right, %d wrong, p50 %v, p99 %v\n", soakWorks[i], r.Requests, r.Errors, r.Latency.Quantile(0.5), r.Latency.Quantile(0.99))
			if err == nil {
				err = r.Err
			}
		}
		printSlopes(os.Stdout, course, time.Duration(*warm*float64(time.Minute)))
		return err
	})
}

// withGateway runs f with a gateway that runs, and a fake provider behind it.
func withGateway(binary string, prepare func(*target, *env) (*exec.Cmd, error), f func(*target) error) error {
	e, end, err := newEnv(binary)
	if err != nil {
		return err
	}
	defer end()
	var notice string
	if e.pin, notice = pinSelf(); notice != "" {
		fmt.Println(notice)
	}
	t := &target{name: "sluice", ours: true, prepare: prepare}
	defer t.stop()
	if err := t.start(e, workNamed("small")); err != nil {
		return err
	}
	return f(t)
}

// watch reads the gateway's metrics until the time is over, and prints them.
func watch(ctx context.Context, t *target, length, every time.Duration) (course []moment, err error) {
	var head []string
	for _, w := range watched {
		head = append(head, w.head)
	}
	fmt.Println("| s | " + strings.Join(head, " | ") + " |\n|" + strings.Repeat(" --- |", len(head)+1))
	begin, next := time.Now(), time.NewTicker(every)
	defer next.Stop()
	for {
		text, err := metrics(t.admin)
		if err != nil {
			return course, err
		}
		m := moment{at: time.Since(begin)}
		row := fmt.Sprintf("| %.0f |", m.at.Seconds())
		for _, w := range watched {
			m.values = append(m.values, seriesOf(text, w.series)/w.unit)
			row += fmt.Sprintf(" %.4g |", m.values[len(m.values)-1])
		}
		fmt.Println(row)
		if course = append(course, m); time.Since(begin)+every > length {
			return course, nil
		}
		select {
		case <-next.C:
		case <-ctx.Done():
			return course, ctx.Err()
		}
	}
}

// seriesOf reads a value of Prometheus's text format; not a number: it is not there.
func seriesOf(text, series string) float64 {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			if v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64); err == nil {
				return v
			}
		}
	}
	return math.NaN()
}

// printSlopes tells how what was watched grew after the time in which caches and
// pools fill.
func printSlopes(out io.Writer, course []moment, warm time.Duration) {
	for i, w := range watched {
		var at, values []float64
		for _, m := range course {
			if m.at >= warm {
				at, values = append(at, m.at.Hours()), append(values, m.values[i])
			}
		}
		slope, spread := leastSquares(at, values)
		fmt.Fprintf(out, "%s: %+.3g an hour, ± %.2g (two standard errors, %d samples)\n", w.head, slope, 2*spread, len(at))
	}
}

// leastSquares is the slope of the line through points which is nearest to them,
// and its standard error.
func leastSquares(x, y []float64) (slope, spread float64) {
	n := float64(len(x))
	var meanX, meanY float64
	for i := range x {
		meanX, meanY = meanX+x[i]/n, meanY+y[i]/n
	}
	var xx, xy float64
	for i := range x {
		xx += (x[i] - meanX) * (x[i] - meanX)
		xy += (x[i] - meanX) * (y[i] - meanY)
	}
	slope = xy / xx
	var off float64
	for i := range x {
		d := y[i] - meanY - slope*(x[i]-meanX)
		off += d * d
	}
	return slope, math.Sqrt(off / (n - 2) / xx)
}
