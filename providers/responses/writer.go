package responses

import (
	"strconv"

	openai "github.com/sashabaranov/go-openai"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// writer writes one stream for a client: items one after another, each with
// its parts, and at the end the whole response, for which all is kept. Calls
// that a provider tells at once stay open side by side.
type writer struct {
	dialect.StreamOptions
	response string // the answer's id
	tier     string
	finish   openai.FinishReason
	sequence int64
	began    bool
	ended    bool

	before int64 // characters of the texts before the open part

	items  []*openItem     // in the order of output_index
	open   *openItem       // the reasoning or the message that goes on
	calls  map[int]*call   // by the provider's index
	custom map[string]bool // names of the custom tools
}

// openItem is an item of the answer. Once it is done, whole is its JSON.
type openItem struct {
	index int
	id    string
	whole []byte

	reasoning bool
	text      []byte // of the reasoning or of the open part
	begun     bool   // the summary's part, or a part of the message
	refusal   bool   // the open part is one
	parts     int    // of the message that are done
	content   []byte // they, as a list's inside
	marks     []byte // annotations of the open part, likewise
	marked    int    // how many
	logprobs  []byte // of the open part, likewise
	runes     int64  // of the open part
}

// call is a call of a tool.
type call struct {
	*openItem
	name, callID string
	arguments    []byte
	custom       bool
	done         bool
}

func newWriter(o dialect.StreamOptions) dialect.StreamEncoder {
	return &writer{StreamOptions: o, calls: map[int]*call{}, custom: customNames(o.Request)}
}

// Chunk is dialect.StreamEncoder's.
func (w *writer) Chunk(b []byte, c *schema.Chunk) []byte {
	if !w.began {
		b = w.begin(b, c)
	}
	if c.ServiceTier != "" {
		w.tier = c.ServiceTier
	}
	for i := range c.Choices {
		if d := &c.Choices[i]; d.Index == 0 { // the API makes one answer
			b = w.delta(b, d)
		}
	}
	return b
}

// End is dialect.StreamEncoder's.
func (w *writer) End(b []byte, usage *schema.Usage) []byte {
	if !w.began {
		b = w.begin(b, &schema.Chunk{})
	}
	b = w.closeOpen(b)
	b = w.closeCalls(b, nil, true)
	w.ended = true
	e := w.envelope()
	e.ended(w.finish)
	e.usage = usage
	for _, item := range w.items {
		e.output = append(separated(e.output), item.whole...)
	}
	return w.lifecycle(b, "response."+e.status, &e)
}

func (w *writer) envelope() envelope {
	return envelope{id: w.response, model: w.Model, created: w.Created, tier: w.tier, status: "in_progress", req: w.Request}
}

// begin tells that the answer has begun, with what is known of it by then.
func (w *writer) begin(b []byte, c *schema.Chunk) []byte {
	w.began = true
	if c.ID != "" {
		w.ID = c.ID
	}
	if c.Model != "" {
		w.Model = c.Model
	}
	if c.Created != 0 {
		w.Created = c.Created
	}
	w.response, w.tier = responseID(w.ID), c.ServiceTier
	e := w.envelope()
	return w.lifecycle(w.lifecycle(b, eventCreated, &e), eventInProgress, &e)
}

// lifecycle tells of the response as a whole. What was asked stands in it as it
// came: line breaks between its values would end the event's line of data.
func (w *writer) lifecycle(b []byte, name string, e *envelope) []byte {
	b = w.event(b, name)
	from := len(b)
	b = e.appendTo(append(b, `,"response":`...))
	for i := from; i < len(b); i++ {
		if b[i] == '\n' || b[i] == '\r' {
			b[i] = ' '
		}
	}
	return w.end(b)
}

// event begins an event, up to its own fields.
func (w *writer) event(b []byte, name string) []byte {
	b = append(append(b, "event: "...), name...)
	b = append(append(b, "\ndata: {\"type\":\""...), name...)
	b = strconv.AppendInt(append(b, `","sequence_number":`...), w.sequence, 10)
	w.sequence++
	return b
}

func (w *writer) end(b []byte) []byte { return append(b, "}\n\n"...) }

// itemEvent begins an event of an item.
func (w *writer) itemEvent(b []byte, name string, item *openItem) []byte {
	b = w.event(b, name)
	b = wire.AppendString(append(b, `,"item_id":`...), item.id)
	return strconv.AppendInt(append(b, `,"output_index":`...), int64(item.index), 10)
}

// add begins an item; body is its JSON by then.
func (w *writer) add(b []byte, item *openItem, body []byte) []byte {
	w.items = append(w.items, item)
	return w.wholeItem(b, eventItemAdded, item, body)
}

// done ends an item.
func (w *writer) done(b []byte, item *openItem, body []byte) []byte {
	item.whole = body
	return w.wholeItem(b, eventItemDone, item, body)
}

func (w *writer) wholeItem(b []byte, name string, item *openItem, body []byte) []byte {
	b = w.event(b, name)
	b = strconv.AppendInt(append(b, `,"output_index":`...), int64(item.index), 10)
	return w.end(append(append(b, `,"item":`...), body...))
}

// itemStatus is that of an item that ends now: the last ones of an answer that
// is cut are cut themselves.
func (w *writer) itemStatus() string {
	var e envelope
	e.ended(w.finish)
	return e.status
}

// next is the next item.
func (w *writer) next(prefix string) *openItem {
	n := len(w.items)
	return &openItem{index: n, id: itemID(prefix, w.response, n)}
}

// delta takes a delta apart.
func (w *writer) delta(b []byte, d *schema.ChoiceDelta) []byte {
	if d.FinishReason != "" {
		w.finish = d.FinishReason
	}
	if d.Thinking != "" || d.Signature != "" || d.Redacted != "" {
		b = w.thought(b, d)
	}
	if d.Raw != nil && isItem(d.Raw) {
		b = w.settle(b, nil)
		item, raw := w.next(""), oneLine(d.Raw)
		b = w.done(w.add(b, item, raw), item, raw)
	}
	if d.Text != "" || d.Refusal != "" || len(d.Citations) > 0 {
		b = w.said(b, d)
	}
	for i := range d.ToolCalls {
		b = w.toolCall(b, &d.ToolCalls[i], i)
	}
	return b
}

// settle closes what something else follows: the open reasoning or message, and
// the calls but this one whose arguments are whole.
func (w *writer) settle(b []byte, but *call) []byte {
	return w.closeCalls(w.closeOpen(b), but, false)
}
