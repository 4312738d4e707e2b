package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFaults loads testdata/*.yaml. A line that is faulty says so in a comment
// at its end: "# fault: message", once for each message. Every fault must be
// found in one load, and no other.
func TestFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want Faults
			for i, line := range strings.Split(string(src), "\n") {
				for _, message := range strings.Split(line, "# fault: ")[1:] {
					want = append(want, Fault{File: file, Line: i + 1, Message: strings.TrimSpace(message)})
				}
			}
			_, err = Load(file, []string{"SET=hunter2", "EMPTY="})
			var got Faults
			if !errors.As(err, &got) {
				t.Fatalf("want faults, got %v", err)
			}
			sameFaults(t, got, want.sorted())
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a value of the environment is in a message:\n%v", err)
			}
		})
	}
}

func sameFaults(t *testing.T, got, want Faults) {
	t.Helper()
	has := map[Fault]bool{}
	for _, f := range got {
		has[f] = true
	}
	for _, f := range want {
		if !has[f] {
			t.Errorf("missing: %s", f)
		}
		delete(has, f)
	}
	for _, f := range got {
		if has[f] {
			t.Errorf("unwanted: %s", f)
		}
	}
}

// TestSyntax has what a comment cannot stand beside.
func TestSyntax(t *testing.T) {
	deep := strings.Repeat("{a: ", 60) + strings.Repeat("}", 60)
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'j'; c++ {
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+", ", 10) + "]\n"
	}
	tests := []struct{ name, src, want string }{
		{"not closed", "server:\n  listen: [a\n", ":2: cannot read YAML: did not find expected ',' or ']'"},
		{"tab", "server:\n\tlisten: a\n", ":2: cannot read YAML: found character that cannot start any token"},
		{"first line", "a: b: c\n", ":1: cannot read YAML: mapping values are not allowed in this context"},
		{"anchor", "store: a\nlog: *nobody\n", ":2: cannot read YAML: unknown anchor 'nobody' referenced"},
		{"control", "store: a\nlog: \x01\n", ":2: cannot read YAML: control characters are not allowed"},
		{"not UTF-8", "store: a\n\nlog: \xff\n", ":3: cannot read YAML: "},
		{"reference not quoted", "providers:\n  openai: {keys: [${KEY}]}\n", `:2: cannot read YAML: did not find expected ',' or ']'; inside [ ] and { } a reference must be quoted: "${NAME}"`},
		{"a list", "- a\n- b\n", ":1: want a mapping of sections such as server: and providers:"},
		{"a word", "listen\n", ":1: want a mapping of sections such as server: and providers:"},
		{"two documents", "store: sqlite:a\n---\nstore: sqlite:b\n", ": a second document begins here: a configuration is one"},
		{"endless", "server: &s\n  tls: *s\n", "too deep or too large"},
		{"endless merge", "server: &s\n  <<: *s\n", "too deep or too large"},
		{"deep", deep, "too deep or too large"},
		{"bomb", bomb, "too deep or too large"},
		{"NUL in a key", `"a\0b": 1`, ":1: at the top: a key must be a plain word"},
		{"list as key", "? [a]\n: 1\n", ":1: at the top: a key must be a plain word"},
		{"merge of a word", "server: {<<: x}\n", ":1: server: << wants a mapping or a list of mappings"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(write(t, tt.src), nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("want %q, got:\n%v", tt.want, err)
			}
		})
	}
}

func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, maxFile+1); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none.yaml"): "no such file",
		dir:                             "is a directory",
		large:                           "is larger than",
	} {
		_, err := Load(path, nil)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "cannot read configuration") {
			t.Errorf("%s: want %q, got %v", path, want, err)
		}
		if errors.Is(err, os.ErrNotExist) != strings.Contains(want, "no such") {
			t.Errorf("%s: the cause is lost: %v", path, err)
		}
	}
}

// TestFaultHook is what the wiring uses for checks of its own.
func TestFaultHook(t *testing.T) {
	c := load(t, "models:\n  gpt-4.1:\n    targets:\n      - model: mock/echo\n")
	for want, path := range map[string][]string{
		`:4: models."gpt-4.1".targets[0].model: what`: {"models", "gpt-4.1", "targets", "0", "model"},
		`:2: models."gpt-4.1".retry: what`:            {"models", "gpt-4.1", "retry"},
		`:1: teams: what`:                             {"teams"},
	} {
		if got := c.Fault("what", path...).String(); !strings.HasSuffix(got, "sluice.yaml"+want) {
			t.Errorf("got %s, want …%s", got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"listen", "admin", "body_limit", "rpm", "on"}
	for key, want := range map[string]string{
		"lisen": "listen", "lsiten": "listen", "bodyLimit": "body_limit", "body-limit": "body_limit",
		"Admin": "admin", "rmp": "rpm", "no": "on", "xyz": "", "": "", strings.Repeat("a", 100): "",
	} {
		if got := nearest(key, known); got != want {
			t.Errorf("nearest(%q) = %q, want %q", key, got, want)
		}
	}
}
