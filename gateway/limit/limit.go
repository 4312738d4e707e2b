package limit

import (
	"hash/maphash"
	"sync"
	"time"

	"sluice/billing/lease"
)

// Limit is how many requests may come.
type Limit struct {
	Requests int64         // in any stretch of Per; 0: any number
	Per      time.Duration // at least a millisecond
	Burst    int64         // more than Requests, once, after quiet times
	Parallel int64         // at once; 0: any number
	Exact    bool          // replicas that share it keep nothing of it for those that may come
	Throttle *Throttle     // nil: what is too much is refused at once
}

const (
	shards = 64
	// mostSubjects bounds those of a shard: callers choose what tells them apart.
	mostSubjects = 4096
	fewSubjects  = 512
	slots        = 60 // of a window; one more is kept, which is partly outside
)

// Limiter counts the requests of each subject. It is safe for concurrent use.
type Limiter struct {
	Limit
	seed   maphash.Seed
	width  int64         // of a slot, in nanoseconds
	most   int           // subjects of a shard
	leases *lease.Broker // nil: what it counts is the replica's own
	name   string        // that replicas know the limiter by
	shards [shards]shard
}

type shard struct {
	mu       sync.Mutex
	subjects map[uint64]*Subject
}

// Subject is one whose requests are counted.
type Subject struct {
	shard    *shard
	parallel int64
	waiting  int64
	paced    int64 // how many came a delay or more after the one before, the last in a row
	departed int64 // when the last one came, or is to come
	sum      int64
	saved    float64 // of the burst
	last     int64   // when it was looked at, in nanoseconds
	head     int64   // the newest slot
	counts   [slots + 1]int32
	pool     *lease.Pool // nil: replicas share none
	atOnce   *atOnce     // likewise
}

// New makes a limiter. A slot is rather longer than its part of the stretch: all of
// them together must not be shorter.
func New(l Limit) *Limiter {
	made := &Limiter{Limit: l, seed: maphash.MakeSeed(), width: max((int64(l.Per)+slots-1)/slots, 1), most: mostSubjects}
	for i := range made.shards {
		made.shards[i].subjects = map[uint64]*Subject{}
	}
	return made
}

// Verdict is what came of a request.
type Verdict struct {
	OK        bool
	Remaining int64         // requests that may come now
	Reset     time.Duration // until all of the limit is there again
	Wait      time.Duration // of one that is refused: until one may come; 0: when another ends
	Delay     time.Duration // of one that may come: how long it has to wait before
	Subject   *Subject      // to be told of the end, and of the end of the delay; nil: nothing runs or waits
}

// shard is where the subject that name tells is, and what it is called there.
func (l *Limiter) shard(name []byte) (*shard, uint64) {
	key := maphash.Bytes(l.seed, name)
	return &l.shards[key%shards], key
}

// Take counts a request of the subject that name tells, or refuses it. Where
// replicas share the limit, it may wait for what they know; one with a delay is
// asked for by Ask when that is over.
func (l *Limiter) Take(name []byte, now time.Time) Verdict {
	v, s := l.count(name, now)
	if v.OK && l.leases != nil {
		l.ask(s, &v)
	}
	return v
}

// count is Take by what this replica has counted.
func (l *Limiter) count(name []byte, now time.Time) (Verdict, *Subject) {
	sh, key := l.shard(name)
	at := now.UnixNano()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s := sh.subjects[key]
	if s == nil {
		if len(sh.subjects) >= l.most {
			sh.forget(l, at)
		}
		s = &Subject{shard: sh, saved: float64(l.Burst), last: at, head: at / l.width}
		sh.subjects[key] = s
		if l.leases != nil {
			l.share(s, name)
		}
	}
	return l.take(s, at), s
}

func (l *Limiter) take(s *Subject, at int64) Verdict {
	if l.Parallel > 0 && s.parallel >= l.Parallel {
		return Verdict{}
	}
	delay := time.Duration(0)
	if l.Throttle != nil {
		due, ok := s.turn(l, at)
		if delay = time.Duration(due - at); !ok {
			return Verdict{Wait: delay, Reset: l.Per}
		}
	} else if l.Requests > 0 {
		s.advance(l, at)
		switch {
		case s.sum < l.Requests:
			s.count()
		case s.saved >= 1:
			s.saved--
		default:
			return Verdict{Wait: s.wait(l, at), Reset: l.Per}
		}
	}
	v := Verdict{OK: true, Remaining: max(l.Requests-s.sum, 0) + int64(s.saved), Reset: l.Per, Delay: delay}
	if l.Parallel > 0 {
		s.parallel++
		v.Subject = s
	}
	if delay > 0 {
		s.waiting++
		v.Subject = s
	}
	return v
}

// count counts a request in the newest slot.
func (s *Subject) count() {
	s.counts[s.head%int64(len(s.counts))]++
	s.sum++
}

// advance moves the window on, and lets what was not used of it flow into the
// burst. Time never goes back.
func (s *Subject) advance(l *Limiter, at int64) {
	if at <= s.last {
		return
	}
	if l.Burst > 0 {
		quiet := at - s.last // of which all that is longer than the window was unused
		within := min(quiet, int64(l.Per))
		unused := float64(within)*float64(max(l.Requests-s.sum, 0)) + float64(quiet-within)*float64(l.Requests)
		s.saved = min(s.saved+unused/float64(l.Per), float64(l.Burst))
	}
	s.last = at
	slot, n := at/l.width, int64(len(s.counts))
	if slot-s.head >= n {
		s.counts, s.sum, s.head = [slots + 1]int32{}, 0, slot
		return
	}
	for s.head < slot {
		s.head++
		s.sum -= int64(s.counts[s.head%n])
		s.counts[s.head%n] = 0
	}
}

// wait is how long until the oldest request that counts is out of the window.
func (s *Subject) wait(l *Limiter, at int64) time.Duration {
	n := int64(len(s.counts))
	for slot := s.head - n + 1; slot <= s.head; slot++ {
		if slot >= 0 && s.counts[slot%n] > 0 {
			return time.Duration((slot+n)*l.width - at)
		}
	}
	return l.Per
}

// Done tells that a request has ended.
func (s *Subject) Done() {
	if s == nil {
		return
	}
	s.shard.mu.Lock()
	s.parallel--
	if s.atOnce != nil {
		s.atOnce.running--
		s.atOnce.slice.Eased()
	}
	s.shard.mu.Unlock()
}

// forget makes room for many, so that it is seldom done: those of whom nothing
// counts any more go, and if they are few, any that have no request under way.
func (sh *shard) forget(l *Limiter, at int64) {
	for key, s := range sh.subjects {
		if s.idle() && at-s.last > int64(l.Per)+l.width {
			delete(sh.subjects, key)
		}
	}
	for key, s := range sh.subjects {
		if len(sh.subjects) < l.most*3/4 {
			return
		}
		if s.idle() {
			delete(sh.subjects, key)
		}
	}
}
