package cache

// Flight is a call under way whose answer others wait for.
type Flight struct {
	key    string
	done   chan struct{}
	answer *Answer
	again  bool
}

// Join tells which call is under way for a key. leads is true for whoever has
// to make it now, and to End it.
func (s *Store) Join(key string) (flight *Flight, leads bool) {
	sh := s.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if flight = sh.open[key]; flight != nil {
		return flight, false
	}
	flight = &Flight{key: key, done: make(chan struct{})}
	sh.open[key] = flight
	return flight, true
}

// End tells all who wait how it went: the answer; or without one that they are
// to join again, for it says nothing of them that the call did not go on (its
// caller left), or that each is to go on by itself.
func (s *Store) End(flight *Flight, answer *Answer, again bool) {
	sh := s.shard(flight.key)
	sh.mu.Lock()
	delete(sh.open, flight.key)
	sh.mu.Unlock()
	flight.answer, flight.again = answer, again
	close(flight.done)
}

// Done is closed when the flight is over.
func (f *Flight) Done() <-chan struct{} { return f.done }

// Outcome is that of a flight which is over; see End.
func (f *Flight) Outcome() (answer *Answer, again bool) { return f.answer, f.again }
