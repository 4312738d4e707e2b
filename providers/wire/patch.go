package wire

import (
	"bytes"
	"strconv"

	"sluice/providers/schema"
)

// Patch is what changes in a caller's body on its way to a provider that speaks
// the same: the model's name, a limit. All else is sent from where it stands,
// uncopied. The zero Patch changes nothing.
type Patch struct {
	edits  []edit // in the order of the body
	text   []byte // of all edits
	pieces [][]byte
}

// edit puts text[from:to] in the place of a range of the body.
type edit struct {
	at       schema.Span
	from, to int
}

// Reset makes the patch change nothing, and keeps its memory unless that is large.
func (p *Patch) Reset() {
	clear(p.pieces)
	p.edits, p.text, p.pieces = p.edits[:0], p.text[:0], p.pieces[:0]
	if cap(p.text) > 64<<10 {
		p.text = nil
	}
}

// Text puts text in the place of a range; an empty range inserts. What is
// inserted at the same place stands there in the order of the calls; a change
// within a range that another replaces is void.
func (p *Patch) Text(at schema.Span, text string) {
	from := len(p.text)
	p.text = append(p.text, text...)
	p.add(at, from)
}

// String puts a JSON string in the place of a range.
func (p *Patch) String(at schema.Span, s string) {
	from := len(p.text)
	p.text = AppendString(p.text, s)
	p.add(at, from)
}

// Number puts a number in the place of a range.
func (p *Patch) Number(at schema.Span, n int64) {
	from := len(p.text)
	p.text = strconv.AppendInt(p.text, n, 10)
	p.add(at, from)
}

// Field inserts a field with a number before others of an object.
func (p *Patch) Field(at int, name string, n int64) {
	from := len(p.text)
	p.text = append(append(append(p.text, '"'), name...), `":`...)
	p.text = append(strconv.AppendInt(p.text, n, 10), ',')
	p.add(schema.Span{From: at, To: at}, from)
}

func (p *Patch) add(at schema.Span, from int) {
	p.edits = append(p.edits, edit{})
	i := len(p.edits) - 1
	for ; i > 0 && p.edits[i-1].at.From > at.From; i-- {
		p.edits[i] = p.edits[i-1]
	}
	p.edits[i] = edit{at, from, len(p.text)}
}

// Pieces is raw with the changes: stretches of it, and of the patch, that stand
// until its next change.
func (p *Patch) Pieces(raw []byte) [][]byte {
	p.pieces = p.pieces[:0]
	from := 0
	for _, e := range p.edits {
		if e.at.From < from {
			continue // it is in what another has replaced
		}
		p.piece(raw[from:e.at.From])
		p.piece(p.text[e.from:e.to])
		from = e.at.To
	}
	p.piece(raw[from:])
	return p.pieces
}

func (p *Patch) piece(b []byte) {
	if len(b) > 0 {
		p.pieces = append(p.pieces, b)
	}
}

// Bytes is a copy of raw with the changes.
func (p *Patch) Bytes(raw []byte) []byte { return bytes.Join(p.Pieces(raw), nil) }
