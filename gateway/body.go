package gateway

import (
	"io"
	"sync"

	"sluice/gateway/proxy"
)

// keptBuffer is the largest buffer of a body that is kept for another.
const keptBuffer = 1 << 20

var bodyBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 16<<10); return &b }}

// takeBody reads the whole of a body that is not passed on as it comes, up to
// the limit.
func (c *Call) takeBody() error {
	r := &c.rc.Request
	stream := r.BodyStream()
	if stream == nil {
		return nil
	}
	size, limit := r.Header.ContentLength(), int(c.snap.Settings.BodyLimit)
	if size > limit {
		drainBody(c.rc)
		c.from.closes = true
		return errTooLarge(int64(limit))
	}
	c.from.body = bodyBuffers.Get().(*[]byte)
	buf := (*c.from.body)[:0]
	var err error
	if size >= 0 && size <= keptBuffer {
		if cap(buf) < size {
			buf = make([]byte, size)
		}
		buf = buf[:size]
		_, err = io.ReadFull(stream, buf)
	} else { // memory for what has come, not for what is promised
		buf, err = readAll(stream, buf, limit)
		if err == nil && len(buf) < size {
			err = io.ErrUnexpectedEOF
		}
	}
	*c.from.body = buf
	switch {
	case err != nil:
		return proxy.CutShort(err)
	case len(buf) > limit:
		drainBody(c.rc)
		c.from.closes = true
		return errTooLarge(int64(limit))
	}
	r.SetBodyRaw(buf)
	return nil
}

// readAll appends what a stream holds to buf, and stops behind the limit.
func readAll(stream io.Reader, buf []byte, limit int) ([]byte, error) {
	for len(buf) <= limit {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := stream.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// giveBody gives the memory of a body back.
func giveBody(b *[]byte) {
	if b != nil && cap(*b) <= keptBuffer {
		bodyBuffers.Put(b)
	}
}
