package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzLoad: no bytes make it panic, hang, or name a line that is not there, and
// what it accepts it can print.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Add([]byte(everything))
	f.Add(defaults)
	f.Add([]byte("a: &a [*a]\nb: {<<: *a}\n\"\\0\": !x ${y:-z}\n"))
	path := filepath.Join(f.TempDir(), "sluice.yaml")
	f.Fuzz(func(t *testing.T, src []byte) {
		if strings.Contains(string(src), "file:/") {
			t.Skip("reads files of this machine")
		}
		if err := os.WriteFile(path, src, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path, []string{"A=b"})
		var faults Faults
		switch {
		case err == nil:
			if c.String() == "" || c.Billing.TimeZone == nil {
				t.Errorf("half a configuration: %v", c)
			}
		case !errors.As(err, &faults) || len(faults) == 0:
			t.Errorf("not a list of faults: %v", err)
		}
		lines := 1 + strings.Count(string(src), "\n") + strings.Count(string(src), "\r")
		for _, fault := range faults {
			if fault.File != path && fault.File != embedded || fault.File == path && (fault.Line < 1 || fault.Line > lines+1) {
				t.Errorf("fault at no place of the file: %s", fault)
			}
		}
	})
}
