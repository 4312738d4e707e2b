package gateway

import (
	"bytes"
	"io"
	"strings"

	"sluice/providers"
	"sluice/providers/gemini"
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

// arrayFrames is a stream for Gemini's clients that did not ask for events: one
// JSON array, element by element.
type arrayFrames struct {
	*providers.Stream
	array   gemini.Array
	buf     []byte
	in      []byte // frames of which the last may not be whole
	pending []byte // of the array, not given yet
	ended   bool
}

func (f *arrayFrames) Read(p []byte) (int, error) {
	for len(f.pending) == 0 {
		if f.ended {
			return 0, io.EOF
		}
		n, err := f.Stream.Read(f.buf)
		f.in = append(f.in, f.buf[:n]...)
		whole := max(bytes.LastIndex(f.in, []byte("\n\n"))+2, bytes.LastIndex(f.in, []byte("\r\n\r\n"))+4)
		if whole > 3 {
			f.pending = append(f.array.Frames(f.pending[:0], f.in[:whole]), '\n') // a whole line, as other frames are
			f.in = f.in[:copy(f.in, f.in[whole:])]
		}
		if err == io.EOF || err == nil && f.Tally().Done {
			f.ended = true
			f.pending = f.array.End(f.pending)
		} else if err != nil {
			return 0, err
		}
	}
	n := copy(p, f.pending)
	f.pending = f.pending[n:]
	return n, nil
}

// EndEarly is the stream's, as elements.
func (f *arrayFrames) EndEarly(choices int, used schema.Usage) []byte {
	return f.array.Frames(nil, f.Stream.EndEarly(choices, used))
}

// Fail ends the array with the failure as its last element. What stands after the
// frames that were whole is left out.
func (f *arrayFrames) Fail(dst []byte, e *schema.Error, requestID string) (frames []byte, ok bool) {
	f.ended = true
	return f.array.End(f.array.Frames(dst, gemini.Dialect.Client.StreamError(nil, e, requestID))), true
}

// asArray is a whole stream of events as such an array.
func asArray(events []byte) []byte {
	var array gemini.Array
	return array.End(array.Frames(nil, events))
}

// streams tells whether a Gemini call wants a stream, and whether that is an
// array and not events: those come only with alt=sse.
func (c *Call) streams() (stream, array bool) {
	if !strings.HasSuffix(c.from.path, ":streamGenerateContent") {
		return false, false
	}
	return true, string(c.rc.QueryArgs().Peek("alt")) != "sse"
}
