package discovery

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/bench/freeport"
)

// consul is a double of an agent: it holds a query back until the index moves
// on from the one that it names, or the time is over that it names.
type consul struct {
	mu      sync.Mutex
	index   uint64
	entries string
	moved   chan struct{}
	waits   int // queries that are held back
	over    int // that were answered since their time was over
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
	longest, err := time.ParseDuration(r.URL.Query().Get("wait"))
	if since > 0 && (err != nil || longest <= 0) {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	end := time.NewTimer(longest)
	defer end.Stop()
	c.count(1)
	defer c.count(-1)
	for over := false; ; {
		c.mu.Lock()
		index, entries, moved := c.index, c.entries, c.moved
		c.mu.Unlock()
		if since == 0 || index != since || over {
			w.Header().Set("X-Consul-Index", strconv.FormatUint(index, 10))
			fmt.Fprintf(w, "[%s]", entries)
			return
		}
		select {
		case <-moved:
		case <-end.C:
			over = true
			c.mu.Lock()
			c.over++
			c.mu.Unlock()
		case <-r.Context().Done():
			return
		}
	}
}

func (c *consul) count(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waits += n
}

// held waits until a query is held back that names an index, and so many have
// come, or more.
func (c *consul) held(t *testing.T, r *registry, asked int) []string {
	t.Helper()
	for range 1000 {
		c.mu.Lock()
		waits := c.waits
		c.mu.Unlock()
		if heard := r.heard(); waits == 1 && len(heard) >= asked && strings.Contains(heard[len(heard)-1], "index=") {
			return heard
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no query is held back: %v", r.heard())
	return nil
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

// A change comes with the answer to the query that was held back: nothing is
// asked meanwhile. One whose time is over without a change is asked again.
func TestConsulBlocks(t *testing.T) {
	c := &consul{index: 7, entries: entry("10.0.0.1", 80, 1), moved: make(chan struct{})}
	r := serve(t, c.serve)
	f := follow(t, Consul{URL: r.URL, Service: "orders", Tag: "blue", Token: "secret", Scheme: "http"}.Watch)
	f.next("10.0.0.1:80")
	for i := range uint64(20) {
		asked := 2 + int(i) // the first one, and one for each change
		if heard := c.held(t, r, asked); len(heard) != asked || !strings.Contains(heard[asked-1], fmt.Sprintf("index=%d&", 7+i)) || !strings.Contains(heard[asked-1], "wait=55s") {
			t.Fatalf("before change %d it asked %v", i, heard)
		}
		c.set(8+i, entry("10.0.0.2", int(100+i), 1))
		f.next(fmt.Sprint("10.0.0.2:", 100+i))
	}

	c = &consul{index: 7, entries: entry("10.0.0.1", 80, 1), moved: make(chan struct{})}
	r = serve(t, c.serve)
	f = follow(t, Consul{URL: r.URL, Service: "orders", Tag: "blue", Token: "secret", Scheme: "http", wait: 200 * time.Millisecond}.Watch)
	f.next("10.0.0.1:80")
	heard := c.held(t, r, 4)
	c.mu.Lock()
	if c.over < 2 || !strings.Contains(heard[3], "index=7&") || f.Status().State != Current || f.Status().Changes != 1 {
		t.Errorf("%d were over: %v, %+v", c.over, heard, f.Status())
	}
	c.mu.Unlock()
	c.set(8, entry("10.0.0.3", 80, 1))
	f.next("10.0.0.3:80")
}

// An agent of Consul itself, where one is installed.
func TestConsulAgent(t *testing.T) {
	program, err := exec.LookPath(cmp.Or(os.Getenv("SLUICE_TEST_CONSUL"), "consul"))
	if err != nil {
		t.Skip("SLUICE_TEST_CONSUL is not set, and there is no consul")
	}
	addr, err := freeport.Addr()
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(addr)
	agent := exec.Command(program, "agent", "-dev", "-bind=127.0.0.1", "-client=127.0.0.1", "-http-port="+port, "-dns-port=-1", "-grpc-port=-1")
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = agent.Process.Kill()
		_ = agent.Wait()
		http.DefaultClient.CloseIdleConnections()
	})
	put := func(path, body string) error {
		q, err := http.NewRequest(http.MethodPut, "http://"+addr+path, strings.NewReader(body))
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(q)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: status %d", path, res.StatusCode)
		}
		return nil
	}
	const service = `{"ID": %q, "Name": "orders", "Tags": ["blue"], "Address": "10.0.0.%d", "Port": 80, "Weights": {"Passing": %d, "Warning": 1}, "Check": {"CheckID": "of-%s", "TTL": "1h", "Status": "passing"}}`
	for range 300 {
		if err = put("/v1/agent/service/register", fmt.Sprintf(service, "a", 1, 1, "a")); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	f := follow(t, Consul{URL: "http://" + addr, Service: "orders", Tag: "blue", Scheme: "http"}.Watch)
	f.next("10.0.0.1:80")
	for _, step := range []struct{ path, body, want string }{
		{"/v1/agent/service/register", fmt.Sprintf(service, "b", 2, 3, "b"), "10.0.0.1:80 10.0.0.2:80*3"},
		{"/v1/agent/check/fail/of-a", "", "10.0.0.2:80*3"},
		{"/v1/agent/check/pass/of-a", "", "10.0.0.1:80 10.0.0.2:80*3"},
		{"/v1/agent/service/deregister/b", "", "10.0.0.1:80"},
	} {
		if err := put(step.path, step.body); err != nil {
			t.Fatal(err)
		}
		f.next(step.want)
	}
}
