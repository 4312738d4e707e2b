package handlebars

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Output receives what a template yields, in order.
type Output interface {
	// Text is literal text of the template, or a value.
	Text(s string)
	// Statement is role, history, section or media, with its parameters and
	// its key=value pairs. args is valid until it returns.
	Statement(name string, args []any, hash map[string]any) error
}

// Limits bound a run; every one must be positive.
type Limits struct {
	Output int // bytes of text
	Steps  int // statements run, those of loops counted each time
	Depth  int // blocks and partials within each other
}

// Run yields the template's output for a value and the @ variables. Errors
// are of type *Error and name the line.
func (t *Template) Run(out Output, this any, data map[string]any, lim Limits) error {
	r := runner{out: out, limits: lim, root: this, data: data, source: t.main, line: 1}
	return r.program(t.main.root, &scope{this: this})
}

// scope is the current value and what surrounds it.
type scope struct {
	this   any
	up     *scope // for ../
	params []string
	values [2]any
	outer  *scope // whose block parameters are seen here; nil in a partial
	loop   *loop
}

// loop is the state behind @index, @key, @first and @last.
type loop struct {
	index       int
	key         any
	first, last bool
	up          *loop
}

type runner struct {
	out    Output
	limits Limits
	root   any
	data   map[string]any
	source *source

	depth, steps, bytes int
	line                int // of the tag that was run last

	indent    string // of the partial that is running
	lineStart bool
	args      [1]any // of the statement that is running
}

func (r *runner) fail(line int, format string, args ...any) error {
	return &Error{r.source.file, line, fmt.Sprintf(format, args...)}
}

func (r *runner) program(prog *program, s *scope) error {
	if prog == nil {
		return nil
	}
	if r.depth++; r.depth > r.limits.Depth {
		return r.fail(r.line, "blocks and partials run deeper than %d", r.limits.Depth)
	}
	defer func() { r.depth-- }()
	for _, n := range prog.body {
		if r.steps++; r.steps > r.limits.Steps {
			return r.fail(r.line, "the template takes more than %d steps", r.limits.Steps)
		}
		var err error
		switch n := n.(type) {
		case *text:
			err = r.text(n.value)
		case *mustache:
			err = r.mustache(n.expr, s)
		case *block:
			err = r.block(n, s)
		case *partial:
			err = r.partial(n, s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// text puts out text, with the indent of the running partial.
func (r *runner) text(s string) error {
	if r.bytes += len(s); r.bytes > r.limits.Output {
		return r.fail(r.line, "the prompt is longer than %d bytes", r.limits.Output)
	}
	if r.indent == "" {
		if s != "" {
			r.out.Text(s)
		}
		return nil
	}
	for s != "" {
		if r.lineStart {
			if r.bytes += len(r.indent); r.bytes > r.limits.Output {
				return r.fail(r.line, "the prompt is longer than %d bytes", r.limits.Output)
			}
			r.out.Text(r.indent)
		}
		i := strings.IndexByte(s, '\n') + 1
		r.lineStart = i > 0
		if i == 0 {
			i = len(s)
		}
		r.out.Text(s[:i])
		s = s[i:]
	}
	return nil
}

func (r *runner) mustache(e *expr, s *scope) error {
	r.line = e.line
	if e.statement {
		return r.statement(e, s)
	}
	v, err := r.expr(e, s)
	if err != nil || v == nil {
		return err
	}
	str, err := display(v)
	if err != nil {
		return r.fail(e.line, "%s: %v", e.path.original, err)
	}
	return r.text(str)
}

func (r *runner) statement(e *expr, s *scope) error {
	args := r.args[:0]
	for _, a := range e.params {
		v, err := r.arg(a, s)
		if err != nil {
			return err
		}
		args = append(args, v)
	}
	var hash map[string]any
	if len(e.hash) > 0 {
		hash = make(map[string]any, len(e.hash))
	}
	for _, h := range e.hash {
		v, err := r.arg(h.value, s)
		if err != nil {
			return err
		}
		if str, ok := v.(string); ok {
			r.bytes += len(str)
		}
		hash[h.key] = v
	}
	if r.bytes > r.limits.Output {
		return r.fail(e.line, "the prompt is longer than %d bytes", r.limits.Output)
	}
	if err := r.out.Statement(e.helper, args, hash); err != nil {
		return r.fail(e.line, "%s: %v", e.helper, err)
	}
	return nil
}

func (r *runner) partial(n *partial, s *scope) error {
	r.line = n.line
	inner := &scope{this: s.this, up: s.up, loop: s.loop}
	if n.context != nil {
		v, err := r.arg(n.context, s)
		if err != nil {
			return err
		}
		inner.this, inner.up = v, s
	}
	if len(n.hash) > 0 {
		merged := map[string]any{}
		if m, ok := inner.this.(map[string]any); ok {
			merged = maps.Clone(m)
			if merged == nil {
				merged = map[string]any{}
			}
		}
		for _, h := range n.hash {
			v, err := r.arg(h.value, s)
			if err != nil {
				return err
			}
			merged[h.key] = v
		}
		inner.this, inner.up = merged, s
	}
	source, indent, lineStart := r.source, r.indent, r.lineStart
	r.source = n.target
	if n.indent != "" {
		r.indent, r.lineStart = indent+n.indent, true
	}
	err := r.program(n.target.root, inner)
	r.source = source
	if n.indent != "" {
		r.indent, r.lineStart = indent, lineStart
	}
	return err
}

func (r *runner) block(b *block, s *scope) error {
	r.line = b.expr.line
	var v, w any
	var err error
	if b.expr.helper == "" {
		v, err = r.expr(b.expr, s)
	} else {
		v, err = r.arg(b.expr.params[0], s)
		if err == nil && len(b.expr.params) > 1 {
			w, err = r.arg(b.expr.params[1], s)
		}
	}
	if err != nil {
		return err
	}
	switch b.expr.helper {
	case "each":
		return r.each(b, v, s)
	case "with":
		if isEmpty(v) {
			return r.program(b.inverse, s)
		}
		return r.program(b.main, child(s, v, b.main, v, nil))
	case "":
		return r.section(b, v, s)
	}
	holds, err := r.holds(b.expr, v, w, s)
	if err != nil {
		return err
	}
	if holds {
		return r.program(b.main, s)
	}
	return r.program(b.inverse, s)
}

// holds tells which branch a condition takes.
func (r *runner) holds(e *expr, v, w any, s *scope) (bool, error) {
	switch e.helper {
	case "ifEquals":
		return equal(v, w), nil
	case "unlessEquals":
		return !equal(v, w), nil
	}
	yes := !isEmpty(v) && !isZero(v)
	if len(e.hash) > 0 {
		zero, err := r.arg(e.hash[0].value, s)
		if err != nil {
			return false, err
		}
		yes = yes || isZero(v) && zero == true
	}
	return yes == (e.helper == "if"), nil
}

// section is a block over a plain variable.
func (r *runner) section(b *block, v any, s *scope) error {
	switch v := v.(type) {
	case nil:
		return r.program(b.inverse, s)
	case bool:
		if v {
			return r.program(b.main, s)
		}
		return r.program(b.inverse, s)
	case []any:
		return r.each(b, v, s)
	}
	return r.program(b.main, child(s, v, b.main, v, nil))
}

// child is the scope of a block that has a value of its own.
func child(s *scope, this any, prog *program, first, second any) *scope {
	c := &scope{this: this, up: s, outer: s, loop: s.loop}
	if prog != nil {
		c.params, c.values = prog.params, [2]any{first, second}
	}
	return c
}

func (r *runner) each(b *block, v any, s *scope) error {
	pass := func(l *loop, v any) error {
		// Empty bodies count too: a loop over nothing is still a loop.
		if r.steps++; r.steps > r.limits.Steps {
			return r.fail(b.expr.line, "the template takes more than %d steps", r.limits.Steps)
		}
		l.up = s.loop
		c := child(s, v, b.main, v, l.key)
		c.loop = l
		return r.program(b.main, c)
	}
	switch v := v.(type) {
	case []any:
		for i := range v {
			l := &loop{index: i, key: i, first: i == 0, last: i == len(v)-1}
			if err := pass(l, v[i]); err != nil {
				return err
			}
		}
		if len(v) > 0 {
			return nil
		}
	case map[string]any:
		keys := slices.Sorted(maps.Keys(v))
		for i, k := range keys {
			l := &loop{index: i, key: k, first: i == 0, last: i == len(keys)-1}
			if err := pass(l, v[k]); err != nil {
				return err
			}
		}
		if len(keys) > 0 {
			return nil
		}
	}
	return r.program(b.inverse, s)
}
