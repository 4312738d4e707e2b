package router

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/providers/schema"
)

// hall is a route whose targets take so many calls at once, all together.
type hall struct {
	mu        sync.Mutex
	route     *Route
	room      int
	most, now int
	served    map[string]int
	order     []string
}

func newHall(t testing.TB, room int, policy QueuePolicy) *hall {
	h := &hall{route: routeOf(t, "r", "a"), room: room, served: map[string]int{}}
	h.route.Queue = NewQueue("r", policy)
	return h
}

func (h *hall) call(ctx context.Context, party string, share int, took time.Duration) (*Plan, error) {
	p := &Plan{Route: h.route, turn: turn{Party: party, Share: share}, Admit: func(*Candidate) *schema.Error {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.now >= h.room {
			return full(time.Second)
		}
		h.now++
		h.most = max(h.most, h.now)
		return nil
	}}
	err := p.Do(ctx, func(*Attempt) error {
		time.Sleep(took)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.now--
		h.served[party]++
		h.order = append(h.order, party)
		return nil
	})
	if err == nil {
		h.route.Queue.Poke()
	}
	return p, err
}

// All calls are answered, never more at once than there is room for, and
// parties get their shares whoever came first.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, 10, QueuePolicy{Size: 500, Wait: time.Minute})
		var wg sync.WaitGroup
		begin := time.Now()
		for range 300 { // the first of these fill the room
			wg.Go(func() {
				if _, err := h.call(t.Context(), "many", 1, 100*ms); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(ms)
		for range 200 {
			wg.Go(func() {
				if _, err := h.call(t.Context(), "late", 3, 100*ms); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(begin); took > 5*time.Second+2*pollEvery || h.most != 10 {
			t.Errorf("%v for 500 calls, %d at once", took, h.most)
		}
		late := 0
		for _, party := range h.order[10:210] {
			if party == "late" {
				late++
			}
		}
		if late < 140 || late > 160 {
			t.Errorf("%d of 200 calls in a row are of the party with three quarters", late)
		}
		s := h.route.Queue.Status()
		if s.Waiting != 0 || s.Served != 490 || s.Full+s.Expired+s.Left != 0 || s.Waited == 0 {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Second)
		q := h.route.Queue
		q.mu.Lock()
		defer q.mu.Unlock()
		if q.poll != nil || len(q.parties) > 1 {
			t.Error("an empty queue is not at rest")
		}
	})
}

// A queue that is full turns calls away; those that leave, or have waited as
// long as they may, are not served, and no place is lost with them.
func TestQueueTurnsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t, 1, QueuePolicy{Size: 2, Wait: 10 * time.Second})
		var wg sync.WaitGroup
		call := func(ctx context.Context, want schema.Code, turned bool, after time.Duration) {
			wg.Go(func() {
				begin := time.Now()
				p, err := h.call(ctx, "p", 1, 20*time.Second)
				code := schema.Code("")
				if err != nil {
					e := schema.AsError(err)
					if code = e.Code; turned && (e.RetryAfter < time.Second || e.Class != schema.ClassRateLimited) {
						t.Errorf("%+v", e)
					}
				}
				if code != want || p.Turned != turned || time.Since(begin) != after {
					t.Errorf("%v after %v, turned away: %v; want %q, %v, %v", err, time.Since(begin), p.Turned, want, turned, after)
				}
			})
			synctest.Wait()
		}
		patience, cancel := context.WithTimeout(t.Context(), 3050*ms)
		defer cancel()
		call(t.Context(), "", false, 20*time.Second)
		call(patience, schema.CodeClientClosed, false, 3050*ms)
		call(t.Context(), schema.CodeRateLimit, true, 10*time.Second)
		call(t.Context(), schema.CodeRateLimit, true, 0)
		time.Sleep(4 * time.Second) // one has left
		call(t.Context(), schema.CodeRateLimit, true, 10*time.Second)
		time.Sleep(11 * time.Second)
		call(t.Context(), "", false, 5*time.Second+20*time.Second) // which has room then
		wg.Wait()
		if s := h.route.Queue.Status(); s.Waiting != 0 || s.Full != 1 || s.Expired != 2 || s.Left != 1 || s.Served != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// Calls also wait while all targets rest for what their providers said, a lone
// target too; what never fits, and what has failed otherwise, does not wait.
func TestQueueWaitsForRests(t *testing.T) {
	for label, c := range map[string]struct {
		errors map[string][]*schema.Error
		refuse *schema.Error
		took   time.Duration
		code   schema.Code
		calls  int
	}{
		"a rest":         {errors: map[string][]*schema.Error{"a": {later(schema.ClassRateLimited, 5*time.Second), nil}}, took: 5 * time.Second, calls: 2},
		"a long rest":    {errors: map[string][]*schema.Error{"a": {later(schema.ClassRateLimited, time.Minute)}}, code: schema.CodeUpstream, calls: 1},
		"another error":  {errors: map[string][]*schema.Error{"a": {failed(schema.ClassServerError)}}, code: schema.CodeUpstream, calls: 1},
		"too large":      {refuse: full(0), code: schema.CodeRateLimit},
		"a limit so far": {refuse: full(time.Hour), code: schema.CodeRateLimit},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := script{errors: c.errors}
			r := routeOf(t, "r", "a")
			r.Retry.Attempts = 1
			r.Queue = NewQueue("r", QueuePolicy{Size: 2, Wait: 20 * time.Second})
			begin := time.Now()
			p := &Plan{Route: r, Explain: true, Admit: func(*Candidate) *schema.Error { return c.refuse }}
			err := p.Do(t.Context(), s.try)
			code := schema.Code("")
			if err != nil {
				code = schema.AsError(err).Code
			}
			if took := time.Since(begin); code != c.code || len(s.seen) != c.calls || took < c.took || took > c.took+pollEvery || len(p.Explanation().Candidates) != 1 {
				t.Errorf("%s: %v after %v with %d attempts, %+v", label, err, took, len(s.seen), p.Explanation().Candidates)
			}
			time.Sleep(time.Second)
		})
	}
}
