package cohere

import (
	"maps"
	"slices"
	"strings"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// ownFields are the API's fields that OpenAI has not: they pass as they came.
var ownFields = map[string]bool{
	"documents": true, "safety_mode": true, "citation_options": true, "strict_tools": true,
	"raw_prompting": true, "priority": true, "k": true, "p": true, "stop_sequences": true,
}

// encoder is the state of one translation.
type encoder struct {
	req       *schema.ChatRequest
	reasons   bool     // the model thinks by itself
	documents [][]byte // made of the turns' text documents
	tools     int      // written
	dropped   wire.Dropped
}

// own tells whether the caller set one of the API's own fields.
func (e *encoder) own(name string) bool {
	return ownFields[name] && !wire.Foreign(e.req, Name) && wire.Says(e.req.Extra[name])
}

// encode is Chat.Encode.
func encode(req *schema.ChatRequest) (*dialect.Upstream, error) {
	e := &encoder{req: req, reasons: reasons(req.Model)}
	b := append(make([]byte, 0, 1<<10), `{"model":`...)
	b = wire.AppendString(b, req.Model)
	b, err := e.appendMessages(wire.AppendKey(b, "messages"))
	if err != nil {
		return nil, err
	}
	b = e.appendDocuments(b)
	b = e.appendTools(b)
	b = e.appendFormat(b)
	b = e.appendSampling(b)
	b = e.appendThinking(b)
	if req.Stream {
		b = append(b, `,"stream":true`...)
	} else {
		b = append(b, `,"stream":false`...)
	}
	b = e.appendExtra(b)
	e.dropped.Add(wire.Absent(req, "n", "top_logprobs", "logit_bias", "min_p", "modalities", "audio", "prediction", "store",
		"verbosity", "prompt_cache_key", "service_tier", "user", "metadata", "parallel_tool_calls")...)
	return &dialect.Upstream{Path: "/v2/chat", Body: append(b, '}'), Dropped: e.dropped}, nil
}

// reasons tells whether a model is one of the hybrids, which alone take the
// field thinking.
func reasons(model string) bool {
	return strings.Contains(model, "reasoning") || strings.Contains(model, "command-a-plus")
}

// appendSampling writes limits and sampling within the API's ranges: p from
// 0.01 to 0.99, penalties from 0 to 1 and not both of them.
func (e *encoder) appendSampling(b []byte) []byte {
	req := e.req
	b = wire.AppendInt(b, "max_tokens", req.MaxTokens)
	b = wire.AppendFloat(b, "temperature", req.Temperature)
	if req.TopP != nil && !e.own("p") {
		p := min(max(*req.TopP, 0.01), 0.99)
		b = wire.AppendFloat(b, "p", &p)
	}
	if !e.own("k") {
		b = wire.AppendInt(b, "k", req.TopK)
	}
	b, frequent := e.appendPenalty(b, "frequency_penalty", req.FrequencyPenalty)
	if frequent && req.PresencePenalty != nil && *req.PresencePenalty != 0 {
		e.dropped.Add("presence_penalty")
	} else {
		b, _ = e.appendPenalty(b, "presence_penalty", req.PresencePenalty)
	}
	switch {
	case req.Seed == nil:
	case *req.Seed < 0:
		e.dropped.Add("seed")
	default:
		b = wire.AppendInt(b, "seed", req.Seed)
	}
	if req.Logprobs != nil && *req.Logprobs {
		b = wire.AppendBool(b, "logprobs", req.Logprobs)
	}
	if e.own("stop_sequences") {
		return b
	}
	const mostStops = 5
	if len(req.Stop) > mostStops {
		e.dropped.Add("stop")
	}
	return wire.AppendTexts(b, "stop_sequences", req.Stop[:min(len(req.Stop), mostStops)])
}

// appendPenalty writes a penalty; set says that one counts.
func (e *encoder) appendPenalty(b []byte, name string, value *float64) (out []byte, set bool) {
	if value == nil || *value == 0 {
		return b, false
	}
	penalty := min(max(*value, 0), 1)
	if penalty != *value {
		e.dropped.Add(name)
	}
	return wire.AppendFloat(b, name, &penalty), penalty != 0
}

// budgets are the thinking budgets for OpenAI's words of effort; the API has
// budgets alone, and none is as much as the model likes.
var budgets = map[string]int64{"minimal": 512, "low": 2048, "medium": 8192}

// appendThinking writes thinking, for models that have it.
func (e *encoder) appendThinking(b []byte) []byte {
	r := e.req.Reasoning
	switch {
	case r == nil:
		return b
	case !e.reasons:
		e.dropped.Add(wire.Absent(e.req, "reasoning_effort")...)
		return b
	case r.Off:
		return append(b, `,"thinking":{"type":"disabled"}`...)
	}
	budget := r.Budget
	if n, ok := budgets[r.Effort]; ok && budget == nil {
		budget = &n
	}
	if budget != nil && *budget < 1 {
		return append(b, `,"thinking":{"type":"disabled"}`...)
	}
	b = append(b, `,"thinking":{"type":"enabled"`...)
	return append(wire.AppendInt(b, "token_budget", budget), '}')
}

// appendExtra writes the caller's own Cohere fields and names the others.
func (e *encoder) appendExtra(b []byte) []byte {
	for _, name := range slices.Sorted(maps.Keys(e.req.Extra)) {
		switch {
		case name == "documents" && e.own(name), name == "strict_tools" && e.own(name): // written where they belong
		case e.own(name):
			b = wire.AppendRaw(b, name, e.req.Extra[name])
		case wire.Says(e.req.Extra[name]):
			e.dropped.Add(name)
		}
	}
	return b
}
