package billing

import (
	"encoding/json"
	"strconv"
)

// jsonText is JSON in the making, indented as json.MarshalIndent does it. That
// would write it three times over, which takes long for tens of thousands of
// lines.
type jsonText struct {
	b     []byte
	depth int
	bare  bool // nothing is in the object or array yet
	err   error
}

// next begins an element of an array.
func (t *jsonText) next() {
	if !t.bare {
		t.b = append(t.b, ',')
	}
	t.bare = false
	t.line()
}

func (t *jsonText) line() {
	t.b = append(t.b, '\n')
	for range t.depth {
		t.b = append(t.b, "  "...)
	}
}

// name begins a field of an object.
func (t *jsonText) name(name string) {
	t.next()
	t.b = append(append(append(t.b, '"'), name...), `": `...)
}

func (t *jsonText) open(c byte) {
	t.b = append(t.b, c)
	t.depth++
	t.bare = true
}

func (t *jsonText) close(c byte) {
	t.depth--
	if !t.bare {
		t.line()
	}
	t.b, t.bare = append(t.b, c), false
}

func (t *jsonText) text(name, value string) {
	t.name(name)
	t.b = appendString(t.b, value)
}

func (t *jsonText) number(name string, n int64) {
	t.name(name)
	t.b = strconv.AppendInt(t.b, n, 10)
}

func (t *jsonText) money(name string, n Nano) {
	t.name(name)
	t.b = append(n.AppendTo(append(t.b, '"')), '"')
}

func (t *jsonText) texts(name string, values []string) {
	t.name(name)
	if values == nil {
		t.b = append(t.b, "null"...)
		return
	}
	t.open('[')
	for _, v := range values {
		t.next()
		t.b = appendString(t.b, v)
	}
	t.close(']')
}

// any is for what there is little of.
func (t *jsonText) any(name string, value any) {
	t.name(name)
	prefix := make([]byte, 2*t.depth)
	for i := range prefix {
		prefix[i] = ' '
	}
	text, err := json.MarshalIndent(value, string(prefix), "  ")
	if err != nil {
		t.err = err
	}
	t.b = append(t.b, text...)
}

// json is what json.MarshalIndent gives, and a line's end.
func (v *Invoice) json() ([]byte, error) {
	const line = 400 // bytes of a usual one
	lines := 8
	for i := range v.Sections {
		lines += len(v.Sections[i].Lines) + 2*len(v.Sections[i].Corrections)
	}
	t := &jsonText{b: make([]byte, 0, lines*line)}
	t.open('{')
	t.text("number", v.Number)
	t.text("team", v.Team)
	t.text("month", v.Month)
	t.any("from", v.From)
	t.any("to", v.To)
	t.text("time_zone", v.TimeZone)
	t.any("preliminary", v.Preliminary)
	t.texts("by", v.By)
	t.name("sections")
	if v.Sections == nil {
		t.b = append(t.b, "null"...)
	} else {
		t.open('[')
		for i := range v.Sections {
			t.next()
			v.Sections[i].json(t)
		}
		t.close(']')
	}
	t.money("total_usd", v.Total)
	t.text("rounded_usd", v.Rounded)
	t.close('}')
	return append(t.b, '\n'), t.err
}

func (s *Section) json(t *jsonText) {
	t.open('{')
	t.text("team", s.Team)
	if s.Parent != "" {
		t.text("parent", s.Parent)
	}
	t.name("lines")
	if s.Lines == nil {
		t.b = append(t.b, "null"...)
	} else {
		t.open('[')
		for i := range s.Lines {
			t.next()
			s.Lines[i].json(t)
		}
		t.close(']')
	}
	t.any("corrections", s.Corrections)
	t.money("subtotal_usd", s.Subtotal)
	t.close('}')
}

func (l *InvoiceLine) json(t *jsonText) {
	t.open('{')
	t.texts("values", l.Values)
	t.number("calls", l.Calls)
	t.number("input_tokens", l.InputTokens)
	t.number("cached_input_tokens", l.CachedInputTokens)
	t.number("cache_write_tokens", l.CacheWriteTokens)
	t.number("output_tokens", l.OutputTokens)
	t.number("reasoning_tokens", l.ReasoningTokens)
	t.money("usd_per_call", l.PerCall)
	t.money("usd_per_million_tokens", l.PerMillion)
	t.money("usd", l.USD)
	t.close('}')
}
