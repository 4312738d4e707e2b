package providers

import "sync"

// buffer is pooled memory. Very large and very small ones are left to the
// collector.
type buffer struct{ b []byte }

const (
	bufferSize = 4 << 10
	bufferKeep = 256 << 10
)

var buffers = sync.Pool{New: func() any { return &buffer{b: make([]byte, 0, bufferSize)} }}

func newBuffer() *buffer { return buffers.Get().(*buffer) }

func (b *buffer) free() {
	if c := cap(b.b); bufferSize <= c && c <= bufferKeep {
		b.b = b.b[:0]
		buffers.Put(b)
	}
}
