package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"
)

// Match is what a request must be for a route. An empty field lets everything
// pass.
type Match struct {
	Host    string // a name, or *.example.com for all below it; without a port
	Path    string // segments: a word, {name}, *, and ** at the end for all below
	Methods []string
	Headers []Condition
	Query   []Condition
}

// Condition is a value that a header or a parameter of the query must have; "*"
// stands for any.
type Condition struct{ Name, Value string }

// pattern is a path to be matched.
type pattern struct {
	segments []segment
	deep     bool // ends in **
}

type segment struct {
	kind byte
	text string // of a literal as Path.Match has it, of a parameter its name
}

// The kinds of segments, in their order of precedence.
const (
	literal = iota
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
		name, isParam := strings.CutPrefix(part, "{")
		name, closed := strings.CutSuffix(name, "}")
		switch {
		case part == "" && len(parts) == 1: // the root
		case part == "":
			return p, errors.New("a segment is empty")
		case part == "**" && i == len(parts)-1:
			p.deep = true
		case part == "**":
			return p, errors.New("** stands at the end only")
		case part == "*":
			p.segments = append(p.segments, segment{wildcard, ""})
		case isParam && closed && isWord(name):
			if slices.Contains(p.segments, segment{parameter, name}) {
				return p, fmt.Errorf("the parameter {%s} stands twice", name)
			}
			p.segments = append(p.segments, segment{parameter, name})
		case strings.ContainsAny(part, "{}*"):
			return p, fmt.Errorf("a segment is a word, {name}, * or, at the end, **; not %q", part)
		default:
			word, err := literalOf(part)
			if err != nil {
				return p, err
			}
			p.segments = append(p.segments, segment{literal, word})
		}
	}
	return p, nil
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
		if s.kind == literal && s.text != string(segment) {
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
	n := len(m.Headers) + len(m.Query)
	if len(m.Methods) > 0 {
		n++
	}
	return n
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
	for i := range m.Query {
		c := &m.Query[i]
		if args := r.URI().QueryArgs(); !args.Has(c.Name) || !c.in(args.PeekMulti(c.Name)) {
			return false
		}
	}
	return true
}

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
