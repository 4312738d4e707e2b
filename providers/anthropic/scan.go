package anthropic

import (
	"bytes"
	"encoding/json"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

var (
	keyType   = []byte(`"type"`)
	kindDelta = []byte("content_block_delta")
	// textKeys are the deltas' fields that hold what the model wrote. A key's
	// closing quote cannot stand so within a string.
	textKeys = [][]byte{[]byte(`"text":`), []byte(`"thinking":`), []byte(`"partial_json":`)}
)

// scanner looks at the frames of a raw stream. All but a few are deltas, of
// which nothing is read but how long their text is.
type scanner struct {
	data  []byte
	usage usage
	calls bool // the model calls a tool of the caller
}

func newScanner(bool) dialect.Scanner { return &scanner{} }

// Scan is dialect.Scanner's. Every frame is for the caller.
func (s *scanner) Scan(frame []byte, t *dialect.Tally) (keep bool, err error) {
	data, some := wire.JoinData(s.data[:0], frame)
	s.data = data
	if !some {
		return true, nil // a comment
	}
	if err := wire.Torn(data); err != nil {
		return false, err
	}
	if bytes.Equal(firstType(data), kindDelta) {
		for _, key := range textKeys {
			addText(data, key, &t.Text)
		}
		return true, nil
	}
	root := gjson.Parse(wire.View(data))
	switch root.Get("type").Str {
	case "message_start":
		return true, s.merge(root.Get("message.usage"), t)
	case "content_block_start":
		s.calls = s.calls || root.Get("content_block.type").Str == "tool_use"
	case "content_block_delta": // of a server that puts its keys in another order
		root.Get("delta").ForEach(func(_, v gjson.Result) bool {
			if v.Type == gjson.String && len(v.Raw) > 2 {
				t.Text.Add([]byte(v.Raw[1 : len(v.Raw)-1]))
			}
			return true
		})
	case "message_delta":
		if reason := root.Get("delta.stop_reason"); reason.Type == gjson.String {
			t.Finish = string(Finish(reason.Str, s.calls))
		}
		return true, s.merge(root.Get("usage"), t)
	case "message_stop":
		t.Done = true
	case "error":
		return false, decodeError(0, noHeader, data)
	}
	return true, nil
}

// merge takes in a step of the usage.
func (s *scanner) merge(v gjson.Result, t *dialect.Tally) error {
	if !v.IsObject() {
		return nil
	}
	var step usage
	if err := json.Unmarshal([]byte(v.Raw), &step); err != nil {
		return wire.NotUnderstood(err)
	}
	s.usage.merge(&step)
	t.Usage = s.usage.unified()
	return nil
}

// firstType is the value of the first key "type" in an event: the event's own,
// as every known server writes it.
func firstType(data []byte) []byte {
	i := bytes.Index(data, keyType)
	if i < 0 {
		return nil
	}
	data = bytes.TrimLeft(data[i+len(keyType):], ": ")
	if len(data) == 0 || data[0] != '"' {
		return nil
	}
	return data[1 : 1+wire.StringEnd(data[1:])]
}

// addText measures the string values of a key, escapes and all.
func addText(data, key []byte, m *schema.TextMeter) {
	i := bytes.Index(data, key)
	if i < 0 {
		return
	}
	data = bytes.TrimLeft(data[i+len(key):], " ")
	if len(data) > 0 && data[0] == '"' {
		m.Add(data[1 : 1+wire.StringEnd(data[1:])])
	}
}

// rawUsage is Chat.Usage: usage and finish reason of a whole raw answer.
func rawUsage(body []byte, t *dialect.Tally) error {
	if !gjson.ValidBytes(body) {
		return wire.NotUnderstood(nil)
	}
	root := gjson.Parse(wire.View(body))
	switch root.Get("type").Str {
	case "error":
		return decodeError(0, noHeader, body)
	case "message":
	default:
		return wire.NotUnderstood(nil)
	}
	s := scanner{}
	if err := s.merge(root.Get("usage"), t); err != nil {
		return err
	}
	each(root.Get("content"), func(b gjson.Result) {
		s.calls = s.calls || b.Get("type").Str == "tool_use"
		if t.Usage.Source != schema.UsageReported {
			for _, name := range []string{"text", "thinking", "name"} {
				t.Text.Add([]byte(b.Get(name).Str))
			}
			t.Text.Add([]byte(b.Get("input").Raw))
		}
	})
	t.Finish = string(Finish(root.Get("stop_reason").Str, s.calls))
	return nil
}
