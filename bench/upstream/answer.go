package upstream

import (
	"strings"
)

// Marker is in every small and big answer: what a load driver looks for.
const Marker = "the fake upstream says that all is well"

const defaultChunks = 60

var (
	smallText = Marker + ": " + strings.TrimSpace(strings.Repeat("steady words fill the answer up to size. ", 6))
	bigText   = Marker + ": " + strings.TrimSpace(strings.Repeat("steady words fill the answer up to size. ", 245))
)

// answer is what goes back, before it takes a format.
type answer struct {
	pieces  []string // of the text; a stream sends one a chunk
	calls   []call
	think   string
	in, out int
	cut     bool // by max_tokens
}

type call struct{ id, name, args string }

// text is the whole text.
func (a *answer) text() string { return strings.Join(a.pieces, "") }

// reply works out the answer to a.
func reply(a *ask, p *plan) answer {
	var r answer
	switch {
	case a.wantsCalls():
		r.calls = a.makeCalls()
	case a.schema.Exists() && !p.loose:
		r.pieces = split(instance(a.schema))
	case p.echo && p.chunks != unset:
		r.pieces = repeat(a.text+" ", p.chunks)
	case p.echo || a.results:
		r.pieces = split(a.text)
	case a.stream && p.chunks != unset:
		r.pieces = repeat("steady ", p.chunks)
	case a.stream && !p.big:
		r.pieces = repeat("steady ", defaultChunks)
	case p.big:
		r.pieces = split(bigText)
	default:
		r.pieces = split(smallText)
	}
	if p.think || a.thinking {
		r.think = "the fake upstream thinks about it"
	}
	r.in, r.out = a.words, len(r.pieces)+8*len(r.calls)
	if p.in != unset {
		r.in = p.in
	}
	if p.out != unset {
		r.out = p.out
	}
	r.bound(a.max)
	r.out += r.out * p.over / 100
	return r
}

// bound keeps an answer within max_tokens, as a real model does.
func (r *answer) bound(limit int) {
	if limit <= 0 || r.out <= limit {
		return
	}
	r.out, r.cut = limit, true
	if len(r.pieces) > limit {
		r.pieces = r.pieces[:limit]
	}
}

func (a *ask) wantsCalls() bool {
	return len(a.tools) > 0 && !a.results && a.choice != "none"
}

// makeCalls calls the tool that was asked for, else the first two (or the only
// one twice) where parallel calls are allowed.
func (a *ask) makeCalls() []call {
	chosen := []tool{a.tools[0], a.tools[min(1, len(a.tools)-1)]}
	for _, t := range a.tools {
		if t.name == a.choice {
			chosen = []tool{t}
		}
	}
	if a.single {
		chosen = chosen[:1]
	}
	calls := make([]call, 0, len(chosen))
	for _, t := range chosen {
		calls = append(calls, call{id: nextID("call_fake"), name: t.name, args: instance(t.schema)})
	}
	return calls
}

// split cuts a text after every space.
func split(text string) []string {
	return strings.SplitAfter(text, " ")
}

func repeat(piece string, n int) []string {
	pieces := make([]string, n)
	for i := range pieces {
		pieces[i] = piece
	}
	return pieces
}
