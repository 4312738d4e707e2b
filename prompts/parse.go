package prompts

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"sluice/prompts/handlebars"
	"sluice/prompts/ordered"
)

// maxSource bounds a prompt file and each of its partials, in bytes.
const maxSource = 1 << 20

// ParseOptions say how a prompt file is read. The zero value is right for a
// file that stands alone.
type ParseOptions struct {
	File string // for faults; "" is the name with .prompt
	// Partials gives the source of a partial by its name; nil: there are none.
	Partials func(name string) (source string, ok bool)
	// Schemas gives a named JSON Schema for Picoschema; nil: there are none.
	Schemas func(name string) (schema json.RawMessage, ok bool)
	// Lenient leaves out what only a served prompt must fulfil: that every
	// variable is in the input schema and every tool has a definition. It is
	// for rendering files of others.
	Lenient bool
}

// Parse reads a prompt file. All faults come at once; the template is nil if
// there are any.
func Parse(name string, source []byte, o ParseOptions) (*Template, Faults) {
	if o.File == "" {
		o.File = name + ".prompt"
	}
	var faults Faults
	if len(source) > maxSource {
		faults.addf(o.File, 0, "the file is larger than %d bytes", maxSource)
		return nil, faults
	}
	if !utf8.Valid(source) {
		faults.addf(o.File, 0, "the file is not UTF-8")
		return nil, faults
	}
	front, body, err := split(strings.TrimPrefix(string(source), "\ufeff"))
	if err != nil {
		faults.addf(o.File, 1, "%v", err)
		return nil, faults
	}
	t := &Template{Name: name, Sluice: Settings{Access: AccessAnyKey, Repair: 1}}
	if front.present {
		t.frontMatter(front, o, &faults)
	}
	t.parseBody(body, o, &faults)
	if len(faults) == 0 {
		t.prepare(o, &faults)
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return t, nil
}

// section is a part of the file and the number of its first line.
type section struct {
	text    string
	line    int
	present bool
}

// split takes the front matter off a file: the lines between two lines of
// three hyphens, with nothing but blank lines and # comments before. The body
// is trimmed if there is front matter, and untouched if not.
func split(source string) (front, body section, err error) {
	line, rest := 0, source
	next := func() (string, bool) {
		l, more, ok := strings.Cut(rest, "\n")
		if rest == "" {
			return "", false
		}
		line++
		if !ok {
			more = ""
		}
		rest = more
		return strings.TrimRight(l, " \t\r"), true
	}
	for {
		l, ok := next()
		if !ok || (l != "" && l != "---" && l[0] != '#') {
			return section{}, section{text: source, line: 1}, nil
		}
		if l == "---" {
			break
		}
	}
	front = section{line: line + 1, present: true}
	opened := line
	from := len(source) - len(rest)
	for {
		end := len(source) - len(rest)
		l, ok := next()
		if !ok {
			return front, body, errors.New("the front matter that begins on line " + strconv.Itoa(opened) + " is never closed by a line of ---")
		}
		if l == "---" {
			front.text = source[from:end]
			break
		}
	}
	body = section{line: line + 1}
	trimmed := strings.TrimLeft(rest, bodySpace)
	body.line += strings.Count(rest[:len(rest)-len(trimmed)], "\n")
	body.text = strings.TrimRight(trimmed, bodySpace)
	return front, body, nil
}

// bodySpace is what Dotprompt trims off a body: the white space of JavaScript.
const bodySpace = " \t\n\r\v\f\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"

func (t *Template) parseBody(body section, o ParseOptions, faults *Faults) {
	parsed, errs := handlebars.Parse(body.text, handlebars.Options{
		File: o.File, Line: body.line,
		Partial: func(name string) (string, string, bool) {
			if o.Partials == nil {
				return "", "", false
			}
			src, ok := o.Partials(name)
			if len(src) > maxSource || !utf8.ValidString(src) {
				return "", "", false
			}
			return src, "_" + name + ".prompt", ok
		},
	})
	t.body, t.size = parsed, len(body.text)
	for _, e := range errs {
		*faults = append(*faults, Fault(*e))
	}
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// frontMatter reads the YAML and hands each key on.
func (t *Template) frontMatter(front section, o ParseOptions, faults *Faults) {
	var doc yaml.Node
	d := yaml.NewDecoder(bytes.NewReader([]byte(strings.ReplaceAll(front.text, "\r\n", "\n"))))
	if err := d.Decode(&doc); err != nil {
		if strings.TrimSpace(err.Error()) == "EOF" {
			t.Raw = ordered.Object{}
			return
		}
		line := 1
		m := yamlLine.FindStringSubmatch(err.Error())
		if m != nil && m[1] != "" {
			line, _ = strconv.Atoi(m[1])
		}
		faults.addf(o.File, front.line+line-1, "the front matter is no YAML: %s", yamlLine.ReplaceAllString(err.Error(), ""))
		return
	}
	v, err := ordered.FromYAML(&doc)
	var fault *ordered.YAMLError
	if errors.As(err, &fault) {
		faults.addf(o.File, front.line+fault.Line-1, "%s", fault.Message)
		return
	}
	raw, ok := v.(ordered.Object)
	if !ok {
		if v == nil {
			t.Raw = ordered.Object{}
			return
		}
		faults.addf(o.File, front.line, "the front matter must be a mapping of keys to values")
		return
	}
	t.Raw = raw
	t.lines = map[string]int{}
	m := &metadata{t: t, options: o, faults: faults, lines: t.lines}
	if len(doc.Content) > 0 {
		for i := 0; i+1 < len(doc.Content[0].Content); i += 2 {
			k := doc.Content[0].Content[i]
			m.lines[k.Value] = front.line + k.Line - 1
		}
	}
	m.read(raw)
}
