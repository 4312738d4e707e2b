package ordered

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds what aliases may blow a document up to.
const maxNodes = 50_000

// YAMLError is a fault of a YAML document at a line.
type YAMLError struct {
	Line    int
	Message string
}

// Error is the message with its line.
func (e *YAMLError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }

// FromYAML is the value of a YAML node by the rules of YAML 1.2's core schema:
// on, yes and 2026-01-01 are strings, 010 is ten. Keys are taken as written;
// a key given twice, a tag of one's own and a number that JSON has not
// (.inf, .nan) are errors, of type *YAMLError.
func FromYAML(n *yaml.Node) (any, error) {
	r := yamlReader{}
	return r.value(n, 0)
}

type yamlReader struct{ nodes int }

func (r *yamlReader) value(n *yaml.Node, depth int) (any, error) {
	if r.nodes++; r.nodes > maxNodes || depth > 100 {
		return nil, &YAMLError{n.Line, "too large once its aliases are put in"}
	}
	switch n.Kind {
	case yaml.DocumentNode:
		if len(n.Content) == 0 {
			return nil, nil
		}
		return r.value(n.Content[0], depth+1)
	case yaml.AliasNode:
		return r.value(n.Alias, depth+1)
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			v, err := r.value(c, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case yaml.MappingNode:
		return r.mapping(n, depth)
	case yaml.ScalarNode:
		return scalar(n)
	}
	return nil, nil
}

func (r *yamlReader) mapping(n *yaml.Node, depth int) (any, error) {
	b := Builder{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		if k.Kind != yaml.ScalarNode {
			return nil, &YAMLError{n.Content[i].Line, "a key must be a plain word"}
		}
		v, err := r.value(n.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		if !b.Set(k.Value, v) {
			return nil, &YAMLError{n.Content[i].Line, fmt.Sprintf("%q is there twice", k.Value)}
		}
	}
	return b.Object(), nil
}

// The scalars of YAML 1.2's core schema (yaml.org/spec/1.2.2, 10.3.2).
var (
	yamlInt   = regexp.MustCompile(`^[-+]?[0-9]+$`)
	yamlBase  = regexp.MustCompile(`^0(o[0-7]+|x[0-9a-fA-F]+)$`)
	yamlFloat = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
	yamlOdd   = regexp.MustCompile(`^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$`)
	jsonNum   = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
)

func scalar(n *yaml.Node) (any, error) {
	s := n.Value
	if n.Style&yaml.TaggedStyle != 0 && n.Tag != "!!str" {
		return nil, &YAMLError{n.Line, fmt.Sprintf("the tag %s is not understood here", n.Tag)}
	}
	if n.Style != 0 {
		return s, nil // quoted, a block, or tagged as a string
	}
	switch s {
	case "", "~", "null", "Null", "NULL":
		return nil, nil
	case "true", "True", "TRUE":
		return true, nil
	case "false", "False", "FALSE":
		return false, nil
	}
	switch {
	case jsonNum.MatchString(s):
		return json.Number(s), nil
	case yamlInt.MatchString(s):
		return json.Number(trimInt(s)), nil
	case yamlBase.MatchString(s):
		i, err := strconv.ParseUint(s, 0, 63)
		if err != nil {
			return nil, &YAMLError{n.Line, fmt.Sprintf("%s is too large", s)}
		}
		return json.Number(strconv.FormatUint(i, 10)), nil
	case yamlFloat.MatchString(s):
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsInf(f, 0) {
			return nil, &YAMLError{n.Line, fmt.Sprintf("%s is too large", s)}
		}
		return json.Number(strconv.FormatFloat(f, 'g', -1, 64)), nil
	case yamlOdd.MatchString(s):
		return nil, &YAMLError{n.Line, fmt.Sprintf("%s is no number in JSON", s)}
	}
	return s, nil
}

// trimInt takes the plus sign and leading zeros off a whole number.
func trimInt(s string) string {
	sign := ""
	if s[0] == '-' {
		sign = "-"
	}
	s = strings.TrimLeft(strings.TrimLeft(s, "+-"), "0")
	if s == "" {
		return "0"
	}
	return sign + s
}
