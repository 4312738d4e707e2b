package store

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/mattn/go-sqlite3"
)

// What is wrong, for those who do not know the database's own words.
const (
	wordLocked   = "another process has locked the database"
	wordFull     = "the disk of the database is full"
	wordReadOnly = "the database cannot be written"
	wordAway     = "the database cannot be reached"
	wordStopped  = "the database is being stopped or started"
)

// inWords says in plain words why the database took nothing, where its own are
// for those who know it. What it wraps stays to be found.
func inWords(err error) error {
	if words := wordsOf(err); words != "" {
		return fmt.Errorf("%s: %w", words, err)
	}
	return err
}

func wordsOf(err error) string {
	if e := (sqlite3.Error{}); errors.As(err, &e) {
		switch e.Code {
		case sqlite3.ErrBusy, sqlite3.ErrLocked, sqlite3.ErrProtocol:
			return wordLocked
		case sqlite3.ErrFull:
			return wordFull
		case sqlite3.ErrReadonly:
			return wordReadOnly
		}
		return ""
	}
	if e := (*pgconn.PgError)(nil); errors.As(err, &e) {
		switch e.Code {
		case "55P03", "40P01": // lock_not_available, deadlock_detected
			return wordLocked
		case "53100":
			return wordFull
		case "25006":
			return wordReadOnly
		case "57P01", "57P02", "57P03":
			return wordStopped
		}
		return ""
	}
	if away(err) {
		return wordAway
	}
	return ""
}

// away tells whether a connection could not be made, or has ended.
func away(err error) bool {
	var connecting *pgconn.ConnectError
	var network net.Error
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.As(err, &connecting) || errors.As(err, &network) || errors.Is(err, pgconn.ErrConnClosed) || pgconn.Timeout(err)
}

// notUnique tells whether a row was refused for another that has the same,
// which is not its key.
func notUnique(err error) bool {
	if e := (sqlite3.Error{}); errors.As(err, &e) {
		return e.ExtendedCode == sqlite3.ErrConstraintUnique
	}
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "23505" && !strings.HasSuffix(e.ConstraintName, "_pkey")
}
