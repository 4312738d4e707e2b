package store

import (
	"errors"
	"fmt"

	"github.com/mattn/go-sqlite3"
)

// inWords says in plain words why the database took nothing, where its own are
// for those who know it. What it wraps stays to be found.
func inWords(err error) error {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case sqlite3.ErrBusy, sqlite3.ErrLocked, sqlite3.ErrProtocol:
		return fmt.Errorf("another process has locked the database: %w", err)
	case sqlite3.ErrFull:
		return fmt.Errorf("the disk of the database is full: %w", err)
	case sqlite3.ErrReadonly:
		return fmt.Errorf("the database cannot be written: %w", err)
	}
	return err
}
