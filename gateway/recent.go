package gateway

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"sluice/billing"
)

// How many requests of routes are remembered, and the memory of one that is as
// long as most are. Those whose line is longer than longestLine are not.
const (
	mostRecent  = 1000
	recentLine  = 1 << 10
	longestLine = 8 << 10
)

// recent are the last requests of routes, which no ledger has: their access
// lines, for whoever looks for one by its id. The oldest makes room. Each has a
// lock of its own: requests do not wait for each other.
type recent struct {
	lines [mostRecent]recentRequest
	next  atomic.Uint64
}

type recentRequest struct {
	mu   sync.Mutex
	line []byte
}

func newRecent() *recent {
	r, memory := &recent{}, make([]byte, mostRecent*recentLine)
	for i := range r.lines {
		r.lines[i].line = memory[i*recentLine : i*recentLine : (i+1)*recentLine]
	}
	return r
}

// add keeps a copy of a call's line of JSON, which lacks its end, if the call was a route's.
func (r *recent) add(c *Call, line []byte) {
	x := c.from.route
	if x == nil || len(line) > longestLine {
		return
	}
	at := &r.lines[(r.next.Add(1)-1)%mostRecent]
	at.mu.Lock()
	defer at.mu.Unlock()
	b := append(at.line[:0], line...)
	b = appendField(b, "arm", x.Arm)
	b = appendBool(b, "refused", c.entry.Refused)
	b = append(b, `,"tries":[`...)
	for i := range c.trail {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendTry(b, &c.trail[i])
	}
	at.line = append(b, "]}"...)
}

func appendTry(b []byte, l *billing.AttemptLog) []byte {
	b = append(b, `{"status":`...)
	b = strconv.AppendInt(b, int64(l.Status), 10)
	b = appendField(b, "call", l.Call)
	b = appendField(b, "target", l.Target)
	b = appendField(b, "code", l.Code)
	b = appendNumber(b, "latency_ms", l.LatencyMS)
	return append(b, '}')
}

// find is the newest line of a request id, or of a call's; nil: there is none.
func (r *recent) find(id string) []byte {
	quoted, err := json.Marshal(id)
	if err != nil || id == "" {
		return nil
	}
	newest := r.next.Load() + mostRecent - 1
	for n := range uint64(mostRecent) {
		if line := r.lines[(newest-n)%mostRecent].of(id, quoted); line != nil {
			return line
		}
	}
	return nil
}

// of is a copy of the line if it is of an id, which is quoted as in JSON.
func (r *recentRequest) of(id string, quoted []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !bytes.Contains(r.line, quoted) {
		return nil
	}
	var is struct {
		Call    string `json:"call"`
		Request string `json:"request_id"` // absent: as the call
	}
	if json.Unmarshal(r.line, &is) != nil || is.Call != id && is.Request != id {
		return nil
	}
	return slices.Clone(r.line)
}

// Recent is the access line of one of the last requests of routes, with each of
// its tries, by its request id or its call's; nil: it is not among them.
func (g *Gateway) Recent(id string) []byte { return g.access.recent.find(id) }
