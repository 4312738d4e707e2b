package e2e

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Reloads by signal, by a changed file and by the API, under load: no call
// fails, every change comes into force, and a faulty file is refused whole.
func TestReload(t *testing.T) {
	g := start(t, providers+team)
	var calls atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := g.whole(fmt.Sprintf("reload-%d-%d", i, calls.Add(1))); err != nil {
					t.Errorf("a call failed during a reload: %v", err)
					return
				}
			}
		})
	}
	for round := range 15 {
		name := fmt.Sprintf("name-%d", round)
		g.configure(head + providers + team + "models: {" + name + ": up/small}\n")
		switch round % 3 {
		case 0:
			g.signal(syscall.SIGHUP)
		case 1: // the changed file is enough
		case 2:
			if a := g.api("POST", "reload", ""); a.status >= 300 {
				t.Errorf("reload: %d %s", a.status, a.body)
			}
		}
		if !eventually(5*time.Second, func() bool { return g.chat(chatBody(name, "hi", "")).status == 200 }) {
			t.Fatalf("change %d does not come into force", round)
		}
		if round > 0 && g.chat(chatBody(fmt.Sprintf("name-%d", round-1), "hi", "")).status != 404 {
			t.Errorf("the name before change %d is still there", round)
		}
	}
	close(stop)
	wg.Wait()
	g.refuseFaulty()
	t.Logf("%d calls during 15 reloads", calls.Load())
}

func (g *gateway) refuseFaulty() {
	t := g.t
	t.Helper()
	g.configure(head + providers + team + "models: {other: up/small, broken: nowhere/x}\nnonsense: 1\n")
	g.signal(syscall.SIGHUP)
	if a := g.api("POST", "reload", ""); a.status < 400 || !strings.Contains(a.body, "nonsense") {
		t.Errorf("a faulty file is taken: %d %s", a.status, a.body)
	}
	if a := g.chat(chatBody("other", "hi", "")); a.status != 404 {
		t.Errorf("part of a faulty file is in force: %d %s", a.status, a.body)
	}
	if a := g.chat(chatBody("name-14", "hi", "")); a.status != 200 {
		t.Errorf("the old configuration does not serve on: %d %s", a.status, a.body)
	}
	if !eventually(2*time.Second, func() bool { return strings.Contains(g.stderr.String(), "nonsense") }) {
		t.Error("the log does not name the fault")
	}
}

// SIGTERM lets open streams end and new connections not begin; exit code 0.
func TestDrain(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			g := start(t, providers+team)
			var wg sync.WaitGroup
			opened := make(chan struct{}, 10)
			for i := range 10 {
				wg.Go(func() {
					s, err := g.stream(chatBody("up/echo_chunks-60_pace-20", "to the end", `,"stream":true`))
					opened <- struct{}{}
					if err != nil {
						t.Errorf("stream %d: %v", i, err)
						return
					}
					defer s.close()
					if text, done, err := s.rest(); err != nil || !done || text != strings.Repeat("to the end ", 60) {
						t.Errorf("stream %d is cut by the drain: %v, %v, %d bytes", i, done, err, len(text))
					}
				})
			}
			for range 10 {
				<-opened
			}
			g.signal(sig)
			if !eventually(time.Second, func() bool {
				_, err := g.send("GET", "http://"+g.listen+"/healthz", "", "Connection", "close")
				return err != nil
			}) {
				t.Error("new connections are taken during the drain")
			}
			wg.Wait()
			if code := g.exitCode(10 * time.Second); code != 0 {
				t.Errorf("exit code %d", code)
			}
			g.start()
			g.waitCalls(10)
		})
	}
}

// A drain has an end: what still runs after server.drain is cut, exit code 0.
func TestDrainEnds(t *testing.T) {
	g := newGateway(t, "")
	g.configure(strings.Replace(head, "drain: 10s", "drain: 300ms", 1) + providers + team)
	g.start()
	s, err := g.stream(chatBody("up/hang-1", "hi", `,"stream":true`))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	g.signal(syscall.SIGTERM)
	if code := g.exitCode(5 * time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if _, done, err := s.rest(); done || err == nil {
		t.Errorf("a cut stream ends cleanly: %v, %v", done, err)
	}
}
