package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"

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
	if err := errors.New("other"); inWords(err) != err {
		t.Error("another error is changed")
	}
}
