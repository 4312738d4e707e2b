package router

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"sluice/providers/schema"
)

// How soon what was learnt is forgotten: a peak within seconds, as it is a
// sign of trouble that may be over; a mean within minutes. Whatever the time,
// a sample counts for at least leastShare.
const (
	peakFades  = 10 * time.Second
	meanFades  = 5 * time.Minute
	leastShare = 1.0 / 32
)

// gauge is a figure that is learnt from samples, of which older ones count
// less. Samples are added under a lock; it is read without.
type gauge struct {
	at         atomic.Int64 // of the last sample, Unix nanoseconds; 0: there was none
	mean, peak atomic.Uint64
}

func (g *gauge) known() bool  { return g.at.Load() != 0 }
func (g *gauge) avg() float64 { return math.Float64frombits(g.mean.Load()) }
func (g *gauge) top() float64 { return math.Float64frombits(g.peak.Load()) }

// add takes a sample in. A peak goes up at once and comes down slowly. share
// is what the sample should count for in the mean, at least.
func (g *gauge) add(v float64, at time.Time, share float64) {
	mean, peak := v, v
	now := at.UnixNano()
	if last := g.at.Load(); last != 0 {
		age := time.Duration(max(now-last, 0))
		mean = g.avg() + max(share, shareAfter(age, meanFades))*(v-g.avg())
		if was := g.top(); v < was {
			peak = was + shareAfter(age, peakFades)*(v-was)
		}
		now = max(now, last)
	}
	g.mean.Store(math.Float64bits(mean))
	g.peak.Store(math.Float64bits(peak))
	g.at.Store(now)
}

// shareAfter is what a sample counts for when the last one is so old.
func shareAfter(age, fades time.Duration) float64 {
	return max(leastShare, -math.Expm1(-float64(age)/float64(fades)))
}

// raise lifts the peak for an attempt that failed: a target that fails at once
// is not a quick one. Of a gauge without samples it becomes the first.
func (g *gauge) raise(took float64, at time.Time) {
	if !g.known() {
		g.add(took+1, at, 0)
		return
	}
	g.peak.Store(math.Float64bits(max(took, min(2*g.top(), longest))))
	g.at.Store(max(at.UnixNano(), g.at.Load()))
}

// longest is the time, in seconds, that failures alone can make a peak.
const longest = 60

// learnt is how a target's attempts went: times in seconds.
type learnt struct {
	mu    sync.Mutex
	first gauge // to the beginning of an answer that came bit by bit
	pace  gauge // for each unit of such an answer, after its beginning
	whole gauge // to the end of an answer that came whole
	size  gauge // units in an answer
	fine  gauge // 1 for an attempt that went well, 0 for one that failed
	busy  gauge // attempts in flight beside one that went well

	tails atomic.Pointer[tails] // nil: no route asks for them
}

// time is how long an answer of so many units takes, to its end. What is not
// known of answers of one kind is told by those of the other.
func (l *learnt) time(late bool, size float64, read func(*gauge) float64) (seconds float64, known bool) {
	begun, whole := l.first.known(), l.whole.known()
	if begun && (late || !whole) {
		seconds = read(&l.first)
		if l.pace.known() {
			seconds += size * read(&l.pace)
		}
		return seconds, true
	}
	return read(&l.whole), whole
}

// expected is how long the target will take for an answer of so many units, as
// was learnt (see time), times the attempts that are in flight with this one as
// a multiple of those that usually were: a target that is quick under its load
// is not slow for it, but what piles up tells that it has become so before the
// first slow answer is there.
func (t *Target) expected(late bool, size float64, read func(*gauge) float64) (seconds float64, known bool) {
	seconds, known = t.learnt.time(late, size, read)
	return seconds * max(1, float64(t.InFlight()+1)/(t.learnt.busy.avg()+1)), known
}

// last is when a time was last learnt, Unix nanoseconds.
func (l *learnt) last() int64 { return max(l.first.at.Load(), l.whole.at.Load()) }

func (l *learnt) began(after time.Duration, at time.Time, share float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.first.add(after.Seconds(), at, share)
	if t := l.tails.Load(); t != nil {
		t.begun.add(after)
	}
}

// learn takes in how an attempt ended. What says nothing of the target teaches
// nothing; a key that is refused or limited is no answer, so it does.
func (a *Attempt) learn(e *schema.Error, health outcome, took time.Duration, now time.Time) {
	l := &a.Candidate.Target.learnt
	failed := health == failure || e != nil && aboutKey(e.Class)
	if e != nil && !failed {
		return
	}
	share := a.newness()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !failed:
		l.fine.add(1, now, share)
		l.busy.add(float64(a.Candidate.Target.InFlight()), now, 0)
		if !a.late {
			l.whole.add(took.Seconds(), now, share)
			if t := l.tails.Load(); t != nil {
				t.whole.add(took)
			}
		}
	default:
		l.fine.add(0, now, share)
		if l.first.known() || a.plan.Late {
			l.first.raise(took.Seconds(), now)
		}
		if l.whole.known() || !a.plan.Late {
			l.whole.raise(took.Seconds(), now)
		}
	}
}

// Came tells how much the last attempt's answer held, in whatever the caller
// measures answers. If it is late, that is told before Done.
func (p *Plan) Came(size int64) {
	a := p.last()
	if size <= 0 || a.Candidate == nil || a.N > len(p.Results) || p.Results[a.N-1].Err != nil {
		return
	}
	now := p.Clock.Now()
	l := &a.Candidate.Target.learnt
	l.mu.Lock()
	defer l.mu.Unlock()
	l.size.add(float64(size), now, 0)
	if a.late && a.open {
		l.pace.add(now.Sub(a.first).Seconds()/float64(size), now, a.newness())
	}
}

// Size is the mean size of the target's answers, as Came told it; 0: none did.
func (t *Target) Size() float64 { return t.learnt.size.avg() }
