package billing

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"
)

const (
	batchEntries = 2000
	storeTimeout = 30 * time.Second
	mostBackoff  = 5 * time.Second
)

// reader is where the writer to the ledger is in the head segment.
type reader struct {
	segment uint64
	offset  int64  // of rest in the file
	rest    []byte // what was read and not parsed yet
	buf     []byte // that rest is read into
	last    Entry  // that was parsed: the next is much like it
	whole   bool   // nothing will be written beyond rest any more
	damaged bool   // there was something in the segment that is no record

	entries []Entry // what was parsed and is not in the ledger yet
	frames  int64   // the records that it came from
}

// moveLoop moves records to the ledger, every 100 ms or when woken. A ledger
// that takes none is asked again after ever longer pauses, up to five seconds.
func (s *Spool) moveLoop(ctx context.Context) {
	r := &reader{entries: make([]Entry, 0, 16)}
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
		s.log.Error("cannot move usage to the ledger: it waits in the spool", "dir", s.dir, "pending", s.Pending(), "error", err)
	case err == nil && was != nil:
		s.log.Info("the ledger takes usage again", "pending", s.Pending())
	}
}

// moveAll moves all that there is, in batches.
func (s *Spool) moveAll(ctx context.Context, r *reader) error {
	for {
		s.mu.Lock()
		head, tail := s.head, s.tail
		s.mu.Unlock()
		if head == tail {
			s.tidy(r, tail)
			return nil
		}
		if len(r.entries) == 0 {
			if len(r.rest) == 0 {
				if err := s.load(r, head, tail); err != nil {
					return err
				}
			}
			s.parse(r)
		}
		if len(r.entries) > 0 {
			once, cancel := context.WithTimeout(ctx, storeTimeout)
			err := s.ledger.Append(once, r.entries)
			cancel()
			if err != nil {
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

// load reads what the head's segment has beyond the head.
func (s *Spool) load(r *reader, head, tail position) error {
	if r.segment != head.segment {
		*r = reader{segment: head.segment, entries: r.entries, buf: r.buf, last: r.last}
	}
	r.offset, r.whole = head.offset, head.segment != tail.segment
	f, err := os.Open(segmentPath(s.dir, head.segment))
	if errors.Is(err, os.ErrNotExist) {
		s.log.Error("a segment of the usage spool has vanished", "dir", s.dir, "segment", head.segment)
		r.offset = max(r.offset, tail.offset) // what was in it is lost: go on behind it
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	end := tail.offset
	if r.whole {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		end = info.Size()
	}
	n := int(max(end-head.offset, 0))
	if cap(r.buf) < n || cap(r.buf) > mostRecord {
		r.buf = make([]byte, n)
	}
	if _, err := f.ReadAt(r.buf[:n], head.offset); err != nil {
		return err
	}
	r.rest = r.buf[:n]
	return nil
}

// parse takes the next entries off what was read.
func (s *Spool) parse(r *reader) {
	for len(r.rest) > 0 && len(r.entries) < batchEntries {
		record, size := nextFrame(r.rest)
		if size == 0 {
			size = skipDamage(r.rest)
			r.damaged = true
			s.log.Error("skipped a damaged part of the usage spool", "dir", s.dir, "segment", r.segment, "offset", r.offset, "bytes", size)
		} else {
			r.frames++
			if err := decodeEntry(record, &r.last); err != nil {
				r.damaged = true
				s.log.Error("skipped a record of the usage spool that cannot be read", "dir", s.dir, "segment", r.segment, "offset", r.offset, "error", err)
			} else {
				r.entries = append(r.entries, r.last)
			}
		}
		r.offset += int64(size)
		r.rest = r.rest[size:]
	}
	if len(r.rest) == 0 {
		r.rest = nil
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
	next := position{segment: s.segments[0]}
	s.mu.Unlock()
	path := segmentPath(s.dir, r.segment)
	var err error
	if r.damaged {
		err = os.Rename(path, strings.TrimSuffix(path, segmentExt)+damagedExt)
	} else {
		err = os.Remove(path)
	}
	if err != nil {
		s.log.Error("cannot remove a segment of the usage spool", "dir", s.dir, "segment", r.segment, "error", err)
	}
	s.advance(next)
}

// tidy begins a new segment once an eighth of one is full and in the ledger, so
// that the next start has little to read again.
func (s *Spool) tidy(r *reader, at position) {
	if at.offset < s.segmentBytes/8 {
		return
	}
	s.w.Lock()
	s.mu.Lock()
	rotated := false
	if s.tail == at && !s.closed {
		s.rotate()
		rotated = s.tail != at
	}
	s.mu.Unlock()
	s.w.Unlock()
	if rotated {
		s.finish(r)
	}
}
