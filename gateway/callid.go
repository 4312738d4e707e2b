package gateway

import (
	"crypto/rand"
	"encoding/binary"
	"sync/atomic"
	"time"
)

// base32 without the letters that people confuse; sorts as the bits do.
const idAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// idSource makes call ids: 26 characters that sort by time and never repeat,
// from the millisecond, a random word of this process and a counter.
type idSource struct {
	process uint64
	count   atomic.Uint64
}

func newIDSource() *idSource {
	var b [16]byte
	rand.Read(b[:])
	s := &idSource{process: binary.LittleEndian.Uint64(b[:8])}
	s.count.Store(binary.LittleEndian.Uint64(b[8:]) & 0xffffffff)
	return s
}

// next is a new id.
func (s *idSource) next(now time.Time) string {
	hi := uint64(now.UnixMilli())<<16 | s.process>>48
	lo := s.process<<32 | s.count.Add(1)&0xffffffff
	var out [26]byte
	for i := 12; i >= 0; i-- {
		out[i], hi = idAlphabet[hi&31], hi>>5
	}
	for i := 25; i >= 13; i-- {
		out[i], lo = idAlphabet[lo&31], lo>>5
	}
	return string(out[:])
}

// saneID tells whether a caller's request id may be taken over: 1 to 128
// letters, digits and marks that need no escaping anywhere.
func saneID(id []byte) bool {
	if len(id) == 0 || len(id) > 128 {
		return false
	}
	for _, c := range id {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '.', c == ':':
		default:
			return false
		}
	}
	return true
}
