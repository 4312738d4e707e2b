package billing

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
)

// zeros are what file systems leave behind the end after a crash.
func zeros(n int) []byte { return make([]byte, n) }

// flip gives b with one bit of byte i turned.
func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1 << (i % 8)
	return b
}

// TestDamage: of a segment that is damaged every record that can be read is
// moved once, the file is kept, and one line says what was wrong with it.
func TestDamage(t *testing.T) {
	whole, last := segment(t, "a", "b", "c")
	first, second := segmentOf(t, "a"), segmentOf(t, "b")
	n := len(whole)
	foreign := bytes.Repeat([]byte("\x00\x00\x0f\x00\x01PNG"), 1<<17) // half of it looks like the head of a large record
	untimed, err := appendFrame(nil, &Entry{Call: "x"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		data   []byte
		want   string // the calls that come out
		offset int    // of the damage
		bytes  int
		places int
		end    bool
	}{
		{"torn tail", whole[:n-1], "a b", last, n - 1 - last, 1, true},
		{"head of a frame alone", whole[:last+frameHead], "a b", last, frameHead, 1, true},
		{"half a head", whole[:last+3], "a b", last, 3, 1, true},
		{"zeros at the tail", append(bytes.Clone(whole), zeros(4096)...), "a b c", n, 4096, 1, true},
		{"zeros in place of the last", append(bytes.Clone(whole[:last]), zeros(n-last)...), "a b", last, n - last, 1, true},
		{"zeros in the middle", slices.Concat(first, zeros(512), second), "a b", len(first), 512, 1, false},
		{"nothing but zeros", zeros(8192), "", 0, 8192, 1, true},
		{"a bit of the first record", flip(whole, frameHead+5), "b c", 0, len(first), 1, false},
		{"a bit of the first length", flip(whole, 1), "b c", 0, len(first), 1, false},
		{"a bit of the first sum", flip(whole, 5), "b c", 0, len(first), 1, false},
		{"a bit of the last record", flip(whole, n-1), "a b", last, n - last, 1, true},
		{"two bits far apart", flip(flip(whole, frameHead+1), n-1), "b", 0, len(first) + n - last, 2, false},
		{"no beginning", whole[4:], "b c", 0, len(first) - 4, 1, false},
		{"a page of text in the middle", slices.Concat(first, bytes.Repeat([]byte("page "), 800), second), "a b", len(first), 4000, 1, false},
		{"a foreign file", foreign, "", 0, len(foreign), 1, true},
		{"a record that is no entry", slices.Concat(first, frame([]byte{codecVersion, 1, 2}), second), "a b", len(first), frameHead + 3, 1, false},
		{"a record of no time", slices.Concat(first, untimed, second), "a b", len(first), len(untimed), 1, false},
		{"a record of no call", slices.Concat(first, segmentOf(t, ""), second), "a b", len(first), len(segmentOf(t, "")), 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, logged, l := t.TempDir(), &buffer{}, newSink()
			if err := os.WriteFile(segmentPath(dir, 7), c.data, segmentMode); err != nil {
				t.Fatal(err)
			}
			s := openSpool(t, SpoolOptions{Dir: dir, Ledger: l, Log: slog.New(slog.NewTextHandler(logged, nil))})
			appendCalls(t, s, "new")
			if err := s.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := append(strings.Fields(c.want), "new")
			if !l.has(want...) || len(l.entries) != len(want) || l.twice != 0 || s.Pending() != 0 {
				t.Errorf("%v, %d twice, %d pending; want %v", l.entries, l.twice, s.Pending(), want)
			}
			kept, err := os.ReadFile(dir + "/00000007.damaged")
			if err != nil || !bytes.Equal(kept, c.data) || len(files(t, dir)) != 1 {
				t.Errorf("%v; in the directory is %v", err, files(t, dir))
			}
			text := logged.String()
			figures := fmt.Sprintf("offset=%d bytes=%d places=%d", c.offset, c.bytes, c.places)
			if strings.Count(text, "level=") != 1 || !strings.Contains(text, figures) || !strings.Contains(text, "00000007.spool") ||
				strings.Contains(text, "the end of a usage segment") != c.end {
				t.Errorf("want one line with %q, end %v: %s", figures, c.end, text)
			}
		})
	}
}

func segmentOf(t testing.TB, call string) []byte {
	b, _ := segment(t, call)
	return b
}

// frame is a whole frame of any record.
func frame(record []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(record)))
	return append(binary.LittleEndian.AppendUint32(b, frameSum(b, record)), record...)
}

// TestAsFound: what a crash or somebody's hand may leave in the directory.
func TestAsFound(t *testing.T) {
	first, second := segmentOf(t, "a"), segmentOf(t, "c")
	l, dir, logged := newSink(), t.TempDir(), &buffer{}
	for name, b := range map[string][]byte{
		"00000001.damaged": []byte("kept"), "00000001.spool": append(first, "garbage at the end"...),
		"00000002.spool": nil, "00000004.spool": second, "9.spool": second, "99999999999999999999.spool": second,
		"18446744073709551615.spool": second, "00000003.spool.swp": second, "notes.txt": nil, "00000001-7.damaged": nil,
	} {
		if err := os.WriteFile(dir+"/"+name, b, segmentMode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(segmentPath(dir, 5), 0o700); err != nil {
		t.Fatal(err)
	}
	s := openSpool(t, SpoolOptions{Dir: dir, Ledger: l, Log: slog.New(slog.NewTextHandler(logged, nil))})
	if err := s.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !l.has("a", "c") || len(l.entries) != 2 || s.Pending() != 0 {
		t.Errorf("%v, %d pending", l.entries, s.Pending())
	}
	want := []string{"00000001-2.damaged", "00000001-7.damaged", "00000001.damaged", "00000003.spool.swp", "00000005.damaged",
		"18446744073709551615.spool", "9.spool", "99999999999999999999.spool", "notes.txt"}
	if left := files(t, dir); !slices.Equal(left, want) {
		t.Errorf("%v is left, want %v", left, want)
	}
	for _, line := range []string{"segments of the usage spool are missing", "first=3 last=3", "bytes=18", "is no file", "not its own", "notes.txt"} {
		if !strings.Contains(logged.String(), line) {
			t.Errorf("%q is not said: %s", line, logged)
		}
	}
}

// TestDamagedWhileWritten: what is wrong in the segment that is being written is
// kept aside too.
func TestDamagedWhileWritten(t *testing.T) {
	l, dir := newSink(), t.TempDir()
	l.setDown(fmt.Errorf("store is down"))
	s := openSpool(t, SpoolOptions{Dir: dir, Ledger: l})
	appendCalls(t, s, "a", "b", "c")
	s.w.Lock()
	_, err := s.file.WriteAt([]byte{0xff}, int64(len(segmentOf(t, "a"))+12))
	s.w.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	l.setDown(nil)
	if err := s.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := files(t, dir); !slices.Equal(left, []string{"00000001.damaged"}) {
		t.Errorf("%v is left", left)
	}
}

// TestRemovedWhileWritten: a segment, and the directory with it, that somebody
// removes under the spool is still read, and another one begun.
func TestRemovedWhileWritten(t *testing.T) {
	l, dir, logged := newSink(), t.TempDir()+"/spool", &buffer{}
	l.setDown(fmt.Errorf("store is down"))
	s := openSpool(t, SpoolOptions{Dir: dir, Ledger: l, Log: slog.New(slog.NewTextHandler(logged, nil))})
	appendCalls(t, s, "a", "b")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	appendCalls(t, s, "c")
	l.setDown(nil)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	appendCalls(t, s, "d")
	if got := files(t, dir); !slices.Equal(got, []string{"00000002.spool"}) {
		t.Errorf("there is %v", got)
	}
	if err := s.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !l.has("a", "b", "c", "d") || l.twice != 0 || s.Pending() != 0 {
		t.Errorf("%v, %d twice, %d pending", l.entries, l.twice, s.Pending())
	}
	if !strings.Contains(logged.String(), "was removed while it was written") {
		t.Errorf("it is not said: %s", logged)
	}
}

// FuzzReader: whatever a segment holds, the reader ends, accounts for each of
// its bytes, and finds the records that stand before and behind it.
func FuzzReader(f *testing.F) {
	whole, last := segment(f, "a", "b", "c")
	f.Add(whole)
	f.Add(whole[:last+3])
	f.Add(flip(whole, 20))
	f.Add(zeros(64))
	f.Add([]byte("\x00\x00\x0f\x00\x01PNG"))
	f.Add(frame([]byte{codecVersion, 0, 0}))
	head, tail := segmentOf(f, "head"), segmentOf(f, "tail")
	f.Fuzz(func(t *testing.T, middle []byte) {
		all := slices.Concat(head, middle, tail)
		r := reader{rest: all, whole: true}
		var calls []string
		for len(r.rest) > 0 {
			at := r.offset
			r.parse(2)
			if r.offset <= at {
				t.Fatalf("it stands still at %d", at)
			}
			for _, e := range r.entries {
				calls = append(calls, e.Call)
			}
			r.entries = r.entries[:0]
		}
		if r.offset != int64(len(all)) || r.damage.bytes > int64(len(middle)) {
			t.Errorf("%d of %d bytes, %d of them damaged", r.offset, len(all), r.damage.bytes)
		}
		if len(calls) < 2 || calls[0] != "head" || calls[len(calls)-1] != "tail" {
			t.Errorf("it finds %q", calls)
		}
		if n := countFrames(all); n != r.frames {
			t.Errorf("%d frames are counted, %d read", n, r.frames)
		}
	})
}

// TestUnreadable: what the disk does not give, however often it is asked, is
// given up and counted as damage; what is behind it is not held up.
func TestUnreadable(t *testing.T) {
	f, err := os.Open("/proc/self/mem") // nothing is at the beginning: to read there is an I/O error
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	r := reader{whole: true}
	for i := range mostReadFailures {
		if err := r.read(f, 100); (err == nil) != (i == mostReadFailures-1) {
			t.Fatalf("read %d: %v", i, err)
		}
	}
	r.parse(10)
	if r.offset != 100 || r.damage.bytes != 100 || r.damage.places != 1 || !strings.Contains(r.damage.why, "input/output error") {
		t.Errorf("at %d: %+v", r.offset, r.damage)
	}
}
