package responses

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// encoder writes one unified request.
type encoder struct {
	req     *schema.ChatRequest
	own     bool // the caller speaks this dialect, or none that is known
	custom  map[string]bool
	dropped wire.Dropped
}

// absent are the parameters of chat that the API has not.
var absent = []string{"n", "seed", "logit_bias", "frequency_penalty", "presence_penalty", "top_k", "min_p", "modalities", "audio", "prediction"}

// shared are the fields that Chat Completions has as well, by the same name, and
// those by which a caller of that API can reach what is this one's alone.
var shared = map[string]bool{"safety_identifier": true, "prompt_cache_retention": true, "prompt_cache_options": true,
	"previous_response_id": true, "conversation": true, "include": true, "truncation": true, "max_tool_calls": true,
	"background": true, "context_management": true}

// encode is Chat.Encode. What the API would keep for thirty days it is told not
// to, where the caller's own API does not keep it.
func encode(req *schema.ChatRequest) (*dialect.Upstream, error) {
	e := encoder{req: req, own: req.Dialect == "" || req.Dialect == Name, custom: map[string]bool{}}
	b := append(make([]byte, 0, 1<<10), '{')
	b = wire.AppendString(wire.AppendKey(b, "model"), req.Model)
	messages := req.Messages
	if text := instructionsOf(req); text != "" {
		b = wire.AppendText(b, "instructions", text)
		messages = messages[1:]
	}
	b, err := e.appendInput(wire.AppendKey(b, "input"), messages)
	if err != nil {
		return nil, err
	}
	b = e.appendTools(b)
	b = e.appendText(b)
	b = e.appendReasoning(b)
	b = e.appendInclude(b)
	b = e.appendSettings(b)
	b = e.appendExtra(b)
	e.dropped.Add(wire.Absent(req, absent...)...)
	if len(req.Stop) > 0 {
		e.dropped.Add("stop")
	}
	return &dialect.Upstream{Path: responsesPath, Body: append(b, '}'), Dropped: e.dropped}, nil
}

func (e *encoder) appendSettings(b []byte) []byte {
	req := e.req
	b = wire.AppendInt(b, fieldMaxTokens, req.MaxTokens)
	b = wire.AppendFloat(b, "temperature", req.Temperature)
	b = wire.AppendFloat(b, "top_p", req.TopP)
	b = wire.AppendInt(b, "top_logprobs", req.TopLogprobs)
	switch {
	case req.Store != nil:
		b = wire.AppendBool(b, "store", req.Store)
	case !e.own:
		b = append(wire.AppendKey(b, "store"), "false"...)
	}
	b = wire.AppendText(b, "user", user(req.User))
	b = wire.AppendText(b, "service_tier", req.ServiceTier)
	b = wire.AppendText(b, "prompt_cache_key", req.PromptCacheKey)
	if len(req.Metadata) > 0 {
		b = append(wire.AppendKey(b, "metadata"), '{')
		for _, name := range slices.Sorted(maps.Keys(req.Metadata)) {
			b = append(wire.AppendString(wire.AppendComma(b), name), ':')
			b = wire.AppendString(b, req.Metadata[name])
		}
		b = append(b, '}')
	}
	if req.Stream {
		b = append(wire.AppendKey(b, "stream"), "true"...)
	}
	return b
}

// appendText writes the field text.
func (e *encoder) appendText(b []byte) []byte {
	f := e.req.ResponseFormat
	if f == nil && e.req.Verbosity == "" {
		return b
	}
	b = append(wire.AppendKey(b, "text"), '{')
	if f != nil {
		b = appendFormat(wire.AppendKey(b, "format"), f)
	}
	return append(wire.AppendText(b, "verbosity", e.req.Verbosity), '}')
}

func appendFormat(b []byte, f *schema.ResponseFormat) []byte {
	b = wire.AppendText(append(b, '{'), "type", f.Type)
	if f.Schema != nil {
		name := f.Name
		if name == "" {
			name = "answer" // the API demands one
		}
		b = wire.AppendText(b, "name", name)
		b = wire.AppendText(b, "description", f.Description)
		b = wire.AppendRaw(b, "schema", f.Schema)
		b = wire.AppendBool(b, "strict", f.Strict)
	}
	return append(b, '}')
}

// appendReasoning writes the field reasoning. A budget of tokens becomes the
// effort that comes nearest. A summary is asked for where the caller's API
// shows thoughts; Chat Completions does not.
func (e *encoder) appendReasoning(b []byte) []byte {
	r := e.req.Reasoning
	if e.own && e.req.Extra["reasoning"] != nil {
		return wire.AppendRaw(b, "reasoning", e.req.Extra["reasoning"])
	}
	if r == nil {
		return b
	}
	effort := r.Effort
	switch {
	case effort == "max": // Anthropic's
		effort = "high"
	case effort == "" && r.Off:
		e.dropped.Add("thinking")
	case effort == "" && r.Budget != nil:
		effort = nearest(*r.Budget)
	}
	summary := !r.Exclude && !r.Off && e.req.Dialect != "openai"
	if effort == "" && !summary {
		return b
	}
	b = wire.AppendText(append(wire.AppendKey(b, "reasoning"), '{'), "effort", effort)
	if summary {
		b = wire.AppendText(b, "summary", "auto")
	}
	return append(b, '}')
}

func nearest(budget int64) string {
	switch {
	case budget <= 2048:
		return "low"
	case budget <= 16384:
		return "medium"
	}
	return "high"
}

// reasoner is what the names of OpenAI's and xAI's reasoning models look like:
// others refuse to be asked for encrypted reasoning.
var reasoner = regexp.MustCompile(`(^|[/.])(o[1-9]|gpt-([5-9]|[1-9]\d)|codex|grok)`)

// appendInclude asks for encrypted reasoning, without which no reasoning could
// come back in the next turn, and for logprobs.
func (e *encoder) appendInclude(b []byte) []byte {
	if e.own && e.req.Extra["include"] != nil {
		return wire.AppendRaw(b, "include", e.req.Extra["include"])
	}
	var list []string
	if reasoner.MatchString(e.req.Model) && !strings.Contains(e.req.Model, "-chat") {
		list = append(list, includeEncrypted)
	}
	if e.req.Logprobs != nil && *e.req.Logprobs {
		list = append(list, includeLogprobs)
	}
	return wire.AppendTexts(b, "include", list)
}

// appendExtra writes the fields that have no place in the unified form.
func (e *encoder) appendExtra(b []byte) []byte {
	if wire.Foreign(e.req, Name) {
		e.dropped.Add(slices.Sorted(maps.Keys(e.req.Extra))...)
		return b
	}
	if !e.own {
		b, others := wire.AppendOwn(b, e.req.Extra, shared)
		e.dropped.Add(others...)
		return b
	}
	for _, name := range slices.Sorted(maps.Keys(e.req.Extra)) {
		switch name {
		case "reasoning", "include", "tool_choice": // written before
		default:
			b = append(wire.AppendString(wire.AppendComma(b), name), ':')
			b = append(b, e.req.Extra[name]...)
		}
	}
	return b
}
