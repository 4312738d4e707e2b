package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds on what YAML may unfold to, aliases included.
const (
	maxDepth = 40
	maxNodes = 200_000
)

// tree turns one YAML document into maps, lists, text and nil, and notes where
// each of them stands.
type tree struct {
	file   string
	env    bool // file is the name of a variable: it has no lines
	expand *expander
	origin origins
	faults Faults
	nodes  int
	over   bool // too much was found
}

// parse reads a document whose root is a mapping; nil where it is empty or
// cannot be read, which is a fault then.
func (t *tree) parse(src []byte) map[string]any {
	t.origin.put(nil, origin{file: t.file, line: 1})
	root := t.read(src)
	if root == nil {
		return nil
	}
	switch value := t.convert(nil, root, root.Line).(type) {
	case map[string]any:
		return value
	case nil:
	default:
		t.fault(root.Line, "want a mapping of sections such as server: and providers:")
	}
	return nil
}

// read is the root of the one document that src holds; nil where there is none
// or it cannot be read.
func (t *tree) read(src []byte) *yaml.Node {
	dec := yaml.NewDecoder(bytes.NewReader(src))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if !errors.Is(err, io.EOF) {
			t.syntax(src, err)
		}
		return nil
	}
	switch err := dec.Decode(&second); {
	case err == nil:
		t.fault(second.Line, "a second document begins here: a configuration is one")
	case !errors.Is(err, io.EOF):
		t.syntax(src, err)
	}
	if len(doc.Content) == 0 {
		return nil
	}
	return doc.Content[0]
}

func (t *tree) fault(line int, format string, args ...any) {
	if t.env {
		line = 0
	}
	t.faults = append(t.faults, Fault{File: t.file, Line: line, Message: fmt.Sprintf(format, args...)})
}

// convert is the value of a node. line is where its key stands.
func (t *tree) convert(path []string, n *yaml.Node, line int) any {
	if t.full(len(path), line) {
		return nil
	}
	n = unalias(n)
	at := origin{file: t.file, line: line, env: t.env}
	if t.env {
		at.line = 0
	}
	t.origin.put(path, at)
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		t.fault(n.Line, "%s: unknown YAML tag", show(path))
		at.lost = true
		t.origin.put(path, at)
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for _, p := range t.pairs(path, n, map[string]int{}, 0) {
			m[p.key.Value] = t.convert(below(path, p.key.Value), p.value, p.key.Line)
		}
		return m
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = t.convert(below(path, strconv.Itoa(i)), item, item.Line)
		}
		return list
	}
	if n.ShortTag() == "!!null" {
		return nil
	}
	text, filled, err := t.expand.expand(n.Value)
	if err != nil {
		t.fault(n.Line, "%s: %v", show(path), err)
		at.lost = true
	}
	raw := n.Value
	at.expanded, at.text, at.raw = filled, n.ShortTag() == "!!str", &raw
	t.origin.put(path, at)
	if err != nil {
		return nil
	}
	return text
}

// full tells whether the document unfolds to more than it may: aliases can make
// a short one endless. It is a fault once.
func (t *tree) full(depth, line int) bool {
	if t.nodes++; t.nodes <= maxNodes && depth <= maxDepth {
		return false
	}
	if !t.over {
		t.over = true
		t.fault(line, "too deep or too large: at most %d levels and %d values", maxDepth, maxNodes)
	}
	return true
}

type pair struct{ key, value *yaml.Node }

// pairs are the keys of a mapping, then those of its << that seen, which holds
// the lines of keys by name, has not.
func (t *tree) pairs(path []string, n *yaml.Node, seen map[string]int, depth int) []pair {
	var own []pair
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := unalias(n.Content[i]), n.Content[i+1]
		line, again := seen[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || key.ShortTag() == "!!null" || strings.Contains(key.Value, delim):
			t.fault(key.Line, "%s a key must be a plain word", where(path))
		case key.ShortTag() == "!!merge":
			merged = append(merged, value)
		case again && depth == 0:
			t.fault(key.Line, "%s the key %q was given on line %d already", where(path), key.Value, line)
		case !again:
			seen[key.Value] = key.Line
			own = append(own, pair{key, value})
		}
	}
	for _, value := range merged {
		sources := []*yaml.Node{value}
		if value = unalias(value); value.Kind == yaml.SequenceNode {
			sources = value.Content
		}
		for _, source := range sources {
			switch source = unalias(source); {
			case t.full(depth, source.Line):
			case source.Kind != yaml.MappingNode:
				t.fault(value.Line, "%s << wants a mapping or a list of mappings", where(path))
			default:
				own = append(own, t.pairs(path, source, seen, depth+1)...)
			}
		}
	}
	return own
}

func unalias(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// where begins a message about a mapping.
func where(path []string) string {
	if len(path) == 0 {
		return "at the top:"
	}
	return show(path) + ":"
}

// below is a path of its own, one part longer.
func below(path []string, part string) []string { return append(slices.Clip(path), part) }
