package billing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// fullDisk is a spool whose disk is full while full holds.
func fullDisk(t *testing.T, l Ledger, log *slog.Logger) (s *Spool, full *atomic.Bool) {
	t.Helper()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	s, err := OpenSpool(SpoolOptions{Dir: t.TempDir(), Ledger: l, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	full = &atomic.Bool{}
	s.w.Lock()
	s.create = func(path string) (*os.File, error) {
		f, err := createSegment(path)
		if err != nil || !full.Load() {
			return f, err
		}
		_ = f.Close()
		return os.OpenFile("/dev/full", os.O_RDWR, 0)
	}
	full.Store(true)
	if err := s.rotate(); err != nil {
		t.Fatal(err)
	}
	s.w.Unlock()
	return s, full
}

// buffer is a log that is read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestFullDisk: records wait in memory while neither disk nor ledger takes
// them, and are written as soon as there is room.
func TestFullDisk(t *testing.T) {
	l, logged := newSink(), &buffer{}
	l.setDown(errors.New("store is down"))
	s, full := fullDisk(t, l, slog.New(slog.NewTextHandler(logged, nil)))
	appendCalls(t, s, "a", "b", "c")
	if err := s.Strain(); err == nil || !err.Memory || err.Refuse || s.Unwritten() != 3 || s.Pending() != 3 {
		t.Errorf("%v, %d unwritten, %d pending", err, s.Unwritten(), s.Pending())
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Flush(ended); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("flushed: %v", err)
	}
	full.Store(false)
	s.retry()
	for s.Unwritten() > 0 { // the mover had the first piece
		s.retry()
	}
	if err := s.Strain(); err != nil {
		t.Errorf("still %v", err)
	}
	appendCalls(t, s, "d")
	l.setDown(nil)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !l.has("a", "b", "c", "d") || l.twice != 0 || s.Pending() != 0 {
		t.Errorf("%v, %d twice, %d pending", l.entries, l.twice, s.Pending())
	}
	_ = s.Close() // it tells that /dev/full cannot be synced
	for _, line := range []string{"cannot be written", "can be written again"} {
		if strings.Count(logged.String(), line) != 1 {
			t.Errorf("%q is not said once: %s", line, logged)
		}
	}
}

// TestFullDiskPastIt: while the ledger takes entries, nothing depends on the disk.
func TestFullDiskPastIt(t *testing.T) {
	l := newSink()
	s, full := fullDisk(t, l, quiet())
	for i := range 20 {
		appendCalls(t, s, fmt.Sprint("call", i))
		if err := s.Flush(t.Context()); err != nil || !l.has(fmt.Sprint("call", i)) {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	if s.Strain() == nil || s.Unwritten() != 0 || s.Pending() != 0 {
		t.Errorf("%v, %d unwritten, %d pending", s.Strain(), s.Unwritten(), s.Pending())
	}
	full.Store(false)
	s.w.Lock() // the probe cannot tell: this file is /dev/full for good
	err := s.rotate()
	s.w.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	s.retry() // nobody calls: it looks for room by itself
	if s.Strain() != nil {
		t.Errorf("still %v", s.Strain())
	}
	_ = s.Close()
	if l.twice != 0 {
		t.Errorf("%d twice", l.twice)
	}
}

// TestFullDiskBound: what exceeds the bound is an error, what does not is kept.
func TestFullDiskBound(t *testing.T) {
	l, logged := newSink(), &buffer{}
	l.setDown(errors.New("store is down"))
	s, _ := fullDisk(t, l, slog.New(slog.NewTextHandler(logged, nil)))
	appendCalls(t, s, "kept")
	s.mu.Lock()
	s.room.bytes += mostShelved + moreShelved - 100
	s.mu.Unlock()
	e := Entry{Call: "lost", Cost: Dollar}
	if err := s.Append(&e); err == nil || !strings.Contains(err.Error(), `entry "lost"`) || !strings.Contains(err.Error(), "wait in memory") {
		t.Errorf("error %v", err)
	}
	s.mu.Lock()
	s.room.bytes -= mostShelved + moreShelved - 100
	s.mu.Unlock()
	if s.Pending() != 1 {
		t.Errorf("%d pending", s.Pending())
	}
	if err := s.Close(); err == nil || !strings.Contains(err.Error(), "1 usage records of 0 USD are lost") {
		t.Errorf("closed: %v", err)
	}
	if !strings.Contains(logged.String(), "call=kept") {
		t.Errorf("the loss is not told: %s", logged)
	}
}

// TestFileThatFails: where one file alone fails, the next takes the record.
func TestFileThatFails(t *testing.T) {
	l := newSink()
	s, full := fullDisk(t, l, quiet())
	full.Store(false)
	appendCalls(t, s, "a", "b")
	if s.Strain() != nil || s.Unwritten() != 0 {
		t.Errorf("%v, %d unwritten", s.Strain(), s.Unwritten())
	}
	if err := s.Flush(t.Context()); err != nil || !l.has("a", "b") {
		t.Errorf("%v, %v", err, l.entries)
	}
	_ = s.Close() // it tells that the full disk cannot be synced
}

// TestFullNowAndThen: whoever takes what waits in memory, the ledger or the
// disk, takes it once.
func TestFullNowAndThen(t *testing.T) {
	l := newSink()
	s, full := fullDisk(t, l, quiet())
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				appendCalls(t, s, fmt.Sprint(g, "/", i))
			}
		})
	}
	stop := make(chan struct{})
	var turns sync.WaitGroup
	turns.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			full.Store(false)
			s.retry()
			s.wake()
			full.Store(true)
			s.w.Lock()
			if err := s.rotate(); err != nil {
				t.Error(err)
			}
			s.w.Unlock()
			s.retry()
		}
	})
	wg.Wait()
	close(stop)
	turns.Wait()
	full.Store(false)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	_ = s.Close() // it tells that /dev/full cannot be synced
	if len(l.entries) != 4000 || l.twice != 0 || s.Pending() != 0 || s.Unwritten() != 0 {
		t.Errorf("%d entries, %d twice, %d pending, %d unwritten", len(l.entries), l.twice, s.Pending(), s.Unwritten())
	}
}

// TestTakenOnce: what is on its way from memory to a file is not brought into
// the ledger at the same time.
func TestTakenOnce(t *testing.T) {
	l := newSink()
	l.setDown(errors.New("store is down"))
	s, full := fullDisk(t, l, quiet())
	appendCalls(t, s, "a")
	full.Store(false)
	create, writing, on := s.create, make(chan struct{}), make(chan struct{})
	s.w.Lock()
	s.create = func(path string) (*os.File, error) {
		close(writing)
		<-on
		return create(path)
	}
	s.w.Unlock()
	done := make(chan struct{})
	go func() { defer close(done); s.retryOne() }()
	<-writing
	l.setDown(nil)
	err := s.moveShelved(t.Context())
	close(on)
	<-done
	s.w.Lock() // it may have been the spool's own retry that came first: wait for that
	left := s.Unwritten()
	s.w.Unlock()
	if err != nil || left != 0 {
		t.Errorf("%v, %d unwritten", err, left)
	}
	if err := s.Flush(t.Context()); err != nil || !l.has("a") || l.twice != 0 || s.Pending() != 0 {
		t.Errorf("%v, %v, %d twice, %d pending", err, l.entries, l.twice, s.Pending())
	}
	_ = s.Close() // it tells that /dev/full cannot be synced
}

// TestStrain: who asks learns when calls should not come any more.
func TestStrain(t *testing.T) {
	l, logged := newSink(), &buffer{}
	l.setDown(errors.New("store is down"))
	s, full := fullDisk(t, l, slog.New(slog.NewTextHandler(logged, nil)))
	appendCalls(t, s, "a")
	if st := s.Strain(); st == nil || !st.Memory || st.Refuse || st.TooMuch || !strings.Contains(st.Why.Error(), "no space left") {
		t.Fatalf("%+v", st)
	}
	add := func(bytes int) {
		s.mu.Lock()
		s.room.bytes += bytes
		s.mu.Unlock()
		s.noteStrain()
	}
	add(mostShelved)
	if st := s.Strain(); !st.Refuse || !st.TooMuch {
		t.Errorf("with too much: %+v", st)
	}
	add(-mostShelved / 4)
	if st := s.Strain(); !st.Refuse {
		t.Errorf("with three quarters: %+v", st)
	}
	add(-mostShelved * 3 / 4)
	if st := s.Strain(); st.Refuse {
		t.Errorf("with little: %+v", st)
	}
	full.Store(false)
	l.setDown(nil)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.w.Lock() // the probe cannot tell: this file is /dev/full for good
	if err := s.rotate(); err != nil {
		t.Error(err)
	}
	s.w.Unlock()
	s.retry()
	if st := s.Strain(); st != nil {
		t.Errorf("at last: %+v", st)
	}
	_ = s.Close()
	for _, line := range []string{"calls are refused: too much", "calls are taken again"} {
		if strings.Count(logged.String(), line) != 1 {
			t.Errorf("%q is not said once: %s", line, logged)
		}
	}
}

// TestRefuse: under Refuse no call should come while the disk takes nothing.
func TestRefuse(t *testing.T) {
	l, logged := newSink(), &buffer{}
	s, _ := fullDisk(t, l, slog.New(slog.NewTextHandler(logged, nil)))
	s.mu.Lock()
	s.o.Refuse = true
	s.mu.Unlock()
	appendCalls(t, s, "a")
	if st := s.Strain(); st == nil || !st.Refuse || st.TooMuch {
		t.Errorf("%+v", st)
	}
	s.remind()
	if !strings.Contains(logged.String(), "still cannot be written") || !strings.Contains(logged.String(), "refusing=true") {
		t.Errorf("it is not said again: %s", logged)
	}
	if !strings.Contains(logged.String(), "billing.disk_full is refuse") {
		t.Errorf("it is not said: %s", logged)
	}
	_ = s.Close()
}
