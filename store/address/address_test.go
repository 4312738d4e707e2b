package address

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for dsn, want := range map[string]string{
		"sqlite:./data/sluice.db":                      "",
		"postgres://u:hunter2@db.internal:5432/sluice": "",
		"postgresql://u@/sluice?host=/run/postgresql":  "",
		"sqlite:":                     "want sqlite:PATH",
		"mysql://x":                   "or postgres://",
		"postgres://u:hunter2@h:x/db": "want postgres://USER",
		"postgres://u:hunter2@h/db?sslmode=never": "sslmode is invalid",
	} {
		err := Check(dsn)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %v, want %q", dsn, err, want)
		}
	}
}
