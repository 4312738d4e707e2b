package limit

import "time"

// Throttle slows requests down before they are refused: the first of a window
// pass at once, the others one after the other. Those that would wait longer
// than a whole queue takes are refused.
type Throttle struct {
	After int64         // so many in any stretch of the limit's time pass at once
	Delay time.Duration // between two of the others, above 0
	Queue int64         // that may wait at the same time
}

// turn is when a request may come: at once, or a delay after the one before it
// and not before the window has room. With false, it is when it could have come
// but for those that wait.
func (s *Subject) turn(l *Limiter, at int64) (due int64, ok bool) {
	t := l.Throttle
	due = at
	if s.departed > at || s.sum >= t.After {
		due = max(at, s.departed+int64(t.Delay))
	}
	if s.departed <= at { // nobody waits
		if s.advance(l, at); s.sum < t.After {
			due = at
		}
	}
	if due > at && s.waiting >= t.Queue {
		return due, false
	}
	s.advance(l, due)
	switch {
	case s.sum < l.Requests || s.steady(l):
	case s.saved >= 1:
		s.saved--
		s.sum-- // it counts in none of the slots
	default:
		due += int64(s.wait(l, due))
		if s.waiting >= t.Queue || due-at > t.Queue*int64(t.Delay) {
			return due, false
		}
		s.advance(l, due)
	}
	s.depart(l, due)
	return due, true
}

// steady tells whether the delays alone keep to the limit, more exactly than
// slots can: so many have come a delay apart that one more is a whole window
// after the one that was the limit before it.
func (s *Subject) steady(l *Limiter) bool {
	return int64(l.Throttle.Delay)*l.Requests >= int64(l.Per) && s.paced+1 >= l.Requests
}

func (s *Subject) depart(l *Limiter, due int64) {
	if due-s.departed >= int64(l.Throttle.Delay) {
		s.paced++
	} else {
		s.paced = 0
	}
	s.departed = due
	s.count()
}

// Waited tells that a request's delay is over, or that it gave up.
func (s *Subject) Waited() {
	s.shard.mu.Lock()
	s.waiting--
	s.shard.mu.Unlock()
}

// idle tells that no request waits or runs.
func (s *Subject) idle() bool { return s.parallel == 0 && s.waiting == 0 }
