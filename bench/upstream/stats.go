package upstream

import (
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Stats is a moment's view of the fake's counters.
type Stats struct {
	Open         int64            `json:"open"`           // calls in progress
	Done         int64            `json:"done"`           // answered to the end, errors included
	Cancelled    int64            `json:"cancelled"`      // the peer left first
	Cut          int64            `json:"cut"`            // we closed on purpose
	LastCancelMS int64            `json:"last_cancel_ms"` // Unix milliseconds of the last cancellation, 0 if none
	Models       map[string]int64 `json:"models"`         // calls by model; only if requests are recorded
	Keys         map[string]int64 `json:"keys"`           // calls by key; only if requests are recorded
}

// Request is one that came in.
type Request struct {
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Query   string            `json:"query"`
	Headers map[string]string `json:"headers"` // by canonical name
	Body    string            `json:"body"`
}

type counters struct {
	open, done, cancelled, cut, lastCancel atomic.Int64

	mu     sync.Mutex
	keep   int
	last   []Request // newest last, at most keep
	models map[string]int64
	keys   map[string]int64
	failed map[string]int // failures given so far, by model
}

// outcome is how a call ended.
type outcome uint8

const (
	wasDone outcome = iota
	wasCancelled
	wasCut
)

func (c *counters) finish(o outcome) {
	switch o {
	case wasDone:
		c.done.Add(1)
	case wasCancelled:
		c.lastCancel.Store(time.Now().UnixMilli())
		c.cancelled.Add(1)
	case wasCut:
		c.cut.Add(1)
	}
	c.open.Add(-1)
}

func (c *counters) record(r Request, model, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.last) == c.keep {
		c.last = append(c.last[:0], c.last[1:]...)
	}
	c.last = append(c.last, r)
	c.models[model]++
	c.keys[key]++
}

// mayFail says whether a model that fails only its first times calls fails now.
func (c *counters) mayFail(model string, times int) bool {
	if times == unset {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed[model]++
	return c.failed[model] <= times
}

func (c *counters) stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{
		Open: c.open.Load(), Done: c.done.Load(), Cancelled: c.cancelled.Load(), Cut: c.cut.Load(),
		LastCancelMS: c.lastCancel.Load(), Models: maps.Clone(c.models), Keys: maps.Clone(c.keys),
	}
}

func (c *counters) newest(n int) []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	n = max(0, min(n, len(c.last)))
	return append([]Request{}, c.last[len(c.last)-n:]...)
}

var ids atomic.Int64

func nextID(prefix string) string { return fmt.Sprintf("%s-%08d", prefix, ids.Add(1)) }
