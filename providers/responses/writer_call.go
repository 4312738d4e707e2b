package responses

import (
	"slices"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// toolCall writes a piece of a call, which it begins where it is new. A piece
// for a call that is done can only be space.
func (w *writer) toolCall(b []byte, piece *schema.ToolCall, at int) []byte {
	if piece.Index != nil {
		at = *piece.Index
	}
	c := w.calls[at]
	if c == nil {
		b = w.settle(b, nil)
		c = &call{openItem: w.next("fc"), name: piece.Function.Name, callID: piece.ID, custom: w.custom[piece.Function.Name]}
		if c.callID == "" {
			c.callID = itemID("call", w.response, at)
		}
		w.calls[at] = c
		b = w.add(b, c.openItem, c.item("in_progress"))
	}
	if piece.Function.Arguments == "" || c.done {
		return b
	}
	b = w.settle(b, c)
	c.arguments = append(c.arguments, piece.Function.Arguments...)
	if c.custom { // whose input is known once it is whole
		return b
	}
	b = w.itemEvent(b, eventArguments, c.openItem)
	return w.end(wire.AppendString(append(b, `,"delta":`...), piece.Function.Arguments))
}

// item is a call as an item.
func (c *call) item(status string) []byte {
	made := schema.ToolCall{ID: c.callID, Function: schema.FunctionCall{Name: c.name, Arguments: string(c.arguments)}}
	return appendCallItem(nil, c.id, &made, c.custom, status)
}

// closeCalls ends the calls but one whose arguments are whole, or all.
func (w *writer) closeCalls(b []byte, but *call, all bool) []byte {
	var due []*call
	for _, c := range w.calls {
		if !c.done && c != but && (all || gjson.ValidBytes(c.arguments)) {
			due = append(due, c)
		}
	}
	slices.SortFunc(due, func(x, y *call) int { return x.index - y.index })
	for _, c := range due {
		c.done = true
		b = w.done(w.callDone(b, c), c.openItem, c.item(w.itemStatus()))
	}
	return b
}

func (w *writer) callDone(b []byte, c *call) []byte {
	if len(c.arguments) == 0 {
		c.arguments = []byte("{}") // programs read them as JSON
	}
	if c.custom {
		input := customInput(string(c.arguments))
		b = w.itemEvent(b, eventCustomInput, c.openItem)
		b = w.end(wire.AppendString(append(b, `,"delta":`...), input))
		b = w.itemEvent(b, eventCustomDone, c.openItem)
		return w.end(wire.AppendString(append(b, `,"input":`...), input))
	}
	b = w.itemEvent(b, eventArgumentsDone, c.openItem)
	b = wire.AppendString(append(b, `,"name":`...), c.name)
	return w.end(wire.AppendString(append(b, `,"arguments":`...), string(c.arguments)))
}
