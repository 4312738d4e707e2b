package gateway

import (
	"strings"

	"sluice/providers/schema"
)

// geminiMethods are the operations behind the methods of a Gemini model.
var geminiMethods = map[string]schema.Operation{
	"generateContent":       schema.OpChat,
	"streamGenerateContent": schema.OpChat,
	"countTokens":           schema.OpCount,
	"embedContent":          schema.OpEmbed,
	"batchEmbedContents":    schema.OpEmbed,
}

// serveGemini is a call below /v1beta/models/: MODEL:METHOD, or MODEL alone to
// read of it. The model's name may hold slashes and colons.
func (c *Call) serveGemini(rest string) error {
	i := strings.LastIndexByte(rest, ':')
	if i < 0 {
		return c.allow("GET", func(c *Call) error { return c.serveOneModel(rest) })
	}
	op, ok := geminiMethods[rest[i+1:]]
	if !ok || i == 0 {
		return errNotFound(c.from.path)
	}
	return c.allow("POST", func(c *Call) error { return c.serveModel(op, rest[:i]) })
}

// streams tells whether a Gemini call wants events; asked for without alt=sse,
// a stream is one JSON array, which is given whole.
func (c *Call) streams() (events, array bool) {
	if !strings.HasSuffix(c.from.path, ":streamGenerateContent") {
		return false, false
	}
	events = string(c.rc.QueryArgs().Peek("alt")) == "sse"
	return events, !events
}
