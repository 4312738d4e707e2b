package e2e

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// crowd is many callers of a gateway from one address. Their connections stay
// open, nothing is sent twice, and they cost little, so that tests can count
// tens of thousands of requests.
type crowd struct {
	g      *gateway
	size   int // how many ask at once
	client fasthttp.HostClient
}

func (g *gateway) crowd(from string, size int) *crowd {
	c := &crowd{g: g, size: size}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 20 * time.Second}
	c.client = fasthttp.HostClient{Addr: g.listen, MaxConns: size, MaxIdemponentCallAttempts: 1, MaxIdleConnDuration: time.Minute,
		ReadTimeout: 60 * time.Second, WriteTimeout: 60 * time.Second, NoDefaultUserAgentHeader: true,
		Dial: func(addr string) (net.Conn, error) { return dialer.Dial("tcp", addr) }}
	g.t.Cleanup(c.client.CloseIdleConnections)
	return c
}

// ask sends n requests for a path, each from the moment that one of the crowd is
// free. with, unless nil, adds to the request of a number; heard is told of its
// answer, by many at once.
func (c *crowd) ask(n int, path string, with func(i int, r *fasthttp.Request), heard func(i int, r *fasthttp.Response)) {
	c.g.t.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range c.size {
		wg.Go(func() {
			req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			defer fasthttp.ReleaseRequest(req)
			defer fasthttp.ReleaseResponse(res)
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				req.Reset()
				req.SetRequestURI("http://" + c.g.listen + path)
				if with != nil {
					with(i, req)
				}
				if err := c.client.Do(req, res); err != nil {
					c.g.t.Errorf("request %d of %s: %v", i, path, err)
					return
				}
				heard(i, res)
			}
		})
	}
	wg.Wait()
}

// tally counts what is told by many at once.
type tally[K comparable] struct {
	mu sync.Mutex
	of map[K]int
}

func (c *tally[K]) add(k K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[K]int{}
	}
	c.of[k]++
}

// answered sends n requests for a path and counts who answers; what is answered
// with another status than 200 fails.
func (c *crowd) answered(n int, path string) map[string]int {
	c.g.t.Helper()
	var by tally[string]
	c.ask(n, path, nil, func(i int, r *fasthttp.Response) {
		if r.StatusCode() != 200 {
			c.g.t.Errorf("request %d of %s: %d %s", i, path, r.StatusCode(), r.Body())
		}
		by.add(string(r.Header.Peek("X-Backend")))
	})
	return by.of
}

// counter is a backend that counts and says who it is. Requests whose path ends
// with /hold wait until it is told to let them go.
type counter struct {
	name, url string
	hits      atomic.Int64
	held      chan struct{} // gets one for each that waits
	release   chan struct{}
}

func startCounter(t *testing.T, name string) *counter {
	t.Helper()
	c := &counter{name: name, held: make(chan struct{}, 64), release: make(chan struct{})}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.url = "http://" + ln.Addr().String()
	server := &fasthttp.Server{Handler: c.serve}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ln) }()
	t.Cleanup(func() {
		_ = ln.Close()
		<-ended
	})
	return c
}

func (c *counter) serve(ctx *fasthttp.RequestCtx) {
	c.hits.Add(1)
	ctx.Response.Header.Set("X-Backend", c.name)
	path := ctx.Path()
	if len(path) >= 5 && string(path[len(path)-5:]) == "/hold" {
		c.held <- struct{}{}
		<-c.release
	}
	ctx.SetBodyString("whole")
}
