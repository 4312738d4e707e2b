package e2e

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// A key is rotated under load: until its time is over the old one is taken beside
// the new one and no call fails, then it is refused. The record has both ids.
func TestKeyRotationUnderLoad(t *testing.T) {
	g := start(t, providers+team)
	made := g.api("POST", "keys", `{"team":"t","name":"turning"}`)
	if made.status != 201 {
		t.Fatalf("%d %s", made.status, made.body)
	}
	oldKey, oldID := made.get("key").String(), made.get("id").String()
	var inUse atomic.Value
	inUse.Store(oldKey)
	followers := g.callers(6, func() string { return inUse.Load().(string) })
	stayers := g.callers(2, func() string { return oldKey })
	flows := func(c *callers, n int64) {
		t.Helper()
		from := c.made.Load()
		if !eventually(30*time.Second, func() bool { return c.made.Load() >= from+n }) {
			t.Fatal("no calls are made")
		}
	}
	flows(followers, 30)
	const grace = 10 * time.Minute
	before := time.Now()
	turned := g.api("POST", "keys/"+oldID+"/rotate", `{"grace":"10m"}`)
	if turned.status != 201 {
		t.Fatalf("%d %s", turned.status, turned.body)
	}
	newKey, newID := turned.get("key").String(), turned.get("id").String()
	inUse.Store(newKey)
	flows(followers, 60)
	flows(stayers, 30)
	for _, key := range []string{oldKey, newKey} {
		if status := g.statusOf(key); status != 200 {
			t.Errorf("%s: %d while both are in force", key[:18], status)
		}
	}
	ends := gjson.Get(g.api("GET", "keys/"+oldID, "").body, "revoked").Time()
	if ends.Before(before.Add(grace)) || ends.After(time.Now().Add(grace)) {
		t.Errorf("the old key ends at %v, it was rotated at %v", ends, before)
	}
	stayers.stop(t)

	// Another one, whose time is over soon. Who still has it goes on until then.
	again := g.api("POST", "keys/"+newID+"/rotate", `{"grace":"4s"}`)
	third, thirdID := again.get("key").String(), again.get("id").String()
	inUse.Store(third)
	ends = gjson.Get(g.api("GET", "keys/"+newID, "").body, "revoked").Time()
	refused := eventually(30*time.Second, func() bool {
		began := time.Now()
		switch status := g.statusOf(newKey); {
		case status == 401 && time.Now().Before(ends):
			t.Fatalf("refused %v before its end", time.Until(ends))
		case status == 200 && began.After(ends):
			t.Fatalf("taken %v after its end", began.Sub(ends))
		case status == 401:
			return true
		case status != 200:
			t.Fatalf("answered with %d", status)
		}
		return false
	})
	if !refused || g.statusOf(third) != 200 {
		t.Error("the old key is not refused, or the new one is")
	}
	flows(followers, 30)
	followers.stop(t)
	t.Logf("%d calls by who follows, %d by who stays", followers.made.Load(), stayers.made.Load())
	records := g.audited("action=key.rotate")
	for i, ids := range [][2]string{{newID, thirdID}, {oldID, newID}} {
		if len(records) != 2 || !strings.Contains(records[i].Resource, ids[0]) || !strings.Contains(string(records[i].After), ids[1]) {
			t.Errorf("the record of %v: %+v", ids, records)
		}
	}
}

// callers make calls, one after the other, with the key of the moment.
type callers struct {
	halt   chan struct{}
	all    sync.WaitGroup
	made   atomic.Int64
	mu     sync.Mutex
	failed []string
}

func (g *gateway) callers(n int, key func() string) *callers {
	c := &callers{halt: make(chan struct{})}
	for range n {
		c.all.Go(func() {
			for {
				select {
				case <-c.halt:
					return
				default:
				}
				a, err := g.send("POST", "http://"+g.listen+"/v1/chat/completions", chatBody("up/m", "hello", ""), "Authorization", "Bearer "+key(), "Content-Type", "application/json")
				if c.made.Add(1); err != nil || a.status != http.StatusOK {
					c.mu.Lock()
					c.failed = append(c.failed, http.StatusText(a.status)+" "+a.body)
					c.mu.Unlock()
				}
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	return c
}

// stop ends them; none of their calls may have failed.
func (c *callers) stop(t *testing.T) {
	t.Helper()
	close(c.halt)
	c.all.Wait()
	if len(c.failed) > 0 {
		t.Errorf("%d of %d calls failed, such as %s", len(c.failed), c.made.Load(), c.failed[0])
	}
}
