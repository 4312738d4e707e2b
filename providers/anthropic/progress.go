package anthropic

// progress tells when a JSON object that comes in pieces is whole. The zero
// value is ready. A value that is no object or array is never whole: nothing
// but the stream's end tells its own.
type progress struct {
	depth   int
	quoted  bool // within a string
	escaped bool // after a backslash in it
	begun   bool
}

// add takes in a piece.
func (p *progress) add(piece string) {
	for i := 0; i < len(piece); i++ {
		c := piece[i]
		switch {
		case p.escaped:
			p.escaped = false
		case p.quoted:
			p.quoted, p.escaped = c != '"', c == '\\'
		case c == '"':
			p.quoted = true
		case c == '{' || c == '[':
			p.depth++
			p.begun = true
		case c == '}' || c == ']':
			p.depth--
		}
	}
}

// whole tells whether the value has ended.
func (p *progress) whole() bool { return p.begun && p.depth <= 0 }
