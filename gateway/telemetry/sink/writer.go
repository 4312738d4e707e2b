package sink

import (
	"context"
	"io"
)

// Writer sends to an io.Writer, which is left open. A batch that was not taken
// whole is lost: it may have been taken in part.
type Writer struct{ To io.Writer }

// Send writes a batch.
func (w Writer) Send(_ context.Context, b Batch) error {
	if _, err := w.To.Write(b.Bytes); err != nil {
		return &Final{err}
	}
	return nil
}

// Close does nothing.
func (Writer) Close() error { return nil }
