package store

import (
	"encoding/binary"
	"math"
	"testing"
)

// Numbers of every length, wherever they stand, are read as the library does.
func FuzzVarint(f *testing.F) {
	var all []byte
	for shift := range 64 {
		all = binary.AppendUvarint(all, 1<<shift)
		all = binary.AppendUvarint(all, 1<<shift-1)
		all = binary.AppendUvarint(all, math.MaxUint64>>shift)
	}
	f.Add(all)
	f.Add([]byte{0x80, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		at, n := 0, 0
		for at < len(b) {
			want, size := binary.Uvarint(b[at:])
			got, next := uvarint(b, at)
			if size <= 0 {
				if next != -1 {
					t.Fatalf("%x at %d: read %d, want an error", b, at, got)
				}
				return
			}
			if got != want || next != at+size {
				t.Fatalf("%x at %d: %d up to %d, want %d up to %d", b, at, got, next, want, at+size)
			}
			at, n = next, n+1
			if skipped := skipVarints(b, 0, n); skipped != at {
				t.Fatalf("%x: %d numbers end at %d, want %d", b, n, skipped, at)
			}
		}
		if skipped := skipVarints(b, 0, n+1); skipped != -1 {
			t.Fatalf("%x: one more than all %d ends at %d", b, n, skipped)
		}
	})
}
