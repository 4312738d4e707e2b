package billing

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"
)

const (
	batchEntries = 2000
	storeTimeout = 30 * time.Second
	mostBackoff  = 5 * time.Second
)

// moveLoop moves records to the ledger, every 100 ms or when woken. A ledger
// that takes none is asked again after ever longer pauses, up to five seconds.
func (s *Spool) moveLoop(ctx context.Context) {
	r := &s.reader
	pause := syncEvery
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-s.kick:
		}
		err := s.moveAll(ctx, r)
		if ctx.Err() != nil {
			return
		}
		s.noteStore(err)
		if err == nil {
			pause = syncEvery
		} else {
			pause = min(pause*2, mostBackoff)
		}
		timer.Reset(pause)
	}
}

// noteStore keeps whether the ledger takes entries, and says so when it changes.
func (s *Spool) noteStore(err error) {
	s.mu.Lock()
	was := s.storeErr
	s.storeErr = err
	s.mu.Unlock()
	switch {
	case err != nil && was == nil:
		s.o.Log.Error("cannot move usage to the ledger: it waits in the spool", "dir", s.o.Dir, "pending", s.Pending(), "error", err)
	case err == nil && was != nil:
		s.o.Log.Info("the ledger takes usage again", "pending", s.Pending())
	}
}

// moveAll moves all that there is when it begins, in batches. What comes
// meanwhile waits for the next time: a ledger is written to for less in a few
// large batches than in many small ones.
func (s *Spool) moveAll(ctx context.Context, r *reader) error {
	s.mu.Lock()
	until := s.tail
	s.mu.Unlock()
	for {
		if err := s.moveShelved(ctx); err != nil {
			return err
		}
		s.mu.Lock()
		head, tail, end := s.head, s.tail, s.segments[0].end
		s.mu.Unlock()
		if head == tail {
			s.tidy(r, tail)
			return nil
		}
		if !head.before(until) {
			return nil
		}
		if len(r.entries) == 0 {
			if len(r.rest) == 0 {
				if err := s.load(r, head, tail, end); err != nil {
					return err
				}
			}
			r.parse(batchEntries)
		}
		if len(r.entries) > 0 {
			if err := s.store(ctx, r.entries); err != nil {
				return err
			}
		}
		s.pending.Add(-r.frames)
		clear(r.entries)
		r.entries, r.frames = r.entries[:0], 0
		s.advance(position{r.segment, r.offset})
		if len(r.rest) == 0 && r.whole {
			s.finish(r)
		}
	}
}

// store appends to the ledger, in bounded time.
func (s *Spool) store(ctx context.Context, entries []Entry) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return s.o.Ledger.Append(ctx, entries)
}

// moveShelved brings what waits in memory into the ledger, past a disk that
// takes nothing.
func (s *Spool) moveShelved(ctx context.Context) error {
	for {
		s.mu.Lock()
		if len(s.room.pieces) == 0 {
			s.mu.Unlock()
			return nil
		}
		if s.room.claimed { // it is being written to disk
			s.mu.Unlock()
			return nil
		}
		p := s.room.pieces[0]
		s.room.claimed = true
		s.mu.Unlock()
		var err error
		for batch := range slices.Chunk(p.entries(), batchEntries) {
			if err = s.store(ctx, batch); err != nil {
				break
			}
		}
		s.mu.Lock()
		s.room.claimed = false
		if err == nil {
			if s.unshelve(p) {
				s.pending.Add(-int64(p.records))
			}
		}
		s.mu.Unlock()
		if err != nil {
			return err
		}
		s.noteStrain()
	}
}

// advance moves the head on and tells those who wait for it.
func (s *Spool) advance(to position) {
	s.mu.Lock()
	s.head = to
	close(s.progress)
	s.progress = make(chan struct{})
	s.mu.Unlock()
}

// finish removes a segment that is in the ledger whole; one that was damaged is
// kept aside.
func (s *Spool) finish(r *reader) {
	s.mu.Lock()
	s.segments = s.segments[1:]
	next := position{segment: s.segments[0].number}
	s.mu.Unlock()
	if err := s.clear(r, r.segment); err != nil {
		s.o.Log.Error("cannot remove a segment of the usage spool", "dir", s.o.Dir, "segment", r.segment, "error", err)
	}
	s.advance(next)
}

// clear removes a segment's file, or sets it aside if the reader found damage
// in it.
func (s *Spool) clear(r *reader, number uint64) error {
	path := segmentPath(s.o.Dir, number)
	var err error
	if r.segment == number && r.damage.places > 0 {
		err = s.quarantine(path, &r.damage)
	} else {
		err = os.Remove(path)
	}
	if errors.Is(err, os.ErrNotExist) { // that was said when it was read
		return nil
	}
	return err
}

// tidy begins a new segment once an eighth of one is full and in the ledger, so
// that the next start has little to read again.
func (s *Spool) tidy(r *reader, at position) {
	s.mu.Lock()
	clearing := s.clearing && at.offset > 0
	s.mu.Unlock()
	if at.offset < s.o.SegmentBytes/8 && !clearing {
		return
	}
	s.w.Lock()
	s.mu.Lock()
	last := s.tail == at && !s.closed
	s.clearing = s.clearing && !last
	s.mu.Unlock()
	rotated := last && s.rotate() == nil
	if rotated {
		s.makeRoom()
	}
	s.w.Unlock()
	if rotated {
		s.finish(r)
	}
}
