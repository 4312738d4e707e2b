package bedrock

import (
	"encoding/json"
	"fmt"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// encodeCount is Count.Encode. CountTokens knows foundation models, not the
// inference profiles by which they are called (recorded: "The provided model
// doesn't support counting tokens" for us.anthropic…).
func encodeCount(req *schema.ChatRequest) (*dialect.Upstream, error) {
	e, err := translate(req)
	if err != nil {
		return nil, err
	}
	body := e.appendPrompt([]byte(`{"input":{"converse":{`))
	if thinking := e.more["thinking"]; thinking != nil {
		body = append(wire.AppendRaw(append(wire.AppendKey(body, "additionalModelRequestFields"), '{'), "thinking", thinking), '}')
	}
	return &dialect.Upstream{Path: modelPath(baseModel(req.Model), "count-tokens"), Body: append(body, "}}}"...), Dropped: e.dropped}, nil
}

// decodeCount is Count.Decode.
func decodeCount(body []byte) (int64, error) {
	var a struct {
		Tokens *int64 `json:"inputTokens"`
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return 0, wire.NotUnderstood(err)
	}
	if a.Tokens == nil || *a.Tokens < 0 {
		return 0, wire.NotUnderstood(fmt.Errorf("there is no inputTokens"))
	}
	return *a.Tokens, nil
}
