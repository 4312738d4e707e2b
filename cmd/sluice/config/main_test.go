package config

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// write puts a configuration into a directory of its own.
func write(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sluice.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// load is a configuration that must be sound.
func load(t testing.TB, content string, environ ...string) *Config {
	t.Helper()
	c, err := Load(write(t, content), environ)
	if err != nil {
		t.Fatalf("cannot load:\n%v", err)
	}
	return c
}
