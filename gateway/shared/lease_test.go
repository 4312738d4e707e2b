package shared

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"sluice/billing"
	"sluice/billing/lease"
	"sluice/gateway/limit"
)

// lend makes a broker of a replica, which is up.
func lend(t *testing.T, o rueidis.ClientOption) *lease.Broker {
	t.Helper()
	b, _ := lendFor(t, o, rand.Text(), 0)
	return b
}

// lendFor is lend for a replica that has a name, and a term of its budgets.
func lendFor(t *testing.T, o rueidis.ClientOption, name string, term time.Duration) (*lease.Broker, *Lender) {
	t.Helper()
	l := NewLender(o, slog.New(slog.DiscardHandler))
	b := lease.New(lease.Options{Replica: name, Term: term, Exchange: l.Lease, Up: l.Up, Lost: l.Lost})
	run := func(f func(context.Context)) {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { f(ctx); close(ended) }()
		t.Cleanup(func() { cancel(); <-ended })
	}
	run(l.Run)
	run(b.Run) // which ends first
	soon(t, "up", b.Up)
	return b, l
}

// passed is a request that was let pass, some time in between.
type passed struct{ after, before time.Time }

// Three replicas, for several windows: no stretch of a window's time has more
// than the limit, and none is far from it.
func TestRedisWindow(t *testing.T) {
	for _, exact := range []bool{false, true} {
		t.Run(fmt.Sprintf("exact=%v", exact), func(t *testing.T) { inWindows(t, exact) })
	}
}

func inWindows(t *testing.T, exact bool) {
	o, name := testRedis(t), rand.Text()
	const most, per = 60, time.Second
	var mu sync.Mutex
	var all []passed
	var calls sync.WaitGroup
	end := time.Now().Add(3 * per)
	for range 3 {
		l := limit.New(limit.Limit{Requests: most, Per: per, Exact: exact})
		l.Share(lend(t, o), name)
		for range 4 {
			calls.Go(func() {
				for time.Now().Before(end) {
					began := time.Now()
					if l.Take(nil, began).OK {
						mu.Lock()
						all = append(all, passed{began, time.Now()})
						mu.Unlock()
					}
					time.Sleep(time.Millisecond)
				}
			})
		}
	}
	calls.Wait()
	slices.SortFunc(all, func(a, b passed) int { return a.before.Compare(b.before) })
	for i := most; i < len(all); i++ {
		first := slices.MinFunc(all[i-most:i+1], func(a, b passed) int { return a.after.Compare(b.after) })
		if all[i].before.Sub(first.after) < per*59/60 {
			t.Fatalf("%d in %v", most+1, all[i].before.Sub(first.after))
		}
	}
	if len(all) < 2*most*9/10 {
		t.Errorf("only %d in three windows of %d", len(all), most)
	}
}

// What was saved up of a burst comes once, at whichever replica.
func TestRedisBurst(t *testing.T) {
	o, name := testRedis(t), rand.Text()
	n := 0
	for range 3 {
		l := limit.New(limit.Limit{Requests: 20, Per: time.Minute, Burst: 10, Parallel: 100})
		l.Share(lend(t, o), name)
		for range 60 {
			v := l.Take([]byte("k"), time.Now())
			if v.OK {
				n++
				v.Subject.Done()
			} else if v.Wait <= 0 || v.Wait > 62*time.Second {
				t.Fatalf("%+v", v)
			}
		}
		if v := l.Take([]byte("other"), time.Now()); !v.OK {
			t.Error("another's requests count")
		}
	}
	if n != 30 {
		t.Errorf("%d passed, want 30", n)
	}
}

// What waits in a queue counts for all when its turn comes.
func TestRedisThrottle(t *testing.T) {
	o, name := testRedis(t), rand.Text()
	n := 0
	for range 2 {
		l := limit.New(limit.Limit{Requests: 10, Per: time.Minute, Throttle: &limit.Throttle{After: 6, Delay: time.Millisecond, Queue: 10}})
		l.Share(lend(t, o), name)
		for range 10 {
			v := l.Take(nil, time.Now())
			if v.Delay > 0 {
				time.Sleep(v.Delay)
				v.Subject.Waited()
				v = l.Ask(v)
			}
			if v.OK {
				n++
			}
		}
	}
	if n != 10 {
		t.Errorf("%d passed, want 10", n)
	}
}

// Keys and teams have their limits at all replicas together: what one call did
// not use another has, what was cancelled counts in nothing, and what a refusal
// tells is so.
func TestRedisOwners(t *testing.T) {
	o, team := testRedis(t), rand.Text()
	var owners []*billing.Owner
	for range 2 {
		b := billing.NewBook(nil, nil)
		b.Share(lend(t, o), nil)
		v, err := b.Rebuild([]billing.Team{{Name: team, Limits: billing.Limits{RPM: 5, RPD: 100}}},
			[]billing.Key{{ID: team + "1", Team: team, Name: "ci", Limits: billing.Limits{TPM: 1000}}})
		if err != nil {
			t.Fatal(err)
		}
		owners = append(owners, v.Key(team+"1"))
	}
	a, b := owners[0], owners[1]
	first, err := a.Admit(time.Now(), billing.Ask{Input: 600, Output: 300})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Admit(time.Now(), billing.Ask{Input: 200}); err == nil || err.Type != "tokens" || err.RetryAfter <= 0 || err.RetryAfter > 62*time.Second {
		t.Errorf("1,100 of 1,000 tokens: %v", err)
	}
	first.Done(billing.Ask{Input: 100, Output: 50})
	var tickets []billing.Ticket
	for i := range 4 {
		soon(t, "what was not used may be used", func() bool {
			ticket, err := b.Admit(time.Now(), billing.Ask{Input: 200})
			tickets = append(tickets, ticket)
			return err == nil
		})
		requests, _, _, _ := b.LimitState(time.Now())
		if requests.Limit != 5 || requests.Remaining != int64(3-i) || requests.Reset <= 0 {
			t.Errorf("after %d: %+v", i+2, requests)
		}
	}
	if _, err := a.Admit(time.Now(), billing.Ask{}); err == nil || cmp.Or(err.Type, "none") != "requests" {
		t.Errorf("the sixth request: %v", err)
	}
	tickets[len(tickets)-1].Cancel()
	soon(t, "a request more may come", func() bool {
		_, err := a.Admit(time.Now(), billing.Ask{})
		return err == nil
	})
}

// While Redis is not there, each replica has its own limits.
func TestRedisLimitsAlone(t *testing.T) {
	o := testRedis(t)
	p := startPipe(t, o.InitAddress[0])
	o.InitAddress = []string{p.addr}
	leases, redis := lendFor(t, o, "", 0)
	l := limit.New(limit.Limit{Requests: 3, Per: time.Minute})
	l.Share(leases, rand.Text())
	if !l.Take(nil, time.Now()).OK {
		t.Error("refused with room")
	}
	p.cut()
	soon(t, "down", func() bool { return !redis.Up() })
	for i := range 3 {
		if v := l.Take(nil, time.Now()); v.OK != (i < 2) {
			t.Errorf("request %d without Redis: %+v", i+2, v)
		}
	}
	if leases.Figures().Alone != 2 {
		t.Errorf("%+v", leases.Figures())
	}
}

// So many calls run at once at all replicas together; a place is free for another
// as soon as it is.
func TestRedisAtOnce(t *testing.T) {
	o, team := testRedis(t), rand.Text()
	const most = 7
	var running, highest, refused, passed atomic.Int64
	var calls sync.WaitGroup
	var owners []*billing.Owner
	for range 3 {
		b := billing.NewBook(nil, nil)
		b.Share(lend(t, o), nil)
		v, err := b.Rebuild([]billing.Team{{Name: team, Limits: billing.Limits{Parallel: most}}}, []billing.Key{{ID: team + "1", Team: team, Name: "ci", Limits: billing.Limits{RPM: 10_000}}})
		if err != nil {
			t.Fatal(err)
		}
		owners = append(owners, v.Key(team+"1"))
	}
	end := time.Now().Add(2 * time.Second)
	for i := range 30 {
		calls.Go(func() {
			for time.Now().Before(end) {
				ticket, err := owners[i%3].Admit(time.Now(), billing.Ask{Input: 1})
				if err != nil {
					if err.Type != "parallel" || err.RetryAfter < time.Second || err.RetryAfter > 2*time.Second {
						t.Errorf("%+v", err)
					}
					refused.Add(1)
					time.Sleep(time.Millisecond)
					continue
				}
				passed.Add(1)
				n := running.Add(1)
				for h := highest.Load(); n > h && !highest.CompareAndSwap(h, n); h = highest.Load() {
				}
				time.Sleep(2 * time.Millisecond)
				running.Add(-1)
				ticket.Done(billing.Ask{Input: 1})
			}
		})
	}
	calls.Wait()
	if highest.Load() != most || passed.Load() < 50 || refused.Load() == 0 {
		t.Errorf("%d at once, %d passed, %d refused", highest.Load(), passed.Load(), refused.Load())
	}
	var tickets []billing.Ticket
	for i := range most {
		soon(t, "all places are free at the end", func() bool {
			ticket, err := owners[i%3].Admit(time.Now(), billing.Ask{})
			tickets = append(tickets, ticket)
			return err == nil
		})
	}
	if _, err := owners[0].Admit(time.Now(), billing.Ask{}); err == nil {
		t.Error("one more than may")
	}
}

// Requests of a route that run at once are those at all replicas; with a queue,
// who gives up or is refused has no place any more.
func TestRedisRequestsAtOnce(t *testing.T) {
	o, name := testRedis(t), rand.Text()
	var limiters []*limit.Limiter
	for range 2 {
		l := limit.New(limit.Limit{Requests: 40, Per: time.Minute, Parallel: 3, Throttle: &limit.Throttle{After: 1, Delay: time.Millisecond, Queue: 10}})
		l.Share(lend(t, o), name)
		limiters = append(limiters, l)
	}
	var running []*limit.Subject
	take := func(l *limit.Limiter) bool {
		v := l.Take(nil, time.Now())
		if v.Delay > 0 {
			time.Sleep(v.Delay)
			v.Subject.Waited()
			if v = l.Ask(v); !v.OK {
				t.Errorf("refused after its delay: %+v", v)
			}
		}
		if v.OK {
			running = append(running, v.Subject)
		} else if v.Wait != 0 {
			t.Errorf("refused for %v, not for what runs", v.Wait)
		}
		return v.OK
	}
	a, b := limiters[0], limiters[1]
	if !take(a) || !take(b) || !take(a) || take(b) || take(a) {
		t.Errorf("%d of 3 run", len(running))
	}
	running[0].Done()
	soon(t, "a place is free for the other", func() bool { return take(b) })
	if take(a) || take(b) {
		t.Error("four of three run")
	}
	for _, s := range running[1:] {
		s.Done()
	}
	running = nil
	for range 3 {
		soon(t, "all places are free", func() bool { return take(b) })
	}
}

// What is refused because too many run counts in no window.
func TestRedisRefusedAtOnce(t *testing.T) {
	o, name := testRedis(t), rand.Text()
	var limiters []*limit.Limiter
	for range 2 {
		l := limit.New(limit.Limit{Requests: 10, Per: time.Hour, Parallel: 1})
		l.Share(lend(t, o), name)
		limiters = append(limiters, l)
	}
	running := limiters[0].Take(nil, time.Now())
	for range 20 {
		if v := limiters[1].Take(nil, time.Now()); v.OK || v.Wait != 0 {
			t.Fatalf("two of one run, or none may: %+v", v)
		}
	}
	running.Subject.Done()
	for i := range 9 {
		soon(t, "the rest may come", func() bool {
			v := limiters[(i+1)%2].Take(nil, time.Now())
			v.Subject.Done()
			return v.OK
		})
	}
	if v := limiters[0].Take(nil, time.Now()); v.OK {
		t.Error("eleven of ten came")
	}
}

// pool asks the script for permits of a limit of 10, and one slot a minute.
func pool(t *testing.T, l *Lender, name string, need int64) lease.Answer {
	t.Helper()
	a, err := l.Lease(t.Context(), []lease.Ask{{Name: name, Limit: 10, Need: need, Least: need, Window: lease.Window{Width: time.Minute, Slots: 3}}})
	if err != nil {
		t.Fatal(err)
	}
	return a[0]
}

// Where Redis' clock was set back by more than a window, what it had counted by
// then does not count for ever.
func TestRedisClockBack(t *testing.T) {
	o, name := testRedis(t), rand.Text()
	_, l := lendFor(t, o, rand.Text(), 0)
	slot := pool(t, l, name, 1).Slot
	put := func(slot int64) {
		t.Helper()
		c := l.client.B().Hset().Key(leaseName+name).FieldValue().FieldValue(strconv.FormatInt(slot, 10), "5").Build()
		if err := l.client.Do(t.Context(), c).Error(); err != nil {
			t.Fatal(err)
		}
	}
	put(slot + 1000)
	if a := pool(t, l, name, 1); a.Counted != 1 || a.Room != 8 || a.Slot > slot+1 {
		t.Errorf("after a clock of a later day: %+v", a)
	}
	put(slot + 2)
	if a := pool(t, l, name, 1); a.Counted != 1 || a.Room != 2 || a.Slot != slot+2 {
		t.Errorf("after a clock that was a little ahead: %+v", a)
	}
}
