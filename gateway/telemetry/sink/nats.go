package sink

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
)

// NATS publishes each record, as a message of its own, to a subject.
type NATS struct {
	URL     string // may name several servers, with commas between
	Subject string

	conn *nats.Conn
}

// Send publishes a batch, and waits until the server has it. One that fails half
// way is published again whole: who listens may see a record twice.
func (s *NATS) Send(ctx context.Context, b Batch) error {
	if s.conn == nil {
		// What waits does so in the queue, where it is counted.
		conn, err := nats.Connect(s.URL, nats.Name("sluice"), nats.Timeout(5*time.Second), nats.MaxReconnects(-1),
			nats.ReconnectWait(time.Second), nats.ReconnectBufSize(-1))
		if err != nil {
			return err
		}
		s.conn = conn
	}
	var lost int64
	err := b.Each(func(record []byte) error {
		if n := len(record); n > 0 && record[n-1] == '\n' {
			record = record[:n-1]
		}
		err := s.conn.Publish(s.Subject, record)
		if errors.Is(err, nats.ErrMaxPayload) {
			lost++
			return nil
		}
		return err
	})
	if err == nil {
		err = s.conn.FlushWithContext(ctx)
	}
	switch {
	case err == nil && lost > 0:
		return &Partial{Lost: lost, Why: "the server takes no messages of that size"}
	case errors.Is(err, nats.ErrBadSubject):
		return &Final{err}
	case errors.Is(err, nats.ErrConnectionClosed): // for good
		s.conn = nil
	}
	return err
}

// Close ends the connection.
func (s *NATS) Close() error {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
	return nil
}
