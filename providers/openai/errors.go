package openai

import (
	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// frameError is the failure that a frame of a stream tells, or nil.
func frameError(event string, data []byte) error {
	root := gjson.Parse(wire.View(data))
	inner := root.Get("error")
	if !inner.Exists() || inner.Type == gjson.Null || inner.Type == gjson.False {
		if event != "error" {
			return nil
		}
	}
	e := wire.DecodeError(wire.StatusOf(root, 502), func(string) string { return "" }, data)
	e.UpstreamStatus = 200 // what the answer's head said
	return e
}

func appendStreamError(dst []byte, e *schema.Error, requestID string) []byte {
	dst = append(dst, "data: "...)
	dst = wire.AppendError(dst, e, requestID)
	return append(dst, '\n', '\n')
}
