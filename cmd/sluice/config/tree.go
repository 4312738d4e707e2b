package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
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
	expand *expander
	origin origins
	faults Faults
	nodes  int
}

// parse reads a document whose root is a mapping; nil where it is empty or
// cannot be read, which is a fault then.
func (t *tree) parse(src []byte) map[string]any {
	t.origin.put(nil, origin{file: t.file, line: 1})
	dec := yaml.NewDecoder(bytes.NewReader(src))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if !errors.Is(err, io.EOF) {
			t.syntax(src, err)
		}
		return nil
	}
	var second yaml.Node
	switch err := dec.Decode(&second); {
	case err == nil:
		t.fault(second.Line, "a second document begins here: a configuration is one")
	case !errors.Is(err, io.EOF):
		t.syntax(src, err)
	}
	if len(doc.Content) == 0 {
		return nil
	}
	switch root := t.convert(nil, doc.Content[0], doc.Content[0].Line).(type) {
	case map[string]any:
		return root
	case nil:
	default:
		t.fault(doc.Content[0].Line, "want a mapping of sections such as server: and providers:")
	}
	return nil
}

func (t *tree) fault(line int, format string, args ...any) {
	t.faults = append(t.faults, Fault{File: t.file, Line: line, Message: fmt.Sprintf(format, args...)})
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

// syntax reports the parser's error, which says "yaml: line N: what". It quotes
// nothing of the file.
func (t *tree) syntax(src []byte, err error) {
	m := yamlLine.FindStringSubmatch(err.Error())
	if m == nil {
		t.fault(0, "cannot read YAML: %v", err)
		return
	}
	line, _ := strconv.Atoi(m[1]) // 0 where the parser names none
	message := "cannot read YAML: " + m[2]
	if lines := bytes.Split(src, []byte("\n")); line > 0 && line <= len(lines) &&
		bytes.Contains(bytes.Join(lines[max(0, line-2):line], nil), []byte("${")) {
		message += `; inside [ ] and { } a reference must be quoted: "${NAME}"`
	}
	t.fault(line, "%s", message)
}

// convert is the value of a node. line is where its key stands.
func (t *tree) convert(path []string, n *yaml.Node, line int) any {
	if t.nodes++; t.nodes > maxNodes || len(path) > maxDepth {
		if t.nodes <= maxNodes+1 || len(path) == maxDepth+1 {
			t.fault(line, "too deep or too large: at most %d levels and %d values", maxDepth, maxNodes)
		}
		return nil
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	at := origin{file: t.file, line: line}
	t.origin.put(path, at)
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		t.fault(n.Line, "unknown YAML tag")
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		t.mapping(path, n, m)
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
		at.faulty = true
	}
	at.expanded = filled
	t.origin.put(path, at)
	if err != nil {
		return nil
	}
	return text
}

// mapping puts the keys of a node into m. Those of << come last and never
// replace another.
func (t *tree) mapping(path []string, n *yaml.Node, m map[string]any) {
	first := map[string]int{}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		switch {
		case key.Kind != yaml.ScalarNode || key.ShortTag() == "!!null" || strings.Contains(key.Value, delim):
			t.fault(key.Line, "%s a key must be a plain word", where(path))
			continue
		case key.ShortTag() == "!!merge":
			merged = append(merged, value)
			continue
		case first[key.Value] > 0:
			t.fault(key.Line, "%s the key %q was given on line %d already", where(path), key.Value, first[key.Value])
			continue
		}
		first[key.Value] = key.Line
		m[key.Value] = t.convert(below(path, key.Value), value, key.Line)
	}
	for _, value := range merged {
		t.merge(path, value, m)
	}
}

// merge puts the keys of a << value into m, unless m has them.
func (t *tree) merge(path []string, value *yaml.Node, m map[string]any) {
	sources := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode {
		sources = value.Content
	}
	for _, source := range sources {
		if source.Kind == yaml.AliasNode {
			source = source.Alias
		}
		if source.Kind != yaml.MappingNode {
			t.fault(value.Line, "%s << wants a mapping or a list of mappings", where(path))
			continue
		}
		for i := 0; i+1 < len(source.Content); i += 2 {
			key := source.Content[i]
			if _, has := m[key.Value]; has || key.Kind != yaml.ScalarNode || strings.Contains(key.Value, delim) {
				continue
			}
			m[key.Value] = t.convert(below(path, key.Value), source.Content[i+1], key.Line)
		}
	}
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
