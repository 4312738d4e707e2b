package billing

import (
	"context"
	"errors"
	"os"
	"time"
)

// syncEvery is how often records are forced to disk, and moved to the ledger.
const syncEvery = 100 * time.Millisecond

// syncLoop forces to disk what was written.
func (s *Spool) syncLoop(ctx context.Context) {
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.mu.Lock()
		retired, file, dirty := s.retired, s.file, s.dirty
		s.retired, s.dirty = nil, false
		s.mu.Unlock()
		err := s.syncFiles(retired)
		if dirty && !s.always {
			err = errors.Join(err, file.Sync())
		}
		if len(retired) > 0 {
			s.syncDir()
		}
		if err != nil {
			s.log.Error("cannot force the usage spool to disk", "dir", s.dir, "error", err)
		}
	}
}

// syncFiles forces segments that are no longer written to disk and closes them.
func (s *Spool) syncFiles(files []*os.File) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.Sync(), f.Close())
	}
	return errors.Join(errs...)
}

// syncDir forces the names of new segments to disk.
func (s *Spool) syncDir() {
	d, err := os.Open(s.dir)
	if err == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	if err != nil {
		s.log.Error("cannot force the usage spool's directory to disk", "dir", s.dir, "error", err)
	}
}
