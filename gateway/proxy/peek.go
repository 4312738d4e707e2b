package proxy

import "io"

// peekBody is the beginning of the body, up to n bytes, for steps that look into
// it; it is still to be read. Cut tells that there is more.
func (x *Exchange) peekBody(n int64) (begin []byte, cut bool, err error) {
	b, r := &x.body, &x.RC.Request
	stream, size := r.BodyStream(), int64(r.Header.ContentLength())
	begin = b.kept
	switch {
	case b.kept != nil:
	case stream == nil:
		begin = r.Body()
	case x.From.Body > 0 && size > x.From.Body:
		return nil, false, ErrTooLarge(x.From.Body)
	default:
		b.from, b.size = stream, size
		if err := x.readAhead(n); err != nil {
			return nil, false, err
		}
		begin = b.ahead
	}
	return begin[:min(int64(len(begin)), n)], int64(len(begin)) > n, nil
}

// readAhead reads the first n bytes of the stream and one more, which tells that
// there are more, unless an earlier look has them or knows that there are none.
func (x *Exchange) readAhead(n int64) error {
	b := &x.body
	if n <= b.looked || b.looked > 0 && int64(len(b.ahead)) <= b.looked {
		return nil
	}
	had := len(b.ahead)
	grown := append(make([]byte, 0, n+1), b.ahead...)[:n+1]
	b.ahead, b.read = nil, int64(had)
	got, err := io.ReadFull(x, grown[had:])
	if err != nil && !(err == io.EOF || err == io.ErrUnexpectedEOF && (b.size < 0 || b.read == b.size)) {
		return CutShort(err)
	}
	b.ahead, b.read, b.looked = grown[:had+got], 0, n
	return nil
}
