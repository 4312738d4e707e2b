package anthropic

import (
	"errors"
	"strconv"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// ownFields are the API's fields that OpenAI has not: they pass as they came.
var ownFields = map[string]bool{
	"cache_control": true, "compaction": true, "container": true, "context_management": true, "diagnostics": true,
	"fallback_credit_token": true, "fallbacks": true, "inference_geo": true, "mcp_servers": true, "speed": true, "thread": true,
}

// countFields are those of them that a count takes.
var countFields = map[string]bool{"cache_control": true, "compaction": true, "context_management": true, "mcp_servers": true, "speed": true}

// encodeCount is Count.Encode: the parts of a request that are read by the
// model. The rest is no loss to a count and is not named as dropped.
func encodeCount(req *schema.ChatRequest) (*dialect.Upstream, error) {
	e, err := translate(req)
	if err != nil {
		return nil, err
	}
	e.out = request{Model: e.out.Model, ToolChoice: e.out.ToolChoice, Thinking: e.out.Thinking, OutputConfig: e.out.OutputConfig}
	up, err := e.upstream(countPath, countFields)
	if err != nil {
		return nil, err
	}
	up.Dropped = nil
	return up, nil
}

// decodeCount is Count.Decode.
func decodeCount(body []byte) (int64, error) {
	if !gjson.ValidBytes(body) {
		return 0, wire.NotUnderstood(errors.New("it is not valid JSON"))
	}
	if gjson.GetBytes(body, "type").Str == "error" {
		return 0, decodeError(0, noHeader, body)
	}
	n := gjson.GetBytes(body, "input_tokens")
	tokens, err := strconv.ParseInt(n.Raw, 10, 64)
	if n.Type != gjson.Number || err != nil || tokens < 0 {
		return 0, wire.NotUnderstood(errors.New("input_tokens is missing"))
	}
	return tokens, nil
}

// spliceCount is Count.Splice: the provider's model.
func spliceCount(p *wire.Patch, raw []byte, h *schema.Head, model string) {
	splice(p, raw, h, model, 0)
}

// appendCount is Client.EncodeCount.
func appendCount(dst []byte, tokens int64) []byte {
	dst = append(dst, `{"input_tokens":`...)
	return append(strconv.AppendInt(dst, tokens, 10), '}')
}
