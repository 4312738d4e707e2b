package handlebars

// Shape says which fields a value may have. A nil Shape is a value of which
// nothing is known: every path into it is right.
type Shape struct {
	Fields map[string]*Shape
	Open   bool   // other fields than those named may be there
	Elem   *Shape // of a list's elements, or of the fields that Open allows
	List   bool
	Scalar bool
}

// CheckVariables follows every path of the template and its partials through
// the shape of the input, and reports those that lead nowhere.
func (t *Template) CheckVariables(root *Shape) []*Error {
	c := checker{root: root, source: t.main, seen: map[visit]bool{}, told: map[Error]bool{}}
	c.program(t.main.root, &shapeScope{this: root})
	return c.faults
}

type shapeScope struct {
	this   *Shape
	up     *shapeScope
	outer  *shapeScope
	params []string
	values [2]*Shape
}

// visit is a partial seen with a shape: once is enough. A call with a hash,
// which makes a shape on the spot, counts by itself.
type visit struct {
	target    *source
	shape, up *Shape
	call      *partial
}

type checker struct {
	root   *Shape
	source *source
	seen   map[visit]bool
	told   map[Error]bool
	faults []*Error
}

func (c *checker) program(prog *program, s *shapeScope) {
	if prog == nil {
		return
	}
	for _, n := range prog.body {
		switch n := n.(type) {
		case *mustache:
			c.expr(n.expr, s)
		case *block:
			c.block(n, s)
		case *partial:
			c.partial(n, s)
		}
	}
}

func (c *checker) block(b *block, s *shapeScope) {
	v := c.expr(b.expr, s)
	inner := s
	switch b.expr.helper {
	case "each", "with":
		v = c.arg(b.expr.params[0], s, b.expr.line)
		if b.expr.helper == "each" {
			v = v.elem()
		}
		inner = &shapeScope{this: v, up: s, outer: s}
	case "":
		switch {
		case v != nil && v.List:
			v = v.elem()
			inner = &shapeScope{this: v, up: s, outer: s}
		case v == nil || v.Scalar: // true or false keeps the value, others do not
			inner = &shapeScope{this: nil, up: s, outer: s}
		default:
			inner = &shapeScope{this: v, up: s, outer: s}
		}
	}
	if b.main != nil {
		if inner != s {
			inner.params, inner.values = b.main.params, [2]*Shape{v}
		}
		c.program(b.main, inner)
	}
	c.program(b.inverse, s)
}

func (c *checker) partial(n *partial, s *shapeScope) {
	inner := &shapeScope{this: s.this, up: s.up}
	if n.context != nil {
		inner.this, inner.up = c.arg(n.context, s, n.line), s
	}
	if len(n.hash) > 0 {
		merged := &Shape{Fields: map[string]*Shape{}}
		if t := inner.this; t != nil && !t.List && !t.Scalar {
			merged.Open, merged.Elem = t.Open, t.Elem
			for k, v := range t.Fields {
				merged.Fields[k] = v
			}
		} else if t == nil {
			merged.Open = true
		}
		for _, h := range n.hash {
			merged.Fields[h.key] = c.arg(h.value, s, n.line)
		}
		inner.this, inner.up = merged, s
	}
	key := visit{target: n.target, shape: inner.this}
	if len(n.hash) > 0 {
		key = visit{call: n}
	} else if inner.up != nil {
		key.up = inner.up.this
	}
	if c.seen[key] {
		return
	}
	c.seen[key] = true
	was := c.source
	c.source = n.target
	c.program(n.target.root, inner)
	c.source = was
}

// arg is the shape of an argument in a tag of a line.
func (c *checker) arg(a arg, s *shapeScope, line int) *Shape {
	switch a := a.(type) {
	case *path:
		return c.path(a, s, line)
	case *expr:
		return c.expr(a, s)
	}
	return nil
}

// expr is the shape of a variable; of a helper's result nothing is known.
func (c *checker) expr(e *expr, s *shapeScope) *Shape {
	if e.helper == "" {
		return c.path(e.path, s, e.line)
	}
	for _, a := range e.params {
		c.arg(a, s, e.line)
	}
	for _, h := range e.hash {
		c.arg(h.value, s, e.line)
	}
	return nil
}

// path is the shape at a path's end; a field that is not there is reported.
func (c *checker) path(p *path, s *shapeScope, line int) *Shape {
	if p.data {
		if len(p.parts) > 0 && p.parts[0] == "root" {
			return c.descend(c.root, p, p.parts[1:], line)
		}
		return nil
	}
	if !p.scoped {
		for o := s; o != nil; o = o.outer {
			for i, name := range o.params {
				if i < len(o.values) && name == p.parts[0] {
					return c.descend(o.values[i], p, p.parts[1:], line)
				}
			}
		}
	}
	for i := 0; i < p.depth && s != nil; i++ {
		s = s.up
	}
	if s == nil {
		return nil
	}
	return c.descend(s.this, p, p.parts, line)
}

func (c *checker) descend(s *Shape, p *path, parts []string, line int) *Shape {
	for _, name := range parts {
		if s == nil {
			return nil
		}
		next, ok := s.field(name)
		if !ok {
			e := Error{c.source.file, line, "the input schema has no " + p.original}
			if !c.told[e] {
				c.told[e] = true
				c.faults = append(c.faults, &e)
			}
			return nil
		}
		s = next
	}
	return s
}

func (s *Shape) field(name string) (*Shape, bool) {
	if f, ok := s.Fields[name]; ok {
		return f, true
	}
	if name == "length" && (s.List || s.Scalar) {
		return nil, true
	}
	if s.List && name != "" && name[0] >= '0' && name[0] <= '9' {
		return s.Elem, true
	}
	return s.Elem, s.Open
}

func (s *Shape) elem() *Shape {
	if s == nil {
		return nil
	}
	return s.Elem
}
