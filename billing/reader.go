package billing

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// mostReadFailures is how often a segment that the disk cannot give back is
// read before what is missing of it is given up.
const mostReadFailures = 5

// reader is where the writer to the ledger is in the head segment.
type reader struct {
	segment  uint64
	offset   int64  // of rest in the file
	rest     []byte // what was read and not parsed yet
	missing  int64  // bytes behind rest that cannot be read
	buf      []byte // that rest is read into
	last     Entry  // that was parsed: the next is much like it
	whole    bool   // nothing will be written beyond rest any more
	failures int    // of reading the file
	damage   damage

	entries []Entry // what was parsed and is not in the ledger yet
	frames  int64   // the records that it came from
}

// damage is what of a segment is no record, or is one that cannot be read.
type damage struct {
	places int
	first  int64 // where the first is
	bytes  int64
	atEnd  bool   // there is one place, from first to the end of the file
	why    string // of the first
}

func (d *damage) add(at, bytes int64, atEnd bool, why string) {
	if d.places == 0 || at < d.first {
		d.first, d.why = at, why
	}
	d.places++
	d.bytes += bytes
	d.atEnd = d.places == 1 && atEnd
}

// load reads what the head's segment has beyond the head; end is where its
// records end, -1 if that is not known.
func (s *Spool) load(r *reader, head, tail position, end int64) error {
	if r.segment != head.segment {
		*r = reader{segment: head.segment, entries: r.entries, buf: r.buf, last: r.last}
	}
	r.offset, r.whole = head.offset, head.segment != tail.segment
	path := segmentPath(s.o.Dir, head.segment)
	f, err := os.Open(path)
	switch {
	case err == nil:
	case !errors.Is(err, os.ErrNotExist):
		return err
	case r.whole:
		s.o.Log.Error("a segment of the usage spool has vanished: what was in it and not in the ledger is lost", "path", path)
		return nil
	default:
		if f, end, err = s.rescue(head.segment); err != nil {
			return err
		}
		s.o.Log.Error("a segment of the usage spool was removed while it was written: it is still read, and another one is begun", "path", path)
		r.whole = true
	}
	defer f.Close()
	switch {
	case !r.whole:
		end = tail.offset
	case end < 0:
		info, err := f.Stat()
		if err != nil {
			return err
		}
		end = info.Size()
	}
	return r.read(f, end)
}

// rescue ends the segment that is being written, whose file was removed, and
// gives it with the end of its records: it can be read as long as it is open.
func (s *Spool) rescue(number uint64) (f *os.File, end int64, err error) {
	s.w.Lock()
	defer s.w.Unlock()
	if s.tail.segment != number {
		return nil, 0, fmt.Errorf("segment %d is no longer written", number) // the next look finds that it has vanished
	}
	fd, err := syscall.Dup(int(s.file.Fd()))
	if err != nil {
		return nil, 0, err
	}
	f, end = os.NewFile(uintptr(fd), s.file.Name()), s.tail.offset
	if err := s.rotate(); err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, end, nil
}

// read reads from offset to end. What the file, or the disk, does not give is
// damage.
func (r *reader) read(f *os.File, end int64) error {
	n := int(max(end-r.offset, 0))
	if cap(r.buf) < n || cap(r.buf) > mostRecord {
		r.buf = make([]byte, n)
	}
	got, err := f.ReadAt(r.buf[:n], r.offset)
	why := "the file is shorter than what was written to it"
	if err != nil && err != io.EOF {
		r.failures++
		if !errors.Is(err, syscall.EIO) || r.failures < mostReadFailures {
			return err
		}
		why = err.Error()
	}
	r.rest, r.missing = r.buf[:got], int64(n-got)
	if r.missing > 0 {
		r.damage.add(r.offset+int64(got), r.missing, true, why)
	}
	return nil
}

// parse takes up to most entries off what was read. What is no record is passed
// over to the next that is one.
func (r *reader) parse(most int) {
	for len(r.rest) > 0 && len(r.entries) < most {
		record, size := nextFrame(r.rest)
		if size == 0 {
			size = skipDamage(r.rest)
			r.damage.add(r.offset, int64(size), r.whole && size == len(r.rest), "it is no record")
		} else {
			r.frames++
			err := decodeEntry(record, &r.last)
			if err == nil && (r.last.Call == "" || r.last.Time.IsZero()) { // no ledger takes it, and it would hold up all others
				err = errEntry
			}
			if err != nil {
				r.damage.add(r.offset, int64(size), false, err.Error())
			} else {
				r.entries = append(r.entries, r.last)
			}
		}
		r.offset += int64(size)
		r.rest = r.rest[size:]
	}
	if len(r.rest) == 0 {
		r.rest = nil
		r.offset += r.missing
		r.missing = 0
	}
}

// quarantine keeps a damaged segment aside and says what was wrong with it.
func (s *Spool) quarantine(path string, d *damage) error {
	aside := asideName(path)
	if err := os.Rename(path, aside); err != nil {
		return err
	}
	s.room.damaged.Add(1)
	what := "a usage segment is damaged: every record of it that could be read was moved to the ledger, and the file is kept"
	if d.atEnd {
		what = "the end of a usage segment is no whole record, as when the process or the machine stops while it is written: " +
			"the records before it were moved to the ledger, and the file is kept"
	}
	s.o.Log.Error(what, "file", path, "kept", aside, "offset", d.first, "bytes", d.bytes, "places", d.places, "why", d.why)
	return nil
}

// setAsideOther keeps what is in a segment's place and is no file.
func (s *Spool) setAsideOther(path string, mode os.FileMode) error {
	aside := asideName(path)
	if err := os.Rename(path, aside); err != nil {
		return fmt.Errorf("cannot set aside what is no file: %w", err)
	}
	s.room.damaged.Add(1)
	s.o.Log.Error("what is in the place of a usage segment is no file: it is kept aside", "path", path, "kept", aside, "mode", mode.String())
	return nil
}
