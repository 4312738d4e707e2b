package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"
)

// Match is what a request must be for a route. An empty field lets everything
// pass.
type Match struct {
	Host    string // a name, or *.example.com for all below it; without a port
	Path    string // segments: a word, {name:expression}, {name}, *, and ** at the end for all below
	Methods []string
	Headers []Condition
	Query   []Condition
	Version string // of the route's Versions; empty: each

	HeaderPatterns []Pattern
	QueryPatterns  []Pattern
}

// Condition is a value that a header or a parameter of the query must have; "*"
// stands for any.
type Condition struct{ Name, Value string }

// Pattern is an expression that the whole value of a header or a parameter of the
// query must fit, or one of its values.
type Pattern struct {
	Name string
	Fits *regexp.Regexp
}

// Expression reads a regular expression in the syntax of RE2, which takes no
// longer than the value is long. It fits whole values only.
func Expression(text string) (*regexp.Regexp, error) { return whole(text, "") }

// whole makes an expression of flags that fits whole values only.
func whole(text, flags string) (*regexp.Regexp, error) {
	if text == "" {
		return nil, errors.New("want a regular expression")
	}
	if _, err := regexp.Compile(text); err != nil { // alone, lest it ends what it is put into
		return nil, err
	}
	return regexp.Compile(`\A(?` + flags + `:` + text + `)\z`)
}

// pattern is a path to be matched.
type pattern struct {
	segments []segment
	deep     bool // ends in **
	narrow   bool // some segments must fit expressions
}

type segment struct {
	kind byte
	text string         // of a literal as Path.Match has it, of a parameter its name
	fits *regexp.Regexp // that one which is narrow must
}

// named says whether the segment is a parameter.
func (s *segment) named() bool { return s.kind == narrow || s.kind == parameter }

// The kinds of segments, in their order of precedence.
const (
	literal = iota
	narrow  // a parameter that must fit an expression
	parameter
	wildcard
	everything
)

// parsePattern reads a path pattern; empty is every path.
func parsePattern(text string) (pattern, error) {
	var p pattern
	if text == "" {
		text = "/**"
	}
	if text[0] != '/' {
		return p, errors.New("want a path that begins with /")
	}
	parts := strings.Split(strings.TrimSuffix(text[1:], "/"), "/")
	for i, part := range parts {
		switch {
		case part == "" && len(parts) == 1: // the root
			continue
		case part == "":
			return p, errors.New("a segment is empty")
		case part == "**" && i == len(parts)-1:
			p.deep = true
			continue
		case part == "**":
			return p, errors.New("** stands at the end only")
		}
		s, err := parseSegment(part)
		switch {
		case err != nil:
			return p, err
		case s.named() && slices.Contains(params(p.segments), s.text):
			return p, fmt.Errorf("the parameter {%s} stands twice", s.text)
		}
		p.segments, p.narrow = append(p.segments, s), p.narrow || s.fits != nil
	}
	return p, nil
}

func parseSegment(part string) (segment, error) {
	if part == "*" {
		return segment{kind: wildcard}, nil
	}
	if inner, ok := inBraces(part); ok {
		name, expression, narrowed := strings.Cut(inner, ":")
		switch {
		case !isWord(name):
		case narrowed:
			fits, err := whole(expression, "i") // as words, whatever their case
			if err != nil {
				return segment{}, fmt.Errorf("the parameter {%s}: %w", name, err)
			}
			return segment{narrow, name, fits}, nil
		default:
			return segment{kind: parameter, text: name}, nil
		}
	}
	if strings.ContainsAny(part, "{}*") {
		return segment{}, fmt.Errorf("a segment is a word, {name}, {name:expression} without a slash, * or, at the end, **; not %q", part)
	}
	word, err := literalOf(part)
	return segment{kind: literal, text: word}, err
}

func inBraces(part string) (inner string, ok bool) {
	inner, opened := strings.CutPrefix(part, "{")
	inner, closed := strings.CutSuffix(inner, "}")
	return inner, opened && closed
}

// PlainPath is a path pattern without the expressions that its parameters must
// fit, and ExpressionOf what one must; empty: nothing is said.
func PlainPath(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if inner, ok := inBraces(part); ok {
			name, _, _ := strings.Cut(inner, ":")
			parts[i] = "{" + name + "}"
		}
	}
	return strings.Join(parts, "/")
}

// ExpressionOf is what a parameter of a path pattern must fit.
func ExpressionOf(path, name string) string {
	for part := range strings.SplitSeq(path, "/") {
		if inner, ok := inBraces(part); ok {
			if text, ok := strings.CutPrefix(inner, name+":"); ok {
				return text
			}
		}
	}
	return ""
}

// matches tells whether a path, in the form of Path.Match, is of the pattern.
func (p *pattern) matches(path []byte) bool {
	for _, s := range p.segments {
		if len(path) <= 1 {
			return false
		}
		segment := path[1:]
		if i := bytes.IndexByte(segment, '/'); i >= 0 {
			segment = segment[:i]
		}
		if s.kind == literal && s.text != string(segment) || s.fits != nil && !s.fits.Match(segment) {
			return false
		}
		path = path[1+len(segment):]
	}
	return p.deep || len(path) <= 1
}

func isWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

// literalOf is a segment of a pattern in the form of Path.Match.
func literalOf(text string) (string, error) {
	var p Path
	if err := p.Normalise([]byte("/" + text)); err != nil {
		return "", err
	}
	if bytes.IndexByte(p.Sent, ';') >= 0 || len(p.Match) < 2 {
		return "", fmt.Errorf("no path ever holds the segment %q", text)
	}
	return string(p.Match[1:]), nil
}

// Check tells what is wrong with a match, and the field that it is in: host,
// path, or methods.
func (m *Match) Check() (field string, err error) {
	host := strings.TrimPrefix(m.Host, "*.")
	if m.Host != "" && (host == "" || !ValidHost([]byte(host)) || strings.ContainsAny(host, ":*[")) {
		return "host", errors.New("want a host such as api.example.com, or *.example.com, without a port")
	}
	if _, err := parsePattern(m.Path); err != nil {
		return "path", err
	}
	for _, method := range m.Methods {
		if method == "" || strings.ToUpper(method) != method || strings.ContainsFunc(method, func(r rune) bool { return (r < 'A' || r > 'Z') && r != '-' && r != '_' }) {
			return "methods", fmt.Errorf("want methods in capitals such as GET, not %q", method)
		}
	}
	return "", nil
}

// conditions is how many things beside host and path a request must be.
func (m *Match) conditions() int {
	n := len(m.Headers) + len(m.Query) + len(m.HeaderPatterns) + len(m.QueryPatterns)
	if m.Version != "" {
		n++
	}
	if len(m.Methods) > 0 {
		n++
	}
	return n
}

// awaits tells whether the request that a browser asks about may be one of the
// route's. It does not say what the headers of that will be.
func (m *Match) awaits(r *fasthttp.Request) bool {
	method := r.Header.Peek("Access-Control-Request-Method")
	if len(m.Methods) > 0 && !slices.Contains(m.Methods, string(method)) && (string(method) != "HEAD" || !slices.Contains(m.Methods, "GET")) {
		return false
	}
	return m.holdsQuery(r)
}

// holds tells whether a request meets what is asked beside host and path. GET
// stands for HEAD too.
func (m *Match) holds(r *fasthttp.Request) bool {
	if len(m.Methods) > 0 {
		method := r.Header.Method()
		ok := false
		for _, want := range m.Methods {
			ok = ok || want == string(method) || want == "GET" && string(method) == "HEAD"
		}
		if !ok {
			return false
		}
	}
	for i := range m.Headers {
		c := &m.Headers[i]
		if !c.in(r.Header.PeekAll(c.Name)) {
			return false
		}
	}
	for i := range m.HeaderPatterns {
		if c := &m.HeaderPatterns[i]; !c.in(r.Header.PeekAll(c.Name)) {
			return false
		}
	}
	return m.holdsQuery(r)
}

func (m *Match) holdsQuery(r *fasthttp.Request) bool {
	for i := range m.Query {
		c := &m.Query[i]
		if args := r.URI().QueryArgs(); !args.Has(c.Name) || !c.in(args.PeekMulti(c.Name)) {
			return false
		}
	}
	for i := range m.QueryPatterns {
		c := &m.QueryPatterns[i]
		if args := r.URI().QueryArgs(); !args.Has(c.Name) || !c.in(args.PeekMulti(c.Name)) {
			return false
		}
	}
	return true
}

func (p *Pattern) in(values [][]byte) bool { return slices.ContainsFunc(values, p.Fits.Match) }

func (c *Condition) in(values [][]byte) bool {
	for _, v := range values {
		if c.Value == "*" || string(v) == c.Value {
			return true
		}
	}
	return false
}

// ValidHost tells whether a Host header may be a name or an address, with a
// port or without.
func ValidHost(host []byte) bool {
	if len(host) == 0 || len(host) > 260 {
		return false
	}
	for _, c := range host {
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || bytes.IndexByte([]byte("-._:[]"), c) >= 0 {
			continue
		}
		return false
	}
	return true
}
