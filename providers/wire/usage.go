package wire

import (
	"github.com/tidwall/gjson"

	"sluice/providers/schema"
)

// ReadUsage reads a usage object of one of OpenAI's APIs, with the figures that hosts put elsewhere
// than OpenAI: prompt_cache_hit_tokens (DeepSeek), cached_tokens beside the
// rest (Moonshot), cache_write_tokens (OpenRouter).
//
// Hosts also differ in what their sums hold, and total_tokens tells: xAI counts
// reasoning beside completion_tokens, Mistral audio beside prompt_tokens, and
// Azure's hosted Grok cached tokens beside prompt_tokens (they are then more
// than it). They are added up, as schema.Usage wants it.
func ReadUsage(u gjson.Result) schema.Usage {
	out := schema.Usage{Source: schema.UsageReported}
	var total, cachedAudio int64
	Members(u.Raw, func(name, v string) bool {
		switch name {
		case "prompt_tokens", "input_tokens":
			out.Input = Whole(v)
		case "completion_tokens", "output_tokens":
			out.Output = Whole(v)
		case "total_tokens":
			total = Whole(v)
		case "prompt_cache_hit_tokens", "cached_tokens":
			out.CachedInput = max(out.CachedInput, Whole(v))
		case "prompt_tokens_details", "input_tokens_details", "input_token_details": // the last: audio, realtime
			Members(v, func(name, v string) bool {
				switch name {
				case "cached_tokens":
					out.CachedInput = max(out.CachedInput, Whole(v))
				case "cache_write_tokens", "cache_creation_tokens":
					out.CacheWrite = Whole(v)
				case "audio_tokens":
					out.AudioInput = Whole(v)
				case "cached_tokens_details": // what audio is cached is cached, and not audio
					cachedAudio = Whole(gjson.Get(v, "audio_tokens").Raw)
				}
				return true
			})
		case "completion_tokens_details", "output_tokens_details", "output_token_details":
			Members(v, func(name, v string) bool {
				switch name {
				case "reasoning_tokens":
					out.Reasoning = Whole(v)
				case "audio_tokens":
					out.AudioOutput = Whole(v)
				}
				return true
			})
		}
		return true
	})
	switch beside := total - out.Input - out.Output; {
	case beside <= 0:
	case beside == out.Reasoning:
		out.Output += beside
	case beside == out.AudioInput:
		out.Input += beside
	}
	if out.CachedInput > out.Input {
		out.Input += out.CachedInput
	}
	out.AudioInput = max(0, out.AudioInput-cachedAudio)
	// Figures that contradict each other must not make a negative price.
	out.CacheWrite = min(out.CacheWrite, out.Input-out.CachedInput)
	out.AudioInput = min(out.AudioInput, out.Input)
	out.Reasoning = min(out.Reasoning, out.Output)
	out.AudioOutput = min(out.AudioOutput, out.Output)
	return out
}
