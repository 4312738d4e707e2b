package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The process is killed under load again and again. Every call whose answer
// was complete is in the ledger once; none is there twice.
func TestCrashes(t *testing.T) {
	crashes := 3
	if full {
		crashes = 20
	}
	g := newGateway(t, providers+team)
	var mu sync.Mutex
	var complete []string
	for round := range crashes {
		g.start()
		var n atomic.Int64
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for range 16 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					id := fmt.Sprintf("crash-%02d-%06d", round, n.Add(1))
					if g.whole(id) {
						mu.Lock()
						complete = append(complete, id)
						mu.Unlock()
					}
				}
			})
		}
		time.Sleep(time.Duration(200+rand.IntN(400)) * time.Millisecond) // the moment of the crash is what the test varies
		g.kill()
		close(stop)
		wg.Wait()
	}
	if len(complete) < crashes*10 {
		t.Fatalf("only %d calls were complete", len(complete))
	}
	g.start()
	seen := g.ledgerOf("crash-", complete)
	for id, n := range seen {
		if n > 1 {
			t.Errorf("%s is in the ledger %d times", id, n)
		}
	}
	lost := 0
	for _, id := range complete {
		if seen[id] == 0 {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d complete calls are not in the ledger", lost, len(complete))
	}
	t.Logf("%d crashes, %d complete calls, %d in the ledger", crashes, len(complete), len(seen))
	if out, stderr, code := g.sluice("report", "--verify"); code != 0 {
		t.Errorf("report --verify: %d %s%s", code, out, stderr)
	}
}

// ledgerOf counts entries by the caller's id once all of want are there, or 5 s are over.
func (g *gateway) ledgerOf(prefix string, want []string) map[string]int {
	g.t.Helper()
	var seen map[string]int
	eventually(5*time.Second, func() bool {
		seen = map[string]int{}
		for _, e := range g.requests("") {
			if strings.HasPrefix(e.ID, prefix) {
				seen[e.ID]++
			}
		}
		for _, id := range want {
			if seen[id] == 0 {
				return false
			}
		}
		return true
	})
	return seen
}

// whole makes one call, in turn a stream; true: its answer came to its end.
func (g *gateway) whole(id string) bool {
	stream := strings.HasSuffix(id, "1") || strings.HasSuffix(id, "5")
	body := chatBody("up/small", "hi", "")
	if stream {
		body = chatBody("up/chunks-5", "hi", `,"stream":true`)
	}
	req, err := http.NewRequest("POST", "http://"+g.listen+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Authorization", "Bearer "+g.key)
	req.Header.Set("X-Request-Id", id)
	res, err := g.client.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return err == nil && res.StatusCode == 200 && (!stream || strings.Contains(string(b), "[DONE]"))
}
