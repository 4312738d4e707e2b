package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// setting is a number from the environment; unset: usual.
func setting(t *testing.T, name string, usual int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s: want a number from 1 on, not %q", name, text)
	}
	return n
}

// load is many callers at once, until they are told to stop.
type load struct {
	g      *gateway
	prefix string
	n      atomic.Int64
	halt   chan struct{}
	wg     sync.WaitGroup

	mu       sync.Mutex
	complete []string // the ids of the calls whose answer came to its end
	failed   []string // what became of the others
}

// startLoad begins calls by that many callers, whose ids begin with prefix.
// pause is between two calls of one.
func (g *gateway) startLoad(prefix string, callers int, pause time.Duration) *load {
	l := &load{g: g, prefix: prefix, halt: make(chan struct{})}
	for range callers {
		l.wg.Go(func() {
			for {
				select {
				case <-l.halt:
					return
				default:
				}
				id := fmt.Sprintf("%s%06d", prefix, l.n.Add(1))
				err := g.whole(id)
				l.mu.Lock()
				if err == nil {
					l.complete = append(l.complete, id)
				} else {
					l.failed = append(l.failed, id+": "+err.Error())
				}
				l.mu.Unlock()
				time.Sleep(pause)
			}
		})
	}
	return l
}

// stop ends the load; it gives the calls that were complete, and the others.
func (l *load) stop() (complete, failed []string) {
	close(l.halt)
	l.wg.Wait()
	return l.complete, l.failed
}

// so far is how many calls were complete by now.
func (l *load) soFar() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.complete)
}

// whole makes one call, in turn a stream; nil: its answer came to its end.
func (g *gateway) whole(id string) error {
	stream := strings.HasSuffix(id, "1") || strings.HasSuffix(id, "5")
	body := chatBody("up/small", "hi", "")
	if stream {
		body = chatBody("up/chunks-5", "hi", `,"stream":true`)
	}
	req, err := http.NewRequest("POST", "http://"+g.listen+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+g.key)
	req.Header.Set("X-Request-Id", id)
	res, err := g.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return err
	case res.StatusCode != 200:
		return fmt.Errorf("status %d: %s", res.StatusCode, b)
	case stream && !strings.Contains(string(b), "[DONE]"):
		return fmt.Errorf("the stream has no end: %s", b)
	}
	return nil
}

// reconcile proves that every complete call is in the ledger once and none
// twice, that every sum is right, that the budget of the team counts what the
// ledger does, and that no money is held. lost bounds how many calls may be missing.
func (g *gateway) reconcile(complete []string, lost int) {
	g.t.Helper()
	seen, calls := map[string]int{}, map[string]int{}
	for _, e := range g.requests("") {
		seen[e.ID]++
		calls[e.Call]++
	}
	for id, n := range seen {
		if n > 1 {
			g.t.Errorf("request %s is in the ledger %d times", id, n)
		}
	}
	for id, n := range calls {
		if n > 1 {
			g.t.Errorf("call %s is in the ledger %d times", id, n)
		}
	}
	missing := slices.DeleteFunc(slices.Clone(complete), func(id string) bool { return seen[id] > 0 })
	if len(missing) > lost {
		g.t.Errorf("%d of %d complete calls are not in the ledger, such as %s", len(missing), len(complete), missing[0])
	}
	g.verified()
	if open, usd := g.metric("sluice_holds_open"), g.metric("sluice_holds_usd"); open != "0" || usd != "0" {
		g.t.Errorf("%s holds of %s USD are open", open, usd)
	}
	g.t.Logf("%d complete calls, %d missing, %d in the ledger", len(complete), len(missing), len(seen))
}

// verified proves that every sum of the ledger is right, and the budget's too.
func (g *gateway) verified() {
	g.t.Helper()
	if out, stderr, code := g.sluice("report", "--verify"); code != 0 {
		g.t.Errorf("report --verify: %d %s%s", code, out, stderr)
	}
	total := g.api("GET", "usage?from=2020-01-01", "").get("total.usd").String()
	spent := g.api("GET", "budgets", "").get("data.0.spent").String()
	if total != spent || total == "" {
		g.t.Errorf("the ledger says %s, the budget %s", total, spent)
	}
}

// metric reads a series of the admin listener; "" is one that is not there.
func (g *gateway) metric(series string) string {
	g.t.Helper()
	a, err := g.send("GET", "http://"+g.admin+"/metrics", "")
	if err != nil || a.status != 200 {
		g.t.Fatalf("metrics: %d %v", a.status, err)
	}
	for line := range strings.Lines(a.body) {
		if v, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// count is a series that is a whole number.
func (g *gateway) count(series string) int {
	g.t.Helper()
	n, err := strconv.ParseFloat(g.metric(series), 64)
	if err != nil {
		g.t.Fatalf("%s: %v", series, err)
	}
	return int(n)
}

// said fails where the log does not have a text that many times.
func (g *gateway) said(text string, times int) {
	g.t.Helper()
	if n := strings.Count(g.stderr.String(), text); n != times {
		g.t.Errorf("the log says %q %d times, not %d:\n%s", text, n, times, tail(g.stderr.String(), 4000))
	}
}
