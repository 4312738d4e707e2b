package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"sluice/bench/load"
)

// apartConf has a second provider that answers, and a third that never does.
const apartConf = `log: {format: json}
models:
  answers: other/small_in-20
  hangs: stuck/m
`

// hangFor is how long a call waits for the provider that hangs.
const hangFor = 2 * time.Second

// sides are what is called beside the work that is measured.
var sides = []struct{ model, head string }{{"", "alone"}, {"answers", "beside calls that are answered"}, {"hangs", "beside calls that hang"}}

// apart sends the same load to a provider that answers, again and again: alone,
// beside calls to another that answers too, and beside as many to one that hangs.
func apart(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("bench apart", flag.ContinueOnError)
	rounds := fs.Int("rounds", 15, "rounds; each measures all ways, in turn")
	seconds := fs.Float64("seconds", 3, "length of one measurement")
	rate := fs.Float64("rate", 800, "requests a second to the provider that answers, from the time they are due")
	stuck := fs.Int("stuck", 100, "calls at once that hang, each for two seconds")
	only := fs.String("only", "small,stream", "works to run")
	binary := fs.String("binary", "bin/sluice", "the gateway's binary")
	if err := parse(fs, args); err != nil {
		return err
	}
	chosen, unknown := pick(works, func(w *work) string { return w.name }, *only)
	if *rounds < 1 || *seconds <= 0 || *rate <= 0 || *stuck < 1 || len(unknown) > 0 {
		return fmt.Errorf("%w: -rounds, -seconds, -rate and -stuck must be positive, and no work is called %q", errUsage, unknown)
	}
	hole, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer hole.Close() //nolint:errcheck // nobody calls it any more
	go swallow(hole)
	prepare := func(t *target, e *env) (*exec.Cmd, error) {
		cmd, err := gateway(t, e, apartConf, plainModel)
		if err != nil {
			return nil, err
		}
		return cmd, addProviders(cmd, e.upstream, hole.Addr().String())
	}
	o := &options{seconds: *seconds, rate: *rate, conns: 32}
	return withGateway(*binary, prepare, func(t *target) error {
		cells := make([][]cell, len(chosen)) // of each work, one a side
		for i := range cells {
			cells[i] = make([]cell, len(sides))
		}
		for round := range *rounds {
			for n := range len(sides) * len(chosen) {
				i, side := n/len(sides), (n+round)%len(sides) // who is first changes
				progress("round %d of %d: %s %s", round+1, *rounds, chosen[i].name, sides[side].head)
				if err := sideBySide(ctx, t, o, beside{&chosen[i], sides[side].model, *stuck}, &cells[i][side]); err != nil {
					return err
				}
			}
		}
		progress("")
		printApart(os.Stdout, chosen, cells)
		return ctx.Err()
	})
}

// beside is a work that is measured, and the model that is called beside it, as
// often as keeps so many calls hanging where it hangs; none if it has no name.
type beside struct {
	work  *work
	model string
	stuck int
}

// sideBySide measures once while something is called beside it.
func sideBySide(ctx context.Context, t *target, o *options, b beside, into *cell) error {
	other, stop := context.WithCancel(ctx)
	defer stop()
	var under sync.WaitGroup
	if b.model != "" {
		under.Go(func() {
			load.Do(other, load.Run{Work: sideCall(b.model), Addr: t.addr, Conns: b.stuck + b.stuck/5,
				Rate: float64(b.stuck) / hangFor.Seconds(), Length: time.Hour})
		})
		time.Sleep(hangFor + hangFor/4) // from now on as many begin as end
	}
	s := o.once(ctx, t, b.work)
	stop()
	under.Wait() // those that hang are given up
	if s.err != nil || s.result.Err != nil {
		return fmt.Errorf("%s beside %q: %d of %d wrong: %w", b.work.name, b.model, s.result.Errors, s.result.Errors+s.result.Requests, errors.Join(s.result.Err, s.err))
	}
	into.CPU = append(into.CPU, micros(s.cpu)/float64(s.result.Requests))
	into.P50 = append(into.P50, micros(s.result.Latency.Quantile(0.5)))
	into.P99 = append(into.P99, micros(s.result.Latency.Quantile(0.99)))
	return nil
}

// sideCall is a call whose answer does not matter.
func sideCall(model string) *load.Work {
	return &load.Work{Name: model, Path: "/v1/chat/completions", Header: header,
		Body: []byte(`{"model":"` + model + `","messages":[{"role":"user","content":"hello"}],"max_tokens":10}`)}
}

// swallow accepts connections, reads what comes and says nothing.
func swallow(ln net.Listener) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(io.Discard, conn) // until the other side has enough
			_ = conn.Close()
		}()
	}
}

// addProviders puts the two further providers into the configuration that a
// command names.
func addProviders(cmd *exec.Cmd, answers, hangs string) error {
	file := cmd.Args[3] // sluice serve -c FILE
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	const line = "\n  %s: {kind: openai-compatible, base_url: \"http://%s/v1\", keys: [x], prices: {\"*\": {input: 1, output: 2}}, timeout: {first_byte: %v}}"
	more := fmt.Sprintf(line, "other", answers, hangFor) + fmt.Sprintf(line, "stuck", hangs, hangFor)
	return os.WriteFile(file, bytes.Replace(text, []byte("\nteams:\n"), []byte(more+"\nteams:\n"), 1), 0o600)
}

// printApart prints medians, and the median of each round's ratio between calls
// beside those that hang and beside those that are answered.
func printApart(out io.Writer, chosen []work, cells [][]cell) {
	figures := []struct {
		name string
		of   func(c *cell) []float64
	}{{"p50, µs", func(c *cell) []float64 { return c.P50 }}, {"p99, µs", func(c *cell) []float64 { return c.P99 }},
		{"CPU µs a call", func(c *cell) []float64 { return c.CPU }}}
	fmt.Fprint(out, "| work | |")
	for _, s := range sides {
		fmt.Fprintf(out, " %s |", s.head)
	}
	fmt.Fprint(out, " the last two |\n|"+strings.Repeat(" --- |", len(sides)+3)+"\n")
	for i := range chosen {
		for _, f := range figures {
			fmt.Fprintf(out, "| %s | %s |", chosen[i].name, f.name)
			for n := range sides {
				fmt.Fprintf(out, " %.0f |", median(f.of(&cells[i][n])))
			}
			answered, hanging := f.of(&cells[i][1]), f.of(&cells[i][2])
			ratios := make([]float64, len(answered))
			for n := range ratios {
				ratios[n] = hanging[n] / answered[n]
			}
			fmt.Fprintf(out, " ×%.3f |\n", median(ratios))
		}
	}
}
