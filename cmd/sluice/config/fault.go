package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Fault is one thing that is wrong with a configuration.
type Fault struct {
	File    string // or the name of an environment variable
	Line    int    // from 1; 0: unknown
	Message string
}

// String is file:line: message.
func (f Fault) String() string {
	if f.Line == 0 {
		return f.File + ": " + f.Message
	}
	return f.File + ":" + strconv.Itoa(f.Line) + ": " + f.Message
}

// Faults is every fault of a configuration, in the order of its lines.
type Faults []Fault

// Error is one line a fault.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.String()
	}
	return strings.Join(lines, "\n")
}

// sorted orders faults by file and line and drops repeats.
func (f Faults) sorted() Faults {
	slices.SortStableFunc(f, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(f)
}

// origin is where a value was written.
type origin struct {
	file     string
	line     int
	env      bool    // file is the name of a variable
	raw      *string // as it was written, of what is text alone; a pointer is never printed as its text
	text     bool    // the value is text, even if it looks like a number
	expanded bool    // the value came out of ${…} and may be a secret
	lost     bool    // it could not be read: what follows from its absence is noise
	faulty   bool    // a fault was reported: one a value is enough
}

// origins maps the path of a key, its parts joined by delim, to where it stands.
type origins map[string]origin

// delim parts the keys of a path. No YAML and no variable can hold it, so keys
// such as gpt-4.1 stay whole.
const delim = "\x00"

func (o origins) put(path []string, at origin) { o[strings.Join(path, delim)] = at }

// written is a scalar as it stands; empty: it is none.
func (o *origin) written() string {
	if o.raw == nil {
		return ""
	}
	return *o.raw
}

// find is the origin of a path, or of the nearest one above it.
func (o origins) find(path []string) origin {
	for n := len(path); n > 0; n-- {
		if at, ok := o[strings.Join(path[:n], delim)]; ok {
			return at
		}
	}
	return o[""]
}

// lost tells whether a path, or one above it, could not be read.
func (o origins) lost(path []string) bool {
	for n := range len(path) + 1 {
		if o[strings.Join(path[:n], delim)].lost {
			return true
		}
	}
	return false
}

// given tells whether a key was written at all.
func (o origins) given(path ...string) bool {
	_, ok := o[strings.Join(path, delim)]
	return ok
}

// show writes a path for people: teams.research.keys[0].value.
func show(path []string) string {
	var b strings.Builder
	for i, part := range path {
		switch _, err := strconv.Atoi(part); {
		case err == nil && i > 0:
			b.WriteString("[" + part + "]")
			continue
		case i > 0:
			b.WriteByte('.')
		}
		if strings.ContainsAny(part, ".[]\" ") || part == "" {
			part = strconv.Quote(part)
		}
		b.WriteString(part)
	}
	return b.String()
}
