package billing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
)

// ErrSpoolClosed is Append's answer after Close.
var ErrSpoolClosed = errors.New("the usage spool is closed")

// SpoolOptions say where a Spool is and where it leads.
type SpoolOptions struct {
	Dir    string // made if it is not there; one process at a time
	Ledger Ledger
	// Always forces every record to disk before Append returns, which makes it
	// outlive the machine too. Else that is done every 100 ms: a process that
	// is killed loses nothing either way.
	Always bool
	// Refuse has no calls come while the disk takes no records, or soon will not.
	// Else they come until too much waits in memory. See Strain.
	Refuse       bool
	SegmentBytes int64        // from which on a new file is begun; 0: 8 MiB
	Log          *slog.Logger // nil: slog.Default()
}

// Spool is the durable queue between the end of a call and the ledger. Append
// has the record in a file when it returns; a goroutine moves records from the
// files to the ledger and waits, for as long as it takes, while that is down.
// What a killed process left behind goes to the ledger at the next start; the
// ledger knows entries that it has by their call and attempt.
//
// A disk that takes nothing loses no record: they then wait in memory, for room
// on it or for the ledger; see Strain, which tells when no more calls may come.
//
// Any number of goroutines may append. While one of them writes, the others'
// records gather in the next batch, which whoever comes first then writes for
// all of them.
type Spool struct {
	o    SpoolOptions
	lock *os.File

	create func(path string) (*os.File, error) // makes a segment's file

	pending atomic.Int64
	strain  atomic.Pointer[Strain]
	reader  reader // moveLoop's alone, then Close's

	w     sync.Mutex // held while writing; taken before mu
	spare *batch

	mu sync.Mutex
	phase
	next     *batch
	segments []segmentFile // all files, oldest first; the last is being written
	file     *os.File      // the last segment; changed under w and mu
	tail     position      // the end of what is written
	head     position      // the end of what is in the ledger
	retired  []*os.File    // earlier segments, to be synced and closed
	dirty    bool          // there is something to sync
	progress chan struct{}
	storeErr error // why the ledger takes nothing; nil: it does
	room     room

	kick   chan struct{} // wakes the writer
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// phase is what is to become of a spool.
type phase struct {
	closed   bool
	clearing bool // the last segment is to be removed once it is in the ledger
}

// batch is what one write will put down. The w lock guards all but buf and
// records, which mu guards until the batch is taken for writing.
type batch struct {
	buf     []byte
	records int
	waiting int // appenders that have not read err yet
	written bool
	err     error
}

// segmentFile is a file of records.
type segmentFile struct {
	number uint64
	end    int64 // of its records; -1: of the file, for an earlier process wrote it
}

// position is a place in the spool.
type position struct {
	segment uint64
	offset  int64
}

func (p position) before(q position) bool {
	return p.segment < q.segment || p.segment == q.segment && p.offset < q.offset
}

// OpenSpool opens a spool and begins to move what it holds to the ledger. A
// directory that another process has open is an error.
func OpenSpool(o SpoolOptions) (*Spool, error) {
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = 8 << 20
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Spool{o: o, create: createSegment, next: &batch{}, reader: reader{entries: make([]Entry, 0, 16)},
		progress: make(chan struct{}), kick: make(chan struct{}, 1)}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("cannot open usage spool %q: %w", o.Dir, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.done.Go(func() { s.moveLoop(ctx) })
	s.done.Go(func() { s.syncLoop(ctx) })
	return s, nil
}

func (s *Spool) open() error {
	if err := os.MkdirAll(s.o.Dir, 0o700); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(s.o.Dir, lockFile), os.O_RDWR|os.O_CREATE, segmentMode)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return fmt.Errorf("another process is using it: %w", err)
	}
	s.lock = lock
	if err := s.openSegments(); err != nil {
		_ = lock.Close()
		return err
	}
	return nil
}

// openSegments counts what is left from before and begins a new segment.
func (s *Spool) openSegments() error {
	found, err := listSegments(s.o.Dir)
	if err != nil {
		return err
	}
	if len(found.foreign) > 0 {
		s.o.Log.Warn("the usage spool's directory has files that are not its own: they are left alone", "dir", s.o.Dir, "files", found.foreign)
	}
	for i, n := range found.numbers {
		if i > 0 && n != found.numbers[i-1]+1 {
			s.o.Log.Error("segments of the usage spool are missing: what was in them and not in the ledger is lost",
				"dir", s.o.Dir, "first", found.numbers[i-1]+1, "last", n-1)
		}
		if err := s.adopt(n); err != nil {
			return err
		}
	}
	if err := s.begin(found.last + 1); err != nil {
		return err
	}
	s.head = position{segment: s.segments[0].number}
	s.syncDir()
	s.makeRoom() // before the first record needs it
	return nil
}

// adopt takes over a segment that an earlier process has left.
func (s *Spool) adopt(number uint64) error {
	path := segmentPath(s.o.Dir, number)
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return s.setAsideOther(path, info.Mode())
	}
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, syscall.EIO) { // what the disk cannot give, the reader deals with
		return err
	}
	s.pending.Add(countFrames(b))
	s.segments = append(s.segments, segmentFile{number, -1})
	return nil
}

// begin makes a segment and writes to it from now on. The one before stays as
// it is if that fails. The w lock is held, or nobody else is there yet.
func (s *Spool) begin(number uint64) error {
	f, err := s.create(segmentPath(s.o.Dir, number))
	if errors.Is(err, os.ErrNotExist) { // somebody has removed the directory
		if err = os.MkdirAll(s.o.Dir, 0o700); err == nil {
			f, err = s.create(segmentPath(s.o.Dir, number))
		}
	}
	if err != nil {
		return fmt.Errorf("cannot begin a new segment: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		s.retired = append(s.retired, s.file)
		s.segments[len(s.segments)-1].end = s.tail.offset
	}
	s.segments = append(s.segments, segmentFile{number: number})
	s.file, s.tail, s.dirty, s.room.reserved = f, position{segment: number}, true, 0
	return nil
}

// Pending is how many records are not in the ledger yet.
func (s *Spool) Pending() int64 { return s.pending.Load() }

// Append writes an entry's record to disk or, where that takes none, shelves it
// in memory: Strain then tells why. On an error the record is lost: far too much
// waits in memory already. It keeps nothing of the entry.
func (s *Spool) Append(e *Entry) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrSpoolClosed
	}
	b := s.next
	buf, err := appendFrame(b.buf, e)
	b.buf = buf
	if err != nil {
		s.mu.Unlock()
		return err
	}
	b.records++
	s.mu.Unlock()

	// Others who are about to append may come first: one write then serves all.
	// Where nobody is, this costs nothing.
	runtime.Gosched()

	s.w.Lock()
	if !b.written { // then it is still the next one
		s.writeNext()
	}
	err = b.err
	if b.waiting--; b.waiting == 0 && cap(b.buf) <= mostRecord {
		*b = batch{buf: b.buf[:0]}
		s.spare = b
	}
	s.w.Unlock()
	if err != nil {
		return fmt.Errorf("cannot spool entry %q: %w", e.Call, err)
	}
	return nil
}

// writeNext writes the batch that has gathered; w is held.
func (s *Spool) writeNext() {
	fresh := s.spare
	if fresh == nil {
		fresh = &batch{}
	}
	s.spare = nil
	s.mu.Lock()
	b := s.next
	s.next = fresh
	s.mu.Unlock()

	b.written, b.waiting = true, b.records
	s.pending.Add(int64(b.records)) // before the writer can see them
	if b.err = s.keep(b.buf, b.records); b.err != nil {
		s.pending.Add(-int64(b.records))
	}
}

// put writes records at the tail. What a failed write may have put down it
// takes back, and tries a new segment: it may be this file alone that takes no
// more. The w lock is held.
func (s *Spool) put(frames []byte) error {
	err := s.write(frames)
	if err != nil {
		s.room.reserved = 0 // the room behind the tail is used up, or goes with it
		clean := s.file.Truncate(s.tail.offset) == nil
		if clean && s.tail.offset == 0 {
			return err // it is new
		}
		if s.rotate() != nil {
			return err
		}
		if err = s.write(frames); err != nil {
			_ = s.file.Truncate(0) // what is behind the tail is not read
			return err
		}
	}
	s.mu.Lock()
	s.tail.offset += int64(len(frames))
	s.dirty = true
	s.mu.Unlock()
	s.makeRoom()
	return nil
}

func (s *Spool) write(b []byte) error {
	if _, err := s.file.WriteAt(b, s.tail.offset); err != nil {
		return err
	}
	if s.o.Always {
		return s.file.Sync()
	}
	return nil
}

// rotate begins the next segment; w is held. If that fails the last one grows
// on.
func (s *Spool) rotate() error {
	err := s.begin(s.tail.segment + 1)
	if err == nil && s.o.Always {
		s.syncDir()
	}
	return err
}

// Flush waits until everything that was appended before it is in the ledger.
func (s *Spool) Flush(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	shelved, target := s.room.shelved, s.tail
	waits := s.room.brought < shelved // in memory
	for waits || s.head.before(target) {
		err := s.await(ctx)
		if waits && s.room.brought >= shelved {
			waits, target = false, s.tail
		}
		if err == nil && s.closed && (waits || s.head.before(target)) {
			err = ErrSpoolClosed
		}
		if err != nil {
			return fmt.Errorf("cannot flush the usage spool: %w", errors.Join(err, s.storeErr, s.room.why))
		}
	}
	return nil
}

// await wakes the writer and waits until it has come on, or ctx ends. s.mu is
// held before and after, not meanwhile.
func (s *Spool) await(ctx context.Context) error {
	progress := s.progress
	s.mu.Unlock()
	defer s.mu.Lock()
	s.wake()
	select {
	case <-progress:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wake makes the writer look for work now.
func (s *Spool) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// Drain is for the end of the process: it waits until everything is in the
// ledger, or ctx ends, and closes the spool. What is left then goes to the
// ledger at the next start.
func (s *Spool) Drain(ctx context.Context) error {
	return errors.Join(s.Flush(ctx), s.Close())
}

// Close stops the spool. Records that are not in the ledger stay on disk.
func (s *Spool) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.strain.Store(&Strain{Why: ErrSpoolClosed, Refuse: true})

	s.w.Lock() // appenders that were in time get their records written
	if s.next.records > 0 {
		s.writeNext()
	}
	s.w.Unlock()
	s.cancel()
	s.done.Wait()
	lost := s.giveUp()

	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.progress)
	s.retired = append(s.retired, s.file)
	s.dirty = false
	err := errors.Join(lost, s.syncFiles(s.retired))
	if s.head == s.tail { // the last segment holds nothing that the ledger has not
		err = errors.Join(err, s.clear(&s.reader, s.tail.segment))
	}
	return errors.Join(err, s.lock.Close())
}
