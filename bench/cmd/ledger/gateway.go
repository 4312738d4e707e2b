package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"sluice/bench/load"
	"sluice/bench/proc"
)

const (
	adminToken = "ledger-admin"
	callKey    = "sk-ledger-0123456789abcdef"
)

// gateway is the binary at work.
type gateway struct {
	cmd         *exec.Cmd
	data, admin string // host:port
	started     time.Duration
}

const configText = `server: {listen: "LISTEN", admin: "ADMIN"}
admin: {token: ledger-admin}
log: {level: warn, format: json}
store: "STORE"
teams:
  bench:
    budget: {usd: 1000000, per: month, hard: true}
    limits: {rpm: 100000000, tpm: 4000000000, parallel: 10000}
    keys: [{name: b, value: "KEY", budget: {usd: 500000, per: month, hard: true}, limits: {rpm: 100000000}}]
`

// start runs the gateway on the database; more stands at the end of its
// configuration.
func start(ctx context.Context, o *options, more string) (*gateway, error) {
	g := &gateway{}
	for _, addr := range []*string{&g.data, &g.admin} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		*addr = ln.Addr().String()
		ln.Close() //nolint:errcheck // it has served its purpose
	}
	path, err := filepath.Abs(o.binary)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return nil, err
	}
	conf := strings.NewReplacer("LISTEN", g.data, "ADMIN", g.admin, "STORE", o.store, "KEY", callKey).Replace(configText) + more
	file := filepath.Join(dir, "sluice.yaml")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	g.cmd = exec.Command(path, "serve", "-c", file, "--data", filepath.Join(dir, "data"))
	var said bytes.Buffer
	g.cmd.Stderr, g.cmd.Dir = &said, dir
	begin := time.Now()
	if err := g.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s (make build): %w", o.binary, err)
	}
	for time.Since(begin) < time.Minute && ctx.Err() == nil {
		if res, err := http.Get("http://" + g.data + "/readyz"); err == nil {
			res.Body.Close() //nolint:errcheck // only its status counts
			if res.StatusCode == http.StatusOK {
				g.started = time.Since(begin)
				return g, nil
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	g.stop()
	return nil, fmt.Errorf("the gateway did not start: %s", said.String())
}

// stop ends the process.
func (g *gateway) stop() {
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	ended := make(chan struct{})
	go func() { _ = g.cmd.Wait(); close(ended) }() // how it ends does not matter any more
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		_ = g.cmd.Process.Kill()
		<-ended
	}
}

// compareCalls tells the CPU time of a call, its record's way into the table
// included, with an empty table and with the full one, in turns.
func compareCalls(ctx context.Context, o *options) error {
	dir, err := os.MkdirTemp("", "sluice-ledger-empty-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	sums := map[string][]time.Duration{}
	empty := *o
	empty.dir, empty.store = dir, "sqlite:"+filepath.Join(dir, "data", "sluice.db")
	on := map[string]*options{"empty": &empty, "full": o}
	for range o.rounds {
		for _, name := range []string{"empty", "full"} {
			per, err := costOfCalls(ctx, on[name])
			if err != nil {
				return err
			}
			sums[name] = append(sums[name], per)
		}
	}
	fmt.Printf("CPU per call: %v with the empty table, %v with the full one\n", median(sums["empty"]), median(sums["full"]))
	return nil
}

// costOfCalls is what a call costs the process, to the last record written.
func costOfCalls(ctx context.Context, o *options) (time.Duration, error) {
	g, err := start(ctx, o, "")
	if err != nil {
		return 0, err
	}
	defer g.stop()
	work := &load.Work{Path: "/v1/chat/completions", Header: map[string]string{"Authorization": "Bearer " + callKey},
		Body:   []byte(`{"model":"mock/lorem-20","max_tokens":64,"messages":[{"role":"user","content":"` + strings.Repeat("some words. ", 13) + `"}]}`),
		Marker: []byte("assistant")}
	run := load.Run{Work: work, Addr: g.data, Conns: 16, Length: time.Second}
	load.Do(ctx, run) // warm
	settle(ctx, g)
	before, err := proc.CPU(g.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	run.Length = 4 * time.Second
	r := load.Do(ctx, run)
	if r.Err != nil {
		return 0, r.Err
	}
	settle(ctx, g)
	after, err := proc.CPU(g.cmd.Process.Pid)
	if err != nil || r.Requests == 0 {
		return 0, fmt.Errorf("no call was answered: %w", err)
	}
	return (after - before) / time.Duration(r.Requests), nil
}

// settle waits until every record is in the table: a list flushes the spool.
func settle(ctx context.Context, g *gateway) {
	_, _, _ = g.ask(ctx, "/admin/v1/requests?limit=1") // what it says does not matter
	time.Sleep(300 * time.Millisecond)
}

func median(of []time.Duration) time.Duration {
	if len(of) == 0 {
		return 0
	}
	slices.Sort(of)
	return of[len(of)/2].Round(100 * time.Nanosecond)
}
