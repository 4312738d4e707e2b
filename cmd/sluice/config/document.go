package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Document is a configuration as it is shown and kept: what was written, with
// its references, but without comments, which may hold anything, and with
// ${kept:NAME} where a secret was written out.
type Document struct {
	root *yaml.Node
	json []byte
	kept map[string]string
}

// Mask names a secret that was written out, so that it can be told from others
// without being shown.
type Mask func(secret string) (name string)

// ReadDocument reads YAML, of which JSON is a part. Errors are Faults, of its
// form alone: Load tells the others.
func ReadDocument(file string, src []byte, mask Mask) (*Document, error) {
	t := &tree{file: file, origin: origins{}, expand: &expander{}}
	root := t.read(tidy(src))
	if len(t.faults) > 0 {
		return nil, t.faults.sorted()
	}
	if root == nil || root.ShortTag() == "!!null" {
		root = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	}
	if root.Kind != yaml.MappingNode {
		return nil, Faults{{File: file, Line: root.Line, Message: "want a mapping of sections such as server: and providers:"}}
	}
	d := &Document{root: root, kept: map[string]string{}}
	h := &hider{mask: mask, kept: d.kept, done: map[*yaml.Node]bool{}}
	h.node(root, reflect.TypeFor[Config](), "")
	unfolded := t.plain(nil, root)
	if len(t.faults) > 0 {
		return nil, t.faults.sorted()
	}
	var err error
	if d.json, err = json.MarshalIndent(unfolded, "", "  "); err != nil {
		return nil, fmt.Errorf("cannot write the configuration as JSON: %w", err)
	}
	return d, nil
}

// JSON is the document with its keys sorted, aliases and << unfolded.
func (d *Document) JSON() []byte { return d.json }

// Digest tells documents that say different things apart.
func (d *Document) Digest() string {
	sum := sha256.Sum256(d.json)
	return hex.EncodeToString(sum[:16])
}

// YAML is the document in the order and style in which it was written.
func (d *Document) YAML() ([]byte, error) {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(d.root); err != nil {
		return nil, fmt.Errorf("cannot write the configuration as YAML: %w", err)
	}
	return b.Bytes(), e.Close()
}

// Kept are the secrets that were written out, by their names.
func (d *Document) Kept() map[string]string { return d.kept }

var surrogates = regexp.MustCompile(`\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}`)

// tidy makes JSON of what is also YAML: it may have tabs between its parts, and
// halves of characters. Lines stay.
func tidy(src []byte) []byte {
	if !json.Valid(src) {
		return src
	}
	src = bytes.ReplaceAll(src, []byte("\t"), []byte(" ")) // none is within a text
	return surrogates.ReplaceAllFunc(src, func(pair []byte) []byte {
		var text string
		if json.Unmarshal([]byte(`"`+string(pair)+`"`), &text) != nil {
			return pair
		}
		return []byte(text)
	})
}

// plain is what a node says, for JSON.
func (t *tree) plain(path []string, n *yaml.Node) any {
	n = unalias(n)
	if t.full(len(path), n.Line) {
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for _, p := range t.pairs(path, n, map[string]int{}, 0) {
			m[p.key.Value] = t.plain(below(path, p.key.Value), p.value)
		}
		return m
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = t.plain(below(path, ""), item)
		}
		return list
	}
	switch raw := []byte(n.Value); n.ShortTag() {
	case "!!null":
		return nil
	case "!!int", "!!float", "!!bool":
		if json.Valid(raw) {
			return json.RawMessage(raw)
		}
	}
	return n.Value
}

// hider takes comments and secrets out of a document.
type hider struct {
	mask Mask
	kept map[string]string
	done map[*yaml.Node]bool // by an alias
}

// node hides what is below a node, which is read into a type (nil: unknown)
// under a key.
func (h *hider) node(n *yaml.Node, t reflect.Type, key string) {
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	if n = unalias(n); h.done[n] {
		return
	}
	h.done[n] = true
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	for t != nil && t.Kind() == reflect.Pointer && readers[t] == nil {
		t = t.Elem()
	}
	switch n.Kind {
	case yaml.MappingNode:
		if t != nil && t.Kind() == reflect.Slice && alone[t] {
			t = t.Elem()
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			name, value := n.Content[i], n.Content[i+1]
			name.HeadComment, name.LineComment, name.FootComment = "", "", ""
			if name.ShortTag() == "!!merge" {
				h.node(value, t, key)
				continue
			}
			h.node(value, typeBelow(t, name.Value), name.Value)
		}
	case yaml.SequenceNode:
		inner := t // a list of mappings for <<
		if t != nil && t.Kind() == reflect.Slice {
			inner = t.Elem()
		}
		for _, item := range n.Content {
			h.node(item, inner, key)
		}
	case yaml.ScalarNode:
		if !hides(t, key, n.Value) {
			return
		}
		name := h.mask(n.Value)
		h.kept[name] = n.Value
		n.Value, n.Tag, n.Style = keptReference(name), "!!str", yaml.DoubleQuotedStyle
	}
}

func keptReference(name string) string { return "${" + keptPrefix + name + "}" }

// typeBelow is the type of a key's value; nil: unknown.
func typeBelow(t reflect.Type, key string) reflect.Type {
	switch {
	case t == nil:
	case t.Kind() == reflect.Map:
		return t.Elem()
	case t.Kind() == reflect.Struct:
		if f, ok := fieldOf(t, key); ok && f.Type == secretType && hasField(t, "cert") {
			return keyFileType
		} else if ok {
			return f.Type
		}
	}
	return nil
}

func hasField(t reflect.Type, key string) bool {
	_, ok := fieldOf(t, key)
	return ok
}

// keyFile is the key of a certificate: the name of a file, which is no secret,
// or PEM.
type keyFile string

var (
	secretType  = reflect.TypeFor[Secret]()
	keyFileType = reflect.TypeFor[keyFile]()

	// reference is text that says nothing itself, but where to look. What stands
	// for a variable that is not set may be a secret.
	reference  = regexp.MustCompile(`^([A-Za-z]+ )?(\$\{([^}:]|:[^}-])*(:-)?\})+$`)
	secretName = regexp.MustCompile(`(?i)(secret|passwo?r?d|token|api[-_]?key|authorization|cookie|credentials?)$`)
	userInfo   = regexp.MustCompile(`://[^/@\s]*:[^/@\s]+@|(?i)[?&](key|token|sig|[a-z_-]*(secret|password|signature|_token|api_?key))=`)
)

// hides tells whether what was written for a key must not be shown: secrets by
// their type, else by how the key or the text looks.
func hides(t reflect.Type, key, text string) bool {
	if text == "" || reference.MatchString(text) {
		return false
	}
	switch {
	case t == keyFileType:
		return strings.Contains(text, "-----BEGIN ")
	case t == secretType, t != nil && shortSecret(t):
		return true
	case t == nil, t == jsonType, t.Kind() == reflect.String:
		return secretName.MatchString(key) || userInfo.MatchString(text) || strings.Contains(text, "PRIVATE KEY-----")
	}
	return userInfo.MatchString(text)
}

// shortSecret tells whether the text that stands for a struct is its secret.
func shortSecret(t reflect.Type) bool {
	set, ok := short[t]
	if !ok {
		return false
	}
	v := reflect.New(t).Elem()
	set(v, "x")
	return slices.ContainsFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool {
		return f.Type == secretType && v.FieldByIndex(f.Index).String() != ""
	})
}
