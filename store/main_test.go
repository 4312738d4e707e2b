package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

// onPostgres is where tests have their databases; empty: in files of SQLite.
var onPostgres string

// everywhere runs all tests on SQLite, and then on PostgreSQL if there is one.
type everywhere struct{ *testing.M }

func (m everywhere) Run() int {
	code := m.M.Run()
	if onPostgres = os.Getenv("SLUICE_TEST_POSTGRES"); onPostgres != "" && code == 0 {
		fmt.Println("and on PostgreSQL")
		code = m.M.Run()
	}
	return code
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(everywhere{m}) }

// testAddress is a new database: a file, or a schema of PostgreSQL.
func testAddress(t testing.TB) string {
	t.Helper()
	if onPostgres == "" {
		return "sqlite:" + filepath.Join(t.TempDir(), "data", "sluice.db")
	}
	return testSchema(t)
}

func testSchema(t testing.TB) string {
	t.Helper()
	schema := "sluice_test_" + strings.ToLower(rand.Text())
	inSchemas := func(ctx context.Context, text string) {
		conn, err := pgx.Connect(ctx, onPostgres)
		if err == nil {
			_, err = conn.Exec(ctx, text)
			_ = conn.Close(ctx)
		}
		if err != nil {
			t.Error(err)
		}
	}
	inSchemas(t.Context(), "CREATE SCHEMA "+schema)
	t.Cleanup(func() { inSchemas(context.Background(), "DROP SCHEMA "+schema+" CASCADE") })
	u, err := url.Parse(onPostgres)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

// onlySQLite skips on PostgreSQL what is about files and plans of SQLite.
func onlySQLite(t testing.TB) {
	t.Helper()
	if onPostgres != "" {
		t.Skip("of SQLite alone")
	}
}

// onlyPostgres skips without PostgreSQL what takes several replicas.
func onlyPostgres(t testing.TB) {
	t.Helper()
	if onPostgres == "" {
		t.Skip("of PostgreSQL alone")
	}
}
