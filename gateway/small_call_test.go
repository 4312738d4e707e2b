package gateway_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"sluice/billing"
	"sluice/router"
)

// keptConn is a connection that sends one request again and again.
type keptConn struct {
	net.Conn
	request []byte
	buf     []byte
}

// small is a call of about 400 bytes that the provider answers with 0.6 KB:
// bytes that pass through.
func (r *rig) small(t testing.TB, key, more string) *keptConn {
	return r.smallTo(t, "up/in-10_out-5", key, more)
}

// smallTo is small to a model.
func (r *rig) smallTo(t testing.TB, model, key, more string) *keptConn {
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	body := chat(model, strings.Repeat("a few words ", 20), more)
	return &keptConn{Conn: conn, buf: make([]byte, 64<<10), request: fmt.Appendf(nil,
		"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk-test-%s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", key, len(body), body)}
}

// do makes a call, and reads its answer to the last byte.
func (c *keptConn) do() error {
	if _, err := c.Write(c.request); err != nil {
		return err
	}
	n := 0
	for {
		m, err := c.Read(c.buf[n:])
		n += m
		got := c.buf[:n]
		head := bytes.Index(got, []byte("\r\n\r\n"))
		switch {
		case head > 0 && bytes.Contains(got[:head], []byte("chunked")) && bytes.HasSuffix(got, []byte("0\r\n\r\n")),
			head > 0 && len(got) == head+4+contentLength(got[:head]):
			if !bytes.HasPrefix(got, []byte("HTTP/1.1 200 ")) {
				return errors.New(string(got))
			}
			return nil
		case err != nil:
			return fmt.Errorf("%w after %q", err, got)
		case n == len(c.buf):
			return io.ErrShortBuffer
		}
	}
}

func contentLength(head []byte) int {
	_, rest, ok := bytes.Cut(head, []byte("Content-Length: "))
	if !ok {
		return -1
	}
	n := 0
	for _, b := range rest {
		if b < '0' || b > '9' {
			break
		}
		n = n*10 + int(b-'0')
	}
	return n
}

// BenchmarkCall is a whole small call within this process: client, gateway and
// the fake provider on loopback.
func BenchmarkCall(b *testing.B) {
	for _, c := range []struct{ name, key, more string }{{"whole", "k", ""}, {"budget", "rich", ""}, {"stream", "k", `,"stream":true`}} {
		b.Run(c.name, func(b *testing.B) {
			r := newRig(b, func(s *setup) {
				s.key("rich", func(k *billing.Key) {
					k.Budgets, k.Limits = hard(1000*billing.Dollar), billing.Limits{RPM: 1 << 30, TPM: 1 << 31}
				})
			})
			conn := r.small(b, c.key, c.more)
			defer conn.Close()
			b.ReportAllocs()
			for b.Loop() {
				if err := conn.do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// mostAllocs bounds what a small call allocates, in the gateway and, for both
// run in this process, in the fake provider, which takes the fewer of them.
// What it is spent on is in BenchmarkCall's profile.
const mostAllocs = 48

// A small call that is passed on stays within its budget of allocations.
func TestAllocationsOfASmallCall(t *testing.T) {
	newRig(t).small(t, "k", "").allocates(t, mostAllocs)
}

// One that may be hedged or resumed costs little more while all goes well.
func TestAllocationsOfAHedge(t *testing.T) {
	for name, c := range map[string]struct {
		hedge  router.Hedge
		resume bool
		most   float64
	}{
		"none":   {most: mostAllocs},
		"idle":   {router.Hedge{After: time.Hour, Budget: 1}, false, mostAllocs + 8},
		"resume": {router.Hedge{}, true, mostAllocs + 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(s *setup) {
				m := s.model("mine", "up/in-10_out-5")
				m.Route.Hedge, m.Resume = c.hedge, c.resume
			})
			r.smallTo(t, "mine", "k", "").allocates(t, c.most)
			r.smallTo(t, "mine", "k", `,"stream":true`).allocates(t, c.most+15)
		})
	}
}

// allocates holds the connection's call to a budget of allocations.
func (c *keptConn) allocates(t *testing.T, most float64) {
	if raceEnabled {
		t.Skip("the race detector allocates too")
	}
	defer c.Close()
	run := func() {
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 { // pools fill, connections open
		run()
	}
	if n := testing.AllocsPerRun(300, run); n > most {
		t.Errorf("%v allocations, the most is %v", n, most)
	} else {
		t.Logf("%v allocations", n)
	}
}
