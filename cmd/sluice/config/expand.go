package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// maxSecretFile bounds what ${file:…} reads.
const maxSecretFile = 1 << 20

// expander fills in ${NAME}, ${NAME:-default}, ${file:path} and
// ${file:path:-default}. As in a shell, a default also stands in for a variable
// that is empty. $${ is a literal ${.
type expander struct {
	lookup func(name string) (string, bool)
	dir    string // where relative paths begin
	read   func(path string)
	kept   func(name string) (secret string, ok bool) // nil: none is
}

// keptPrefix begins the reference to a secret that was written out in a
// configuration which the store keeps.
const keptPrefix = "kept:"

// expand gives the text and whether anything was filled in. Errors name the
// reference, never a value.
func (e *expander) expand(text string) (string, bool, error) {
	var out strings.Builder
	filled := false
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			out.WriteString(text)
			return out.String(), filled, nil
		}
		if i > 0 && text[i-1] == '$' {
			out.WriteString(text[:i-1] + "${")
			text = text[i+2:]
			continue
		}
		out.WriteString(text[:i])
		ref, rest, closed := strings.Cut(text[i+2:], "}")
		if !closed {
			return "", false, fmt.Errorf("a ${ has no closing brace")
		}
		value, err := e.resolve(ref)
		if err != nil {
			return "", false, err
		}
		out.WriteString(value)
		filled, text = true, rest
	}
}

func (e *expander) resolve(ref string) (string, error) {
	name, fallback, optional := strings.Cut(ref, ":-")
	if strings.Contains(ref, "${") {
		return "", fmt.Errorf("${…} cannot stand inside ${…}")
	}
	if path, isFile := strings.CutPrefix(name, "file:"); isFile {
		value, err := e.file(path)
		if err != nil && !optional {
			return "", fmt.Errorf("${%s}: %w", name, err)
		}
		if optional && value == "" {
			value = fallback
		}
		return value, nil
	}
	if kept, is := strings.CutPrefix(name, keptPrefix); is {
		return e.secret(kept)
	}
	if !validName(name) {
		return "", fmt.Errorf("${%s} is not ${NAME}, ${NAME:-default} or ${file:path}", name)
	}
	value, ok := e.lookup(name)
	if optional && value == "" {
		return fallback, nil
	}
	if !ok {
		return "", fmt.Errorf("the environment has no %s", name)
	}
	return value, nil
}

// secret is one that was written out once. It may hold references itself.
func (e *expander) secret(name string) (string, error) {
	if e.kept != nil {
		if secret, ok := e.kept(name); ok {
			inner := *e
			inner.kept = nil
			text, _, err := inner.expand(secret)
			return text, err
		}
	}
	return "", fmt.Errorf("the secret ${%s%s} is not kept here: write it, or a reference such as ${NAME}", keptPrefix, name)
}

// file reads a small file without the line break at its end.
func (e *expander) file(path string) (string, error) {
	if path == "" {
		return "", fmt.Errorf("the path is empty")
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(e.dir, path)
	}
	e.read(path)
	info, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		return "", fmt.Errorf("there is no such file")
	case err != nil:
		return "", fmt.Errorf("cannot be read: %w", err)
	case !info.Mode().IsRegular() || info.Size() > maxSecretFile:
		return "", fmt.Errorf("is not a regular file of at most %d bytes", maxSecretFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("cannot be read: %w", err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

func validName(name string) bool {
	for i, r := range name {
		letter := r == '_' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}
