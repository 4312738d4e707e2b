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
	Always       bool
	SegmentBytes int64        // from which on a new file is begun; 0: 8 MiB
	Log          *slog.Logger // nil: slog.Default()
}

// Spool is the durable queue between the end of a call and the ledger. Append
// has the record in a file when it returns; a goroutine moves records from the
// files to the ledger and waits, for as long as it takes, while that is down.
// What a killed process left behind goes to the ledger at the next start; the
// ledger knows entries that it has by their call and attempt.
//
// Any number of goroutines may append. While one of them writes, the others'
// records gather in the next batch, which whoever comes first then writes for
// all of them.
type Spool struct {
	dir          string
	ledger       Ledger
	always       bool
	segmentBytes int64
	log          *slog.Logger
	lock         *os.File

	pending atomic.Int64

	w     sync.Mutex // held while writing; taken before mu
	spare *batch

	mu       sync.Mutex
	closed   bool
	next     *batch
	segments []uint64   // all files, oldest first; the last is being written
	file     *os.File   // the last segment; changed under w and mu
	tail     position   // the end of what is written
	head     position   // the end of what is in the ledger
	retired  []*os.File // earlier segments, to be synced and closed
	dirty    bool       // there is something to sync
	progress chan struct{}
	storeErr error // why the ledger takes nothing; nil: it does

	kick   chan struct{} // wakes the writer
	cancel context.CancelFunc
	done   sync.WaitGroup
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
	s := &Spool{dir: o.Dir, ledger: o.Ledger, always: o.Always, segmentBytes: o.SegmentBytes, log: o.Log,
		next: &batch{}, progress: make(chan struct{}), kick: make(chan struct{}, 1)}
	if s.segmentBytes <= 0 {
		s.segmentBytes = 8 << 20
	}
	if s.log == nil {
		s.log = slog.Default()
	}
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
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(s.dir, lockFile), os.O_RDWR|os.O_CREATE, segmentMode)
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
	numbers, err := listSegments(s.dir)
	if err != nil {
		return err
	}
	var last uint64
	for _, n := range numbers {
		b, err := os.ReadFile(segmentPath(s.dir, n))
		if err != nil {
			return err
		}
		s.pending.Add(countFrames(b))
		last = n
	}
	s.segments = numbers
	if err := s.begin(last + 1); err != nil {
		return err
	}
	s.head = position{segment: s.segments[0]}
	s.syncDir()
	return nil
}

// begin makes a segment and writes to it from now on. The one before stays as
// it is if that fails. Both locks are held, or nobody else is there yet.
func (s *Spool) begin(number uint64) error {
	f, err := os.OpenFile(segmentPath(s.dir, number), os.O_RDWR|os.O_CREATE|os.O_EXCL, segmentMode)
	if err != nil {
		return err
	}
	if s.file != nil {
		s.retired = append(s.retired, s.file)
	}
	s.segments = append(s.segments, number)
	s.file, s.tail, s.dirty = f, position{segment: number}, true
	return nil
}

// Pending is how many records are not in the ledger yet.
func (s *Spool) Pending() int64 { return s.pending.Load() }

// Append writes an entry's record to disk. On an error, such as a full disk,
// the record is not there, and the spool goes on trying with the next one. It
// keeps nothing of the entry.
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
	at := s.tail
	s.mu.Unlock()

	b.written, b.waiting = true, b.records
	if b.err = s.write(b.buf, at.offset); b.err != nil {
		s.recover(at)
		return
	}
	at.offset += int64(len(b.buf))
	s.pending.Add(int64(b.records)) // before the writer can see them
	s.mu.Lock()
	s.tail, s.dirty = at, true
	if at.offset >= s.segmentBytes {
		s.rotate()
	}
	s.mu.Unlock()
}

func (s *Spool) write(b []byte, offset int64) error {
	if _, err := s.file.WriteAt(b, offset); err != nil {
		return err
	}
	if s.always {
		return s.file.Sync()
	}
	return nil
}

// recover takes back what a failed write may have put down; where even that
// fails, the next record goes to a new segment.
func (s *Spool) recover(at position) {
	if s.file.Truncate(at.offset) == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rotate()
}

// rotate begins the next segment; both locks are held. If that fails the last
// one grows on.
func (s *Spool) rotate() {
	if err := s.begin(s.tail.segment + 1); err != nil {
		s.log.Error("cannot begin a new segment of the usage spool", "dir", s.dir, "error", err)
		return
	}
	if s.always {
		s.syncDir()
	}
}

// Flush waits until everything that was appended before it is in the ledger.
func (s *Spool) Flush(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for target := s.tail; s.head.before(target); {
		progress := s.progress
		s.mu.Unlock()
		s.wake()
		var err error
		select {
		case <-progress:
		case <-ctx.Done():
			err = ctx.Err()
		}
		s.mu.Lock()
		if err == nil && s.closed && s.head.before(target) {
			err = ErrSpoolClosed
		}
		if err != nil {
			return fmt.Errorf("cannot flush the usage spool: %w", errors.Join(err, s.storeErr))
		}
	}
	return nil
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

	s.w.Lock() // appenders that were in time get their records written
	if s.next.records > 0 {
		s.writeNext()
	}
	s.w.Unlock()
	s.cancel()
	s.done.Wait()

	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.progress)
	s.retired = append(s.retired, s.file)
	s.dirty = false
	err := s.syncFiles(s.retired)
	if s.head == s.tail { // the last segment holds nothing that the ledger has not
		err = errors.Join(err, os.Remove(segmentPath(s.dir, s.tail.segment)))
	}
	return errors.Join(err, s.lock.Close())
}
