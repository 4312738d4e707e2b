package billing

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"syscall"
)

// What may wait in memory, in bytes, while the disk takes no records: from
// mostShelved on no more calls should come (a quarter of a million records), and
// what is beyond mostShelved + moreShelved, of calls that were let in before, is
// lost. Pieces are small, so that they fit into whatever room there is.
const (
	mostShelved = 64 << 20
	moreShelved = 16 << 20
	pieceBytes  = 64 << 10
)

// reserveBytes are kept free on the disk behind the last record, some
// thousands of records' worth: calls that are under way when it fills up are
// still recorded where no crash can take them. It costs a system call a
// megabyte of records.
const reserveBytes = 1 << 20

// room is what the spool knows of its disk. The spool's mu guards it; reserved
// and scant are changed under w too.
type room struct {
	reserved int64 // bytes of the file being written, from its beginning
	scant    error // why no more can be reserved, or no new segment begun
	why      error // why nothing can be written
	unsynced error // why what was written cannot be forced to disk

	pieces  []*piece // the records that wait in memory, oldest first
	claimed bool     // the first of them is on its way to the ledger, or into a file: nobody else adds to it, or takes it
	records int      // in pieces
	bytes   int
	shelved int64 // records that ever came to wait
	brought int64 // and of these, those that are in a file or the ledger

	damaged atomic.Int64 // segments that were kept aside
}

// piece is some records in their frames.
type piece struct {
	frames  []byte
	records int
}

// trouble is why records cannot be written to disk, or soon not any more; nil:
// they can.
func (r *room) trouble() error {
	switch {
	case r.why != nil:
		return r.why
	case r.scant != nil:
		return r.scant
	}
	return r.unsynced
}

// Unwritten is how many records wait in memory, where a crash would take them.
func (s *Spool) Unwritten() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(s.room.records)
}

// Damaged is how many segments were found damaged, and kept aside, so far.
func (s *Spool) Damaged() int64 { return s.room.damaged.Load() }

// StoreTrouble is why the ledger takes no entries; nil: it does.
func (s *Spool) StoreTrouble() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.storeErr
}

// keep writes records, or shelves them where that cannot be done; w is held.
// While the disk is known to take none it is not asked: retry does that, and no
// call waits for it.
func (s *Spool) keep(frames []byte, records int) error {
	s.mu.Lock()
	why := s.room.why
	s.mu.Unlock()
	if why == nil {
		if why = s.put(frames); why == nil {
			return nil
		}
	}
	return s.shelve(frames, records, why)
}

// shelve lets records wait in memory; far too many are an error.
func (s *Spool) shelve(frames []byte, records int, why error) error {
	s.mu.Lock()
	r := &s.room
	if r.bytes+len(frames) > mostShelved+moreShelved {
		waiting := r.records
		s.mu.Unlock()
		return fmt.Errorf("%w, and %d records wait in memory already", why, waiting)
	}
	last := len(r.pieces) - 1
	if last < 0 || len(r.pieces[last].frames) >= pieceBytes || last == 0 && r.claimed {
		r.pieces = append(r.pieces, &piece{})
		last++
	}
	p := r.pieces[last]
	p.frames = append(p.frames, frames...)
	p.records += records
	r.records += records
	r.bytes += len(frames)
	r.shelved += int64(records)
	up := s.storeErr == nil
	s.mu.Unlock()
	s.noteRoom(why)
	if up { // the ledger may take them at once: they are in danger here
		s.wake()
	}
	return nil
}

// unshelve takes the first piece off, which is in a file or the ledger; mu is
// held. False: it was taken off already, for it went to both at once.
func (s *Spool) unshelve(p *piece) bool {
	r := &s.room
	if len(r.pieces) == 0 || r.pieces[0] != p {
		return false
	}
	r.pieces[0] = nil
	r.pieces = r.pieces[1:]
	r.records -= p.records
	r.bytes -= len(p.frames)
	r.brought += int64(p.records)
	close(s.progress)
	s.progress = make(chan struct{})
	return true
}

// noteRoom keeps whether records can be written, and says so when it changes.
func (s *Spool) noteRoom(why error) {
	s.mu.Lock()
	was := s.room.why
	if why == nil || was == nil {
		s.room.why = why
	}
	s.mu.Unlock()
	switch {
	case why != nil && was == nil:
		s.o.Log.Error("the usage spool cannot be written: usage waits in memory, where a crash would take it. Make room on its disk",
			"dir", s.o.Dir, "error", why)
	case why == nil && was != nil:
		s.o.Log.Info("the usage spool can be written again", "dir", s.o.Dir)
	}
	s.noteStrain()
}

// retry writes what waits in memory, as far as there is room again.
func (s *Spool) retry() {
	for s.retryOne() {
	}
}

// retryOne writes the first piece; true: there is another.
func (s *Spool) retryOne() bool {
	s.w.Lock()
	defer s.w.Unlock()
	s.mu.Lock()
	r := &s.room
	why, scant, tail := r.why, r.scant, s.tail
	var p *piece
	waits := len(r.pieces) > 0
	if waits && !r.claimed {
		p = r.pieces[0]
		r.claimed = true
	}
	s.mu.Unlock()
	switch {
	case p != nil:
	case why == nil && scant != nil:
		s.makeRoom()
		return false
	case why != nil && !waits: // they went to the ledger meanwhile
		if s.probe(tail) == nil {
			s.noteRoom(nil)
		}
		return false
	default:
		return false
	}
	err := s.put(p.frames)
	s.mu.Lock()
	r.claimed = false
	if err == nil && !s.unshelve(p) { // what is in the file is counted once more, and found to be known
		s.pending.Add(int64(p.records))
	}
	more := len(r.pieces) > 0
	s.mu.Unlock()
	if err != nil {
		return false
	}
	if !more {
		s.noteRoom(nil)
	}
	return more
}

// probe tries whether there is room behind the tail.
func (s *Spool) probe(tail position) error {
	_, err := s.file.WriteAt(make([]byte, 4096), tail.offset)
	return errors.Join(err, s.file.Truncate(tail.offset))
}

// makeRoom begins the next segment when this one is full, and sees to it that
// there is room behind the tail; w is held.
func (s *Spool) makeRoom() {
	var err error
	if s.tail.offset >= s.o.SegmentBytes {
		err = s.rotate()
	}
	if err == nil {
		err = s.reserve()
	}
	s.mu.Lock()
	was := s.room.scant
	s.room.scant = err
	s.mu.Unlock()
	if err == nil && was == nil {
		return
	}
	s.noteStrain()
	switch {
	case err != nil && was == nil && isFull(err):
		s.o.Log.Error("the disk of the usage spool is full: what room was set aside is being used up", "dir", s.o.Dir, "error", err)
	case err != nil && was == nil:
		s.o.Log.Error("the usage spool cannot begin a new segment: the last one grows on", "dir", s.o.Dir, "error", err)
	case err == nil && was != nil:
		s.o.Log.Info("the usage spool has room again", "dir", s.o.Dir)
	}
}

// isFull tells whether a disk, or what one may use of it, is used up.
func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// reserve sets room aside behind the tail; w is held. Only a full disk is an
// error: a file system that cannot do it will tell when records are written.
func (s *Spool) reserve() error {
	if s.room.reserved >= s.tail.offset+reserveBytes {
		return nil
	}
	to := s.tail.offset + 2*reserveBytes
	switch err := setAside(s.file, s.tail.offset, 2*reserveBytes); {
	case isFull(err):
		return err
	case err != nil:
		to = math.MaxInt64
	}
	s.room.reserved = to
	return nil
}

// giveUp is for the end: what still waits in memory is written or lost.
func (s *Spool) giveUp() error {
	s.retry()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.room.records == 0 {
		return nil
	}
	var sum Nano
	for _, p := range s.room.pieces {
		for _, e := range p.entries() {
			sum += e.Cost
			s.o.Log.Error("usage is lost: the spool could not be written", "call", e.Call, "time", e.Time,
				"team", e.Team, "key", e.Key, "model", e.Model, "usd", e.Cost.String())
		}
	}
	return fmt.Errorf("%d usage records of %v USD are lost: %w", s.room.records, sum, s.room.why)
}

// entries are those of a piece.
func (p *piece) entries() []Entry {
	list := make([]Entry, 0, p.records)
	for rest := p.frames; len(rest) > 0; {
		record, size := nextFrame(rest)
		if size == 0 {
			break // we made them: it cannot be
		}
		var e Entry
		if decodeEntry(record, &e) == nil {
			list = append(list, e)
		}
		rest = rest[size:]
	}
	return list
}
