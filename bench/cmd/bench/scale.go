package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"sluice/bench/freeport"
	"sluice/bench/load"
)

// replicas is how many are compared with one.
const replicas = 3

// scaleGoal is the least that replicas together should do of what one does.
const scaleGoal = 2.6

// scaleConf is a replica that shares what it can: the limits and the hard budgets of
// the team and of the key are those of all.
const scaleConf = "shared: redis://REDIS/0\nlog: {format: json}\nmodels:\n"

// scaleOptions are the flags of "bench scale".
type scaleOptions struct {
	sluice  string
	share   float64
	seconds float64
	rounds  int
	conns   int
}

func readScale(args []string) (o scaleOptions, err error) {
	fs := flag.NewFlagSet("bench scale", flag.ContinueOnError)
	fs.StringVar(&o.sluice, "binary", "bin/sluice", "the gateway")
	fs.Float64Var(&o.share, "share", 0.15, "of a core, for each replica")
	fs.Float64Var(&o.seconds, "seconds", 5, "of each measurement")
	fs.IntVar(&o.rounds, "rounds", 5, "each of one replica, then of all")
	fs.IntVar(&o.conns, "conns", 16, "connections to each replica")
	if err := parse(fs, args); err != nil {
		return o, err
	}
	if o.share < 0.05 || o.share > 1 || o.seconds <= 0 || o.rounds < 1 || o.conns < 1 {
		return o, fmt.Errorf("%w: -share %v (want 0.05 to 1), -seconds %v, -rounds %d, -conns %d", errUsage, o.share, o.seconds, o.rounds, o.conns)
	}
	return o, nil
}

// scale compares what three replicas do together with what one does, each held to
// the same share of a core, and counts what that costs Redis.
func scale(ctx context.Context, args []string) error {
	o, err := readScale(args)
	if err != nil {
		return err
	}
	e, end, err := newEnv(o.sluice)
	if err != nil {
		return err
	}
	defer end()
	r, err := startRedis(e.dir)
	if err != nil {
		return err
	}
	defer r.stop()
	w := workNamed("small")
	var running []*target
	var held []*cgroup
	defer func() {
		for _, t := range running {
			t.stop()
		}
		for _, g := range held {
			g.remove()
		}
	}()
	for n := range replicas {
		t := &target{name: "replica-" + strconv.Itoa(n+1), ours: true, prepare: func(t *target, e *env) (*exec.Cmd, error) {
			return gateway(t, e, strings.Replace(scaleConf, "REDIS", r.addr, 1), plainModel)
		}}
		own := filepath.Join(e.dir, t.name) // its own ledger
		if err := os.Mkdir(own, 0o700); err != nil {
			return err
		}
		g, err := newCgroup("sluice-scale-"+strconv.Itoa(os.Getpid())+"-"+strconv.Itoa(n+1), o.share)
		if err != nil {
			return err
		}
		held, running = append(held, g), append(running, t)
		if err := t.start(&env{dir: own, upstream: e.upstream, sluice: o.sluice}, w); err != nil {
			return err
		}
		if err := g.hold(t.cmd.Process.Pid); err != nil {
			return fmt.Errorf("cannot hold a replica to its share: %w", err)
		}
	}
	return o.measure(ctx, running, w, r)
}

// measure prints a line for each round, and the medians.
func (o *scaleOptions) measure(ctx context.Context, running []*target, w *work, r *redis) error {
	fmt.Printf("each replica has %.0f %% of a core\n\n| round | 1 replica/s | %d replicas/s | ratio | scripts/request | commands/request |\n| --- | --- | --- | --- | --- | --- |\n", 100*o.share, replicas)
	var ratios, scripts, commands []float64
	for round := range o.rounds + 1 {
		one := o.drive(ctx, running[:1], w)
		before, inside, err := r.counts()
		if err != nil {
			return err
		}
		all := o.drive(ctx, running, w)
		after, insideAfter, err := r.counts()
		if err != nil {
			return err
		}
		if err := errors.Join(ctx.Err(), one.Err, all.Err); err != nil {
			return err
		}
		if round == 0 {
			continue // to warm up
		}
		ratios = append(ratios, all.Rate()/one.Rate())
		scripts = append(scripts, float64(after-before)/float64(all.Requests))
		commands = append(commands, float64(insideAfter-inside)/float64(all.Requests))
		fmt.Printf("| %d | %.0f | %.0f | %.2f | %.3f | %.3f |\n", round, one.Rate(), all.Rate(), ratios[round-1], scripts[round-1], commands[round-1])
	}
	fmt.Printf("\nmedian: %.2f times what one replica does (goal: %.1f); Redis is asked %.3f times a request (goal: at most 1), by scripts that carry out %.3f commands\n",
		median(ratios), scaleGoal, median(scripts), median(commands))
	return nil
}

// drive keeps replicas busy at the same time.
func (o *scaleOptions) drive(ctx context.Context, to []*target, w *work) *load.Result {
	results := make([]*load.Result, len(to))
	var all sync.WaitGroup
	for i, t := range to {
		all.Go(func() {
			results[i] = load.Do(ctx, load.Run{Work: w.request(t), Addr: t.addr, Conns: o.conns, Length: time.Duration(o.seconds * float64(time.Second))})
		})
	}
	all.Wait()
	sum := &load.Result{}
	for _, r := range results {
		sum.Requests += r.Requests
		sum.Err = errors.Join(sum.Err, r.Err)
		sum.Elapsed = max(sum.Elapsed, r.Elapsed)
	}
	return sum
}

// redis is a Redis of the comparison's own, which keeps nothing on disk.
type redis struct {
	addr string
	cmd  *exec.Cmd
}

func startRedis(dir string) (*redis, error) {
	addr, err := freeport.Addr()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(addr)
	r := &redis{addr, exec.Command("redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", dir)}
	if err := r.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start redis-server: %w", err)
	}
	for range 500 {
		if _, err = r.info("server"); err == nil {
			return r, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.stop()
	return nil, fmt.Errorf("cannot start redis-server: %w", err)
}

func (r *redis) stop() {
	_ = r.cmd.Process.Kill() // it has nothing to lose
	_ = r.cmd.Wait()
}

// info is what Redis tells of a section.
func (r *redis) info(section string) (string, error) {
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		return "", err
	}
	defer c.Close() //nolint:errcheck // it was read to its end
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(c, "INFO "+section+"\r\nQUIT\r\n"); err != nil {
		return "", err
	}
	b, err := io.ReadAll(c)
	return string(b), err
}

var (
	scriptCalls = regexp.MustCompile(`cmdstat_eval(?:sha)?:calls=(\d+)`)
	allCalls    = regexp.MustCompile(`cmdstat_[^:]+:calls=(\d+)`)
)

// counts tells how many scripts were run, and how many commands of any kind were
// carried out, inside of scripts too.
func (r *redis) counts() (scripts, commands int64, err error) {
	text, err := r.info("commandstats")
	if err != nil {
		return 0, 0, err
	}
	return sumOf(scriptCalls, text), sumOf(allCalls, text), nil
}

func sumOf(pattern *regexp.Regexp, text string) (sum int64) {
	for _, m := range pattern.FindAllStringSubmatch(text, -1) {
		n, _ := strconv.ParseInt(m[1], 10, 64)
		sum += n
	}
	return sum
}
