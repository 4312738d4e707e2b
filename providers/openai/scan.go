package openai

import (
	"bytes"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/wire"
)

var done = []byte("[DONE]")

// scanner looks at the frames of a raw stream. Most frames hold neither usage
// nor an end, and are only measured.
type scanner struct {
	wantsUsage bool
	texts      bool // the stream is a text completion's
	ends
	joined []byte
}

// Scan is dialect.Scanner's.
func (s *scanner) Scan(frame []byte, t *dialect.Tally) (keep bool, err error) {
	name, data, ok := wire.Event(frame)
	if !ok {
		if data, ok = wire.JoinData(s.joined[:0], frame); !ok {
			return true, nil // a comment
		}
		s.joined = data
	}
	if bytes.Equal(bytes.TrimSpace(data), done) {
		t.Done = true
		return true, nil
	}
	if err := wire.Torn(data); err != nil {
		return false, err
	}
	f := measure(data, t, s.texts)
	if f.fault || name != "" {
		if err := frameError(name, data); err != nil {
			return false, err
		}
	}
	if f.finish {
		s.finished(gjson.Parse(wire.View(data)), t)
	} else if !f.first {
		s.others(gjson.Parse(wire.View(data)))
	}
	if f.usage {
		return s.usage(gjson.Parse(wire.View(data)), t), nil
	}
	return true, nil
}

// usage takes in a chunk's usage. The chunk that holds nothing else is only for
// callers who asked for it.
func (s *scanner) usage(chunk gjson.Result, t *dialect.Tally) (keep bool) {
	u := chunk.Get("usage")
	if !u.IsObject() {
		if u = chunk.Get("x_groq.usage"); !u.IsObject() {
			return true
		}
	}
	t.Usage.Merge(usageOf(u, chunk.Get("service_tier").Str))
	choices := chunk.Get("choices")
	return s.wantsUsage || !choices.IsArray() || len(choices.Array()) > 0
}

// ends keeps which choices were begun and which have finished.
type ends struct{ begun, over uint64 }

// Ended is dialect.Ender's: not every host sends [DONE].
func (e *ends) Ended() bool { return e.over != 0 && e.begun&^e.over == 0 }

func (e *ends) finished(chunk gjson.Result, t *dialect.Tally) {
	each(chunk.Get("choices"), func(choice gjson.Result) {
		i := choice.Get("index").Int()
		e.begin(i)
		if f := choice.Get("finish_reason").Str; f != "" {
			e.end(i)
			if i == 0 {
				t.Finish = string(finishReason(f))
			}
		}
	})
}

// others notes the choices beside the first, of which a chunk tells.
func (e *ends) others(chunk gjson.Result) {
	each(chunk.Get("choices"), func(choice gjson.Result) { e.begin(choice.Get("index").Int()) })
}

func (e *ends) begin(choice int64) { e.begun |= 1 << uint64(choice&63) }
func (e *ends) end(choice int64)   { e.over |= 1 << uint64(choice&63) }

// found is what a chunk's keys say without a look at most of their values:
// which of them are there with another value than null, and whether it tells
// of the first choice.
type found struct{ fault, finish, usage, first bool }

// measure walks the keys of a chunk once and measures the text among their
// values, escapes and all. It goes from quote to quote, which is what makes it
// cheap: strings are most of a chunk. texts says that the text of a choice is
// its field text.
func measure(data []byte, t *dialect.Tally, texts bool) (f found) {
	for {
		i := bytes.IndexByte(data, '"')
		if i < 0 {
			return f
		}
		data = data[i+1:]
		n := wire.StringEnd(data)
		key := data[:n]
		if data = data[min(n+1, len(data)):]; len(data) == 0 {
			return f
		}
		if data[0] != ':' {
			if data[0] != ' ' {
				continue
			}
			if data = bytes.TrimLeft(data, " "); len(data) == 0 || data[0] != ':' {
				continue
			}
		}
		if data = data[1:]; len(data) > 0 && data[0] == ' ' {
			data = bytes.TrimLeft(data, " ")
		}
		if len(data) == 0 {
			return f
		}
		given := data[0] != 'n'
		switch string(key) {
		case "error":
			f.fault = f.fault || given
		case "finish_reason":
			f.finish = f.finish || given
		case "usage":
			f.usage = f.usage || given
		case "index":
			f.first = f.first || data[0] == '0'
		}
		if data[0] != '"' {
			continue
		}
		data = data[1:]
		n = wire.StringEnd(data)
		switch string(key) {
		case "content", "arguments", "reasoning_content", "reasoning":
			t.Text.Add(data[:n])
		case "text":
			if texts {
				t.Text.Add(data[:n])
			}
		}
		data = data[min(n+1, len(data)):]
	}
}
