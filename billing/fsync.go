package billing

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// syncEvery is how often records are forced to disk, and moved to the ledger.
const syncEvery = 100 * time.Millisecond

// remindEvery is how often what is wrong is said again.
const remindEvery = time.Minute

// syncLoop forces to disk what was written.
func (s *Spool) syncLoop(ctx context.Context) {
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	told := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.retry()
		s.noteSync(s.syncOnce())
		if time.Since(told) >= remindEvery {
			told = time.Now()
			s.remind()
		}
	}
}

// remind says again what was said when it began, while it lasts.
func (s *Spool) remind() {
	s.mu.Lock()
	strain, storeErr := s.strain.Load(), s.storeErr
	records, bytes := s.room.records, s.room.bytes
	s.mu.Unlock()
	if strain != nil {
		s.o.Log.Error("usage still cannot be written to disk as it should", "dir", s.o.Dir,
			"in_memory", records, "bytes", bytes, "refusing", strain.Refuse, "error", strain.Why)
	}
	if storeErr != nil {
		s.o.Log.Error("usage still cannot be moved to the ledger", "dir", s.o.Dir, "pending", s.Pending(), "error", storeErr)
	}
}

// syncOnce forces to disk what was written since the last time.
func (s *Spool) syncOnce() error {
	s.mu.Lock()
	retired, file, dirty := s.retired, s.file, s.dirty
	s.retired, s.dirty = nil, false
	s.mu.Unlock()
	err := s.syncFiles(retired)
	if dirty && !s.o.Always {
		err = errors.Join(err, file.Sync())
	}
	if len(retired) > 0 {
		s.syncDir()
	}
	if err != nil {
		s.mu.Lock()
		s.dirty = true
		s.mu.Unlock()
	}
	return err
}

// noteSync keeps whether records can be forced to disk, and says so when it
// changes.
func (s *Spool) noteSync(err error) {
	if err != nil {
		err = fmt.Errorf("what is written cannot be forced to disk: %w", err)
	}
	s.mu.Lock()
	was := s.room.unsynced
	s.room.unsynced = err
	s.mu.Unlock()
	if err == nil && was == nil {
		return
	}
	s.noteStrain()
	switch {
	case err != nil && was == nil:
		s.o.Log.Error("the usage spool cannot be forced to disk", "dir", s.o.Dir, "error", err)
	case err == nil && was != nil:
		s.o.Log.Info("the usage spool can be forced to disk again", "dir", s.o.Dir)
	}
}

// syncFiles forces segments that are no longer written to disk and closes them.
func (s *Spool) syncFiles(files []*os.File) error {
	var errs []error
	for _, f := range files {
		if info, err := f.Stat(); err == nil {
			_ = f.Truncate(info.Size()) // gives back the room behind the end
		}
		errs = append(errs, f.Sync(), f.Close())
	}
	return errors.Join(errs...)
}

// syncDir forces the names of new segments to disk.
func (s *Spool) syncDir() {
	d, err := os.Open(s.o.Dir)
	if err == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	if err != nil {
		s.o.Log.Error("cannot force the usage spool's directory to disk", "dir", s.o.Dir, "error", err)
	}
}
