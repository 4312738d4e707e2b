package anthropic

import (
	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

// Follow is dialect.Follower's: it notes which block is open, for a delta
// belongs to an open block and to no other.
func (w *writer) Follow(f dialect.Frame, _ []schema.Chunk) {
	e := gjson.ParseBytes(f.Data)
	switch e.Get("type").Str {
	case "message_start":
		w.begun = true
		w.ID, w.Model = e.Get("message.id").Str, e.Get("message.model").Str
		w.end.id = w.ID
	case "content_block_start":
		w.index = int(e.Get("index").Int())
		switch e.Get("content_block.type").Str {
		case "text":
			w.open = textStep
		case "thinking":
			w.open = thinkingStep
		default:
			w.open = rawStep // anything but the kinds that are gone on with
		}
	case "content_block_stop":
		w.index, w.open = int(e.Get("index").Int())+1, noStep
	case "message_delta":
		w.told = w.told || e.Get("delta.stop_reason").Type == gjson.String
	}
}
