package load

import (
	"context"
	"sync"
	"time"
)

// Result of a run.
type Result struct {
	Requests int64 // answered rightly
	Errors   int64
	Err      error // the first error
	Elapsed  time.Duration
	Latency  Hist
}

// Rate is the right answers per second.
func (r *Result) Rate() float64 { return float64(r.Requests) / r.Elapsed.Seconds() }

func (r *Result) add(d time.Duration, err error) {
	if err != nil {
		r.Errors++
		if r.Err == nil {
			r.Err = err
		}
		return
	}
	r.Requests++
	r.Latency.Add(d)
}

func (r *Result) merge(o *Result) {
	r.Requests += o.Requests
	r.Errors += o.Errors
	r.Latency.Merge(&o.Latency)
	if r.Err == nil {
		r.Err = o.Err
	}
}

// Once sends w to addr on a connection of its own; nil: the answer was right.
func Once(w *Work, addr string) error {
	c := newConn(addr, w)
	defer c.close()
	return c.do()
}

// Run is what to send, where, and how long.
type Run struct {
	Work   *Work
	Addr   string // host:port
	Conns  int
	Rate   float64 // requests a second, open loop; 0: closed loop
	Length time.Duration
}

// Do runs until the time is over or ctx ends. In a closed loop the requests
// that are under way then are finished and counted; in an open one every
// request that was due is sent, however late.
func Do(ctx context.Context, r Run) *Result {
	if r.Rate > 0 {
		return open(ctx, r)
	}
	start := time.Now()
	deadline := start.Add(r.Length)
	return gather(r.Conns, start, func(res *Result) {
		c := newConn(r.Addr, r.Work)
		defer c.close()
		for ctx.Err() == nil && time.Now().Before(deadline) {
			sent := time.Now()
			err := c.do()
			res.add(time.Since(sent), err)
			if err != nil && !pause(ctx, c) {
				return
			}
		}
	})
}

// open counts latency from when a request was due.
func open(ctx context.Context, r Run) *Result {
	start := time.Now()
	total := int(r.Rate * r.Length.Seconds())
	due := make(chan time.Time, total) // never blocks: a late server makes a queue
	go func() {
		defer close(due)
		step := time.Duration(float64(time.Second) / r.Rate)
		for i := range total {
			at := start.Add(time.Duration(i) * step)
			time.Sleep(time.Until(at))
			if ctx.Err() != nil {
				return
			}
			due <- at
		}
	}()
	return gather(r.Conns, start, func(res *Result) {
		c := newConn(r.Addr, r.Work)
		defer c.close()
		for at := range due {
			err := c.do()
			res.add(time.Since(at), err)
			if err != nil && !pause(ctx, c) {
				return
			}
		}
	})
}

// gather runs n workers and joins their results.
func gather(n int, start time.Time, work func(*Result)) *Result {
	results := make([]Result, n)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { work(&results[i]) })
	}
	wg.Wait()
	all := &Result{Elapsed: time.Since(start)}
	for i := range results {
		all.merge(&results[i])
	}
	return all
}

// pause drops a connection after an error and keeps a dead server from being
// called in a tight loop; false: the run is over.
func pause(ctx context.Context, c *conn) bool {
	c.close()
	select {
	case <-ctx.Done():
		return false
	case <-time.After(10 * time.Millisecond):
		return true
	}
}
