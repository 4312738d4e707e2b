package responses

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	openai "github.com/sashabaranov/go-openai"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// envelope is a response object. Its fields beside the output are those of the
// request, which a client is told again, or what holds where it says nothing.
type envelope struct {
	id, model, tier string
	created         int64
	status          string // in_progress, completed, incomplete, failed
	reason          string // why it is incomplete
	failed          *schema.Error
	output          []byte              // the items, as a list's inside
	usage           *schema.Usage       // nil: not known yet
	req             *schema.ChatRequest // nil: not known
}

// responseID is an answer's id as one of this API.
func responseID(id string) string {
	if strings.HasPrefix(id, "resp_") {
		return id
	}
	return "resp_" + id
}

// ended sets status and reason by a finish reason.
func (e *envelope) ended(f openai.FinishReason) {
	e.status = "completed"
	switch f {
	case openai.FinishReasonLength:
		e.status, e.reason = "incomplete", "max_output_tokens"
	case openai.FinishReasonContentFilter:
		e.status, e.reason = "incomplete", "content_filter"
	}
}

func (e *envelope) appendTo(b []byte) []byte {
	b = append(b, `{"id":`...)
	b = wire.AppendString(b, responseID(e.id))
	b = append(b, `,"object":"response","created_at":`...)
	b = strconv.AppendInt(b, e.created, 10)
	b = wire.AppendString(append(b, `,"status":`...), e.status)
	b = append(b, `,"background":false,"error":`...)
	if e.failed != nil {
		b = wire.AppendString(append(b, `{"code":`...), responseCode(e.failed))
		b = append(wire.AppendString(append(b, `,"message":`...), e.failed.Message), '}')
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"incomplete_details":`...)
	if e.reason != "" {
		b = append(append(append(b, `{"reason":"`...), e.reason...), `"}`...)
	} else {
		b = append(b, "null"...)
	}
	b = wire.AppendString(append(b, `,"model":`...), e.model)
	b = append(append(append(b, `,"output":[`...), e.output...), ']')
	req := e.req
	if req == nil {
		req = &schema.ChatRequest{}
	}
	b = appendAsked(b, req)
	tier := e.tier
	if tier == "" {
		tier = "default"
	}
	b = wire.AppendString(append(b, `,"service_tier":`...), tier)
	b = append(b, `,"usage":`...)
	if e.usage == nil {
		return append(b, "null}"...)
	}
	return append(appendUsage(b, e.usage), '}')
}

// appendAsked writes what was asked, by the defaults of the API's reference.
func appendAsked(b []byte, req *schema.ChatRequest) []byte {
	number := func(name string, v *float64) {
		one := 1.0
		if v == nil {
			v = &one
		}
		b = wire.AppendFloat(b, name, v)
	}
	orNull := func(name string, v json.RawMessage) {
		if len(v) == 0 {
			v = json.RawMessage("null")
		}
		b = wire.AppendRaw(b, name, v)
	}
	b = wire.AppendOrNull(wire.AppendKey(b, "instructions"), instructionsOf(req))
	if req.MaxTokens != nil {
		b = wire.AppendInt(b, fieldMaxTokens, req.MaxTokens)
	} else {
		orNull(fieldMaxTokens, nil)
	}
	orNull("max_tool_calls", req.Extra["max_tool_calls"])
	orNull("previous_response_id", req.Extra["previous_response_id"])
	orNull("prompt", req.Extra["prompt"])
	b = wire.AppendOrNull(wire.AppendKey(b, "prompt_cache_key"), req.PromptCacheKey)
	b = wire.AppendOrNull(wire.AppendKey(b, "user"), req.User)
	number("temperature", req.Temperature)
	number("top_p", req.TopP)
	orNull("truncation", orElse(req.Extra["truncation"], `"disabled"`))
	b = strconv.AppendBool(wire.AppendKey(b, "parallel_tool_calls"), req.ParallelToolCalls == nil || *req.ParallelToolCalls)
	b = strconv.AppendBool(wire.AppendKey(b, "store"), req.Store == nil || *req.Store)
	b = appendAskedObjects(b, req)
	b = append(wire.AppendKey(b, "metadata"), '{')
	for _, name := range slices.Sorted(maps.Keys(req.Metadata)) {
		b = append(wire.AppendString(wire.AppendComma(b), name), ':')
		b = wire.AppendString(b, req.Metadata[name])
	}
	return append(b, '}')
}

// appendAskedObjects writes the tools, the choice among them, reasoning and
// text.
func appendAskedObjects(b []byte, req *schema.ChatRequest) []byte {
	e := encoder{req: req, own: true, custom: map[string]bool{}}
	b = append(wire.AppendKey(b, "tools"), '[')
	for i := range req.Tools {
		b = e.appendTool(b, &req.Tools[i])
	}
	b = append(b, ']')
	without := len(b)
	if b = e.appendToolChoice(b); len(b) == without {
		b = append(b, `,"tool_choice":"auto"`...)
	}
	effort, summary := "", ""
	if r := req.Reasoning; r != nil {
		effort = r.Effort
		if !r.Exclude {
			summary = "auto"
		}
	}
	b = wire.AppendOrNull(append(b, `,"reasoning":{"effort":`...), effort)
	b = append(wire.AppendOrNull(append(b, `,"summary":`...), summary), '}')
	f := req.ResponseFormat
	if f == nil {
		f = &schema.ResponseFormat{Type: "text"}
	}
	b = appendFormat(append(b, `,"text":{"format":`...), f)
	return append(wire.AppendText(b, "verbosity", req.Verbosity), '}')
}

func orElse(v json.RawMessage, otherwise string) json.RawMessage {
	if len(v) == 0 {
		return json.RawMessage(otherwise)
	}
	return v
}

func appendUsage(b []byte, u *schema.Usage) []byte {
	field := func(name string, n int64) { b = strconv.AppendInt(wire.AppendKey(b, name), n, 10) }
	b = append(b, '{')
	field("input_tokens", u.Input)
	b = append(wire.AppendKey(b, "input_tokens_details"), '{')
	field("cached_tokens", u.CachedInput)
	if u.CacheWrite > 0 {
		field("cache_write_tokens", u.CacheWrite)
	}
	b = append(b, '}')
	field("output_tokens", u.Output)
	b = append(wire.AppendKey(b, "output_tokens_details"), '{')
	field("reasoning_tokens", u.Reasoning)
	b = append(b, '}')
	field("total_tokens", u.Input+u.Output)
	return append(b, '}')
}

// appendCount is Client.EncodeCount: the answer of /responses/input_tokens.
func appendCount(dst []byte, tokens int64) []byte {
	dst = append(dst, `{"object":"response.input_tokens","input_tokens":`...)
	return append(strconv.AppendInt(dst, tokens, 10), '}')
}
