package handlebars

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxNesting bounds blocks within blocks and expressions within expressions.
const maxNesting = 64

// source is one parsed file: the template itself or a partial.
type source struct {
	file string
	root *program
}

// parse reads one template. line is the number of its first line in the file.
func parse(file, src string, line int) (s *source, err *Error) {
	p := &parser{lexer: lexer{file: file, src: src, line: line}}
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*Error)
			if !ok {
				panic(r)
			}
			s, err = nil, e
		}
	}()
	root, end := p.program()
	switch end.kind {
	case tagEnd:
		p.fail(end.line, "{{/%s}} closes nothing", p.reference(false).original)
	case tagElse, tagElseChain:
		p.fail(end.line, "{{else}} outside of a block")
	}
	control(root)
	return &source{file, root}, nil
}

type parser struct {
	lexer
	depth int
}

func (p *parser) enter() {
	if p.depth++; p.depth > maxNesting {
		p.fail(p.line, "nested deeper than %d", maxNesting)
	}
}

// program reads statements up to a tag that ends them; that tag's opening has
// been read.
func (p *parser) program() (*program, tag) {
	p.enter()
	defer func() { p.depth-- }()
	prog := &program{}
	for {
		for _, s := range p.content() {
			prog.body = append(prog.body, &text{value: s, original: s})
		}
		t := p.tag()
		switch t.kind {
		case tagComment:
			prog.body = append(prog.body, &comment{t.strip})
		case tagOpen:
			m := &mustache{expr: p.expression(t.line)}
			p.closeTag(&t)
			m.strip = t.strip
			prog.body = append(prog.body, m)
		case tagPartial:
			prog.body = append(prog.body, p.partial(t))
		case tagBlock:
			prog.body = append(prog.body, p.block(t))
		case tagInverseBlock:
			prog.body = append(prog.body, p.inverseBlock(t))
		default:
			return prog, t
		}
	}
}

// opening reads the rest of a block's first tag.
func (p *parser) opening(t *tag) (*block, []string) {
	b := &block{expr: p.expression(t.line)}
	var params []string
	if from := p.pos; p.name() == "as" && p.blanks() && p.accept("|") {
		for p.blanks(); !p.accept("|"); p.blanks() {
			name := p.name()
			if name == "" {
				p.fail(p.line, "block parameters are names between two bars: as |item index|")
			}
			params = append(params, name)
		}
	} else {
		p.pos = from // a name on the same line only: nothing to count again
	}
	p.closeTag(t)
	b.openStrip = t.strip
	return b, params
}

func (p *parser) block(t tag) *block {
	b, params := p.opening(&t)
	main, end := p.program()
	main.params, b.main = params, main
	if end.kind == tagElse || end.kind == tagElseChain {
		b.inverse, end = p.inverseChain(b, end)
	}
	p.closing(b, end)
	return b
}

// inverseChain reads what follows {{else}} or {{else name …}} of a block.
func (p *parser) inverseChain(b *block, t tag) (*program, tag) {
	if t.kind == tagElse {
		b.inverseStrip = t.strip
		inverse, end := p.program()
		if end.kind == tagElse || end.kind == tagElseChain {
			p.fail(end.line, "a second {{else}} in one block")
		}
		return inverse, end
	}
	p.enter()
	defer func() { p.depth-- }()
	inner, params := p.opening(&t)
	b.inverseStrip = t.strip
	main, end := p.program()
	main.params, inner.main = params, main
	if end.kind == tagElse || end.kind == tagElseChain {
		inner.inverse, end = p.inverseChain(inner, end)
	}
	return &program{body: []node{inner}, chained: true}, end
}

func (p *parser) inverseBlock(t tag) *block {
	b, params := p.opening(&t)
	inverse, end := p.program()
	inverse.params, b.inverse = params, inverse
	if end.kind == tagElse {
		b.inverseStrip = end.strip
		b.main, end = p.program()
	}
	p.closing(b, end)
	return b
}

// closing reads the rest of a block's last tag and compares the names.
func (p *parser) closing(b *block, end tag) {
	open := b.expr.path.original
	if end.kind != tagEnd {
		p.fail(b.expr.line, "{{#%s}} is never closed", open)
	}
	p.blanks()
	name := p.reference(false).original
	if name != open {
		p.fail(end.line, "{{/%s}} closes {{#%s}} of line %d", name, open, b.expr.line)
	}
	p.closeTag(&end)
	b.closeStrip = end.strip
	for c := b.inverse; c != nil && c.chained; {
		inner := c.body[0].(*block)
		inner.closeStrip = end.strip
		c = inner.inverse
	}
}

func (p *parser) partial(t tag) *partial {
	n := &partial{line: t.line}
	p.blanks()
	switch c := p.peek(); c {
	case '(':
		p.fail(t.line, "the name of a partial must stand in the template; it cannot be computed")
	case '"', '\'':
		n.name = p.quoted()
	default:
		n.name = p.reference(false).original
	}
	params, hash := p.arguments()
	if len(params) > 1 {
		p.fail(t.line, "partial %q takes one context", n.name)
	}
	if len(params) == 1 {
		n.context = params[0]
	}
	n.hash = hash
	p.closeTag(&t)
	n.strip = t.strip
	return n
}

// expression reads a name with its parameters.
func (p *parser) expression(line int) *expr {
	p.blanks()
	e := &expr{line: line}
	if c := p.peek(); c == '"' || c == '\'' {
		s := p.quoted()
		e.path = &path{original: s, scoped: true, parts: []string{s}}
	} else {
		e.path = p.reference(true)
	}
	e.params, e.hash = p.arguments()
	return e
}

func (p *parser) peek() byte {
	if p.pos < len(p.src) {
		return p.src[p.pos]
	}
	return 0
}

var hashKey = regexp.MustCompile("^[^ \\t\\r\\n!\"#%&'()*+,./;<=>@\\[\\\\\\]^`{|}~]+=")

// arguments reads parameters, then key=value pairs, up to a closing.
func (p *parser) arguments() (params []arg, hash []pair) {
	for {
		gap := p.blanks()
		if p.pos >= len(p.src) || p.atClose() || p.peek() == ')' || p.atBlockParams() {
			return params, hash
		}
		if !gap && p.peek() != '(' {
			p.fail(p.line, "unexpected %q", p.peek())
		}
		if k := hashKey.FindString(p.src[p.pos:]); k != "" {
			p.advance(len(k))
			name := strings.TrimSuffix(k, "=")
			if slices.ContainsFunc(hash, func(h pair) bool { return h.key == name }) {
				p.fail(p.line, "%s= is there twice", name)
			}
			p.blanks()
			hash = append(hash, pair{name, p.argument()})
			continue
		}
		if hash != nil {
			p.fail(p.line, "key=value pairs stand last")
		}
		params = append(params, p.argument())
	}
}

var blockParams = regexp.MustCompile(`^as[ \t\r\n]+\|`)

func (p *parser) atBlockParams() bool { return blockParams.MatchString(p.src[p.pos:]) }

var number = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?`)

// argument reads one parameter.
func (p *parser) argument() arg {
	switch c := p.peek(); {
	case c == '"' || c == '\'':
		return literal{p.quoted()}
	case c == '(':
		p.enter()
		defer func() { p.depth-- }()
		line := p.line
		p.advance(1)
		e := p.expression(line)
		p.blanks()
		if !p.accept(")") {
			p.fail(line, "a parenthesis is never closed")
		}
		return e
	}
	if n := number.FindString(p.src[p.pos:]); n != "" && p.endsAt(p.pos+len(n)) {
		p.advance(len(n))
		return literal{numeral(n)}
	}
	r := p.reference(true)
	switch r.simple() {
	case "true", "false":
		return literal{r.parts[0] == "true"}
	case "null", "undefined":
		return literal{nil}
	}
	return r
}

// numeral is a number of the template in JSON's spelling.
func numeral(s string) any {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return json.Number(strconv.FormatInt(i, 10))
	}
	f, _ := strconv.ParseFloat(s, 64)
	return json.Number(strconv.FormatFloat(f, 'f', -1, 64))
}

// endsAt tells whether a literal may end at a position.
func (p *parser) endsAt(i int) bool {
	return i >= len(p.src) || strings.IndexByte(" \t\r\n~})=|", p.src[i]) >= 0
}

// reference reads a path; data paths only where a value is meant.
func (p *parser) reference(data bool) *path {
	r := &path{}
	if data && p.accept("@") {
		r.original, r.data = "@", true
	}
	for first := true; ; first = false {
		p.segment(r, first)
		sep := p.peek()
		if sep != '.' && sep != '/' {
			return r
		}
		r.original += p.advance(1)
		if r.original == "./" || r.original == "../" { // "../" alone means ".."
			if p.pos >= len(p.src) || p.atClose() || p.peek() == ' ' {
				return r
			}
		}
	}
}

func (p *parser) segment(r *path, first bool) {
	line := p.line
	switch {
	case p.accept(".."):
		r.original += ".."
		if len(r.parts) > 0 {
			p.fail(line, "%s: ../ stands in front only", r.original)
		}
		r.depth++
		r.scoped = true
		return
	case first && p.peek() == '.':
		p.advance(1)
		r.original += "."
		r.scoped = true
		if p.peek() == '/' {
			return
		}
		if !p.endsAt(p.pos) {
			p.fail(line, "unexpected %q after a dot", p.peek())
		}
		return
	case p.accept("["):
		i := strings.IndexByte(p.src[p.pos:], ']')
		if i < 0 {
			p.fail(line, "a [ is never closed")
		}
		s := p.advance(i)
		p.advance(1)
		r.parts = append(r.parts, s)
		r.original += s
		return
	}
	name := p.name()
	if name == "" {
		if p.pos >= len(p.src) {
			p.fail(line, "a tag is never closed")
		}
		if p.atClose() {
			p.fail(line, "a name is missing before %s", "}}")
		}
		p.fail(line, "expected a name, found %q", p.peek())
	}
	r.original += name
	if name == "this" && !r.data {
		if len(r.parts) > 0 {
			p.fail(line, "%s: this stands in front only", r.original)
		}
		r.scoped = true
		return
	}
	r.parts = append(r.parts, name)
}
