package store

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/mattn/go-sqlite3"
)

func TestInWords(t *testing.T) {
	for code, want := range map[sqlite3.ErrNo]string{
		sqlite3.ErrBusy: "another process has locked", sqlite3.ErrLocked: "another process has locked", sqlite3.ErrProtocol: "another process has locked",
		sqlite3.ErrFull: "the disk of the database is full", sqlite3.ErrReadonly: "cannot be written", sqlite3.ErrCorrupt: "",
	} {
		err := fmt.Errorf("entry: %w", sqlite3.Error{Code: code})
		got := inWords(err)
		if !errors.Is(got, err) || !strings.Contains(got.Error(), want) || want == "" && got != err {
			t.Errorf("%v: %v", code, got)
		}
	}
	for code, want := range map[string]string{"55P03": wordLocked, "53100": wordFull, "25006": wordReadOnly, "57P01": wordStopped, "42601": ""} {
		err := fmt.Errorf("entry: %w", &pgconn.PgError{Code: code})
		got := inWords(err)
		if !errors.Is(got, err) || !strings.Contains(got.Error(), want) || want == "" && got != err {
			t.Errorf("%s: %v", code, got)
		}
	}
	for _, cause := range []error{driver.ErrBadConn, io.ErrUnexpectedEOF, pgconn.ErrConnClosed, &net.OpError{Op: "read", Err: errors.New("reset")}} {
		if got := inWords(fmt.Errorf("entry: %w", cause)); !strings.Contains(got.Error(), wordAway) || !errors.Is(got, cause) {
			t.Errorf("%v: %v", cause, got)
		}
	}
	if err := errors.New("other"); inWords(err) != err {
		t.Error("another error is changed")
	}
}
