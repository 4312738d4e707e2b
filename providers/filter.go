package providers

import "sluice/providers/schema"

// Filter is what the chunks of one streamed answer go through on their way to
// the caller. What was metered before it is what the provider has sent.
type Filter interface {
	// Chunk appends to out what is to be given of c, and of what was kept of
	// those before. An error is a refusal, which ends the stream.
	Chunk(c *schema.Chunk, out []schema.Chunk) ([]schema.Chunk, error)
	// End appends what is still kept when the answer is over.
	End(out []schema.Chunk) ([]schema.Chunk, error)
}

// filtered puts what the filter gives of the chunks from an index on in their
// place.
func (s *Stream) filtered(from int) {
	if s.filter == nil {
		return
	}
	s.passed = s.passed[:0]
	for i := from; i < len(s.chunks) && s.err == nil; i++ {
		var err error
		if s.passed, err = s.filter.Chunk(&s.chunks[i], s.passed); err != nil {
			s.refuse(err)
		}
	}
	s.chunks = append(s.chunks[:from], s.passed...)
}

// filterEnd adds to the chunks what the filter has kept.
func (s *Stream) filterEnd() {
	if s.filter == nil || s.err != nil {
		return
	}
	var err error
	if s.passed, err = s.filter.End(s.passed[:0]); err != nil {
		s.refuse(err)
	}
	from := len(s.chunks)
	s.chunks = append(s.chunks, s.passed...)
	s.encodeFrom(from)
}

// refuse ends the stream by the filter's word. That is no failure of the
// provider: no other attempt is made for it.
func (s *Stream) refuse(err error) { s.err, s.refused = err, true }

// encodeFrom encodes the chunks from an index on, if bytes are wanted.
func (s *Stream) encodeFrom(from int) {
	if s.encode == nil {
		return
	}
	for i := from; i < len(s.chunks); i++ {
		at := s.outFrom()
		s.out.b = s.encode.Chunk(s.out.b, &s.chunks[i])
		s.pending = s.out.b[at:]
	}
	s.chunks = s.chunks[:from]
}
