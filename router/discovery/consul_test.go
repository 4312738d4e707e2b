package discovery

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// consul is a double of an agent: it holds a query back until the index moves
// on from the one that it names.
type consul struct {
	mu      sync.Mutex
	index   uint64
	entries string
	moved   chan struct{}
}

func (c *consul) set(index uint64, entries string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.index, c.entries = index, entries
	close(c.moved)
	c.moved = make(chan struct{})
}

func (c *consul) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/v1/health/service/orders" || r.URL.Query().Get("passing") != "1" || r.URL.Query().Get("tag") != "blue" || r.Header.Get("X-Consul-Token") != "secret" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	since, _ := strconv.ParseUint(r.URL.Query().Get("index"), 10, 64)
	for {
		c.mu.Lock()
		index, entries, moved := c.index, c.entries, c.moved
		c.mu.Unlock()
		if since == 0 || index != since {
			w.Header().Set("X-Consul-Index", strconv.FormatUint(index, 10))
			fmt.Fprintf(w, "[%s]", entries)
			return
		}
		select {
		case <-moved:
		case <-r.Context().Done():
			return
		}
	}
}

func entry(address string, port, weight int) string {
	return fmt.Sprintf(`{"Node":{"Address":"10.0.0.9"},"Service":{"ID":"x","Address":%q,"Port":%d,"Weights":{"Passing":%d,"Warning":1}},"Checks":[]}`, address, port, weight)
}

func TestConsul(t *testing.T) {
	c := &consul{index: 7, entries: entry("10.0.0.1", 80, 1), moved: make(chan struct{})}
	r := serve(t, c.serve)
	f := follow(t, Consul{URL: r.URL, Service: "orders", Tag: "blue", Token: "secret", Scheme: "http"}.Watch)
	f.next("10.0.0.1:80")
	c.set(9, entry("10.0.0.2", 81, 3)+","+entry("", 82, 1)) // without an address of its own
	f.next("10.0.0.2:81*3 10.0.0.9:82")
	c.set(3, entry("10.0.0.3", 80, 1)) // the index goes back
	f.next("10.0.0.3:80")
	c.set(4, "") // nothing passes its checks
	f.next("")

	r.fail(true)
	f.await(Stale)
	if s := f.Status(); s.Endpoints != 0 || s.Changes != 4 || s.Error == "" {
		t.Errorf("while it is down: %+v", s)
	}
	c.set(5, entry("10.0.0.4", 80, 1))
	r.fail(false)
	f.next("10.0.0.4:80")
	if s := f.Status(); s.State != Current || s.Error != "" {
		t.Errorf("when it is back: %+v", s)
	}
	began := false
	for _, q := range r.heard() {
		began = began || strings.Contains(q, "index=9")
		if strings.Contains(q, "index=3&") {
			t.Errorf("an index that went back is used: %s", q)
		}
	}
	if !began {
		t.Errorf("no query blocks: %v", r.heard())
	}
}
