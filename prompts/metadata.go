package prompts

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"sluice/prompts/ordered"
	"sluice/prompts/picoschema"
)

// metadata reads the keys of a front matter into a template.
type metadata struct {
	t       *Template
	options ParseOptions
	faults  *Faults
	lines   map[string]int // of each top key
}

func (m *metadata) fault(key, format string, args ...any) {
	m.faults.addf(m.options.File, m.lines[key], "%s: %s", key, fmt.Sprintf(format, args...))
}

// knownKeys are Dotprompt's own. Of the others, those with a dot are
// extensions, and the rest are kept in Raw only.
var knownKeys = []string{"config", "description", "ext", "input", "model", "name", "output", "toolDefs", "tools", "variant", "version"}

func (m *metadata) read(raw ordered.Object) {
	t := m.t
	ext := ordered.Builder{}
	for _, e := range raw {
		switch e.Key {
		case "name", "variant", "description", "model":
			m.word(e)
		case "version":
			t.meta = t.meta.With(e.Key, e.Value)
		case "config":
			if o, ok := m.object(e); ok {
				t.Config = o
			}
		case "ext":
			if o, ok := m.object(e); ok {
				for _, ns := range o {
					ext.Set(ns.Key, ns.Value)
				}
			}
		case "input":
			m.input(e)
		case "output":
			m.output(e)
		case "tools", "toolDefs":
			m.tools(e)
		case "sluice":
			m.fault(e.Key, "write the keys with a dot, such as sluice.path: /…")
		default:
			m.extension(e, &ext)
		}
	}
	t.Ext = ext.Object()
}

// extension keeps a key with a dot under its namespace, which is what stands
// before the last dot; ours are read as well.
func (m *metadata) extension(e ordered.Member, ext *ordered.Builder) {
	i := strings.LastIndexByte(e.Key, '.')
	if i < 0 {
		return
	}
	ns, field := e.Key[:i], e.Key[i+1:]
	was, _ := ext.Object().Get(ns)
	space, _ := was.(ordered.Object)
	ext.Set(ns, space.With(field, e.Value))
	if key, ours := strings.CutPrefix(e.Key, "sluice."); ours {
		m.setting(e.Key, key, e.Value)
	}
}

func (m *metadata) word(e ordered.Member) {
	s, ok := e.Value.(string)
	if !ok {
		m.fault(e.Key, "must be a word, not %s", kindOf(e.Value))
		return
	}
	m.t.meta = m.t.meta.With(e.Key, s)
	switch e.Key {
	case "variant":
		m.t.Variant = s
	case "description":
		m.t.Description = s
	case "model":
		m.t.Model = s
	}
}

// object wants a mapping; an empty value is an empty one.
func (m *metadata) object(e ordered.Member) (ordered.Object, bool) {
	switch v := e.Value.(type) {
	case ordered.Object:
		return v, true
	case nil:
		return ordered.Object{}, true
	}
	m.fault(e.Key, "must be a mapping, not %s", kindOf(e.Value))
	return nil, false
}

func (m *metadata) input(e ordered.Member) {
	o, ok := m.object(e)
	if !ok {
		return
	}
	in := &m.t.Input
	in.object = o
	for _, f := range o {
		switch f.Key {
		case "schema":
			in.Schema = m.schema("input", f.Value)
			in.object = in.object.With("schema", in.Schema)
		case "default":
			d, ok := f.Value.(ordered.Object)
			if !ok && f.Value != nil {
				m.fault("input", "default must be a mapping of inputs to values, not %s", kindOf(f.Value))
			}
			in.Default = d
		default:
			m.unknown("input", f.Key, "schema", "default")
		}
	}
}

// unknown reports a key that Dotprompt does not know; files of others may
// have some.
func (m *metadata) unknown(key, word string, known ...string) {
	if !m.options.Lenient {
		m.fault(key, "unknown key %q%s", word, meant(word, known))
	}
}

// formats are the output formats of Dotprompt and Genkit.
var formats = []string{"json", "text", "array", "enum", "jsonl", "media"}

func (m *metadata) output(e ordered.Member) {
	o, ok := m.object(e)
	if !ok {
		return
	}
	out := &m.t.Output
	out.object = o
	for _, f := range o {
		switch f.Key {
		case "schema":
			out.Schema = m.schema("output", f.Value)
			out.object = out.object.With("schema", out.Schema)
		case "format":
			s, ok := f.Value.(string)
			if !ok || !slices.Contains(formats, s) {
				m.fault("output", "unknown format %v%s", f.Value, meant(fmt.Sprint(f.Value), formats))
			}
			out.Format = s
		default:
			m.unknown("output", f.Key, "schema", "format")
		}
	}
}

// schema turns Picoschema into JSON Schema.
func (m *metadata) schema(key string, v any) any {
	s, err := picoschema.Parse(v, m.named)
	if err != nil {
		m.fault(key, "schema: %v", err)
		return nil
	}
	return s
}

func (m *metadata) named(name string) (any, bool) {
	if m.options.Schemas == nil {
		return nil, false
	}
	raw, ok := m.options.Schemas(name)
	if !ok {
		return nil, false
	}
	v, err := ordered.Decode(raw)
	return v, err == nil
}

func (m *metadata) tools(e ordered.Member) {
	list, ok := e.Value.([]any)
	if !ok && e.Value != nil {
		m.fault(e.Key, "must be a list, not %s", kindOf(e.Value))
		return
	}
	if e.Key == "toolDefs" {
		m.t.ToolDefs = list
		return
	}
	m.t.Tools = list
}

// kindOf names the kind of a value for a message.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case bool:
		return "true or false"
	case string:
		return "text"
	case json.Number, float64, int:
		return "a number"
	case []any:
		return "a list"
	}
	return "a mapping"
}
