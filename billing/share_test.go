package billing

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// shared is a provider with limits, and a team for each weight: a, b, …
type shared struct {
	t     *testing.T
	limit Limits
	host  *Owner
	keys  []*Owner
	now   time.Time
	log   []grant // of all admitted
	open  [][]Ticket
}

// grant is a call that was admitted.
type grant struct {
	at   time.Time
	team int
	ask  Ask
}

func newShared(t *testing.T, limits Limits, weights ...int64) *shared {
	t.Helper()
	s := &shared{t: t, limit: limits, now: time.Unix(1e9, 0), open: make([][]Ticket, len(weights))}
	teams := []Team{{Name: "provider up", Limits: limits}}
	var keys []Key
	for i, w := range weights {
		name := string(rune('a' + i))
		teams = append(teams, Team{Name: name, Weight: w})
		keys = append(keys, Key{ID: name, Name: "k", Team: name})
	}
	_, v := book(t, &clock{s.now}, teams, keys)
	s.host = v.Team("provider up")
	for i := range keys {
		s.keys = append(s.keys, v.Key(keys[i].ID))
	}
	return s
}

// call asks for a team; true: it was admitted, and ended at once.
func (s *shared) call(team int, ask Ask) bool {
	ticket, err := s.host.AdmitFor(s.keys[team], s.now, ask)
	if err != nil {
		return false
	}
	s.log = append(s.log, grant{s.now, team, ask})
	ticket.Done(ask)
	return true
}

// used is what each team was admitted for between two times after the start.
func (s *shared) used(from, to time.Duration) []int64 {
	sums := make([]int64, len(s.keys))
	for _, g := range s.log {
		if d := g.at.Sub(time.Unix(1e9, 0)); d >= from && d < to {
			sums[g.team] += max(g.ask.Input, 1)
		}
	}
	return sums
}

// neverAbove looks at every window of a minute.
func (s *shared) neverAbove() {
	s.t.Helper()
	var sum use
	first := 0
	for _, g := range s.log {
		sum.add(use{1, g.ask.Input, 0})
		for ; g.at.Sub(s.log[first].at) >= time.Minute; first++ {
			sum.add(use{-1, -s.log[first].ask.Input, 0})
		}
		if rpm := s.limit.RPM; rpm > 0 && sum.requests > rpm {
			s.t.Fatalf("%d requests in the minute up to %v", sum.requests, g.at)
		}
		if tpm := s.limit.TPM; tpm > 0 && sum.input > tpm {
			s.t.Fatalf("%d tokens in the minute up to %v", sum.input, g.at)
		}
	}
}

// near tells whether sums are as wanted, but for a few.
func near(sums []int64, few int64, want ...int64) bool {
	return slices.EqualFunc(sums, want, func(a, b int64) bool { return a-b <= few && b-a <= few })
}

// Teams that ask for more than there is get it by weight; what one does not ask
// for goes to the others.
func TestShares(t *testing.T) {
	const always = 20 // calls a second, of a team that floods
	for name, c := range map[string]struct {
		limits  Limits
		weights []int64
		rates   []float64 // calls a second
		tokens  int64     // of each call
		want    []int64   // a minute
		few     int64
	}{
		"three to one":        {Limits{RPM: 400}, []int64{3, 1}, []float64{always, always}, 0, []int64{300, 100}, 6},
		"one alone":           {Limits{RPM: 400}, []int64{3, 1}, []float64{0, always}, 0, []int64{0, 400}, 6},
		"equal by default":    {Limits{RPM: 400}, []int64{0, 0}, []float64{always, 5 * always}, 0, []int64{200, 200}, 6},
		"one wants little":    {Limits{RPM: 400}, []int64{1, 1, 1}, []float64{1, always, always}, 0, []int64{60, 170, 170}, 6},
		"all have enough":     {Limits{RPM: 400}, []int64{1, 1, 1}, []float64{1, 2, 3}, 0, []int64{60, 120, 180}, 6},
		"thirds":              {Limits{RPM: 100}, []int64{1, 1, 1}, []float64{always, always, always}, 0, []int64{33, 33, 33}, 3},
		"far apart":           {Limits{RPM: 404}, []int64{100, 1}, []float64{always, always}, 0, []int64{400, 4}, 6},
		"tokens":              {Limits{TPM: 40_000}, []int64{3, 1}, []float64{always, always}, 100, []int64{30_000, 10_000}, 600},
		"tokens and requests": {Limits{RPM: 1000, TPM: 40_000}, []int64{1, 1}, []float64{always, always}, 100, []int64{20_000, 20_000}, 600},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShared(t, c.limits, c.weights...)
			random := rand.New(rand.NewPCG(1, 2))
			for range 5 * 60 * 50 {
				s.now = s.now.Add(20 * time.Millisecond)
				for _, i := range random.Perm(len(c.rates)) {
					for want := c.rates[i] / 50; want > random.Float64(); want-- {
						s.call(i, Ask{Input: c.tokens})
					}
				}
			}
			s.neverAbove()
			for minute := time.Minute; minute < 5*time.Minute; minute += time.Minute {
				few := c.few
				if c.limits.RPM == 400 && c.rates[0] < always {
					few = 40 // they arrive at random
				}
				if sums := s.used(minute, minute+time.Minute); !near(sums, few, c.want...) {
					t.Errorf("minute %v: %v, want %v", minute, sums, c.want)
				}
			}
		})
	}
}

// A team that was away has its share within one window, also if it waits as it
// is told to.
func TestShareOfOneThatReturns(t *testing.T) {
	for _, patient := range []bool{false, true} {
		t.Run(fmt.Sprintf("patient %v", patient), func(t *testing.T) {
			s := newShared(t, Limits{RPM: 400}, 3, 1)
			var waits []time.Time // when each of b's calls comes again
			for tick := range 6 * 60 * 50 {
				s.now = s.now.Add(20 * time.Millisecond)
				s.call(0, Ask{})
				at := s.now.Sub(time.Unix(1e9, 0))
				switch {
				case at < 150*time.Second || at >= 270*time.Second: // b is away
					waits = nil
				case !patient:
					s.call(1, Ask{})
				case tick%10 == 0: // a new call; those that wait come when they were told to
					waits = append(waits, s.now)
				}
				for i, w := range waits {
					if s.now.Before(w) {
						continue
					}
					ticket, err := s.host.AdmitFor(s.keys[1], s.now, Ask{})
					if err != nil {
						waits[i] = s.now.Add(err.RetryAfter)
						continue
					}
					s.log = append(s.log, grant{s.now, 1, Ask{}})
					ticket.Done(Ask{})
					waits[i] = s.now.Add(time.Hour)
				}
			}
			s.neverAbove()
			for _, c := range []struct {
				name     string
				from, to time.Duration
				want     []int64
			}{
				{"a alone", 90 * time.Second, 150 * time.Second, []int64{400, 0}},
				{"b back, after one window", 210 * time.Second, 270 * time.Second, []int64{300, 100}},
				{"b away, after its demand is forgotten", 336 * time.Second, 6 * time.Minute, []int64{-1, 0}},
			} {
				sums := s.used(c.from, c.to)
				if c.want[0] < 0 {
					c.want[0] = sums[0]
				}
				if !near(sums, 12, c.want...) {
					t.Errorf("%s: %v, want %v", c.name, sums, c.want)
				}
			}
			if got := s.used(5*time.Minute, 6*time.Minute); got[0] < 380 {
				t.Errorf("b is away, and a has only %v", got)
			}
		})
	}
}

// Calls at once are shared too.
func TestShareOfParallel(t *testing.T) {
	s := newShared(t, Limits{Parallel: 8}, 3, 1)
	random := rand.New(rand.NewPCG(3, 4))
	most := func(minute string, want ...int) {
		t.Helper()
		if got := []int{len(s.open[0]), len(s.open[1])}; !slices.Equal(got, want) {
			t.Errorf("%s: %v run, want %v", minute, got, want)
		}
	}
	flood := func(seconds int, teams ...int) {
		for range seconds * 50 {
			s.now = s.now.Add(20 * time.Millisecond)
			for i := range s.open {
				s.open[i] = slices.DeleteFunc(s.open[i], func(ticket Ticket) bool {
					if random.IntN(50) > 0 {
						return false
					}
					ticket.Done(Ask{})
					return true
				})
			}
			for _, i := range teams {
				for range 8 {
					if ticket, err := s.host.AdmitFor(s.keys[i], s.now, Ask{}); err == nil {
						s.open[i] = append(s.open[i], ticket)
					} else if err.Type != "parallel" || err.RetryAfter != time.Second {
						t.Fatalf("%v", err)
					}
				}
			}
			if n := len(s.open[0]) + len(s.open[1]); n > 8 {
				t.Fatalf("%d calls at once", n)
			}
		}
	}
	flood(5, 0)
	most("alone", 8, 0)
	flood(10, 0, 1)
	most("both", 6, 2)
	flood(20, 1)
	most("the other alone", 0, 8)
}

// What a refusal says, and that what is refused or cancelled takes nothing.
func TestShareRefusal(t *testing.T) {
	s := newShared(t, Limits{RPM: 4, TPM: 1000}, 1, 1)
	if _, err := s.host.AdmitFor(s.keys[0], s.now, Ask{Input: 1001}); err == nil || err.RetryAfter != 0 || !strings.Contains(err.Message, `provider "up"`) {
		t.Errorf("%v", err)
	}
	for range 3 {
		if !s.call(0, Ask{}) {
			t.Fatal("refused")
		}
	}
	ticket, err := s.host.AdmitFor(s.keys[0], s.now, Ask{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.host.AdmitFor(s.keys[1], s.now, Ask{}); err == nil || err.RetryAfter != 61*time.Second ||
		!strings.Contains(err.Message, `rate limit of provider "up" reached: 4 requests per minute`) {
		t.Errorf("%v", err)
	}
	ticket.Cancel()
	ticket.Cancel()
	ticket.Done(Ask{Input: 500})
	s.now = s.now.Add(time.Second)
	if _, err := s.host.AdmitFor(s.keys[0], s.now, Ask{}); err == nil || err.RetryAfter != 60*time.Second ||
		!strings.Contains(err.Message, `the share of team "a" in the rate limit of provider "up", 4 requests per minute, is used up; try again in 60 s`) {
		t.Errorf("%v", err)
	}
	if !s.call(1, Ask{Input: 1000}) {
		t.Error("b is refused its share")
	}
	p := s.host.links[0].account.share.byTeam["a"]
	if p.used.minute.sum != (use{3, 0, 0}) || p.used.parallel != 0 {
		t.Errorf("%+v, %d", p.used.minute.sum, p.used.parallel)
	}
}

// A reload keeps what was used, and takes new weights and limits.
func TestShareOutlivesReload(t *testing.T) {
	b := NewBook(nil, nil)
	now := time.Unix(1e9, 0)
	view := func(limits Limits, weight int64) (host, a, c *Owner) {
		v, err := b.Rebuild([]Team{{Name: "provider up", Limits: limits}, {Name: "a", Weight: weight}, {Name: "c"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return v.Team("provider up"), v.Team("a"), v.Team("c")
	}
	admit := func(host, team *Owner) (n int) {
		for range 20 {
			if ticket, err := host.AdmitFor(team, now, Ask{}); err == nil {
				n++
				ticket.Done(Ask{})
			}
		}
		return n
	}
	host, a, c := view(Limits{RPM: 10}, 1)
	if n := admit(host, a); n != 10 {
		t.Errorf("%d", n)
	}
	admit(host, c)
	host, a, c = view(Limits{RPM: 16}, 3)
	if n := admit(host, a); n != 2 { // 12 of 16
		t.Errorf("%d after the reload", n)
	}
	if n := admit(host, c); n != 4 {
		t.Errorf("%d for the other", n)
	}
	host, a, _ = view(Limits{RPM: 100, TPD: 100}, 1) // of a length that c knows nothing of
	for _, call := range []struct {
		tokens int64
		ok     bool
	}{{50, true}, {60, false}, {10, true}} {
		if _, err := host.AdmitFor(a, now, Ask{Input: call.tokens}); (err == nil) != call.ok {
			t.Errorf("%d tokens: %v", call.tokens, err)
		}
	}
	if _, err := b.Rebuild([]Team{{Name: "a", Weight: 101}}, nil); err == nil {
		t.Error("a weight of 101 is taken")
	}
}

// What is admitted allocates nothing, and teams that are gone are forgotten.
func TestShareIsSmall(t *testing.T) {
	s := newShared(t, Limits{RPM: 1000, Parallel: 500}, make([]int64, 26)...)
	for i := range s.keys {
		s.call(i, Ask{})
	}
	if n := testing.AllocsPerRun(300, func() { // in the end it is scarce
		if ticket, err := s.host.AdmitFor(s.keys[0], s.now, Ask{Input: 5}); err == nil {
			ticket.Done(Ask{Input: 3})
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	for range 2 {
		s.now = s.now.Add(62 * time.Second)
		for range 1001 {
			s.call(1, Ask{})
		}
	}
	share := s.host.links[0].account.share
	if len(share.portions) != 1 || len(share.byTeam) != 1 || share.weights != 1 {
		t.Errorf("%d teams are kept", len(share.portions))
	}
}

func BenchmarkAdmitFor(b *testing.B) {
	for _, n := range []int{1, 10, 1000} {
		b.Run(fmt.Sprintf("teams-%d", n), func(b *testing.B) {
			teams := []Team{{Name: "provider up", Limits: Limits{RPM: 5000, TPM: 1e9}}} // of 6000 that are asked for
			for i := range n {
				teams = append(teams, Team{Name: fmt.Sprint(i)})
			}
			v, err := NewBook(nil, nil).Rebuild(teams, nil)
			if err != nil {
				b.Fatal(err)
			}
			owners := slices.Collect(v.All())[:n]
			host := v.Team("provider up")
			i, now := 0, time.Unix(1e9, 0)
			b.ReportAllocs()
			for b.Loop() {
				if i++; i%100 == 0 {
					now = now.Add(time.Second)
				}
				ticket, _ := host.AdmitFor(owners[i%n], now, Ask{Input: 1})
				ticket.Done(Ask{Input: 1})
			}
		})
	}
}

// Shares hold at once with reloads that change weights and limits.
func TestShareAtOnce(t *testing.T) {
	b := NewBook(nil, nil)
	view := func(i int) *Owners {
		v, err := b.Rebuild([]Team{{Name: "provider up", Limits: Limits{Parallel: 6, TPM: int64(1e9 + i), TPD: int64(i) * 1e9}},
			{Name: "a", Weight: int64(1 + i%5)}, {Name: "b"}, {Name: "c", Weight: 2}}, nil)
		if err != nil {
			t.Error(err)
		}
		return v
	}
	var current atomic.Pointer[Owners]
	current.Store(view(0))
	var running, admitted atomic.Int64
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			for range 2000 {
				v := current.Load()
				ticket, err := v.Team("provider up").AdmitFor(v.Team(string(rune('a'+i%3))), time.Now(), Ask{Input: 1})
				if err != nil {
					continue
				}
				if n := running.Add(1); n > 6 {
					t.Errorf("%d calls at once", n)
				}
				admitted.Add(1)
				running.Add(-1)
				ticket.Done(Ask{Input: 1})
			}
		})
	}
	wg.Go(func() {
		for i := range 200 {
			current.Store(view(i % 3))
		}
	})
	wg.Wait()
	host := current.Load().Team("provider up")
	s := host.links[0].account.share
	var used, weights int64
	for _, p := range s.portions {
		used += p.used.minute.sum.requests
		weights += p.weight
		if p.used.parallel != 0 {
			t.Errorf("%d calls of %s still run", p.used.parallel, p.team)
		}
	}
	if l := host.limits[0].limiter; l.parallel != 0 || l.minute.sum.requests != admitted.Load() || used != admitted.Load() || weights != s.weights {
		t.Errorf("%d run, %d counted, %d by teams, %d admitted; weights %d, %d", l.parallel, l.minute.sum.requests, used, admitted.Load(), weights, s.weights)
	}
}
