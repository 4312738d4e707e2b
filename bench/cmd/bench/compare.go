package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"sluice/bench/load"
	"sluice/bench/proc"
)

// options of the comparison.
type options struct {
	rounds, conns, manyConns int
	seconds, rate            float64
	only, targets, sluice    string
	json, check              bool
}

func readOptions(args []string) (o options, err error) {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.IntVar(&o.rounds, "rounds", 3, "interleaved rounds; figures are medians")
	fs.Float64Var(&o.seconds, "seconds", 1.5, "length of one measurement")
	fs.Float64Var(&o.rate, "rate", 0, "requests a second, from the time they are due; 0: as many as go")
	fs.IntVar(&o.conns, "conns", 32, "connections")
	fs.IntVar(&o.manyConns, "many", 256, "connections for the memory figures")
	fs.StringVar(&o.only, "only", "", "works to run: small,large,stream,each,paced,route,translated,prompt")
	fs.StringVar(&o.targets, "targets", "direct,nginx,fasthttp,sluice,set",
		"targets to run; set is sluice with more set up, told one that tells sinks and a collector of calls, stalled the same where they take nothing")
	fs.StringVar(&o.sluice, "binary", "bin/sluice", "the gateway's binary")
	fs.BoolVar(&o.json, "json", false, "print JSON")
	fs.BoolVar(&o.check, "check", false, "fail if a goal is missed")
	if err = parse(fs, args); err == nil && (o.rounds < 1 || o.conns < 1 || o.seconds <= 0 || o.rate < 0) {
		err = fmt.Errorf("%w: -rounds, -conns and -seconds must be positive, and -rate not negative", errUsage)
	}
	return o, err
}

// length of one measurement.
func (o *options) length() time.Duration { return time.Duration(o.seconds * float64(time.Second)) }

// compare starts every target and measures them in turn.
func compare(ctx context.Context, args []string) error {
	o, err := readOptions(args)
	if err != nil {
		return err
	}
	chosen, unknown := pick(works, func(w *work) string { return w.name }, o.only)
	servers, unknownServers := pick(targets(), func(t *target) string { return t.name }, o.targets)
	if unknown = append(unknown, unknownServers...); len(unknown) > 0 {
		return fmt.Errorf("%w: no work or target is called %q", errUsage, unknown)
	}
	e, end, err := newEnv(o.sluice)
	if err != nil {
		return err
	}
	defer end()
	rep := newReport(&o, chosen)
	var notice string
	if e.pin, notice = pinSelf(); notice != "" {
		rep.note("%s", notice)
	}
	running, err := startAll(servers, e, rep)
	defer func() {
		for _, t := range running {
			t.stop()
		}
	}()
	if err != nil {
		return err
	}
	measure(ctx, &o, chosen, running, rep)
	for _, t := range running {
		rep.losses(t)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if o.json {
		if err := json.NewEncoder(os.Stdout).Encode(rep); err != nil {
			return err
		}
	} else {
		rep.print(os.Stdout)
	}
	return rep.verdict(o.check)
}

func startAll(servers []target, e *env, rep *report) (running []*target, err error) {
	for i := range servers {
		t := &servers[i]
		err := t.start(e, workNamed("small"))
		var skip errSkip
		if errors.As(err, &skip) {
			rep.note("%s left out: %s", t.name, skip)
			continue
		}
		running = append(running, t)
		if err != nil {
			return running, err
		}
		rep.Targets = append(rep.Targets, t.name)
	}
	time.Sleep(time.Second) // what is resident a second after the start is called idle
	for _, t := range running {
		if t.cmd == nil {
			continue
		}
		idle, err := proc.Memory(t.cmd.Process.Pid)
		if err != nil {
			return running, err
		}
		rep.Start = append(rep.Start, startFigure{t.name, t.started.Seconds() * 1e3, mib(idle.Resident), mib(idle.Own)})
	}
	return running, nil
}

// measure goes round all works and targets, each second time backwards, lest
// what comes first is always the colder, then through half load and memory.
func measure(ctx context.Context, o *options, chosen []work, running []*target, rep *report) {
	for round := range o.rounds {
		for i := range chosen {
			for k := range running {
				if round%2 == 1 {
					k = len(running) - 1 - k
				}
				t := running[k]
				direct := t.cmd == nil // it tells rates alone: once is enough
				if ctx.Err() != nil || chosen[i].ours() && !t.ours || direct && round > 0 {
					continue
				}
				progress("round %d of %d: %s through %s", round+1, o.rounds, chosen[i].name, t.name)
				rep.add(t, &chosen[i], o.once(ctx, t, &chosen[i]))
			}
		}
	}
	rep.compare()
	if o.only == "" {
		halfLoad(ctx, o, running, rep)
		memoryAtMany(ctx, o, running, rep)
	}
	progress("")
}

// sample is one measurement.
type sample struct {
	result *load.Result
	cpu    time.Duration // of the whole tree; 0: direct
	err    error
}

func (o *options) once(ctx context.Context, t *target, w *work) sample {
	run := load.Run{Work: w.request(t), Addr: t.addr, Conns: o.conns, Rate: o.rate, Length: o.length() / 8}
	load.Do(ctx, run) // warm
	before, err := t.cpu()
	if err != nil {
		return sample{result: &load.Result{}, err: err}
	}
	run.Length = o.length()
	r := load.Do(ctx, run)
	time.Sleep(200 * time.Millisecond) // what is written later belongs to these calls too
	after, err := t.cpu()
	return sample{r, after - before, err}
}

func (t *target) cpu() (time.Duration, error) {
	if t.cmd == nil {
		return 0, nil
	}
	return proc.CPU(t.cmd.Process.Pid)
}

// halfLoad sends small calls at half the rate that the slowest target bears.
func halfLoad(ctx context.Context, o *options, running []*target, rep *report) {
	rate := rep.slowest("small") / 2
	if rate == 0 {
		return
	}
	rep.HalfRate = rate
	for _, t := range running {
		progress("half load through %s", t.name)
		r := load.Do(ctx, load.Run{Work: workNamed("small").request(t), Addr: t.addr, Conns: o.conns, Rate: rate, Length: o.length()})
		rep.fault(t.name, "half load", r.Err)
		rep.Half = append(rep.Half, latencyFigure{t.name, micros(r.Latency.Quantile(0.5)), micros(r.Latency.Quantile(0.99))})
	}
}

// memoryAtMany tells the peak with many connections: of calls, large ones, and
// open streams.
func memoryAtMany(ctx context.Context, o *options, running []*target, rep *report) {
	for _, t := range running {
		if t.cmd == nil {
			continue
		}
		for _, name := range []string{"small", "stream", "paced", "large"} {
			progress("%s over %d connections through %s", name, o.manyConns, t.name)
			if err := proc.ResetPeak(t.cmd.Process.Pid); err != nil {
				rep.note("peak memory of %s is that since its start: %v", t.name, err)
			}
			r := load.Do(ctx, load.Run{Work: workNamed(name).request(t), Addr: t.addr, Conns: o.manyConns, Length: o.length()})
			m, err := proc.Memory(t.cmd.Process.Pid)
			rep.fault(t.name, name, errors.Join(r.Err, err))
			rep.Memory = append(rep.Memory, memoryFigure{t.name, name, mib(m.Peak)})
		}
	}
}

// progress overwrites one line of a terminal's stderr.
func progress(format string, args ...any) {
	if info, err := os.Stderr.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return
	}
	fmt.Fprintf(os.Stderr, "\r\x1b[K"+format, args...)
}
