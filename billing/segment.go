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
	if len(b) < frameHead {
		return nil, 0
	}
	n := binary.LittleEndian.Uint32(b)
	if n == 0 || n > mostRecord || int(n) > len(b)-frameHead {
		return nil, 0
	}
	size = frameHead + int(n)
	record = b[frameHead:size]
	if frameSum(b[:4], record) != binary.LittleEndian.Uint32(b[4:]) {
		return nil, 0
	}
	return record, size
}

// skipDamage is how many bytes of b, which begins with no frame, come before
// the next one; len(b) if none does.
func skipDamage(b []byte) int {
	for skip := 1; skip+frameHead < len(b); skip++ {
		if _, size := nextFrame(b[skip:]); size > 0 {
			return skip
		}
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

// listSegments gives the numbers of the segments in a directory, oldest first,
// and the last number that was given out: one that was kept aside has it for
// good.
func listSegments(dir string) (numbers []uint64, last uint64, err error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, 0, err
	}
	for _, f := range files {
		ext := filepath.Ext(f.Name())
		n, err := strconv.ParseUint(strings.TrimSuffix(f.Name(), ext), 10, 64)
		if err != nil || ext != segmentExt && ext != damagedExt {
			continue
		}
		last = max(last, n)
		if ext == segmentExt {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, last, nil
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
