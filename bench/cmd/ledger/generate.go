package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sluice/billing"
	"sluice/providers/schema"
	"sluice/store"
)

// world is who makes the calls of a busy company: some teams and keys make most
// of them, most calls are of office hours and working days, a few fail, some are
// answered by a fallback or a cache, and one afternoon a provider was down.
type world struct {
	start time.Time
	days  int
	keys  []caller
	hours []float64 // sums of what part of the calls each hour has
}

// caller is a key and what it is used for.
type caller struct {
	team, id, name string
	weight         float64
	models         []model
	prompt         string
	versions       int
	tagged         bool
	users          int // 0: it names none
}

type model struct{ name, provider, target string }

const (
	teams    = 40
	keyCount = 400
	models   = 25
	users    = 20_000
)

var providers = [5]string{"openai", "anthropic", "gemini", "bedrock", "lab"}

// newWorld makes the same world every time.
func newWorld(start time.Time, days int) *world {
	rng := rand.New(rand.NewPCG(7, 11))
	w := &world{start: start, days: days}
	sum := 0.0
	for h := range days * 24 {
		at := start.Add(time.Duration(h) * time.Hour)
		sum += rhythm[at.Hour()] * week[at.Weekday()]
		w.hours = append(w.hours, sum)
	}
	for i := range keyCount {
		c := caller{team: fmt.Sprintf("team-%02d", i%teams), id: fmt.Sprintf("key_%012d", i), name: fmt.Sprintf("app-%d", i/teams),
			weight: 1 / math.Pow(float64(i+1), 0.8), tagged: rng.IntN(5) < 2}
		for range 1 + rng.IntN(4) {
			n := rng.IntN(models)
			provider := providers[n%5]
			c.models = append(c.models, model{fmt.Sprintf("model-%02d", n), provider, fmt.Sprintf("%s/upstream-%02d", provider, n)})
		}
		if rng.IntN(10) < 3 {
			c.prompt, c.versions = fmt.Sprintf("prompt-%d", i%12), 1+rng.IntN(5)
		}
		if rng.IntN(2) == 0 {
			c.users = 10 + rng.IntN(users)
		}
		w.keys = append(w.keys, c)
	}
	return w
}

// stream makes records in the order of their times.
type stream struct {
	*world
	rng   *rand.Rand
	sums  []float64 // of the callers' weights
	n, of int
}

func (w *world) stream(of int) *stream {
	s := &stream{world: w, rng: rand.New(rand.NewPCG(3, 5)), of: of}
	sum := 0.0
	for _, c := range w.keys {
		sum += c.weight
		s.sums = append(s.sums, sum)
	}
	return s
}

// rhythm is how much of a day's calls each hour has.
var rhythm = [24]float64{1, 1, 1, 1, 1, 1, 2, 4, 7, 9, 9, 8, 7, 9, 9, 8, 7, 5, 3, 3, 2, 2, 2, 1}

// week is how much of an ordinary day's calls each day has, Sunday first.
var week = [7]float64{0.2, 1, 1.1, 1.1, 1, 0.9, 0.25}

// at is when a share of all calls has been made.
func (w *world) at(share float64) time.Time {
	want := share * w.hours[len(w.hours)-1]
	h := min(sort.SearchFloat64s(w.hours, want), len(w.hours)-1)
	before := 0.0
	if h > 0 {
		before = w.hours[h-1]
	}
	hours := float64(h) + (want-before)/(w.hours[h]-before)
	return w.start.Add(time.Duration(hours * float64(time.Hour)))
}

// down tells whether the provider that fails was down at a time: for three hours
// of an afternoon in the middle.
func (w *world) down(provider string, at time.Time) bool {
	day := w.start.AddDate(0, 0, w.days/2)
	noon := time.Date(day.Year(), day.Month(), day.Day(), 12, 0, 0, 0, time.UTC)
	return provider == "lab" && !at.Before(noon) && at.Before(noon.Add(3*time.Hour))
}

// next makes the next record.
func (s *stream) next() billing.Entry {
	rng := s.rng
	c := &s.keys[min(sort.SearchFloat64s(s.sums, rng.Float64()*s.sums[len(s.sums)-1]), len(s.keys)-1)]
	m := c.models[min(int(rng.ExpFloat64()), len(c.models)-1)]
	at := s.at(float64(s.n) / float64(s.of))
	e := billing.Entry{
		Call: callID(s.n), Time: at, Team: c.team, KeyID: c.id, Key: c.team + "/" + c.name,
		Operation: "chat", Model: m.name, Provider: m.provider, Target: m.target, Status: 200, Delivered: -1,
		Stream: rng.IntN(2) == 0, PriceVersion: "2026-11-01", Latency: time.Duration(math.Exp(rng.NormFloat64()*0.9+6.8) * 1e6),
		Usage: schema.Usage{Source: schema.UsageReported, Input: int64(20 + rng.ExpFloat64()*900), Output: int64(1 + rng.ExpFloat64()*250)},
	}
	e.RequestID, e.TTFT = e.Call, e.Latency/4
	if rng.IntN(5) == 0 {
		e.Usage.CachedInput = e.Usage.Input / 2
	}
	e.Cost = billing.Nano(e.Usage.Input*150 + e.Usage.Output*600)
	if c.prompt != "" {
		e.Prompt, e.Version = c.prompt, 1+(s.n*c.versions)/s.of
	}
	if c.tagged {
		e.Tags = []string{"prod", fmt.Sprintf("feature-%d", rng.IntN(8))}
	}
	if c.users > 0 {
		e.User = fmt.Sprintf("user-%05d", int(math.Pow(rng.Float64(), 3)*float64(c.users)))
	}
	e.Attempts = []billing.AttemptLog{{Target: m.target, Key: "…4f2a", Status: 200, LatencyMS: e.Latency.Milliseconds(), USD: e.Cost}}
	if !s.cached(&e) && !s.fallBack(&e, c) {
		s.fail(&e)
	}
	s.n++
	return e
}

// cached lets a cache answer one call in twelve, and miss as many.
func (s *stream) cached(e *billing.Entry) bool {
	switch s.rng.IntN(12) {
	case 0:
		e.Cache, e.Saved, e.Cost, e.Attempts = "hit", e.Cost, 0, nil
		e.Latency, e.TTFT = 2*time.Millisecond, time.Millisecond
		return true
	case 1:
		e.Cache = "miss"
	}
	return false
}

// fallBack has another target of the key answer where the first one failed: one
// call in forty, and most of those of a provider that is down.
func (s *stream) fallBack(e *billing.Entry, c *caller) bool {
	down := s.down(e.Provider, e.Time)
	other := c.models[len(c.models)-1]
	if other.provider == e.Provider || s.rng.IntN(40) > 0 && !down || s.rng.IntN(5) == 0 {
		return false
	}
	first := billing.AttemptLog{Target: e.Target, Key: "…4f2a", Status: 503, Code: "upstream_error", LatencyMS: e.Latency.Milliseconds() / 10}
	e.Provider, e.Target = other.provider, other.target
	e.Latency += e.Latency / 10
	e.TTFT = e.Latency / 3
	e.Attempts = []billing.AttemptLog{first, {Target: other.target, Key: "…9c01", Status: 200, LatencyMS: e.Latency.Milliseconds() - first.LatencyMS, USD: e.Cost}}
	return true
}

// fail makes one call in twenty-five end badly, and those of a provider that is
// down.
func (s *stream) fail(e *billing.Entry) {
	kind := s.rng.IntN(4)
	if s.down(e.Provider, e.Time) {
		kind = 0
	} else if s.rng.IntN(25) > 0 {
		return
	}
	switch kind {
	case 0:
		e.Status, e.Code, e.Origin = 502, "upstream_error", "provider"
	case 1:
		e.Status, e.Code, e.Origin = 400, "invalid_request", "provider"
	case 2:
		e.Status, e.Code, e.Origin, e.Disconnect, e.Delivered = 499, "cancelled", "gateway", true, e.Usage.Output/2
		return
	default:
		e.Status, e.Code, e.Origin, e.Refused, e.Target, e.Provider, e.Attempts = 429, "rate_limit_exceeded", "policy", true, "", "", nil
	}
	e.Usage, e.Cost, e.Latency, e.TTFT = schema.Usage{}, 0, e.Latency/20, 0
	if len(e.Attempts) > 0 {
		e.Attempts[0].Status, e.Attempts[0].Code, e.Attempts[0].USD = e.Status, e.Code, 0
	}
}

// callID is an id like those of the gateway, which grow with time.
func callID(n int) string {
	text := strconv.FormatUint(uint64(n), 36)
	return "038gdv" + strings.Repeat("0", 12-len(text)) + text + "rbyp5zmf"
}

// batch is how many records the spool's writer hands over at once.
const batch = 2000

// fill makes the teams and keys with their records, and the sums of further calls.
func fill(ctx context.Context, s *store.Store, w *world, o *options) error {
	if err := declare(ctx, s, w); err != nil {
		return err
	}
	if err := writeSums(ctx, s.Ledger(), w.stream(o.sums)); err != nil {
		return err
	}
	return writeRecords(ctx, s.Ledger(), w.stream(o.records))
}

// writeRecords writes records through the store's ledger, as the spool's writer
// does, and tells the rate of the writing alone.
func writeRecords(ctx context.Context, l *store.Ledger, from *stream) error {
	n := from.of
	entries := make([]billing.Entry, 0, batch)
	var all, part, cpu time.Duration
	slowest := math.Inf(1)
	step := max(n/10/batch, 1) * batch
	for done := 0; done < n; {
		entries = entries[:0]
		for len(entries) < min(batch, n-done) {
			entries = append(entries, from.next())
		}
		begin, before := time.Now(), used()
		if err := l.Append(ctx, entries); err != nil {
			return err
		}
		took := time.Since(begin)
		cpu += used() - before
		all, part, done = all+took, part+took, done+len(entries)
		if done%step == 0 {
			rate := float64(step) / part.Seconds()
			slowest, part = min(slowest, rate), 0
			fmt.Printf("%9d records, %.0f/s\n", done, rate)
		}
	}
	fmt.Printf("ingest: %d records in %v of writing, %.0f/s; the slowest tenth %.0f/s; CPU per record %v\n", n, all.Round(time.Millisecond),
		float64(n)/all.Seconds(), slowest, (cpu / time.Duration(n)).Round(100*time.Nanosecond))
	return nil
}

// sumsBatch is of how many calls the sums are written at once: of an ordinary
// day there are several, as of a gateway's.
const sumsBatch = 200_000

// writeSums writes what calls sum up to, without their records.
func writeSums(ctx context.Context, l *store.Ledger, from *stream) error {
	begin := time.Now()
	for from.n < from.of {
		err := l.AppendSums(ctx, func(yield func(*billing.Entry) bool) {
			for end := min(from.n+sumsBatch, from.of); from.n < end; {
				if e := from.next(); !yield(&e) {
					return
				}
			}
		})
		if err != nil {
			return err
		}
	}
	if from.of > 0 {
		fmt.Printf("sums of %d further calls in %v\n", from.of, time.Since(begin).Round(time.Second))
	}
	return nil
}

// used is the CPU time of this process.
func used() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail for oneself
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// declare makes the teams and keys, so that lists and budgets have them.
func declare(ctx context.Context, s *store.Store, w *world) error {
	for i := range teams {
		t := billing.Team{Name: fmt.Sprintf("team-%02d", i), Source: "store", Created: w.start,
			Budgets: billing.Budgets{{USD: 1_000_000 * billing.Dollar, Per: billing.PeriodMonth, Hard: true}}}
		if i >= 8 {
			t.Parent = fmt.Sprintf("team-%02d", i%8)
		}
		if err := s.Tenants().PutTeam(ctx, t); err != nil {
			return err
		}
	}
	for i, c := range w.keys {
		k := billing.Key{ID: c.id, Hash: billing.HashKey("sk-ledger-" + c.id), Prefix: "sk-led…", Team: c.team, Name: c.name, Created: w.start, Source: "store"}
		if i%4 == 0 {
			k.Budgets = billing.Budgets{{USD: 100_000 * billing.Dollar, Per: "30d"}}
		}
		if err := s.Tenants().PutKey(ctx, k); err != nil {
			return err
		}
	}
	return nil
}
