package mock

import (
	"encoding/json"
	"strconv"
	"strings"

	"sluice/prompts/ordered"
)

// node is a place in the document and what is there; nil: nothing is.
type node struct {
	value any
	at    string // as a JSON pointer
}

// maxRefs bounds references to references.
const maxRefs = 32

var escaper = strings.NewReplacer("~", "~0", "/", "~1")
var unescaper = strings.NewReplacer("~1", "/", "~0", "~")

// below is what is further down, behind references.
func (s *Service) below(n node, path ...string) node {
	for _, key := range path {
		n = s.follow(child(n, key), maxRefs)
	}
	return n
}

func child(n node, key string) node {
	at := n.at + "/" + escaper.Replace(key)
	switch v := n.value.(type) {
	case ordered.Object:
		value, _ := v.Get(key)
		return node{value, at}
	case []any:
		if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(v) {
			return node{v[i], at}
		}
	}
	return node{nil, at}
}

// follow is what a reference leads to.
func (s *Service) follow(n node, left int) node {
	o, _ := n.value.(ordered.Object)
	ref, _ := o.Get("$ref")
	to, ok := ref.(string)
	path, local := strings.CutPrefix(to, "#/")
	if !ok || !local || left == 0 {
		return n
	}
	n = node{value: s.doc}
	for key := range strings.SplitSeq(path, "/") {
		n = s.follow(child(n, unescaper.Replace(key)), left-1)
	}
	return n
}

// keys are the names in an object, in their order; none of what is no object,
// and none that are an extension's.
func keys(n node) []string {
	o, _ := n.value.(ordered.Object)
	var names []string
	for _, m := range o {
		if !strings.HasPrefix(m.Key, "x-") || strings.Contains(m.Key, "/") {
			names = append(names, m.Key)
		}
	}
	return names
}

// lineOf is a value as a header has it.
func lineOf(v any) (string, bool) {
	var text string
	switch v := v.(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
	case bool:
		text = strconv.FormatBool(v)
	case []any:
		var parts []string
		for _, one := range v {
			part, ok := lineOf(one)
			if !ok {
				return "", false
			}
			parts = append(parts, part)
		}
		text = strings.Join(parts, ",")
	default:
		return "", false
	}
	return text, !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}
