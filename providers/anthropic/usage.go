package anthropic

import (
	"strconv"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// usage is the API's usage object. In a stream it comes in steps: what a step
// does not name is nil and keeps its value.
type usage struct {
	InputTokens   *int64 `json:"input_tokens"`
	CacheCreation *int64 `json:"cache_creation_input_tokens"`
	CacheRead     *int64 `json:"cache_read_input_tokens"`
	OutputTokens  *int64 `json:"output_tokens"`
	ByAge         *struct {
		FiveMinutes int64 `json:"ephemeral_5m_input_tokens"`
		Hour        int64 `json:"ephemeral_1h_input_tokens"`
	} `json:"cache_creation"`
	Details *struct {
		Thinking int64 `json:"thinking_tokens"`
	} `json:"output_tokens_details"`
	ServiceTier string `json:"service_tier"`
	Speed       string `json:"speed"` // standard or fast, which has prices of its own (page fast-mode)
}

// speedFast is the speed of fast mode.
const speedFast = "fast"

// merge takes over what v names.
func (u *usage) merge(v *usage) {
	if v == nil {
		return
	}
	set := func(dst **int64, n *int64) {
		if n != nil {
			*dst = n
		}
	}
	set(&u.InputTokens, v.InputTokens)
	set(&u.CacheCreation, v.CacheCreation)
	set(&u.CacheRead, v.CacheRead)
	set(&u.OutputTokens, v.OutputTokens)
	if v.ByAge != nil {
		u.ByAge = v.ByAge
	}
	if v.Details != nil {
		u.Details = v.Details
	}
	if v.ServiceTier != "" {
		u.ServiceTier = v.ServiceTier
	}
	if v.Speed != "" {
		u.Speed = v.Speed
	}
}

// unified adds up what the API counts apart: input_tokens are only those that
// were neither read from the cache nor written to it.
func (u *usage) unified() schema.Usage {
	value := func(n *int64) int64 {
		if n == nil || *n < 0 {
			return 0
		}
		return *n
	}
	out := schema.Usage{
		CachedInput: value(u.CacheRead),
		CacheWrite:  value(u.CacheCreation),
		Output:      value(u.OutputTokens),
	}
	if u.ByAge != nil {
		out.CacheWrite = max(out.CacheWrite, u.ByAge.FiveMinutes+u.ByAge.Hour)
		out.CacheWrite1h = u.ByAge.Hour
	}
	if u.Details != nil {
		out.Reasoning = u.Details.Thinking
	}
	out.Input = value(u.InputTokens) + out.CachedInput + out.CacheWrite
	if out.Tier = schema.Tier(u.ServiceTier); u.Speed == speedFast {
		out.Tier = speedFast
	}
	if u.InputTokens != nil || u.OutputTokens != nil {
		out.Source = schema.UsageReported
	}
	return out
}

// appendUsage writes a usage object, which counts what came from the cache and
// went into it beside the input.
func appendUsage(b []byte, u *schema.Usage, tier string) []byte {
	number := func(name string, n int64) { b = strconv.AppendInt(wire.AppendKey(b, name), max(0, n), 10) }
	b = append(b, '{')
	number("input_tokens", u.Input-u.CachedInput-u.CacheWrite)
	number("cache_creation_input_tokens", u.CacheWrite)
	number("cache_read_input_tokens", u.CachedInput)
	b = append(b, `,"cache_creation":{`...)
	number("ephemeral_5m_input_tokens", u.CacheWrite-u.CacheWrite1h)
	number("ephemeral_1h_input_tokens", u.CacheWrite1h)
	b = append(b, '}')
	number("output_tokens", u.Output)
	if u.Reasoning > 0 {
		b = append(b, `,"output_tokens_details":{`...)
		number("thinking_tokens", u.Reasoning)
		b = append(b, '}')
	}
	switch tier {
	case "":
		return append(b, '}')
	case "priority", "batch":
	default: // OpenAI's default, flex, scale
		tier = "standard"
	}
	return append(appendText(b, "service_tier", tier), '}')
}
