package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"sluice/billing"
)

// On PostgreSQL, what is read on a team's behalf (see billing.Behalf) goes
// through connections of their own. Their role may read the tables of
// tenantTables and nothing else, and sees of them what the policies of
// migration 00020 let it see: a query that forgets the team gives the team's
// rows all the same. Whoever owns the tables passes the policies by, so that
// what the gateway reads and writes for itself is as fast as without them.

// tenantTables are what may be read on a team's behalf. Those without a policy
// have sums by the numbers of dims.
var tenantTables = []string{"dims", "entries", "packs", "erased", "tagset_teams", "tagsets", "tags", "teams", "keys",
	"responses", "subscriptions", "subscription_steps", "version_uses"}

// reads is where the store is read.
type reads struct {
	own     *sql.DB // not embedded: what is not below would pass the policies by
	tenants *sql.DB // on behalf of teams; nil: there is no such role
}

func (r *reads) of(ctx context.Context) *sql.DB {
	if r.tenants != nil && billing.BehalfOf(ctx) != nil {
		return r.tenants
	}
	return r.own
}

func (r *reads) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return r.of(ctx).QueryContext(ctx, query, args...)
}

func (r *reads) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return r.of(ctx).QueryRowContext(ctx, query, args...)
}

func (r *reads) BeginTx(ctx context.Context, o *sql.TxOptions) (*sql.Tx, error) {
	return r.of(ctx).BeginTx(ctx, o)
}

func (r *reads) PingContext(ctx context.Context) error { return r.own.PingContext(ctx) }

func (r *reads) Close() error {
	if r.tenants == nil {
		return r.own.Close()
	}
	return errors.Join(r.tenants.Close(), r.own.Close())
}

// Unguarded says why teams are kept apart by what queries ask for alone, though
// the store is on PostgreSQL; nil: by its policies too.
func (s *Store) Unguarded() error {
	if s.postgres == nil {
		return nil
	}
	return s.postgres.unguarded
}

// admit makes the role of tenants, and lets it read what it may, where that has
// not been done. Its errors say what to do about it.
func admit(ctx context.Context, c *sql.Conn) (role string, err error) {
	var user, schema string
	var there bool
	err = c.QueryRowContext(ctx, `SELECT ('sluice_tenant_' || current_user)::name::text, current_user::text, current_schema()::text,
		EXISTS (SELECT 1 FROM pg_roles WHERE rolname = ('sluice_tenant_' || current_user)::name)`).Scan(&role, &user, &schema, &there)
	if err != nil {
		return "", err
	}
	create, grant := "CREATE ROLE "+quoted(role)+" NOLOGIN", "GRANT "+quoted(role)+" TO "+quoted(user)
	if !there {
		// Roles are of all databases: another one's start may have been faster.
		if _, err := c.ExecContext(ctx, create); err != nil && sqlState(err) != "42710" && sqlState(err) != "23505" {
			return "", fmt.Errorf("the role %q cannot be made (%w); have a superuser do it (%s; %s), then start again", role, err, create, grant)
		}
	}
	if err := become(ctx, c, role); err != nil { // a superuser may without being a member
		if _, err := c.ExecContext(ctx, grant); err != nil {
			return "", fmt.Errorf("the user %q may not take the role %q (%w); have a superuser do it (%s), then start again", user, role, err, grant)
		}
		if err := become(ctx, c, role); err != nil {
			return "", err
		}
	}
	if err := mayRead(ctx, c, role, schema); err != nil {
		return "", err
	}
	return role, isGuarded(ctx, c, role)
}

// become tells whether a role can be taken.
func become(ctx context.Context, c *sql.Conn, role string) error {
	if _, err := c.ExecContext(ctx, "SET ROLE "+quoted(role)); err != nil {
		return err
	}
	_, err := c.ExecContext(ctx, "RESET ROLE")
	return err
}

// mayRead lets the role read the tables.
func mayRead(ctx context.Context, c *sql.Conn, role, schema string) error {
	var may bool
	err := c.QueryRowContext(ctx, "SELECT has_schema_privilege(?1, ?2, 'USAGE') AND (SELECT bool_and(has_table_privilege(?1, format('%I.%I', ?2::text, name), 'SELECT')) "+
		"FROM unnest(string_to_array(?3, ',')) AS name)", role, schema, strings.Join(tenantTables, ",")).Scan(&may)
	if err != nil || may {
		return err
	}
	for _, what := range []string{"USAGE ON SCHEMA " + quoted(schema), "SELECT ON " + strings.Join(tenantTables, ", ")} {
		text := "GRANT " + what + " TO " + quoted(role)
		if _, err := c.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("the role %q may not read the tables (%w); have their owner allow it (%s), then start again", role, err, text)
		}
	}
	return nil
}

// isGuarded tells whether the policies are in force for the role. They are not
// for superusers, for roles with BYPASSRLS, and for the owners of tables.
func isGuarded(ctx context.Context, c *sql.Conn, role string) error {
	if _, err := c.ExecContext(ctx, "SET ROLE "+quoted(role)); err != nil {
		return err
	}
	var open string
	err := c.QueryRowContext(ctx, "SELECT coalesce(string_agg(name, ', '), '') FROM unnest(string_to_array(?, ',')) AS name "+
		"WHERE name <> 'erased' AND NOT row_security_active(name)", strings.Join(tenantTables, ",")).Scan(&open)
	_, reset := c.ExecContext(ctx, "RESET ROLE")
	if err := errors.Join(err, reset); err != nil || open == "" {
		return err
	}
	return fmt.Errorf("policies are not in force for the role %q (tables: %s); it must be no superuser, own nothing and have no BYPASSRLS", role, open)
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// sqlState is PostgreSQL's code of an error; empty: it is not one of these.
func sqlState(err error) string {
	if e := (*pgconn.PgError)(nil); errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// openTenants opens connections that are for tenants alone.
func (p *postgres) openTenants(role string) *sql.DB {
	config := p.config.Copy()
	for name, value := range map[string]string{"role": role, "default_transaction_isolation": "repeatable read", "default_transaction_read_only": "on"} {
		config.RuntimeParams[name] = value
	}
	return sql.OpenDB(tenantConnector{connector{stdlib.GetConnector(*config)}, role})
}

type tenantConnector struct {
	connector
	role string
}

func (c tenantConnector) Connect(ctx context.Context) (driver.Conn, error) {
	made, err := c.connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	// A pooler in between may have left the role out.
	var as string
	if err = made.(*connection).Conn.Conn().QueryRow(ctx, "SELECT current_user::text").Scan(&as); err == nil && as != c.role {
		err = fmt.Errorf("a connection on behalf of teams is the user %q's, not %q's", as, c.role)
	}
	if err != nil {
		return nil, errors.Join(err, made.Close())
	}
	return &tenantConnection{connection: made.(*connection)}, nil
}

// tenantConnection is on behalf of whom the context of a statement, or of the
// transaction that it is in, tells.
type tenantConnection struct {
	*connection
	teams, prompts string // as its session has them; empty: not yet
}

func (c *tenantConnection) Prepare(string) (driver.Stmt, error) { return nil, errPrepared }

func (c *tenantConnection) PrepareContext(context.Context, string) (driver.Stmt, error) {
	return nil, errPrepared
}

// errPrepared is of statements whose runs would not tell on whose behalf they are.
var errPrepared = errors.New("nothing is prepared on behalf of a team")

func (c *tenantConnection) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if err := c.act(ctx); err != nil {
		return nil, err
	}
	return c.connection.BeginTx(ctx, o)
}

func (c *tenantConnection) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.act(ctx); err != nil {
		return nil, err
	}
	return c.connection.ExecContext(ctx, text, args)
}

func (c *tenantConnection) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.act(ctx); err != nil {
		return nil, err
	}
	return c.connection.QueryContext(ctx, text, args)
}

// act has the session be on behalf of whom the context tells: nobody, if it
// tells none.
func (c *tenantConnection) act(ctx context.Context) error {
	b := billing.BehalfOf(ctx)
	if b == nil {
		b = &billing.Behalf{}
	}
	teams, prompts := jsonList(b.Teams), jsonList(b.Prompts)
	if teams == c.teams && prompts == c.prompts {
		return nil
	}
	if c.Conn.Conn().PgConn().TxStatus() != 'I' {
		return errors.New("a transaction is on behalf of one team alone")
	}
	c.teams, c.prompts = "", "" // if it fails, it is not known
	_, err := c.connection.ExecContext(ctx, "SELECT set_config('sluice.team', ?, false), set_config('sluice.prompts', ?, false)",
		[]driver.NamedValue{{Ordinal: 1, Value: teams}, {Ordinal: 2, Value: prompts}})
	if err != nil {
		if c.Conn.Conn().IsClosed() && ctx.Err() == nil {
			return driver.ErrBadConn // nothing has been done: another one is taken
		}
		return err
	}
	c.teams, c.prompts = teams, prompts
	return nil
}

// jsonList is texts as PostgreSQL has them in its settings.
func jsonList(texts []string) string {
	clean := make([]string, len(texts))
	for i, text := range texts {
		clean[i] = postgresText(text)
	}
	list, _ := json.Marshal(clean) // texts always are JSON
	return string(list)
}
