package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
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
var sides = [3]struct{ model, head string }{{"", "alone"}, {"answers", "beside calls that are answered"}, {"hangs", "beside calls that hang"}}

// side is what was measured of one way, a round each.
type side struct {
	cpu  []float64 // µs a request
	took []*load.Hist
}

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
		seen := make([][3]side, len(chosen)) // of each work
		for round := range *rounds {
			for n := range len(sides) * len(chosen) {
				i, at := n/len(sides), (n+round)%len(sides) // who is first changes
				progress("round %d of %d: %s %s", round+1, *rounds, chosen[i].name, sides[at].head)
				if err := sideBySide(ctx, t, o, beside{&chosen[i], sides[at].model, *stuck}, &seen[i][at]); err != nil {
					return err
				}
			}
		}
		progress("")
		printApart(os.Stdout, chosen, seen)
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
func sideBySide(ctx context.Context, t *target, o *options, b beside, into *side) error {
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
	into.cpu = append(into.cpu, micros(s.cpu)/float64(s.result.Requests))
	into.took = append(into.took, &s.result.Latency)
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

// printApart prints quantiles of all calls of all rounds, and the ratio of those
// beside calls that hang to those beside calls that are answered, and to those
// alone, each with the middle 95 of a hundred of what other draws of the rounds
// would have given (the bootstrap of Efron, 1979).
func printApart(out io.Writer, chosen []work, seen [][3]side) {
	fmt.Fprint(out, "| work | |")
	for _, s := range sides {
		fmt.Fprintf(out, " %s |", s.head)
	}
	fmt.Fprint(out, " hang / answered | hang / alone |\n|"+strings.Repeat(" --- |", len(sides)+4)+"\n")
	for i := range chosen {
		alone, answered, hang := &seen[i][0], &seen[i][1], &seen[i][2]
		every := make([]int, len(hang.took))
		for n := range every {
			every[n] = n
		}
		for _, q := range []struct {
			name string
			at   float64
		}{{"p50, µs", 0.5}, {"p99, µs", 0.99}} {
			fmt.Fprintf(out, "| %s | %s |", chosen[i].name, q.name)
			for n := range sides {
				fmt.Fprintf(out, " %.0f |", seen[i][n].quantile(every, q.at))
			}
			for _, against := range []*side{answered, alone} {
				low, high := spread(len(every), func(rounds []int) float64 { return hang.quantile(rounds, q.at) / against.quantile(rounds, q.at) })
				fmt.Fprintf(out, " ×%.2f (%.2f to %.2f) |", hang.quantile(every, q.at)/against.quantile(every, q.at), low, high)
			}
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "| %s | CPU µs a call | %.0f | %.0f | %.0f | | |\n", chosen[i].name, median(alone.cpu), median(answered.cpu), median(hang.cpu))
	}
}

// quantile is one of all calls of some rounds, in microseconds.
func (s *side) quantile(rounds []int, q float64) float64 {
	var all load.Hist
	for _, n := range rounds {
		all.Merge(s.took[n])
	}
	return micros(all.Quantile(q))
}

// spread is what the middle 95 of a hundred draws of n rounds out of n lie between.
func spread(n int, of func(rounds []int) float64) (low, high float64) {
	r := rand.New(rand.NewPCG(1, 2))
	drawn, values := make([]int, n), make([]float64, 1000)
	for i := range values {
		for j := range drawn {
			drawn[j] = r.IntN(n)
		}
		values[i] = of(drawn)
	}
	slices.Sort(values)
	return values[25], values[974]
}
