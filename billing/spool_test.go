package billing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// sink is a ledger that keeps entries once, and may be down.
type sink struct {
	Ledger  // what the spool does not call
	mu      sync.Mutex
	entries map[string]Entry // by call and attempt
	twice   int
	largest int
	down    error
	came    chan struct{} // closed at the first batch
}

func newSink() *sink { return &sink{entries: map[string]Entry{}, came: make(chan struct{})} }

func (l *sink) Append(_ context.Context, entries []Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down != nil {
		return l.down
	}
	if len(l.entries) == 0 {
		close(l.came)
	}
	l.largest = max(l.largest, len(entries))
	for _, e := range entries {
		id := fmt.Sprint(e.Call, "#", e.Attempt)
		if _, there := l.entries[id]; there {
			l.twice++
		}
		l.entries[id] = e
	}
	return nil
}

func (l *sink) setDown(err error) {
	l.mu.Lock()
	l.down = err
	l.mu.Unlock()
}

func (l *sink) has(calls ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range calls {
		if _, ok := l.entries[c+"#0"]; !ok {
			return false
		}
	}
	return true
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// openSpool opens a spool that is closed when the test ends.
func openSpool(t testing.TB, o SpoolOptions) *Spool {
	t.Helper()
	if o.Log == nil {
		o.Log = quiet()
	}
	s, err := OpenSpool(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// small is an entry of little.
func small(call string) *Entry { return &Entry{Call: call, Time: time.Unix(1, 0)} }

func appendCalls(t testing.TB, s *Spool, calls ...string) {
	t.Helper()
	for _, c := range calls {
		if err := s.Append(small(c)); err != nil {
			t.Fatal(err)
		}
	}
}

// files are the names in a directory but for the lock.
func files(t testing.TB, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if f.Name() != lockFile {
			names = append(names, f.Name())
		}
	}
	return names
}

func TestSpool(t *testing.T) {
	for _, always := range []bool{false, true} {
		l, dir := newSink(), filepath.Join(t.TempDir(), "a", "spool")
		s := openSpool(t, SpoolOptions{Dir: dir, Ledger: l, Always: always})
		want := entry("call")
		if err := s.Append(&want); err != nil {
			t.Fatal(err)
		}
		appendCalls(t, s, "other")
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := l.entries["call#2"]; !reflect.DeepEqual(got, want) || !l.has("other") {
			t.Errorf("%+v came as %+v", want, got)
		}
		if s.Pending() != 0 {
			t.Errorf("%d pending", s.Pending())
		}
		if err := s.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if left := files(t, dir); len(left) != 0 {
			t.Errorf("%v is left", left)
		}
		if err := s.Append(&want); !errors.Is(err, ErrSpoolClosed) {
			t.Errorf("after the end: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestSpoolMovesByItself: without a Flush records reach the ledger too.
func TestSpoolMovesByItself(t *testing.T) {
	l := newSink()
	s := openSpool(t, SpoolOptions{Dir: t.TempDir(), Ledger: l})
	appendCalls(t, s, "a")
	<-l.came
}

func TestSpoolAtOnce(t *testing.T) {
	l, dir := newSink(), t.TempDir()
	s := openSpool(t, SpoolOptions{Dir: dir, Ledger: l, SegmentBytes: 20_000})
	var wg sync.WaitGroup
	for g := range 50 {
		wg.Go(func() {
			for i := range 60 {
				e := entry(fmt.Sprint(g, "/", i))
				e.Attempt = 0
				if err := s.Append(&e); err != nil {
					t.Error(err)
				}
				if i == 30 {
					if err := s.Flush(t.Context()); err != nil {
						t.Error(err)
					}
					if !l.has(e.Call) {
						t.Errorf("%s was flushed and is not there", e.Call)
					}
				}
			}
		})
	}
	wg.Wait()
	if err := s.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(l.entries) != 3000 || l.twice != 0 || l.largest > batchEntries || s.Pending() != 0 {
		t.Errorf("%d entries, %d twice, up to %d at once, %d pending", len(l.entries), l.twice, l.largest, s.Pending())
	}
	if left := files(t, dir); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}

// TestStoreDown: appending goes on, over many segments, and everything arrives
// when the store is back.
func TestStoreDown(t *testing.T) {
	l, dir := newSink(), t.TempDir()
	down := errors.New("store is down")
	l.setDown(down)
	var logged bytes.Buffer
	s := openSpool(t, SpoolOptions{Dir: dir, Ledger: l, SegmentBytes: 500, Log: slog.New(slog.NewTextHandler(&logged, nil))})
	var calls []string
	for i := range 100 {
		calls = append(calls, fmt.Sprint("call", i))
	}
	appendCalls(t, s, calls...)
	s.mu.Lock() // wait until the ledger has been asked
	for s.storeErr == nil {
		s.mu.Unlock()
		s.wake()
		s.mu.Lock()
	}
	s.mu.Unlock()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Flush(ended); !errors.Is(err, context.Canceled) || !errors.Is(err, down) {
		t.Errorf("error %v", err)
	}
	if s.Pending() != 100 || len(files(t, dir)) < 5 {
		t.Errorf("%d pending in %v", s.Pending(), files(t, dir))
	}
	l.setDown(nil)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !l.has(calls...) || l.twice != 0 || s.Pending() != 0 {
		t.Errorf("%d entries, %d twice, %d pending", len(l.entries), l.twice, s.Pending())
	}
	if err := s.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if text := logged.String(); strings.Count(text, "level=ERROR") != 1 || !strings.Contains(text, "takes usage again") {
		t.Errorf("logged %s", text)
	}
}

// TestNextStart: what was not stored when the process ended is stored by the
// next.
func TestNextStart(t *testing.T) {
	l, dir := newSink(), t.TempDir()
	l.setDown(errors.New("store is down"))
	s := openSpool(t, SpoolOptions{Dir: dir, Ledger: l})
	appendCalls(t, s, "a", "b", "c")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Drain(ended); err == nil {
		t.Error("drained into a store that is down")
	}
	if err := s.Flush(t.Context()); !errors.Is(err, ErrSpoolClosed) {
		t.Errorf("flushed after the end: %v", err)
	}
	l.setDown(nil)
	next := openSpool(t, SpoolOptions{Dir: dir, Ledger: l})
	appendCalls(t, next, "d")
	if err := next.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !l.has("a", "b", "c", "d") || len(files(t, dir)) != 0 {
		t.Errorf("%v, and %v is left", l.entries, files(t, dir))
	}
}

func TestSecondProcess(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, SpoolOptions{Dir: dir, Ledger: newSink()})
	if _, err := OpenSpool(SpoolOptions{Dir: dir, Ledger: newSink()}); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("error %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	openSpool(t, SpoolOptions{Dir: dir, Ledger: newSink()})
}

func TestTooLargeAnEntry(t *testing.T) {
	l := newSink()
	s := openSpool(t, SpoolOptions{Dir: t.TempDir(), Ledger: l})
	if err := s.Append(&Entry{Call: "big", User: strings.Repeat("x", mostRecord)}); err == nil {
		t.Error("it fits")
	}
	appendCalls(t, s, "a")
	if err := s.Flush(t.Context()); err != nil || !l.has("a") {
		t.Errorf("%v, %v", l.entries, err)
	}
}

// TestLittleToReadAgain: what is in the ledger does not stay in the segments.
func TestLittleToReadAgain(t *testing.T) {
	l, dir := newSink(), t.TempDir()
	s := openSpool(t, SpoolOptions{Dir: dir, Ledger: l, SegmentBytes: 8 * 100})
	for i := range 50 {
		appendCalls(t, s, fmt.Sprint("call", i))
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.wake()
	if left := files(t, dir); len(left) > 3 {
		t.Errorf("%v", left)
	}
}

func TestOpenSpoolFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSpool(SpoolOptions{Dir: filepath.Join(file, "spool")}); err == nil || !strings.Contains(err.Error(), "cannot open usage spool") {
		t.Errorf("error %v", err)
	}
}

func BenchmarkAppend(b *testing.B) {
	s := openSpool(b, SpoolOptions{Dir: b.TempDir(), Ledger: newSink()})
	e := entry("call")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := s.Append(&e); err != nil {
				b.Error(err)
			}
		}
	})
}
