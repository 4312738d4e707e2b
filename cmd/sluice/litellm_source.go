package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// litellmSource is a part of a LiteLLM configuration. Reading a part takes it;
// what nobody has taken in the end is not carried over.
type litellmSource struct {
	node *yaml.Node // nil: it is not there
	path string
	seen *litellmSeen
}

// litellmSeen is what became of a configuration's parts.
type litellmSeen struct {
	taken map[*yaml.Node]bool
	notes []litellmNote
}

// litellmNote is what is not carried over.
type litellmNote struct {
	line      int
	path, why string
}

func parseLiteLLMConfig(text []byte) (litellmSource, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return litellmSource{}, err
	}
	var whole any // refuses anchors that hold themselves, or grow without end
	if err := doc.Decode(&whole); err != nil {
		return litellmSource{}, err
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return litellmSource{}, errors.New("it is no LiteLLM configuration: want a mapping with model_list")
	}
	return litellmSource{node: doc.Content[0], seen: &litellmSeen{taken: map[*yaml.Node]bool{}}}, nil
}

// litellmEntry is a key and its value.
type litellmEntry struct {
	key   string
	value litellmSource
}

// entries are those of a mapping, with what << brings in.
func (s litellmSource) entries() []litellmEntry {
	if s.node == nil || s.node.Kind != yaml.MappingNode {
		return nil
	}
	var own, merged []litellmEntry
	for i := 0; i+1 < len(s.node.Content); i += 2 {
		key, value := s.node.Content[i], behind(s.node.Content[i+1])
		if key.Tag == "!!merge" {
			parts := []*yaml.Node{value}
			if value.Kind == yaml.SequenceNode {
				parts = value.Content
			}
			for _, part := range parts {
				merged = append(merged, litellmSource{behind(part), s.path, s.seen}.entries()...)
			}
			continue
		}
		own = append(own, litellmEntry{key.Value, litellmSource{value, strings.TrimPrefix(s.path+"."+key.Value, "."), s.seen}})
	}
	for _, m := range merged {
		if !slices.ContainsFunc(own, func(e litellmEntry) bool { return e.key == m.key }) {
			own = append(own, m)
		}
	}
	return own
}

func behind(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// at is what stands at a key.
func (s litellmSource) at(key string) litellmSource {
	for _, e := range s.entries() {
		if e.key == key {
			return e.value
		}
	}
	return litellmSource{seen: s.seen}
}

// list is a sequence's parts.
func (s litellmSource) list() []litellmSource {
	if s.node == nil || s.node.Kind != yaml.SequenceNode {
		return nil
	}
	out := make([]litellmSource, len(s.node.Content))
	for i, n := range s.node.Content {
		out[i] = litellmSource{behind(n), fmt.Sprintf("%s[%d]", s.path, i), s.seen}
	}
	return out
}

func (s litellmSource) given() bool { return s.node != nil && s.node.Tag != "!!null" }

func (s litellmSource) take() {
	if s.node != nil {
		s.seen.taken[s.node] = true
	}
}

// text takes a scalar; empty: it is not there, or is none.
func (s litellmSource) text() string {
	if s.node == nil || s.node.Kind != yaml.ScalarNode {
		return ""
	}
	s.take()
	if s.node.Tag == "!!null" {
		return ""
	}
	return s.node.Value
}

// number takes a number that is not negative; false: it is none.
func (s litellmSource) number() (float64, bool) {
	text := s.text()
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0 && n < 1e12) {
		if text != "" {
			s.note("want a number here, 0 or more")
		}
		return 0, false
	}
	return n, true
}

// count takes a whole number; 0: it is none.
func (s litellmSource) count() int64 {
	n, _ := s.number()
	return min(int64(n), 1<<32-1)
}

func (s litellmSource) yes() bool {
	var b bool
	ok := s.node != nil && s.node.Decode(&b) == nil
	if ok {
		s.take()
	}
	return ok && b
}

// note tells that a part is not carried over.
func (s litellmSource) note(why string) {
	if s.node == nil {
		return
	}
	s.take()
	s.seen.notes = append(s.seen.notes, litellmNote{s.node.Line, s.path, why})
}

// rest notes what nobody has taken: a list or mapping as a whole where none of
// it was, unless it is a section of the file.
func (s litellmSource) rest() {
	if s.node == nil || s.seen.taken[s.node] || !s.given() {
		return
	}
	section := s.node.Kind == yaml.MappingNode && strings.HasSuffix(s.path, "_settings")
	if s.path != "" && !section && !s.touched() {
		whole, _, _ := strings.Cut(s.path, ".")
		s.note(cmp.Or(litellmReasons[lastKey(s.path)], litellmReasons[whole]))
		return
	}
	for _, e := range s.entries() {
		e.value.rest()
	}
	for _, part := range s.list() {
		part.rest()
	}
}

// touched tells whether anything in a part was taken.
func (s litellmSource) touched() bool {
	if s.seen.taken[s.node] {
		return true
	}
	for _, e := range s.entries() {
		if e.value.touched() {
			return true
		}
	}
	return slices.ContainsFunc(s.list(), litellmSource.touched)
}

func lastKey(path string) string {
	key, _, _ := strings.Cut(path[strings.LastIndexByte(path, '.')+1:], "[")
	return key
}
