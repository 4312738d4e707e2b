package gemini

import (
	"bytes"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// scanner looks at the frames of a raw stream. All of them go to the caller.
type scanner struct {
	ends
	calls  bool // the first candidate called a function
	joined []byte
}

// Scan is dialect.Scanner's.
func (s *scanner) Scan(frame []byte, t *dialect.Tally) (keep bool, err error) {
	_, data, ok := wire.Event(frame)
	if !ok {
		if data, ok = wire.JoinData(s.joined[:0], frame); !ok {
			// A failure in the midst of a stream may come without "data:".
			if bare := bytes.TrimSpace(frame); bytes.HasPrefix(bare, []byte("{")) && gjson.GetBytes(bare, "error").IsObject() {
				return false, bodyError(bare)
			}
			return true, nil // a comment
		}
		s.joined = data
	}
	if err := wire.Torn(data); err != nil {
		return false, err
	}
	root := gjson.Parse(wire.View(data))
	if root.Get("error").IsObject() {
		return false, bodyError(data)
	}
	if usage, _ := readUsage(root); usage.Source == schema.UsageReported {
		t.Usage.Merge(usage)
	}
	at := 0
	each(root.Get("candidates"), func(c gjson.Result) {
		s.candidate(c, at, t)
		at++
	})
	if at == 0 && root.Get("promptFeedback.blockReason").Exists() {
		s.end(0)
		t.Finish = "content_filter"
	}
	return true, nil
}

func (s *scanner) candidate(c gjson.Result, at int, t *dialect.Tally) {
	if i := c.Get("index"); i.Type == gjson.Number {
		at = int(i.Int())
	}
	s.begin(at)
	measure(c, t)
	s.calls = s.calls || at == 0 && hasCalls(c)
	if reason := finish(c.Get("finishReason").Str, s.calls); reason != "" {
		s.end(at)
		if at == 0 {
			t.Finish = string(reason)
		}
	}
}
