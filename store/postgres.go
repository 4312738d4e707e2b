package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"sluice/store/address"
)

//go:embed migrations/postgres/*.sql
var postgresMigrations embed.FS

// postgres is what a store has that is on PostgreSQL; nil: it is on SQLite.
type postgres struct {
	config  *pgx.ConnConfig
	number  int32 // of this process among the replicas
	replica replica

	unguarded error // why there is no role of tenants
}

// What the locks of a database are of, as the first half of their number; the
// other is of the schema, or is a replica.
const (
	lockWriting = 0x534c0001 + iota
	lockMigrating
	lockAlone
	lockLeading
	lockReplica
)

// replicaLocks is the same for a statement.
var replicaLocks = strconv.Itoa(lockReplica)

// ofSchema is the second half of a lock that is one for all replicas.
const ofSchema = "hashtext(current_schema())"

func openPostgres(ctx context.Context, dsn string) (*Store, error) {
	config, err := address.Parse(dsn)
	if err != nil {
		return nil, err
	}
	p := &postgres{config: config, number: rand.Int32N(math.MaxInt32) + 1}
	role, err := p.migrate(ctx)
	if err != nil {
		return nil, err
	}
	// A writer sees all that was committed before it had the lock. One that hangs
	// gives way to the others.
	write := p.open(map[string]string{"default_transaction_isolation": "read committed", "lock_timeout": "20s",
		"idle_in_transaction_session_timeout": "30s", "sluice.schema": writesAs, "sluice.replica": strconv.Itoa(int(p.number))})
	write.SetMaxOpenConns(4)
	// What reads in a transaction sees a snapshot.
	read := p.open(map[string]string{"default_transaction_isolation": "repeatable read", "default_transaction_read_only": "on"})
	read.SetMaxOpenConns(8)
	for _, db := range []*sql.DB{write, read} {
		db.SetMaxIdleConns(4)
	}
	s := &Store{write: write, read: &reads{own: read}, now: time.Now, postgres: p}
	if p.unguarded == nil {
		s.read.tenants = p.openTenants(role)
		s.read.tenants.SetMaxOpenConns(8)
		s.read.tenants.SetMaxIdleConns(4)
	}
	s.tenants, s.prompts = &Tenants{s}, &Prompts{s}
	if s.ledger, err = newLedger(ctx, s); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.saltKeys(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// writesAs is the schema that what this version writes fits: migrations refuse
// those that write as before, where that would lose something.
const writesAs = "20"

// open opens connections whose sessions have settings of their own.
func (p *postgres) open(settings map[string]string) *sql.DB {
	config := p.config.Copy()
	for name, value := range settings {
		config.RuntimeParams[name] = value
	}
	return sql.OpenDB(connector{stdlib.GetConnector(*config)})
}

// migrate brings the schema up to date: one replica at a time. It gives the role
// of tenants, if p.unguarded is nil.
func (p *postgres) migrate(ctx context.Context) (role string, err error) {
	db := p.open(nil)
	defer func() { err = errors.Join(err, db.Close()) }()
	lock, err := db.Conn(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Close() }() // and with it the lock goes
	if _, err := lock.ExecContext(ctx, "SELECT pg_advisory_lock(?, "+ofSchema+")", lockMigrating); err != nil {
		return "", err
	}
	files, err := fs.Sub(postgresMigrations, "migrations/postgres")
	if err != nil {
		return "", err
	}
	g, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return "", err
	}
	if err := migrate(ctx, g); err != nil {
		return "", err
	}
	role, p.unguarded = admit(ctx, lock)
	return role, nil
}

// connector makes connections that take the statements that SQLite takes.
type connector struct{ driver.Connector }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	made, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &connection{made.(*stdlib.Conn)}, nil
}

type connection struct{ *stdlib.Conn }

// BeginTx begins a transaction. Where the connection turns out to be gone, nothing
// has been done: another one is taken, as a statement of its own would be.
func (c *connection) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := c.Conn.BeginTx(ctx, o)
	if err != nil && ctx.Err() == nil && c.Conn.Conn().IsClosed() {
		return nil, driver.ErrBadConn
	}
	return tx, err
}

func (c *connection) Prepare(text string) (driver.Stmt, error) {
	return c.Conn.Prepare(inPostgres(text))
}

func (c *connection) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	return c.Conn.PrepareContext(ctx, inPostgres(text))
}

func (c *connection) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	return c.Conn.ExecContext(ctx, inPostgres(text), args)
}

func (c *connection) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	return c.Conn.QueryContext(ctx, inPostgres(text), args)
}

// CheckNamedValue makes a text one that PostgreSQL takes: callers may write
// anything, and one bad name must not keep a ledger from taking all others.
func (c *connection) CheckNamedValue(v *driver.NamedValue) error {
	if text, ok := v.Value.(string); ok {
		v.Value = postgresText(text)
	}
	return nil
}

// postgresText is a text in UTF-8 without the character that none may hold.
func postgresText(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
}

// text is a text as the database gives it back.
func (s *Store) text(text string) string {
	if s.postgres == nil {
		return text
	}
	return postgresText(text)
}

// dialect is what PostgreSQL says otherwise.
var dialect = strings.NewReplacer(
	"instr(", "strpos(",
	"length(cost) * 10 + substr(cost, 1, 1)", "(length(cost::text) * 10 + substr(cost::text, 1, 1)::int)",
	"SELECT value FROM json_each(?)", "SELECT value::bigint FROM json_array_elements_text(?::json)",
	"SELECT CAST(value AS TEXT) FROM json_each(?)", "SELECT value FROM json_array_elements_text(?::json)",
)

var (
	indexedBy = regexp.MustCompile(` INDEXED BY \w+`)
	parameter = regexp.MustCompile(`\?\d*`)
)

// inPostgres is a statement as PostgreSQL takes it. None has a question mark that
// is no parameter.
func inPostgres(text string) string {
	out, n := dialect.Replace(indexedBy.ReplaceAllString(text, "")), 0
	return parameter.ReplaceAllStringFunc(out, func(p string) string {
		if len(p) > 1 {
			return "$" + p[1:]
		}
		n++
		return "$" + strconv.Itoa(n)
	})
}
