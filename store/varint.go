package store

import (
	"encoding/binary"
	"math/bits"
)

// The highest bit of each byte: not set in a varint's last.
const more = 0x8080808080808080

// uvarint reads a number at b[i], and gives where the next one is; -1: there is
// none, or there was none before it. Most are short; how long the others are
// cannot be foretold, so those of up to eight bytes are decoded without a branch
// for each.
func uvarint(b []byte, i int) (uint64, int) {
	if uint(i) < uint(len(b)) && b[i] < 0x80 {
		return uint64(b[i]), i + 1
	}
	if i < 0 || i > len(b)-8 {
		return uvarintSlow(b, i)
	}
	x := binary.LittleEndian.Uint64(b[i:])
	last := ^x & more
	if last == 0 {
		return uvarintSlow(b, i)
	}
	return compact(x, last), i + bits.TrailingZeros64(last)>>3 + 1
}

// compact is the number that x begins with; the lowest bit of last is in the
// last of its bytes.
func compact(x, last uint64) uint64 {
	x &= last ^ (last - 1) // what follows the number goes
	x = x&0x007f007f007f007f | x&0x7f007f007f007f00>>1
	x = x&0x00003fff00003fff | x&0x3fff00003fff0000>>2
	return x&0x000000000fffffff | x&0x0fffffff00000000>>4
}

func uvarintSlow(b []byte, i int) (uint64, int) {
	if uint(i) >= uint(len(b)) {
		return 0, -1
	}
	v, size := binary.Uvarint(b[i:])
	if size <= 0 {
		return 0, -1
	}
	return v, i + size
}

// skipVarints gives what follows n numbers at b[i]; -1: there are fewer. It
// does not look at how long they are.
func skipVarints(b []byte, i, n int) int {
	for ; i <= len(b)-8; i += 8 {
		last := ^binary.LittleEndian.Uint64(b[i:]) & more
		if ends := bits.OnesCount64(last); ends < n {
			n -= ends
			continue
		}
		for ; n > 1; n-- {
			last &= last - 1
		}
		return i + bits.TrailingZeros64(last)>>3 + 1
	}
	for ; n > 0; n-- {
		for i < len(b) && b[i] >= 0x80 {
			i++
		}
		if i++; i > len(b) {
			return -1
		}
	}
	return i
}
