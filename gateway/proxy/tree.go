package proxy

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"
)

// Tree finds the route of a request. It never changes, and any number of
// goroutines may use it; nil is a tree without routes.
//
// The routes are put in their order of precedence once, when it is built: host
// (exact, then *.example.com with the longer name first, then any), path (no
// wildcard, then most literal segments, then those with {id:expression} before
// those with {id} before those with * before those with **, then likewise segment by segment from the left), then the number of conditions that methods, headers and query make, then
// the order in which they were given. A lookup finds the first in that order
// which holds.
type Tree struct {
	hosts  map[string]*node // exact, in lower case
	below  map[string]*node // *.example.com, by example.com
	any    *node
	routes []*Route // in the order of precedence
}

// node is a place in the paths of one host.
type node struct {
	few     []word           // the literal segments below, up to fewWords of them,
	literal map[string]*node // or all of them
	other   *node            // below {id:expression}, {id} and *
	here    []*Route         // that end here, the first in order first
	deep    []*Route         // /** from here
	first   int              // the lowest order of all that is here and below
}

// NewTree builds a tree. The routes are its own from then on.
func NewTree(routes []*Route) (*Tree, error) {
	t := &Tree{hosts: map[string]*node{}, below: map[string]*node{}, routes: slices.Clone(routes)}
	var placed []*Route
	for _, r := range t.routes {
		var err error
		if _, err = r.Match.Check(); err != nil {
			return nil, err
		}
		if r.pattern, err = parsePattern(r.Match.Path); err != nil {
			return nil, err
		}
		r.compile()
		placed = append(placed, r.places()...)
	}
	slices.SortStableFunc(t.routes, precedence)
	slices.SortStableFunc(placed, precedence)
	for i, r := range placed {
		r.order = i
		t.root(strings.ToLower(r.Match.Host)).add(r)
	}
	return t, nil
}

// Routes are all routes, in their order of precedence.
func (t *Tree) Routes() []*Route {
	if t == nil {
		return nil
	}
	return t.routes
}

func (t *Tree) root(host string) *node {
	put := func(m map[string]*node, name string) *node {
		if m[name] == nil {
			m[name] = newNode()
		}
		return m[name]
	}
	name, below := strings.CutPrefix(host, "*.")
	switch {
	case below:
		return put(t.below, name)
	case host != "":
		return put(t.hosts, host)
	case t.any == nil:
		t.any = newNode()
	}
	return t.any
}

// fewWords are faster to look through than to hash for.
const fewWords = 4

type word struct {
	text string
	node *node
}

// child is what a literal segment leads to; nil: nothing.
func (n *node) child(segment []byte) *node {
	if n.literal != nil {
		return n.literal[string(segment)]
	}
	for i := range n.few {
		if n.few[i].text == string(segment) {
			return n.few[i].node
		}
	}
	return nil
}

// grow makes that child, if there is none.
func (n *node) grow(text string) *node {
	if made := n.child([]byte(text)); made != nil {
		return made
	}
	made := newNode()
	switch {
	case n.literal != nil:
		n.literal[text] = made
	case len(n.few) < fewWords:
		n.few = append(n.few, word{text, made})
	default:
		n.literal = map[string]*node{text: made}
		for _, w := range n.few {
			n.literal[w.text] = w.node
		}
		n.few = nil
	}
	return made
}

const none = int(^uint(0) >> 1)

func newNode() *node { return &node{first: none} }

// add puts a route in; those that come first in order are put in first.
func (n *node) add(r *Route) {
	for _, s := range r.pattern.segments {
		n.first = min(n.first, r.order)
		if s.kind != literal {
			if n.other == nil {
				n.other = newNode()
			}
			n = n.other
			continue
		}
		n = n.grow(s.text)
	}
	n.first = min(n.first, r.order)
	if r.pattern.deep {
		n.deep = append(n.deep, r)
	} else {
		n.here = append(n.here, r)
	}
}

// precedence orders two routes; 0: the one that was given first comes first.
func precedence(a, b *Route) int {
	return cmp.Or(
		byHost(a.Match.Host, b.Match.Host),
		byPath(&a.pattern, &b.pattern),
		cmp.Compare(b.Match.conditions(), a.Match.conditions()),
	)
}

func byHost(a, b string) int {
	rank := func(host string) int {
		switch {
		case host == "":
			return 2
		case strings.HasPrefix(host, "*."):
			return 1
		}
		return 0
	}
	if by := cmp.Compare(rank(a), rank(b)); by != 0 || rank(a) != 1 {
		return by
	}
	return cmp.Compare(len(b), len(a))
}

func byPath(a, b *pattern) int {
	literals := func(p *pattern) (n int, exact bool) {
		for _, s := range p.segments {
			if s.kind == literal {
				n++
			}
		}
		return n, n == len(p.segments) && !p.deep
	}
	an, aExact := literals(a)
	bn, bExact := literals(b)
	if aExact != bExact {
		if aExact {
			return -1
		}
		return 1
	}
	if by := cmp.Or(cmp.Compare(bn, an), cmp.Compare(a.worst(), b.worst())); by != 0 {
		return by
	}
	for i := range max(len(a.segments), len(b.segments)) {
		if by := cmp.Compare(a.kind(i), b.kind(i)); by != 0 {
			return by
		}
	}
	return cmp.Compare(a.kind(len(a.segments)), b.kind(len(b.segments)))
}

// worst is the kind of segment that comes last in precedence.
func (p *pattern) worst() int {
	if p.deep {
		return everything
	}
	worst := literal
	for _, s := range p.segments {
		worst = max(worst, int(s.kind))
	}
	return worst
}

// kind is that of the nth segment, or of what stands behind the last.
func (p *pattern) kind(n int) int {
	switch {
	case n < len(p.segments):
		return int(p.segments[n].kind)
	case p.deep:
		return everything
	}
	return literal
}

// Find is the route of a request whose path is normal; nil: it has none. host
// is the name that was asked for, with a port or without, in whatever case.
func (t *Tree) Find(host []byte, path *Path, r *fasthttp.Request) *Route {
	if t == nil {
		return nil
	}
	s := search{request: r, path: path.Match, best: none}
	if len(t.hosts)+len(t.below) > 0 {
		var memory [64]byte
		name := appendHost(memory[:0], host)
		if n := t.hosts[string(name)]; n != nil {
			s.look(n, path.Match)
		}
		for rest := name; s.found == nil && len(t.below) > 0; {
			i := bytes.IndexByte(rest, '.')
			if i < 0 {
				break
			}
			rest = rest[i+1:]
			if n := t.below[string(rest)]; n != nil {
				s.look(n, path.Match)
			}
		}
	}
	if s.found == nil && t.any != nil {
		s.look(t.any, path.Match)
	}
	return s.found
}

// search is one lookup.
type search struct {
	request *fasthttp.Request
	path    []byte
	best    int
	found   *Route
}

// look goes through what the rest of a path can be below a node. What comes
// later than the best that was found is not gone into.
func (s *search) look(n *node, rest []byte) {
	if n.first >= s.best {
		return
	}
	s.try(n.deep)
	if len(rest) <= 1 { // nothing, or the root's slash
		s.try(n.here)
		return
	}
	segment := rest[1:]
	if i := bytes.IndexByte(segment, '/'); i >= 0 {
		segment = segment[:i]
	}
	rest = rest[1+len(segment):]
	if next := n.child(segment); next != nil {
		s.look(next, rest)
	}
	if n.other != nil {
		s.look(n.other, rest)
	}
}

func (s *search) try(routes []*Route) {
	for _, r := range routes {
		if r.order >= s.best {
			return
		}
		if s.takes(r) {
			s.best, s.found = r.order, r
			return
		}
	}
}

// takes tells whether a request is a route's, whose host and path it has.
func (s *search) takes(r *Route) bool {
	if r.pattern.narrow && !r.pattern.matches(s.path) {
		return false
	}
	if r.Match.conditions() == 0 && r.Versions == nil {
		return true
	}
	return (r.Match.holds(s.request) || r.Preflight && isPreflight(s.request) && r.Match.awaits(s.request)) &&
		(r.Versions == nil || r.takesVersion(s.request, s.path))
}

// appendHost writes a host's name in lower case, without port and final dot.
func appendHost(dst, host []byte) []byte {
	if i := bytes.LastIndexByte(host, ':'); i >= 0 && bytes.IndexByte(host[i:], ']') < 0 {
		host = host[:i]
	}
	host = bytes.TrimSuffix(host, []byte{'.'})
	for _, c := range host {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}
