package gemini

import (
	"fmt"
	"maps"
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// encodeCount is Count.Encode. The Gemini API counts a system instruction and
// tools only if the request that is counted is given whole, wrapped; Vertex
// takes them as they are.
func (q Quirks) encodeCount(req *schema.ChatRequest) (*dialect.Upstream, error) {
	e, err := q.translate(req)
	if err != nil {
		return nil, err
	}
	body := map[string]any{}
	for _, name := range []string{"contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "cachedContent"} {
		if v, ok := e.body[name]; ok && (!q.Vertex || name != "toolConfig" && name != "cachedContent") {
			body[name] = v
		}
	}
	if !q.Vertex {
		inner := maps.Clone(body)
		inner["model"] = q.resource(req.Model)
		body = map[string]any{"generateContentRequest": inner}
	}
	raw, err := wire.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("cannot encode request to count for model %q: %w", req.Model, err)
	}
	return &dialect.Upstream{Path: q.Path(req.Model, "countTokens"), Body: raw}, nil
}

// decodeCount is Count.Decode.
func decodeCount(body []byte) (int64, error) {
	if !wire.Valid(body) {
		return 0, wire.NotAnswer("the provider's answer is not valid JSON")
	}
	root := gjson.ParseBytes(body)
	if root.Get("error").IsObject() {
		return 0, bodyError(body)
	}
	n := root.Get("totalTokens")
	if n.Type != gjson.Number {
		return 0, wire.NotAnswer("the provider's answer has no totalTokens")
	}
	return count(n), nil
}

// encodeTokens is Client.EncodeCount.
func encodeTokens(b []byte, tokens int64) []byte {
	return append(strconv.AppendInt(append(b, `{"totalTokens":`...), tokens, 10), '}')
}
