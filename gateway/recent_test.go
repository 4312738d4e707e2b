package gateway

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"sluice/billing"
	"sluice/gateway/proxy"
)

// routedCall is a request to a route that has ended.
func routedCall(id string, tries ...billing.AttemptLog) *Call {
	c := &Call{trail: tries}
	c.entry.Call, c.entry.RequestID, c.entry.Time, c.entry.Status = "call-"+id, id, time.Unix(1, 0), 200
	c.from.method, c.from.path = "GET", "/orders"
	c.from.route = &proxy.Exchange{Route: &proxy.Route{Name: "orders"}}
	return c
}

func (r *recent) ended(c *Call) { r.add(c, appendJSONLine(nil, c, []byte("1970-01-01T00:00:01."))) }

func TestRecent(t *testing.T) {
	r := newRecent()
	if r.find("x") != nil || r.find("") != nil {
		t.Error("something is found where there is nothing")
	}
	r.ended(routedCall("first"))
	r.ended(routedCall("tried", billing.AttemptLog{Target: "route orders/http://a", Code: "upstream_error", LatencyMS: 2}, billing.AttemptLog{Target: "route orders/http://b", Status: 200, LatencyMS: 30}))
	again := routedCall("first")
	again.entry.Status = 404
	r.ended(again)
	for _, c := range []struct{ id, path, want string }{
		{"tried", "route", "orders"},
		{"call-tried", "request_id", "tried"},
		{"tried", "tries.#", "2"},
		{"tried", "tries.0", `{"status":0,"target":"route orders/http://a","code":"upstream_error","latency_ms":2}`},
		{"tried", "tries.1.status", "200"},
		{"first", "status", "404"}, // the newest of them
		{"first", "tries", "[]"},
		{"/orders", "call", ""},
		{"orders", "call", ""},
		{`tried","x":"`, "call", ""},
	} {
		if got := gjson.GetBytes(r.find(c.id), c.path).String(); got != c.want {
			t.Errorf("%s of %q: %s, want %s", c.path, c.id, got, c.want)
		}
	}
	model := routedCall("model")
	model.from.route = nil
	r.ended(model)
	long := routedCall("long")
	long.from.path = strings.Repeat("/x", longestLine)
	r.ended(long)
	if r.find("model") != nil || r.find("long") != nil {
		t.Error("a call that is no route's, or is too long, is kept")
	}
	for i := range mostRecent - 1 {
		r.ended(routedCall(fmt.Sprint("more", i)))
	}
	if r.find("tried") != nil || r.find("first") == nil || r.find("more0") == nil || r.find("more998") == nil {
		t.Error("other requests than the last are kept")
	}
	r.ended(routedCall("last"))
	if r.find("first") != nil || r.find("last") == nil {
		t.Error("the oldest does not make room")
	}
}

// Requests end while others are looked for, and cost no memory.
func TestRecentAtOnce(t *testing.T) {
	r, c := newRecent(), routedCall("one")
	line := appendJSONLine(nil, c, []byte("1970-01-01T00:00:01."))
	if n := testing.AllocsPerRun(2*mostRecent, func() { r.add(c, line) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				r.ended(routedCall("two"))
				if found := r.find("two"); !gjson.ValidBytes(found) {
					t.Errorf("found %s", found)
				}
			}
		})
	}
	wg.Wait()
}
