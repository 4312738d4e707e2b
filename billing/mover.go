package billing

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
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
		if err := s.moveShelved(ctx); err != nil {
			return err
		}
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
	return s.ledger.Append(ctx, entries)
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
		p := s.room.pieces[0]
		s.room.moving = true // nobody else adds to it, or takes it, now
		s.mu.Unlock()
		var err error
		for batch := range slices.Chunk(p.entries(), batchEntries) {
			if err = s.store(ctx, batch); err != nil {
				break
			}
		}
		s.mu.Lock()
		s.room.moving = false
		if err == nil {
			if s.unshelve(p) {
				s.pending.Add(-int64(p.records))
			}
		}
		s.mu.Unlock()
		if err != nil {
			return err
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
	got, err := f.ReadAt(r.buf[:n], head.offset)
	if err == io.EOF { // somebody cut it
		s.log.Error("a segment of the usage spool is shorter than what was written to it: the rest is lost",
			"path", f.Name(), "bytes", n-got)
		r.offset += int64(n - got)
	} else if err != nil {
		return err
	}
	r.rest = r.buf[:got]
	return nil
}

// parse takes the next entries off what was read.
func (s *Spool) parse(r *reader) {
	for len(r.rest) > 0 && len(r.entries) < batchEntries {
		record, size := nextFrame(r.rest)
		if size == 0 {
			size = skipDamage(r.rest)
			s.noteDamage(r, size)
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

// noteDamage says what is passed over.
func (s *Spool) noteDamage(r *reader, size int) {
	r.damaged = true
	path := segmentPath(s.dir, r.segment)
	if size == len(r.rest) && r.whole {
		s.log.Error("the end of a usage segment is no whole record: it was being written when the process or the machine stopped",
			"path", path, "offset", r.offset, "bytes", size)
		return
	}
	s.log.Error("skipped a damaged part of a usage segment; the records behind it are taken", "path", path, "offset", r.offset, "bytes", size)
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
		aside := asideName(path)
		if err = os.Rename(path, aside); err == nil {
			s.log.Error("a damaged usage segment is kept aside: what could be read of it is in the ledger", "path", aside)
		}
	} else {
		err = os.Remove(path)
	}
	if errors.Is(err, os.ErrNotExist) { // that was said when it was read
		err = nil
	}
	if err != nil {
		s.log.Error("cannot remove a segment of the usage spool", "dir", s.dir, "segment", r.segment, "error", err)
	}
	s.advance(next)
}

// asideName is where a damaged segment is kept. What is there from before stays.
func asideName(path string) string {
	base := strings.TrimSuffix(path, segmentExt)
	for n := 1; ; n++ {
		name := base + damagedExt
		if n > 1 {
			name = base + "-" + strconv.Itoa(n) + damagedExt
		}
		if _, err := os.Lstat(name); err != nil {
			return name
		}
	}
}

// tidy begins a new segment once an eighth of one is full and in the ledger, so
// that the next start has little to read again.
func (s *Spool) tidy(r *reader, at position) {
	s.mu.Lock()
	clearing := s.clearing && at.offset > 0
	s.mu.Unlock()
	if at.offset < s.segmentBytes/8 && !clearing {
		return
	}
	s.w.Lock()
	s.mu.Lock()
	last := s.tail == at && !s.closed
	s.clearing = s.clearing && !last
	s.mu.Unlock()
	rotated := last && s.rotate() == nil
	s.w.Unlock()
	if rotated {
		s.finish(r)
	}
}
