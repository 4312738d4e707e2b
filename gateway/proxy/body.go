package proxy

import (
	"errors"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/providers/schema"
)

// keptBody is the largest body that is kept, so that it can be sent again; a
// larger one is sent as it comes, once.
const keptBody = 64 << 10

// body is the body of an exchange's request.
type body struct {
	memory []byte    // of kept
	kept   []byte    // all of it; nil with a stream, or if there is none
	piece  [1][]byte // kept, as it is sent
	from   io.Reader // nil: there is no stream
	size   int64     // of the stream; -1: not known
	read   int64
	taken  bool // it is ready
}

// takeBody readies the body to be sent on.
func (x *Exchange) takeBody() error {
	b, r := &x.body, &x.RC.Request
	if b.taken {
		return nil
	}
	b.taken = true
	stream, size := r.BodyStream(), int64(r.Header.ContentLength())
	switch {
	case stream == nil:
		if body := r.Body(); len(body) > 0 {
			b.kept = body
		}
		return nil
	case x.From.Body > 0 && size > x.From.Body:
		return ErrTooLarge(x.From.Body)
	}
	b.from, b.size = stream, size
	if size < 0 || size > keptBody {
		return nil
	}
	if int64(cap(b.memory)) < size {
		b.memory = make([]byte, size)
	}
	b.memory = b.memory[:size]
	if _, err := io.ReadFull(x, b.memory); err != nil {
		return CutShort(err)
	}
	b.kept, b.from = b.memory, nil
	return nil
}

// WholeBody is the body, all of it, for a step that must know it. It is sent on
// from memory then.
func (x *Exchange) WholeBody() ([]byte, error) {
	if err := x.takeBody(); err != nil {
		return nil, err
	}
	b := &x.body
	if b.from != nil {
		all, err := io.ReadAll(x)
		if err != nil {
			return nil, err
		}
		b.kept, b.from = all, nil
	}
	return b.kept, nil
}

// ErrTooLarge is the fault of a body of more bytes than limit.
func ErrTooLarge(limit int64) *schema.Error {
	return &schema.Error{Code: schema.CodeTooLarge, Status: fasthttp.StatusRequestEntityTooLarge, Origin: schema.OriginGateway,
		Class: schema.ClassCancelled, Message: "the body is larger than the limit of " + strconv.FormatInt(limit, 10) + " bytes"}
}

// Read gives the body as it comes, within the bounds of Origin. The errors are
// the caller's: no target is to blame for them, and none is asked again.
func (x *Exchange) Read(p []byte) (int, error) {
	if idle := x.From.Idle; idle > 0 {
		if err := x.RC.Conn().SetReadDeadline(time.Now().Add(idle)); err != nil {
			return 0, CutShort(err)
		}
	}
	n, err := x.body.from.Read(p)
	if x.body.read += int64(n); x.From.Body > 0 && x.body.read > x.From.Body {
		return 0, ErrTooLarge(x.From.Body)
	}
	if err == io.EOF && x.body.size > x.body.read {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && err != io.EOF {
		err = CutShort(err)
	}
	return n, err
}

// CutShort names why a caller's body did not come.
func CutShort(err error) error {
	var timeout net.Error
	var broken fasthttp.ErrBrokenChunk
	var own *schema.Error
	switch {
	case errors.As(err, &own):
		return err
	case errors.As(err, &timeout) && timeout.Timeout():
		return &schema.Error{Code: schema.CodeInvalidRequest, Status: fasthttp.StatusRequestTimeout, Origin: schema.OriginGateway,
			Class: schema.ClassCancelled, Message: "the request did not arrive in time", Cause: err}
	case errors.As(err, &broken) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return &schema.Error{Code: schema.CodeInvalidRequest, Status: fasthttp.StatusBadRequest, Origin: schema.OriginGateway,
			Class: schema.ClassCancelled, Message: "the chunks of the body are malformed", Cause: err}
	}
	return &schema.Error{Code: schema.CodeClientClosed, Status: 499, Origin: schema.OriginGateway,
		Class: schema.ClassCancelled, Message: "the caller left before its request was complete", Cause: err}
}
