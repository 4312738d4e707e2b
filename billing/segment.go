package billing

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A segment is a file of records, each in a frame: four bytes of length and
// four of CRC-32C, little-endian, both of the record that follows. The CRC
// covers the length too, so that a run of zeros is no frame. A file is named by its
// number, "00000001.spool"; what is damaged is kept aside as ".damaged".
const (
	frameHead   = 8
	mostRecord  = 1 << 20
	segmentExt  = ".spool"
	damagedExt  = ".damaged"
	lockFile    = "lock"
	segmentMode = 0o600
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendFrame appends an entry in its frame; too long a one is an error, and
// dst as it was.
func appendFrame(dst []byte, e *Entry) ([]byte, error) {
	start := len(dst)
	dst = append(dst, make([]byte, frameHead)...)
	dst = appendEntry(dst, e)
	record := dst[start+frameHead:]
	if len(record) > mostRecord {
		return dst[:start], fmt.Errorf("cannot spool entry %q: %d bytes, more than %d", e.Call, len(record), mostRecord)
	}
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(record)))
	binary.LittleEndian.PutUint32(dst[start+4:], frameSum(dst[start:start+4], record))
	return dst, nil
}

func frameSum(length, record []byte) uint32 {
	return crc32.Update(crc32.Checksum(length, castagnoli), castagnoli, record)
}

// nextFrame takes a record off the front of b; size is that of the whole frame,
// 0 if b begins with none.
func nextFrame(b []byte) (record []byte, size int) {
	record, size, _ = checkFrame(b)
	return record, size
}

// checkFrame is nextFrame that tells how many bytes it summed up.
func checkFrame(b []byte) (record []byte, size, summed int) {
	if len(b) < frameHead {
		return nil, 0, 0
	}
	n := binary.LittleEndian.Uint32(b)
	if n == 0 || n > mostRecord || int(n) > len(b)-frameHead {
		return nil, 0, 0
	}
	size = frameHead + int(n)
	record = b[frameHead:size]
	if frameSum(b[:4], record) != binary.LittleEndian.Uint32(b[4:]) {
		return nil, 0, size
	}
	return record, size, size
}

// mostSums bounds what skipDamage sums up in search of a record, in bytes: a
// second's work. Damage is seldom longer than a few records; a foreign file can
// be such that half of it seems to be a record from every byte on.
const mostSums = 4 << 30

// skipDamage is how many bytes of b, which begins with no frame, come before
// the next one; len(b) if none does.
func skipDamage(b []byte) int {
	left := int64(mostSums)
	for skip := 1; skip+frameHead < len(b) && left > 0; skip++ {
		if !isVersion(b[skip+frameHead]) {
			continue
		}
		_, size, summed := checkFrame(b[skip:])
		if size > 0 {
			return skip
		}
		left -= int64(summed)
	}
	return len(b)
}

func segmentPath(dir string, number uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%08d%s", number, segmentExt))
}

// createSegment makes a segment's file, which must not be there.
func createSegment(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, segmentMode)
}

// found is what is in a spool's directory.
type found struct {
	numbers []uint64 // of the segments, oldest first
	last    uint64   // the last that was given out: one that was kept aside has it for good
	foreign []string // what is none of the spool's
}

// mostNumber is the highest number of a segment. A file that has a higher one
// was not written by a spool.
const mostNumber = 1 << 60

func listSegments(dir string) (found, error) {
	var l found
	files, err := os.ReadDir(dir)
	if err != nil {
		return l, err
	}
	for _, f := range files {
		name := f.Name()
		if name == lockFile {
			continue
		}
		ext := filepath.Ext(name)
		base := strings.TrimSuffix(name, ext)
		if ext == damagedExt {
			base, _, _ = strings.Cut(base, "-")
		}
		n, err := strconv.ParseUint(base, 10, 64)
		if err != nil || n > mostNumber || filepath.Base(segmentPath(dir, n)) != base+segmentExt || ext != segmentExt && ext != damagedExt {
			l.foreign = append(l.foreign, name)
			continue
		}
		l.last = max(l.last, n)
		if ext == segmentExt {
			l.numbers = append(l.numbers, n)
		}
	}
	slices.Sort(l.numbers)
	return l, nil
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

// countFrames is how many whole records a segment holds.
func countFrames(b []byte) (n int64) {
	for len(b) > 0 {
		_, size := nextFrame(b)
		if size == 0 {
			size = skipDamage(b)
		} else {
			n++
		}
		b = b[size:]
	}
	return n
}
