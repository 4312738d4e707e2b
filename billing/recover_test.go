package billing

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// segment is a file of small records.
func segment(t testing.TB, calls ...string) (b []byte, last int) {
	t.Helper()
	for _, c := range calls {
		last = len(b)
		var err error
		if b, err = appendFrame(b, small(c)); err != nil {
			t.Fatal(err)
		}
	}
	return b, last
}

// recovered opens a spool on a segment and gives what comes out, and what is
// left in the directory.
func recovered(t testing.TB, b []byte) (*sink, []string) {
	t.Helper()
	l, dir := newSink(), t.TempDir()
	if err := os.WriteFile(segmentPath(dir, 7), b, segmentMode); err != nil {
		t.Fatal(err)
	}
	s := openSpool(t, SpoolOptions{Dir: dir, Ledger: l})
	appendCalls(t, s, "new")
	if err := s.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Pending() != 0 || !l.has("new") {
		t.Errorf("%d pending, %v", s.Pending(), l.entries)
	}
	return l, files(t, dir)
}

// TestTruncatedAnywhere: whatever part of the last record is missing, those
// before it are there.
func TestTruncatedAnywhere(t *testing.T) {
	b, last := segment(t, "a", "b", "last")
	for cut := last; cut <= len(b); cut++ {
		l, left := recovered(t, b[:cut])
		if !l.has("a", "b") || l.has("last") != (cut == len(b)) {
			t.Errorf("cut at %d: %v", cut, l.entries)
		}
		if torn := cut > last && cut < len(b); torn != (len(left) == 1) {
			t.Errorf("cut at %d: %v is left", cut, left)
		}
	}
}

// TestDamagedAnywhere: whatever byte of a record is wrong, the others are there
// and the damaged file is kept.
func TestDamagedAnywhere(t *testing.T) {
	b, _ := segment(t, "first")
	from := len(b)
	b, _ = segment(t, "first", "damaged")
	to := len(b)
	b, _ = segment(t, "first", "damaged", "third", "fourth")
	for i := from; i < to; i++ {
		bad := bytes.Clone(b)
		bad[i] ^= 0x55
		l, left := recovered(t, bad)
		if !l.has("first", "third", "fourth") || l.has("damaged") {
			t.Errorf("byte %d: %v", i, l.entries)
		}
		if len(left) != 1 || !strings.HasSuffix(left[0], damagedExt) {
			t.Errorf("byte %d: %v is left", i, left)
		}
	}
}

// TestUnknownRecord: a whole record of another version is passed over and kept.
func TestUnknownRecord(t *testing.T) {
	b, last := segment(t, "a", "b")
	b[last+frameHead]++
	copy(b[last+4:], fmt.Append(nil, "    ")) // its sum is made right below
	sum := frameSum(b[last:last+4], b[last+frameHead:])
	b[last+4], b[last+5], b[last+6], b[last+7] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
	l, left := recovered(t, b)
	if !l.has("a") || l.has("b") || len(left) != 1 {
		t.Errorf("%v, and %v is left", l.entries, left)
	}
}

func TestZerosAreNoRecords(t *testing.T) {
	b, _ := segment(t, "a")
	l, left := recovered(t, append(b, make([]byte, 4096)...)) // as a file system leaves them after a crash
	if !l.has("a") || len(l.entries) != 2 || len(left) != 1 {
		t.Errorf("%v, and %v is left", l.entries, left)
	}
}

// TestKilled: a process that is killed while it appends has lost nothing that
// Append had taken.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestAppendUntilKilled$", "-test.v=false", "--", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var taken []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		taken = append(taken, lines.Text())
		if len(taken) == 300 {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
	if len(taken) < 300 {
		t.Fatalf("the process took %d", len(taken))
	}
	l := newSink()
	s := openSpool(t, SpoolOptions{Dir: dir, Ledger: l})
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !l.has(taken[:len(taken)-1]...) { // the last line may be half
		t.Errorf("%d were taken, %d are there", len(taken), len(l.entries))
	}
}

// TestAppendUntilKilled is the process that TestKilled kills.
func TestAppendUntilKilled(t *testing.T) {
	if flag.NArg() != 1 {
		t.Skip("only for TestKilled")
	}
	l := newSink()
	l.setDown(errors.New("never stored"))
	s := openSpool(t, SpoolOptions{Dir: flag.Arg(0), Ledger: l, SegmentBytes: 4096})
	var wg sync.WaitGroup
	var mu sync.Mutex
	for g := range 4 {
		wg.Go(func() {
			for i := range 100_000 {
				call := fmt.Sprint(g, "-", i)
				if s.Append(small(call)) != nil {
					return
				}
				mu.Lock()
				fmt.Println(call)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}
