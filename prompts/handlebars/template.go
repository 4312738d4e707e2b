package handlebars

import (
	"fmt"
	"slices"
	"strings"
)

// Template is a parsed template with its partials. It is immutable.
type Template struct {
	main *source
	// Partials are the sources of every partial that is reached, by name.
	Partials map[string]string
	// Data tells whether it reads @ variables.
	Data bool
}

// Options say how a template is read.
type Options struct {
	File string // for errors
	Line int    // number of the first line; 0 means 1
	// Partial gives a partial's source and the file it stands in; nil: there
	// are none.
	Partial func(name string) (src, file string, ok bool)
}

// maxPartials bounds how many partials one template may reach.
const maxPartials = 256

// Parse reads a template and every partial that it names, and checks the calls
// of helpers. All faults come at once; of each file, the first syntax error.
// The template is nil if there are any.
func Parse(src string, o Options) (*Template, []*Error) {
	l := linker{options: o, partials: map[string]*source{}, t: &Template{Partials: map[string]string{}}}
	s, err := parse(o.File, src, max(o.Line, 1))
	if err != nil {
		return nil, []*Error{err}
	}
	l.t.main = s
	l.program(s, s.root)
	if len(l.faults) > 0 {
		return nil, l.faults
	}
	return l.t, nil
}

// helper says how a helper may be used.
type helper struct {
	block      bool
	inline     bool // as a subexpression too
	statement  bool
	min, max   int
	hash       []string
	anyHash    bool
	literalArg bool
}

var helpers = map[string]helper{
	"if":           {block: true, min: 1, max: 1, hash: []string{"includeZero"}},
	"unless":       {block: true, min: 1, max: 1, hash: []string{"includeZero"}},
	"each":         {block: true, min: 1, max: 1},
	"with":         {block: true, min: 1, max: 1},
	"ifEquals":     {block: true, min: 2, max: 2},
	"unlessEquals": {block: true, min: 2, max: 2},
	"lookup":       {inline: true, min: 2, max: 2},
	"json":         {inline: true, min: 1, max: 1, hash: []string{"indent"}},
	"log":          {inline: true, max: 16, anyHash: true},
	"role":         {statement: true, min: 1, max: 1, anyHash: true, literalArg: true},
	"history":      {statement: true},
	"section":      {statement: true, min: 1, max: 1},
	"media":        {statement: true, hash: []string{"url", "contentType"}},
}

// Roles are the names that the helper role takes.
var Roles = []string{"system", "user", "model", "tool"}

// linker checks a parsed template and joins it with its partials.
type linker struct {
	options  Options
	partials map[string]*source
	t        *Template
	faults   []*Error
}

func (l *linker) fault(s *source, line int, format string, args ...any) {
	l.faults = append(l.faults, &Error{s.file, line, fmt.Sprintf(format, args...)})
}

func (l *linker) program(s *source, prog *program) {
	if prog == nil {
		return
	}
	for _, n := range prog.body {
		switch n := n.(type) {
		case *mustache:
			l.call(s, n.expr, false, false)
		case *block:
			l.call(s, n.expr, true, false)
			l.program(s, n.main)
			l.program(s, n.inverse)
		case *partial:
			l.arg(s, n.context)
			for _, h := range n.hash {
				l.arg(s, h.value)
			}
			l.partial(s, n)
		}
	}
}

func (l *linker) partial(s *source, n *partial) {
	if known, ok := l.partials[n.name]; ok {
		n.target = known
		return
	}
	var src, file string
	ok := false
	if l.options.Partial != nil {
		src, file, ok = l.options.Partial(n.name)
	}
	if !ok {
		l.fault(s, n.line, "there is no partial %q", n.name)
		return
	}
	if len(l.partials) >= maxPartials {
		l.fault(s, n.line, "more than %d partials", maxPartials)
		return
	}
	target, err := parse(file, src, 1)
	l.partials[n.name], n.target = target, target
	l.t.Partials[n.name] = src
	if err != nil {
		l.faults = append(l.faults, err)
		return
	}
	l.program(target, target.root)
}

// call checks one use of a name with parameters. A plain word that is no
// helper and has no parameters is a variable.
func (l *linker) call(s *source, e *expr, block, sub bool) {
	l.t.Data = l.t.Data || e.path.data
	for _, a := range e.params {
		l.arg(s, a)
	}
	for _, h := range e.hash {
		l.arg(s, h.value)
	}
	name := e.path.simple()
	h, known := helpers[name]
	if !known {
		if sub || len(e.params) > 0 || len(e.hash) > 0 {
			l.fault(s, e.line, "there is no helper %q", e.path.original)
		}
		return
	}
	e.helper, e.statement = name, h.statement
	switch {
	case sub && !h.inline:
		l.fault(s, e.line, "%s cannot stand in parentheses", name)
	case block && !h.block:
		l.fault(s, e.line, "%s is no block: write {{%s …}}; a variable of that name is {{#this.%s}}", name, name, name)
	case !block && h.block:
		l.fault(s, e.line, "%s is a block: write {{#%s …}}…{{/%s}}; a variable of that name is {{this.%s}}", name, name, name, name)
	case len(e.params) < h.min || len(e.params) > h.max:
		l.fault(s, e.line, "%s takes %s; a variable of that name is {{this.%s}}", name, countOf(h), name)
	}
	for _, p := range e.hash {
		if !h.anyHash && !slices.Contains(h.hash, p.key) {
			l.fault(s, e.line, "%s does not take %s=", name, p.key)
		}
	}
	if name == "media" && !slices.ContainsFunc(e.hash, func(p pair) bool { return p.key == "url" }) {
		l.fault(s, e.line, "media needs url=")
	}
	if h.literalArg && len(e.params) == 1 {
		role, ok := e.params[0].(literal)
		if word, _ := role.value.(string); !ok || !slices.Contains(Roles, word) {
			l.fault(s, e.line, `the role must stand in the template: one of "%s"`, strings.Join(Roles, `", "`))
		}
	}
}

func countOf(h helper) string {
	switch {
	case h.max == 0:
		return "no parameter"
	case h.min == 1:
		return "one parameter"
	}
	return fmt.Sprintf("%d parameters", h.max)
}

func (l *linker) arg(s *source, a arg) {
	switch a := a.(type) {
	case *expr:
		l.call(s, a, false, true)
	case *path:
		l.t.Data = l.t.Data || a.data
	}
}
