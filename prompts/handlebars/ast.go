package handlebars

import "fmt"

// Error is a fault of a template at a line of a file.
type Error struct {
	File    string
	Line    int
	Message string
}

// Error is the message with its place.
func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message) }

// program is a run of statements; params are the names of a block's
// parameters.
type program struct {
	body    []node
	params  []string
	chained bool // made of the one block of an {{else if}}
}

// node is a statement: *text, *mustache, *block, *partial or *comment.
type node any

type text struct {
	value    string // after white-space control
	original string
	// What has been stripped already is not stripped again by the rule for
	// tags that stand alone on a line.
	leftStripped, rightStripped bool
}

// strip tells on which sides of a tag a tilde stands.
type strip struct{ open, close bool }

type comment struct{ strip strip }

// mustache is {{expr}}.
type mustache struct {
	expr  *expr
	strip strip
}

// block is {{#expr}}…{{else}}…{{/expr}}; one of the programs may be nil.
type block struct {
	expr                                *expr
	main, inverse                       *program
	openStrip, inverseStrip, closeStrip strip
}

// partial is {{> name context key=value}}.
type partial struct {
	line    int
	name    string
	context arg // nil: the current one
	hash    []pair
	indent  string // of the line, where the tag stands alone on it
	strip   strip
	target  *source // set when the template is linked
}

// expr is a call or a plain variable.
type expr struct {
	line   int
	path   *path
	params []arg
	hash   []pair
	// Set when the template is linked.
	helper    string // "" is a variable
	statement bool   // of the helper
}

// arg is a parameter: *path, *expr (a subexpression) or literal.
type arg any

type literal struct{ value any }

type pair struct {
	key   string
	value arg
}

// path is a variable: a.b, this.a, ../a, @a.b, [odd name].
type path struct {
	original string
	data     bool // begins with @
	depth    int  // number of ../
	scoped   bool // begins with this, . or ..: never a helper or block parameter
	parts    []string
}

// simple is the name of a path that is one plain word, else "".
func (p *path) simple() string {
	if p.data || p.depth > 0 || p.scoped || len(p.parts) != 1 {
		return ""
	}
	return p.parts[0]
}
