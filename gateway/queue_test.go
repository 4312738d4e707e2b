package gateway_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sluice/billing"
	"sluice/gateway"
	"sluice/providers/openai"
	"sluice/router"
)

// lined is a rig with one host of ten places, behind the model "lined", whose
// calls wait.
func lined(t *testing.T, parallel int64, policy router.QueuePolicy) (*rig, *host, *router.Queue) {
	h := &host{}
	url := h.start(t)
	q := router.NewQueue("lined", policy)
	r := newRig(t, func(s *setup) {
		s.providers = append(s.providers, remote(t, "ten", url+"/v1", &openai.Dialect, oneTwo))
		s.model("lined", "ten/m").Route.Queue = q
		s.teams = append(s.teams, billing.Team{Name: gateway.ProviderOwner("ten"), Limits: billing.Limits{Parallel: parallel}},
			billing.Team{Name: "heavy", Weight: 3})
		s.keys = append(s.keys, billing.Key{ID: "key_h", Team: "heavy", Name: "h", Hash: billing.HashKey("sk-test-h")})
		s.key("rich", func(k *billing.Key) { k.Budgets, k.Limits = hard(billing.Dollar), billing.Limits{Parallel: 5} })
	})
	return r, h, q
}

// Five hundred calls at once against a provider that takes ten: all are
// answered, never more than ten are there, and two teams share by their weights.
func TestQueueing(t *testing.T) {
	r, h, q := lined(t, 10, router.QueuePolicy{Size: 500, Wait: time.Minute})
	h.wait = func(r *http.Request) bool {
		for h.asked.Load() <= 10 && q.Status().Waiting < 490 && r.Context().Err() == nil {
			time.Sleep(time.Millisecond) // until all are there
		}
		return later(time.Millisecond)(r)
	}
	r.client.Transport.(*http.Transport).MaxIdleConnsPerHost = 500
	calls(t, 500, 1, func(n int) {
		key, more := "k", ""
		if n%2 == 0 {
			key = "h"
		}
		if n%3 == 0 {
			more = `,"stream":true`
		}
		if a := r.bare("POST", "/v1/chat/completions", chat("lined", "hi", more), as(key)...); a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	r.settled()
	if h.most.Load() > 10 || h.asked.Load() != 500 {
		t.Errorf("%d at once, %d in all", h.most.Load(), h.asked.Load())
	}
	if s := q.Status(); s.Waiting != 0 || s.Served == 0 || s.Full+s.Expired+s.Left != 0 {
		t.Errorf("%+v", s)
	}
	heavy := 0
	entries := r.entries()
	for _, e := range entries[100:300] { // both teams wait all the time
		if e.Team == "heavy" {
			heavy++
		}
	}
	if heavy < 130 || heavy > 170 {
		t.Errorf("%d of 200 calls in a row are of the team with three quarters", heavy)
	}
	r.stop()
	if line := r.access.String(); !strings.Contains(line, `"queued_us":`) {
		t.Error("the log does not tell of waiting")
	}
}

// A call whose caller leaves, or whose time is up, gives its place in the queue
// and all that it held back; a full queue and one that was waited in for too
// long answer as the limit would.
func TestQueueingTurnsAway(t *testing.T) {
	r, h, q := lined(t, 1, router.QueuePolicy{Size: 2, Wait: 4 * time.Second})
	var open atomic.Bool
	h.wait = func(r *http.Request) bool {
		for !open.Load() && r.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
		return true
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for begin := time.Now(); !ok(); time.Sleep(time.Millisecond) {
			if time.Since(begin) > 20*time.Second {
				t.Fatalf("%s: %+v", what, q.Status())
			}
		}
	}
	waiting := func(n int64) func() bool { return func() bool { return q.Status().Waiting == n } }
	held := make(chan answer, 1)
	go func() { held <- r.call("POST", "/v1/chat/completions", chat("lined", "hi", "")) }()
	until("the first is there", func() bool { return h.now.Load() == 1 })

	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(ctx, "POST", "http://"+r.addr+"/v1/chat/completions", strings.NewReader(chat("lined", "hi", "")))
		if err != nil {
			t.Error(err)
		}
		req.Header.Set("Authorization", "Bearer sk-test-rich")
		res, err := r.client.Do(req)
		if err == nil {
			_ = res.Body.Close()
		}
		gone <- err
	}()
	until("one waits", waiting(1))
	if n, _ := r.book.OpenHolds(); n == 0 {
		t.Error("a call that waits holds nothing")
	}
	leave()
	<-gone
	until("it has left", waiting(0))

	late := r.call("POST", "/v1/chat/completions", chat("lined", "hi", ""), "X-Sluice-Timeout", "100ms")
	if late.status != 504 || late.get("error.code").Str != "upstream_timeout" {
		t.Errorf("its time was up: %d %s", late.status, late.body)
	}
	waited := make(chan answer, 2)
	for range 2 {
		go func() { waited <- r.bare("POST", "/v1/chat/completions", chat("lined", "hi", ""), as("rich")...) }()
	}
	until("two wait", waiting(2))
	full := r.bare("POST", "/v1/chat/completions", chat("lined", "hi", ""), as("rich")...)
	for what, a := range map[string]answer{"full": full, "waited": <-waited, "waited too": <-waited} {
		if a.status != 429 || a.header.Get("Retry-After") == "" || a.get("error.code").Str != "rate_limit_exceeded" || !strings.Contains(a.body, "queue") {
			t.Errorf("%s: %d %v %s", what, a.status, a.header, a.body)
		}
	}
	open.Store(true)
	if a := <-held; a.status != 200 {
		t.Errorf("the first: %d %s", a.status, a.body)
	}
	if a := r.call("POST", "/v1/chat/completions", chat("lined", "hi", "")); a.status != 200 {
		t.Errorf("the last: %d %s", a.status, a.body)
	}
	r.settled()
	if s := q.Status(); s.Waiting != 0 || s.Full != 1 || s.Expired != 2 || s.Left != 2 {
		t.Errorf("%+v", s)
	}
	if n, _ := r.book.OpenHolds(); n != 0 || h.asked.Load() != 2 {
		t.Errorf("%d holds are open, %d calls were made", n, h.asked.Load())
	}
	owner := r.g.Snapshot().Caller(billing.HashKey("sk-test-rich"), time.Now()).Owner
	if left, _ := owner.Left(billing.Called{}); left != billing.Dollar {
		t.Errorf("%v left of a dollar", left)
	}
	for range 5 {
		if _, err := owner.Admit(time.Now(), billing.Ask{}); err != nil {
			t.Fatal("a call that has waited in vain still counts", err)
		}
	}
}
