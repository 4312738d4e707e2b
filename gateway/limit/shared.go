package limit

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"sluice/billing/lease"
)

// Share has requests be counted for all replicas together whose limiters have the
// same name. Delays, and how many run at once, stay the replica's own. Set it
// before the first Take.
func (l *Limiter) Share(leases *lease.Broker, name string) {
	if l.Requests > 0 {
		l.leases, l.name = leases, name
	}
}

// pool is what replicas share of a subject, whose shard is locked.
func (l *Limiter) pool(s *Subject, name []byte) *lease.Pool {
	if s.pool == nil {
		sum := sha256.Sum256(append([]byte(l.name+"\x00"), name...))
		w := lease.Window{Width: max(l.Per/slots, time.Microsecond), Slots: slots + 1, Burst: l.Burst}
		s.pool = l.leases.Pool(hex.EncodeToString(sum[:16]), w)
	}
	return s.pool
}

// ask makes a request that this replica has counted be counted by all, where it
// is allowed to come. It may wait.
func (l *Limiter) ask(v *Verdict) {
	s := v.shared
	if s == nil {
		return
	}
	v.shared = nil
	_, which, wait := l.leases.Take([]lease.Want{{Pool: s.pool, N: 1, Limit: l.Requests}})
	if which >= 0 {
		s.takeBack(l, v.Delay == 0)
		*v = Verdict{Wait: max(wait, time.Millisecond), Reset: l.Per}
		return
	}
	if left, _, ok := s.pool.State(time.Now()); ok {
		v.Remaining = min(v.Remaining, left)
	}
}

// Ask is what the end of a delay wants, where replicas share the limit: the
// request may come now, if all of them together have not had too many.
func (l *Limiter) Ask(v Verdict) Verdict {
	l.ask(&v)
	return v
}

// takeBack makes the newest request not count. One that had to wait ends by
// itself.
func (s *Subject) takeBack(l *Limiter, ends bool) {
	s.shard.mu.Lock()
	defer s.shard.mu.Unlock()
	if ends && l.Parallel > 0 {
		s.parallel--
	}
	if l.Burst > 0 && s.sum >= l.Requests { // it was of what was saved
		s.saved = min(s.saved+1, float64(l.Burst))
		return
	}
	if slot := &s.counts[s.head%int64(len(s.counts))]; *slot > 0 {
		*slot--
		s.sum--
	}
}
