package billing

import (
	"context"
	"fmt"
)

// Clear brings everything into the ledger that was appended before it, and
// removes the files that it was in: nothing of it can come back.
func (s *Spool) Clear(ctx context.Context) error {
	if err := s.Flush(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.tail
	for last.offset > 0 && s.segments[0].number <= last.segment {
		if s.closed {
			return ErrSpoolClosed
		}
		s.clearing = true
		if err := s.await(ctx); err != nil {
			return fmt.Errorf("cannot clear the usage spool: %w", err)
		}
	}
	return nil
}
