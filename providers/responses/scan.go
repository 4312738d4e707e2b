package responses

import (
	"bytes"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// scanner looks at the frames of a raw stream. All but the last few are deltas
// and are only measured.
type scanner struct {
	joined []byte
	calls  bool

	head   envelope // what response.created said of the answer; no id: it did not come yet
	first  int64    // its number
	events int64    // since, it included
	ended  bool
}

var (
	keyDelta     = []byte(`"delta":`)
	functionCall = []byte(itemCall)
)

// Scan is dialect.Scanner's.
func (s *scanner) Scan(frame []byte, t *dialect.Tally) (keep bool, err error) {
	name, data, ok := wire.Event(frame)
	if !ok {
		if data, ok = wire.JoinData(s.joined[:0], frame); !ok {
			return true, nil // a comment
		}
		s.joined = data
	}
	if err := wire.Torn(data); err != nil {
		return false, err
	}
	if name == "" { // hosts that leave the event's name to its data
		name = gjson.Get(wire.View(data), "type").Str
	}
	if name != eventFailed && name != eventError { // which are not passed on
		s.events++
	}
	switch name {
	case eventText, eventArguments, eventCustomInput, eventSummary, eventReasoning, eventRefusal:
		t.Text.Add(delta(data))
	case eventCreated:
		s.created(gjson.Parse(wire.View(data)))
	case eventItemAdded:
		s.calls = s.calls || bytes.Contains(data, functionCall) && gjson.Get(wire.View(data), "item.type").Str == itemCall
	case eventCompleted, eventIncomplete:
		s.ended = true
		s.completed(gjson.Get(wire.View(data), "response"), t)
	case eventFailed:
		return false, failure(gjson.Get(wire.View(data), "response"))
	case eventError:
		return false, failure(gjson.Parse(wire.View(data)))
	}
	return true, nil
}

func (s *scanner) created(event gjson.Result) {
	r := event.Get("response")
	s.head = envelope{id: strings.Clone(r.Get("id").Str), model: strings.Clone(r.Get("model").Str), created: r.Get("created_at").Int()}
	s.first, s.events = event.Get("sequence_number").Int(), 1
}

// Fail is dialect.Failer's.
func (s *scanner) Fail(dst []byte, e *schema.Error, requestID string) []byte {
	if s.head.id == "" {
		return appendStreamError(dst, e, requestID)
	}
	w := writer{response: s.head.id, sequence: s.first + s.events, ended: s.ended}
	w.Model, w.Created = s.head.model, s.head.created
	return w.Fail(dst, e, requestID)
}

func (s *scanner) completed(response gjson.Result, t *dialect.Tally) {
	if response.Get("usage").IsObject() {
		t.Usage.Merge(usageOf(response))
	}
	t.Finish, t.Done = string(finish(response, s.calls)), true
}

// delta is the text of a delta, escapes and all.
func delta(data []byte) []byte {
	i := bytes.Index(data, keyDelta)
	if i < 0 {
		return nil
	}
	data = bytes.TrimLeft(data[i+len(keyDelta):], " ")
	if len(data) == 0 || data[0] != '"' {
		return nil
	}
	return data[1 : 1+wire.StringEnd(data[1:])]
}
