// Package address reads where a store is, and goes nowhere.
package address

import (
	"errors"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Check says what is wrong with the address of a store.
func Check(dsn string) error {
	if OnPostgres(dsn) {
		_, err := Parse(dsn)
		return err
	}
	file, ok := strings.CutPrefix(dsn, "sqlite:")
	if !ok || file == "" || strings.HasPrefix(file, "//") {
		return errors.New("want sqlite:PATH, such as sqlite:./data/sluice.db, or postgres://USER:PASSWORD@HOST/DATABASE")
	}
	return nil
}

// OnPostgres tells whether an address is one of PostgreSQL.
func OnPostgres(dsn string) bool {
	return strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://")
}

// Parse reads an address of PostgreSQL. What is wrong is told without its password.
func Parse(dsn string) (*pgx.ConnConfig, error) {
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("want postgres://USER:PASSWORD@HOST:PORT/DATABASE" + plainFault(err))
	}
	// A server that is gone without a word is noticed in seconds, on both sides.
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3}}
	c.DialFunc = dialer.DialContext
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 5 * time.Second
	}
	set := func(name, value string) {
		if _, ok := c.RuntimeParams[name]; !ok {
			c.RuntimeParams[name] = value
		}
	}
	set("application_name", "sluice")
	set("tcp_keepalives_idle", "5")
	set("tcp_keepalives_interval", "2")
	set("tcp_keepalives_count", "3")
	return c, nil
}

// plainFault is the last of what is wrong with an address, which does not repeat it.
func plainFault(err error) string {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	if strings.Contains(err.Error(), "://") || strings.Contains(err.Error(), "@") {
		return ""
	}
	return ": " + err.Error()
}
