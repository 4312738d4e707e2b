package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// balancer passes connections on to nodes in turn, as a load balancer of layer 4
// does. A node that takes none is passed over from then on.
type balancer struct {
	addr  string
	nodes []string
	next  atomic.Int64
	out   []atomic.Bool
	mu    sync.Mutex
	leads map[string]int // node by the caller's end of a connection
	cut   map[string]time.Time
}

func startBalancer(t *testing.T, nodes ...*gateway) *balancer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{addr: ln.Addr().String(), out: make([]atomic.Bool, len(nodes)), leads: map[string]int{}, cut: map[string]time.Time{}}
	for _, g := range nodes {
		b.nodes = append(b.nodes, g.listen)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go b.pass(c)
		}
	}()
	return b
}

func (b *balancer) pass(c net.Conn) {
	defer c.Close()
	caller := c.RemoteAddr().String()
	for range 2 * len(b.nodes) {
		n := int(b.next.Add(1)) % len(b.nodes)
		if b.out[n].Load() {
			continue
		}
		to, err := net.Dial("tcp", b.nodes[n])
		if err != nil {
			b.out[n].Store(true)
			continue
		}
		defer to.Close()
		b.mu.Lock()
		b.leads[caller] = n
		b.mu.Unlock()
		go func() {
			_, _ = io.Copy(to, c) // either end may be gone
			to.Close()
		}()
		_, _ = io.Copy(c, to)
		c.Close() // whoever begins a request from here on sees it
		b.mu.Lock()
		b.cut[caller] = time.Now()
		b.mu.Unlock()
		return
	}
}

// of tells to which node a connection led, and when it was cut.
func (b *balancer) of(caller string) (node int, cut time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.leads[caller], b.cut[caller]
}

// line is one caller's connection, which makes one request at a time and no second
// try of any.
type line struct {
	to string
	c  net.Conn
	in *bufio.Reader
}

// over tells whether the other side has closed the connection.
func (l *line) over() bool {
	raw, err := l.c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return true
	}
	gone := false
	err = raw.Control(func(fd uintptr) {
		n, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		gone = n == 0 && err == nil || err != nil && err != syscall.EAGAIN && err != syscall.EINTR
	})
	return gone || err != nil
}

// ask makes a request, and tells when it began and by which connection.
func (l *line) ask(path string) (status int, began time.Time, by string, err error) {
	if l.c != nil {
		if began = time.Now(); l.over() { // a pooled connection is looked at before its use
			l.c.Close()
			l.c = nil
		}
	}
	if l.c == nil {
		began = time.Now()
		if l.c, err = net.Dial("tcp", l.to); err != nil {
			return 0, began, "", err
		}
		l.in = bufio.NewReader(l.c)
	}
	by = l.c.LocalAddr().String()
	defer func() {
		if err != nil {
			l.c.Close()
			l.c = nil
		}
	}()
	_ = l.c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err = io.WriteString(l.c, "GET "+path+" HTTP/1.1\r\nHost: cluster.test\r\n\r\n"); err != nil {
		return 0, began, by, err
	}
	r, err := http.ReadResponse(l.in, nil)
	if err != nil {
		return 0, began, by, err
	}
	_, err = io.Copy(io.Discard, r.Body)
	return r.StatusCode, began, by, err
}

// broken is a request that came to nothing.
type broken struct {
	began time.Time
	by    string
	err   error
}

// throng is what many callers have had.
type throng struct {
	n       atomic.Int64
	mu      sync.Mutex
	by      map[string]int // by path and status
	broken  []broken
	callers sync.WaitGroup
}

// startThrong begins requests by that many callers, each no oftener than every so
// often, until there were so many. Every tenth is for a route with a limit, every
// fifth for one whose backend takes its time.
func startThrong(b *balancer, callers, requests int, every time.Duration) *throng {
	g := &throng{by: map[string]int{}}
	for range callers {
		g.callers.Go(func() {
			l := &line{to: b.addr}
			defer func() {
				if l.c != nil {
					l.c.Close()
				}
			}()
			for due := time.Now(); ; due = due.Add(every) {
				n := g.n.Add(1)
				if n > int64(requests) {
					return
				}
				time.Sleep(time.Until(due))
				if now := time.Now(); due.Before(now) {
					due = now
				}
				path := "/open/x"
				switch {
				case n%10 == 0:
					path = "/limited/x"
				case n%5 == 1: // some are under way at any time
					path = "/slow/x"
				}
				status, began, by, err := l.ask(path)
				g.mu.Lock()
				if err != nil {
					g.broken = append(g.broken, broken{began, by, err})
				} else {
					g.by[fmt.Sprint(path, " ", status)]++
				}
				g.mu.Unlock()
			}
		})
	}
	return g
}

// Three replicas behind a balancer of layer 4, of which one is killed in the middle
// of a load: of what was under way there at most one request a connection is lost,
// nothing else is, and what the limit lets pass in all is what one replica would.
func TestClusterNodeKilled(t *testing.T) {
	callers, rate, requests := 96, 500, 3000
	if os.Getenv("SLUICE_E2E_FULL") != "" {
		rate = setting(t, "SLUICE_E2E_RATE", 5000)
		requests = 8 * rate
	}
	limit := requests / 20 // half of those that ask
	r := startRedis(t)
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(20 * time.Millisecond) }))
	t.Cleanup(slow.Close)
	rest := "shared: redis://" + r.addr + "/2\n" + providers + `routes:
  - {name: slow, match: {path: "/slow/**"}, backend: {http: {targets: ["` + slow.URL + `"]}}}
  - {name: open, match: {path: "/open/**"}, backend: {static: {body: ok}}}
  - {name: limited, match: {path: "/limited/**"}, limits: {rate: ` + fmt.Sprint(limit) + `/10m, per: route}, backend: {static: {body: ok}}}
`
	all := []*gateway{start(t, rest), start(t, rest), start(t, rest)}
	sharing(t, all...)
	b := startBalancer(t, all...)
	began := time.Now()
	g := startThrong(b, callers, requests, time.Duration(callers)*time.Second/time.Duration(rate))
	if !eventually(60*time.Second, func() bool { return g.n.Load() > int64(requests)/2 }) {
		t.Fatalf("only %d requests", g.n.Load())
	}
	all[1].kill()
	g.callers.Wait()
	took := time.Since(began)

	conns := map[string]int{}
	for _, x := range g.broken {
		node, cut := b.of(x.by)
		if node != 1 || cut.IsZero() || x.began.After(cut) {
			t.Errorf("a request of node %d that was not under way when it was killed: %v", node, x.err)
		}
		if conns[x.by]++; conns[x.by] > 1 {
			t.Errorf("a connection has lost %d requests", conns[x.by])
		}
	}
	under := 0
	b.mu.Lock()
	for caller, node := range b.leads {
		if cut := b.cut[caller]; node == 1 && !cut.IsZero() {
			under++
		}
	}
	b.mu.Unlock()
	if len(g.broken) > under {
		t.Errorf("%d requests are lost, of %d connections", len(g.broken), under)
	}
	passed, refused, open := g.by["/limited/x 200"], g.by["/limited/x 429"], g.by["/open/x 200"]+g.by["/slow/x 200"]
	t.Logf("%d requests, %.0f a second: %d lost of %d connections to the node that was killed; of %d for a limit of %d, %d passed", requests,
		float64(requests)/took.Seconds(), len(g.broken), under, passed+refused, limit, passed)
	if passed+refused+open+len(g.broken) != requests {
		t.Errorf("what became of the requests: %v, and %d are lost", g.by, len(g.broken))
	}
	living := []*gateway{all[0], all[2]}
	if n := alone(living); passed > limit && n == 0 || passed > limit*len(all) {
		t.Errorf("%d have passed, the limit is %d", passed, limit)
	}
	if want := min(limit, passed+refused); passed < want*9/10 { // a replica's permits are gone with it
		late(t, living, "only %d have passed", passed)
	}
	if !strings.Contains(all[0].stderr.String(), "replicas share limits") {
		t.Error("they share nothing")
	}
}
