package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/mattn/go-sqlite3" // the driver "sqlite3"
	"github.com/pressly/goose/v3"

	"sluice/billing"
	"sluice/store/address"
)

//go:embed migrations/sqlite/*.sql
var migrations embed.FS

// Store is an open database. It is safe for concurrent use.
type Store struct {
	write *sql.DB // on SQLite one connection
	read  *reads
	now   func() time.Time

	salt     billing.Salt
	postgres *postgres // nil: it is on SQLite
	ledger   *Ledger
	tenants  *Tenants
	prompts  *Prompts
}

// Open opens the database that dsn names and brings its schema up to date:
//
//	sqlite:./data/sluice.db       a file, made (0600) with its directory (0700) if absent
//	postgres://user:pw@host/db    a database on PostgreSQL, for several replicas
//
// A database that a newer version of the program has migrated is refused.
func Open(ctx context.Context, dsn string) (*Store, error) {
	if address.OnPostgres(dsn) {
		s, err := openPostgres(ctx, dsn)
		if err != nil {
			return nil, fmt.Errorf("cannot open the store on PostgreSQL: %w", inWords(err))
		}
		return s, nil
	}
	kind, path, ok := strings.Cut(dsn, ":")
	switch {
	case !ok || kind != "sqlite":
		return nil, fmt.Errorf("store: %q is not of the form sqlite:PATH or postgres://…", dsn)
	case path == "" || path == ":memory:":
		return nil, fmt.Errorf("store: %q names no file", dsn)
	}
	if err := makeFile(path); err != nil {
		return nil, fmt.Errorf("cannot create store %q: %w", path, err)
	}
	s, err := open(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("cannot open store %q: %w", path, inWords(err))
	}
	return s, nil
}

// makeFile makes the file with narrow rights before SQLite would make it with
// wide ones; the files beside it take over its mode.
func makeFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func open(ctx context.Context, path string) (*Store, error) {
	file := "file:" + (&url.URL{Path: path}).EscapedPath()
	// database/sql lends a connection to one goroutine at a time: it needs no lock.
	const common = "_busy_timeout=5000&_foreign_keys=on&_mutex=no"
	// What is deleted is overwritten, or what was erased could be read from free pages.
	write, err := sql.Open("sqlite3", file+"?_journal_mode=WAL&_synchronous=NORMAL&_txlock=immediate&_secure_delete=on&_cache_size=-4000&"+common)
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	p, err := migrator(write)
	if err == nil {
		err = migrate(ctx, p)
	}
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	// Pages that many transactions change are copied from the WAL once: it grows
	// to 32 MiB instead of 4.
	if _, err := write.ExecContext(ctx, "PRAGMA wal_autocheckpoint = 8000"); err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read, err := sql.Open("sqlite3", file+"?mode=ro&_cache_size=-4000&"+common)
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(4)
	s := &Store{write: write, read: &reads{own: read}, now: time.Now}
	s.tenants, s.prompts = &Tenants{s}, &Prompts{s}
	if s.ledger, err = newLedger(ctx, s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.saltKeys(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func migrator(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithLogger(goose.NopLogger()))
}

func migrate(ctx context.Context, p *goose.Provider) error {
	has, err := p.GetDBVersion(ctx)
	if err != nil {
		return err
	}
	sources := p.ListSources()
	if newest := sources[len(sources)-1].Version; has > newest {
		return fmt.Errorf("its schema has version %d, newer than this program's %d", has, newest)
	}
	_, err = p.Up(ctx)
	return err
}

// Ledger is the store's ledger.
func (s *Store) Ledger() *Ledger { return s.ledger }

// Tenants is the store of teams and keys.
func (s *Store) Tenants() *Tenants { return s.tenants }

// Prompts is the store of prompts.
func (s *Store) Prompts() *Prompts { return s.prompts }

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.read.PingContext(ctx); err != nil {
		return fmt.Errorf("cannot reach the store: %w", err)
	}
	return nil
}

// Close waits for running statements and closes the files.
func (s *Store) Close() error {
	s.leave()
	return errors.Join(s.read.Close(), s.write.Close())
}

// exec runs one statement that other replicas must know of, in a transaction.
func (s *Store) exec(ctx context.Context, text string, args ...any) error {
	return s.inTx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, text, args...)
		return err
	})
}

// inTx runs fn in a writing transaction. There is one at a time, of all
// replicas: ids stand in the order in which they were committed.
func (s *Store) inTx(ctx context.Context, fn func(ctx context.Context, tx *sql.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// The driver starts a goroutine for each statement whose context can be
	// cancelled. A write is short: it runs to its end.
	ctx = context.WithoutCancel(ctx)
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // a no-op after Commit
	if s.postgres != nil {
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(?, "+ofSchema+")", lockWriting); err != nil {
			return err
		}
	}
	if err := fn(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// Times that are before or after all that is stored. Beyond some three centuries
// from 1970 nanoseconds wrap around: "until the year 9999" would select nothing.
var (
	earliest = time.Date(1700, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)
)

// unix is a time as it is stored; the zero time is 0.
func unix(t time.Time) int64 {
	switch {
	case t.IsZero():
		return 0
	case t.Before(earliest):
		t = earliest
	case t.After(latest):
		t = latest
	}
	return t.UnixNano()
}

// fromUnix is a time as it was stored.
func fromUnix(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
