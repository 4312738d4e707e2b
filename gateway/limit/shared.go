package limit

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"sluice/billing/lease"
)

// Share has requests be counted for all replicas together whose limiters have the
// same name. Delays stay the replica's own. Set it before the first Take.
func (l *Limiter) Share(leases *lease.Broker, name string) { l.leases, l.name = leases, name }

// atOnce is how many requests of a subject run here. The shard's lock guards it.
type atOnce struct {
	slice   *lease.Slice
	running int64 // that all replicas have been told of, or are to be
}

// share makes what replicas share of a subject, whose shard is locked.
func (l *Limiter) share(s *Subject, name []byte) {
	sum := sha256.Sum256(append([]byte(l.name+"\x00"), name...))
	shared := hex.EncodeToString(sum[:16])
	if l.Requests > 0 {
		s.pool = l.leases.Pool(shared, lease.Window{Width: (l.Per + slots*time.Microsecond - 1) / (slots * time.Microsecond) * time.Microsecond, Slots: slots + 1, Burst: l.Burst, Exact: l.Exact})
	}
	if l.Parallel > 0 {
		a := &atOnce{}
		a.slice = l.leases.Slice(&s.shard.mu, func(time.Time) lease.State { // a budget of which nothing is ever spent
			return lease.State{Name: shared, Budget: lease.Budget{Base: a.running, Limit: l.Parallel, Kept: time.Hour, Span: time.Hour}}
		})
		s.atOnce = a
	}
}

// ask has a request that this replica has counted be counted by all, if it may
// come; else it counts in nothing. It may wait. One with a delay has its place
// among those that run from now on, and is counted when that is over.
func (l *Limiter) ask(s *Subject, v *Verdict) {
	var loans []*lease.Loan
	if s.atOnce != nil { // first, so that one exchange is for both
		s.shard.mu.Lock()
		loans = append(loans, s.atOnce.slice.Borrow(1, 1, time.Now()))
		s.shard.mu.Unlock()
	}
	refused := Verdict{OK: true}
	var permit lease.Permit
	if v.Delay == 0 {
		permit, refused = l.permit(s, v)
	}
	if len(loans) > 0 {
		l.leases.Await(loans)
		if loans[0].Refused() {
			permit.Return()
			refused = Verdict{}
		}
		s.shard.mu.Lock()
		if refused.OK {
			s.atOnce.running++
		}
		loans[0].Return()
		s.shard.mu.Unlock()
	}
	if refused.OK {
		return
	}
	s.shard.mu.Lock()
	s.takeBack(l)
	if l.Parallel > 0 {
		s.parallel--
	}
	if v.Delay > 0 {
		s.waiting--
	}
	s.shard.mu.Unlock()
	*v = refused
}

// permit takes one of the window's of all replicas. It gives the refusal, where
// there is none.
func (l *Limiter) permit(s *Subject, v *Verdict) (p lease.Permit, refused Verdict) {
	if s.pool == nil {
		return p, Verdict{OK: true}
	}
	permits, which, wait := l.leases.Take([]lease.Want{{Pool: s.pool, N: 1, Limit: l.Requests}})
	if which >= 0 {
		return p, Verdict{Wait: max(wait, time.Millisecond), Reset: l.Per}
	}
	if len(permits) == 1 { // else nobody could be asked
		p = permits[0]
	}
	if left, _, ok := s.pool.State(time.Now()); ok {
		v.Remaining = min(v.Remaining, left)
	}
	return p, Verdict{OK: true}
}

// Ask is what the end of a delay wants, where replicas share the limit: the
// request may come now, if all of them together have not had too many. It has
// still to be told of the end.
func (l *Limiter) Ask(v Verdict) Verdict {
	if l.leases == nil || v.Subject == nil {
		return v
	}
	_, refused := l.permit(v.Subject, &v)
	if refused.OK {
		return v
	}
	s := v.Subject
	s.shard.mu.Lock()
	s.takeBack(l)
	s.shard.mu.Unlock()
	return refused
}

// takeBack makes the newest request not count. The shard is locked.
func (s *Subject) takeBack(l *Limiter) {
	if l.Burst > 0 && s.sum >= l.Requests { // it was of what was saved
		s.saved = min(s.saved+1, float64(l.Burst))
		return
	}
	if slot := &s.counts[s.head%int64(len(s.counts))]; *slot > 0 {
		*slot--
		s.sum--
	}
}
