package billing

import (
	"flag"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
	"unsafe"

	"sluice/providers/schema"
)

var seed = flag.Uint64("seed", 20261129, "of the random arrivals")

// arrivals is how many calls arrive in TestRandomArrivals.
const arrivals = 100_000

// TestRandomArrivals: calls that arrive at random, with limits of a key, its
// team and the team above, while the machine's clock is set back and forward.
// What was admitted is kept in a list, and at every arrival each window of
// each limit is added up from that: none ever holds more than its limit, and
// no call is refused that would have fitted.
func TestRandomArrivals(t *testing.T) {
	t.Logf("seed %d (go test -run TestRandomArrivals -seed N)", *seed)
	w := newWorld(t, *seed)
	for w.arrived < arrivals {
		w.pass()
		w.settleSome()
		w.burst()
	}
	w.t.Logf("%d arrivals over %v: %d admitted, refused by %v; %d cancelled, the clock was set %d times",
		w.arrived, w.at.Round(time.Hour), len(w.all), w.refused, w.cancelled, w.steps)
	if len(w.all) < arrivals/10 || w.steps < 100 {
		t.Error("the arrivals are no test")
	}
	for _, what := range []string{"requests", "tokens", "parallel"} {
		if w.refused[what] < arrivals/1000 {
			t.Errorf("only %d calls met a limit of %s", w.refused[what], what)
		}
	}
	w.checkAll()
}

// world is what the arrivals happen in.
type world struct {
	t       *testing.T
	rand    *rand.Rand
	start   time.Time     // with a monotonic reading
	at      time.Duration // since start, as it truly passes
	step    time.Duration // by which the machine's clock is wrong
	keys    []*Owner
	owners  map[*Owner]*witness
	open    []*seen
	all     []*seen
	refused map[string]int
	arrived int

	cancelled, steps int
}

// seen is a call that was admitted.
type seen struct {
	at     time.Duration
	ask    Ask
	counts Ask // what it counts as by now
	key    *Owner
	ticket Ticket
}

// witness keeps what was admitted below one owner, by the second.
type witness struct {
	limits  Limits
	calls   []*seen
	running int64
	// The first call of calls that is inside a minute, a minute and a second, a
	// day, a day and its first slot.
	from [4]int
	sum  [4]use
}

var spans = [4]time.Duration{time.Minute, time.Minute + time.Second, 24 * time.Hour, 24*time.Hour + 10*time.Minute}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, rand: rand.New(rand.NewPCG(seed, 1)), start: time.Now(), owners: map[*Owner]*witness{}, refused: map[string]int{}}
	teams := []Team{{Name: "top", Limits: Limits{RPM: 120, TPM: 60_000, TPD: 20_000_000}},
		{Name: "a", Parent: "top", Limits: Limits{RPM: 90, OutputTPM: 30_000, Parallel: 40}}, {Name: "b", Parent: "top", Limits: Limits{InputTPM: 20_000, RPD: 12_000}}}
	keys := []Key{{ID: "1", Team: "a", Limits: Limits{RPM: 60, TPM: 25_000, Parallel: 20}}, {ID: "2", Team: "a"},
		{ID: "3", Team: "b", Limits: Limits{RPM: 50, InputTPM: 15_000, OutputTPM: 25_000, RPD: 8000, TPD: 5_000_000}}, {ID: "4", Team: "b", Limits: Limits{Parallel: 7}}}
	v, err := NewBook(nil, func() time.Time { return w.start }).Rebuild(teams, keys)
	if err != nil {
		t.Fatal(err)
	}
	for o := range v.All() {
		limits := Limits{}
		if own := o.OwnLimits(); own != nil {
			limits = *own
		}
		w.owners[o] = &witness{limits: limits}
		if o.Key != nil {
			w.keys = append(w.keys, o)
		}
	}
	return w
}

// pass lets time go by: mostly little, now and then minutes or hours.
func (w *world) pass() {
	switch r := w.rand.IntN(1000); {
	case r < 300:
		w.at += time.Duration(w.rand.Int64N(int64(50 * time.Millisecond)))
	case r < 980:
		w.at += time.Duration(w.rand.Int64N(int64(15 * time.Second)))
	case r < 998:
		w.at += time.Duration(w.rand.Int64N(int64(3 * time.Minute)))
	default:
		w.at += time.Duration(w.rand.Int64N(int64(9 * time.Hour)))
	}
	if w.rand.IntN(50) == 0 { // somebody sets the clock
		w.step = time.Duration(w.rand.Int64N(int64(48*time.Hour))) - 24*time.Hour
		w.steps++
	}
	for _, o := range w.owners {
		o.forget(w.at)
	}
}

// now is what the clocks say: the machine's time, with what its monotonic clock
// counted since the start, which no setting of the time changes.
func (w *world) now() time.Time {
	now := w.start.Add(w.at)
	// The layout is that of package time: 1 bit, 33 bits of seconds, 30 bits of
	// nanoseconds; then the monotonic reading, which stays.
	type layout struct {
		wall uint64
		ext  int64
	}
	seconds := int64(w.step / time.Second)
	raw := (*layout)(unsafe.Pointer(&now))
	raw.wall += uint64(seconds) << 30
	if now.Sub(w.start) != w.at || now.Round(0).Sub(w.start.Add(w.at).Round(0)) != time.Duration(seconds)*time.Second {
		w.t.Fatal("package time has another layout: the test's clock is of no use")
	}
	return now
}

// burst is some calls that arrive at once, on as many goroutines.
func (w *world) burst() {
	type result struct {
		seen
		cancel bool // something else refuses it
		err    *schema.Error
	}
	now := w.now()
	list := make([]result, 1+w.rand.IntN(19))
	most := []int64{20, 20, 300, 1500, 5000, 20_000}[w.rand.IntN(6)]
	for i := range list {
		ask := Ask{w.rand.Int64N(most), w.rand.Int64N(most)}
		list[i].cancel = w.rand.IntN(20) == 0
		list[i].seen = seen{at: w.at, ask: ask, counts: ask, key: w.keys[w.rand.IntN(len(w.keys))]}
	}
	var wg sync.WaitGroup
	for i := range list {
		r := &list[i]
		admit := func() {
			if r.ticket, r.err = r.key.Admit(now, r.ask); r.err == nil && r.cancel {
				r.ticket.Cancel()
			}
		}
		if len(list) > 12 {
			wg.Go(admit)
		} else {
			admit()
		}
	}
	wg.Wait()
	w.arrived += len(list)
	for i := range list {
		switch r := &list[i]; {
		case r.err == nil && r.cancel:
			w.cancelled++
		case r.err == nil:
			w.admitted(&r.seen)
		}
	}
	for o := range w.owners {
		w.check(o)
	}
	for i := range list {
		if r := &list[i]; r.err != nil {
			w.refused[r.err.Type]++
			if len(list) <= 12 && i == len(list)-1 && !w.full(r.key, r.ask) { // nothing came after it
				w.t.Fatalf("after %v: a call of %v for %+v is refused with room for it: %v", w.at, r.key.Name, r.ask, r.err)
			}
		}
	}
}

// admitted notes a call for its key and all above it.
func (w *world) admitted(c *seen) {
	w.all, w.open = append(w.all, c), append(w.open, c)
	for o := c.key; o != nil; o = o.parent {
		e := w.owners[o]
		e.calls = append(e.calls, c)
		e.running++
		for i := range e.sum {
			e.sum[i].add(use{1, c.ask.Input, c.ask.Output})
		}
	}
}

// settleSome ends some of the calls, most with less than they asked for.
func (w *world) settleSome() {
	n := w.rand.IntN(12)
	for n > 0 && len(w.open) > 0 {
		n--
		i := w.rand.IntN(len(w.open))
		c := w.open[i]
		w.open[i] = w.open[len(w.open)-1]
		w.open = w.open[:len(w.open)-1]
		actual := Ask{w.rand.Int64N(c.ask.Input + 1), w.rand.Int64N(c.ask.Output + 1)}
		if w.rand.IntN(10) == 0 {
			actual.Output = c.ask.Output + w.rand.Int64N(500)
		}
		c.ticket.Done(actual)
		for o := c.key; o != nil; o = o.parent {
			w.owners[o].settle(w.at, c, actual)
		}
		c.counts = actual
	}
}

func (e *witness) settle(now time.Duration, c *seen, actual Ask) {
	e.running--
	for i := range spans {
		if now-c.at < spans[i] {
			e.sum[i].add(use{0, actual.Input - c.counts.Input, actual.Output - c.counts.Output})
		}
	}
}

// forget moves the windows on.
func (e *witness) forget(now time.Duration) {
	for i := range spans {
		for e.from[i] < len(e.calls) && now-e.calls[e.from[i]].at >= spans[i] {
			c := e.calls[e.from[i]].counts
			e.sum[i].add(use{-1, -c.Input, -c.Output})
			e.from[i]++
		}
	}
}

// check looks whether the windows that end now hold more than they may. Calls
// that used more than they asked for may overflow one of tokens, but then
// nothing is admitted.
func (w *world) check(o *Owner) {
	e := w.owners[o]
	if len(e.calls) == 0 || e.calls[len(e.calls)-1].at != w.at {
		return
	}
	if p := e.limits.Parallel; p > 0 && e.running > p {
		w.t.Fatalf("after %v: %d calls of %v at once, limit %d", w.at, e.running, o.Name, p)
	}
	for _, b := range e.limits.bounds() {
		sum := e.sum[0]
		if b.day {
			sum = e.sum[2]
		}
		if b.limit > 0 && b.of(sum) > b.limit {
			w.t.Fatalf("after %v: %d %s of %v, limit %d", w.at, b.of(sum), b.unit, o.Name, b.limit)
		}
	}
}

// full tells whether a call has no room in the windows and the slot before them.
func (w *world) full(o *Owner, ask Ask) bool {
	for ; o != nil; o = o.parent {
		e := w.owners[o]
		if p := e.limits.Parallel; p > 0 && e.running >= p {
			return true
		}
		for _, b := range e.limits.bounds() {
			sum := e.sum[1]
			if b.day {
				sum = e.sum[3]
			}
			if sum.add(use{1, ask.Input, ask.Output}); b.limit > 0 && b.of(sum) > b.limit {
				return true
			}
		}
	}
	return false
}

// checkAll adds up every window that ends with a call, from nothing but the
// list: what was asked for, or less if less was used.
func (w *world) checkAll() {
	for o, e := range w.owners {
		for _, b := range e.limits.bounds() {
			span, first, sum := spans[0], 0, use{}
			if b.day {
				span = spans[2]
			}
			for _, c := range e.calls {
				sum.add(c.least())
				for ; c.at-e.calls[first].at >= span; first++ {
					old := e.calls[first].least()
					sum.add(use{-old.requests, -old.input, -old.output})
				}
				if b.limit > 0 && b.of(sum) > b.limit {
					w.t.Fatalf("in the window up to %v: %d %s of %v, limit %d", c.at, b.of(sum), b.unit, o.Name, b.limit)
				}
			}
		}
	}
}

func (c *seen) least() use {
	return use{1, min(c.ask.Input, c.counts.Input), min(c.ask.Output, c.counts.Output)}
}
