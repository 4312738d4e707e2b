package billing

import "fmt"

// Strain is what keeps the spool from writing records to disk as it should.
type Strain struct {
	Why     error // records cannot be written or forced to disk, or soon not any more
	Memory  bool  // some wait in memory, where a crash would take them
	Refuse  bool  // no calls should come: their usage could not be kept safe
	TooMuch bool  // because too much waits in memory, not because that was asked for
}

// Strain is nil while records can be written to disk. It costs nothing to ask.
func (s *Spool) Strain() *Strain { return s.strain.Load() }

// noteStrain brings Strain up to date, and says so where calls are refused from
// now on, or no longer. It is called after whatever may change it.
func (s *Spool) noteStrain() {
	s.mu.Lock()
	r := &s.room
	was := s.strain.Load()
	now := s.strained(was)
	if s.closed || now == nil && was == nil || now != nil && was != nil && *now == *was {
		s.mu.Unlock()
		return
	}
	s.strain.Store(now)
	records, bytes := r.records, r.bytes
	s.mu.Unlock()
	refused, refuses := was != nil && was.Refuse, now != nil && now.Refuse
	switch {
	case refuses && now.TooMuch && !was.tooMuch():
		s.o.Log.Error("calls are refused: too much usage waits in memory. Make room on the usage spool's disk, or see to the store",
			"dir", s.o.Dir, "records", records, "bytes", bytes, "error", now.Why)
	case refuses && !refused:
		s.o.Log.Error("calls are refused: their usage cannot be written to disk, and billing.disk_full is refuse",
			"dir", s.o.Dir, "error", now.Why)
	case refused && !refuses:
		s.o.Log.Info("calls are taken again: their usage can be kept", "dir", s.o.Dir)
	}
}

func (s *Strain) tooMuch() bool { return s != nil && s.TooMuch }

// strained is the strain that there is, after the one that was; mu is held.
func (s *Spool) strained(was *Strain) *Strain {
	r := &s.room
	why := r.trouble()
	if why == nil && r.records == 0 {
		return nil
	}
	if why == nil {
		why = fmt.Errorf("%d records still wait to be written", r.records)
		if was != nil {
			why = was.Why
		}
	}
	// Calls come again when half is gone, not with each record that goes.
	tooMuch := r.bytes >= mostShelved || was.tooMuch() && r.bytes >= mostShelved/2
	return &Strain{Why: why, Memory: r.records > 0, TooMuch: tooMuch, Refuse: tooMuch || s.o.Refuse && r.trouble() != nil}
}
