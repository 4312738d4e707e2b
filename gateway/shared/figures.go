package shared

import "sync/atomic"

// counts are figures since the start.
type counts struct{ hits, misses, errors, stored, lost, purges, refused atomic.Int64 }

// Count counts a question that the server has answered, by whether it had what was
// asked for.
func (l *Level) Count(hit bool) {
	if hit {
		l.counts.hits.Add(1)
	} else {
		l.counts.misses.Add(1)
	}
}

// Figures tell how a level stands. The counts are since the start.
type Figures struct {
	Server  string `json:"server"` // Redis or memcached
	Up      bool   `json:"up"`     // it is there and in use
	Hits    int64  `json:"hits"`
	Misses  int64  `json:"misses"`
	Errors  int64  `json:"errors"` // questions that were not answered, or not in time
	Stored  int64  `json:"stored"`
	Lost    int64  `json:"lost"`    // answers that were not stored, for want of room or of the server
	Purges  int64  `json:"purges"`  // that this replica has heard of, its own included
	Refused int64  `json:"refused"` // events that could not be understood
	Pending int64  `json:"pending"` // purges that the server has not been told yet
}

// Figures tells how the level stands.
func (l *Level) Figures() Figures {
	l.pendingMu.Lock()
	pending := int64(len(l.pending))
	l.pendingMu.Unlock()
	c := &l.counts
	return Figures{Server: l.server(), Up: l.session.Load() != nil, Hits: c.hits.Load(), Misses: c.misses.Load(), Errors: c.errors.Load(), Stored: c.stored.Load(),
		Lost: c.lost.Load(), Purges: c.purges.Load(), Refused: c.refused.Load(), Pending: pending}
}
