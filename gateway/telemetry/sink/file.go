package sink

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// File appends to a file, which is put aside when it has grown to a size: the
// newest of those is PATH.1, and so on.
type File struct {
	Path string
	Max  int64 // bytes; 0: it grows for ever
	Keep int   // how many are kept beside it

	f    *os.File
	size int64
}

// Send appends a batch. Of one that the disk does not take nothing stays.
func (s *File) Send(_ context.Context, b Batch) error {
	if err := s.open(); err != nil {
		return err
	}
	if s.Max > 0 && s.size > 0 && s.size+int64(len(b.Bytes)) > s.Max {
		if err := s.rotate(); err != nil {
			return err
		}
	}
	if _, err := s.f.Write(b.Bytes); err != nil {
		_ = s.f.Truncate(s.size)
		_ = s.Close() // a new try opens it anew
		return err
	}
	s.size += int64(len(b.Bytes))
	return nil
}

// open opens the file, again if it was taken away, as logrotate does.
func (s *File) open() error {
	if s.f != nil {
		now, err := os.Stat(s.Path)
		if is, errIs := s.f.Stat(); err == nil && errIs == nil && os.SameFile(now, is) {
			s.size = is.Size()
			return nil
		}
		_ = s.Close()
	}
	if err := os.MkdirAll(filepath.Dir(s.Path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(s.Path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return err
	}
	s.f, s.size = f, info.Size()
	return nil
}

// rotate puts the file aside and opens a new one.
func (s *File) rotate() error {
	if err := s.Close(); err != nil {
		return err
	}
	name := func(n int) string { return s.Path + "." + strconv.Itoa(n) }
	for n := s.Keep - 1; n >= 1; n-- {
		if err := os.Rename(name(n), name(n+1)); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("cannot put %s aside: %w", s.Path, err)
		}
	}
	if s.Keep < 1 {
		if err := os.Remove(s.Path); err != nil {
			return err
		}
	} else if err := os.Rename(s.Path, name(1)); err != nil {
		return fmt.Errorf("cannot put %s aside: %w", s.Path, err)
	}
	return s.open()
}

// Close closes the file.
func (s *File) Close() error {
	if s.f == nil {
		return nil
	}
	f := s.f
	s.f, s.size = nil, 0
	return f.Close()
}
