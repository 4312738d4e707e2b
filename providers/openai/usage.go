package openai

import (
	"bytes"
	"strings"

	openai "github.com/sashabaranov/go-openai"
	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// readUsage reads a usage object, with the figures that hosts put elsewhere
// than OpenAI: prompt_cache_hit_tokens (DeepSeek), cached_tokens beside the
// rest (Moonshot), cache_write_tokens (OpenRouter).
//
// Hosts also differ in what their sums hold, and total_tokens tells: xAI counts
// reasoning beside completion_tokens, Mistral audio beside prompt_tokens, and
// Azure's hosted Grok cached tokens beside prompt_tokens (they are then more
// than it). They are added up, as schema.Usage wants it.
func readUsage(u gjson.Result) schema.Usage {
	out := schema.Usage{Source: schema.UsageReported}
	var total int64
	u.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "prompt_tokens", "input_tokens":
			out.Input = count(v)
		case "completion_tokens", "output_tokens":
			out.Output = count(v)
		case "total_tokens":
			total = count(v)
		case "prompt_cache_hit_tokens", "cached_tokens":
			out.CachedInput = max(out.CachedInput, count(v))
		case "prompt_tokens_details", "input_tokens_details":
			v.ForEach(func(key, v gjson.Result) bool {
				switch key.Str {
				case "cached_tokens":
					out.CachedInput = max(out.CachedInput, count(v))
				case "cache_write_tokens", "cache_creation_tokens":
					out.CacheWrite = count(v)
				case "audio_tokens":
					out.AudioInput = count(v)
				}
				return true
			})
		case "completion_tokens_details", "output_tokens_details":
			v.ForEach(func(key, v gjson.Result) bool {
				switch key.Str {
				case "reasoning_tokens":
					out.Reasoning = count(v)
				case "audio_tokens":
					out.AudioOutput = count(v)
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
	// Figures that contradict each other must not make a negative price.
	out.CacheWrite = min(out.CacheWrite, out.Input-out.CachedInput)
	out.AudioInput = min(out.AudioInput, out.Input)
	out.Reasoning = min(out.Reasoning, out.Output)
	out.AudioOutput = min(out.AudioOutput, out.Output)
	return out
}

func count(v gjson.Result) int64 { return max(0, v.Int()) }

// finishReason puts the words of other hosts into OpenAI's. s may be a view of
// memory that is used again; the result is not.
func finishReason(s string) openai.FinishReason {
	switch s {
	case "":
		return ""
	case "stop", "eos", "end_turn", "stop_sequence":
		return openai.FinishReasonStop
	case "length", "max_tokens", "model_length":
		return openai.FinishReasonLength
	case "tool_calls", "tool_use", "tool_call":
		return openai.FinishReasonToolCalls
	case "function_call":
		return openai.FinishReasonFunctionCall
	case "content_filter", "safety", "sensitive":
		return openai.FinishReasonContentFilter
	}
	return openai.FinishReason(strings.Clone(s))
}

// chatUsage reads usage and finish reason out of a whole answer; without a
// usage it measures the text.
func chatUsage(body []byte, t *dialect.Tally) error {
	usage, choices, err := answerParts(body, "choices")
	if err != nil {
		return err
	}
	t.Finish = string(finishReason(choices.Get("0.finish_reason").Str))
	if usage.IsObject() {
		t.Usage = readUsage(usage)
		return nil
	}
	each(choices, func(choice gjson.Result) {
		m := choice.Get("message")
		t.Text.Add([]byte(m.Get("content").String()))
		for _, name := range reasoningFields {
			t.Text.Add([]byte(m.Get(name).Str))
		}
		each(m.Get("tool_calls"), func(call gjson.Result) {
			t.Text.Add([]byte(call.Get("function.name").Str))
			t.Text.Add([]byte(call.Get("function.arguments").Str))
		})
	})
	return nil
}

// embedUsage reads the usage of an embeddings answer.
func embedUsage(body []byte, t *dialect.Tally) error {
	usage, _, err := answerParts(body, "data")
	if err == nil && usage.IsObject() {
		t.Usage = readUsage(usage)
	}
	return err
}

// answerParts finds usage and the field that makes a body an answer. A body
// without that field is an error: the one that it holds, if it holds one.
func answerParts(body []byte, field string) (usage, main gjson.Result, err error) {
	trimmed := bytes.TrimSpace(body)
	if n := len(trimmed); n < 2 || trimmed[0] != '{' || trimmed[n-1] != '}' {
		return usage, main, notAnswer("the provider's answer is not a JSON object")
	}
	var failure gjson.Result
	gjson.Parse(wire.View(trimmed)).ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "usage":
			usage = v
		case field:
			main = v
		case "error":
			failure = v
		}
		return true
	})
	switch {
	case main.IsArray():
		return usage, main, nil
	case failure.Exists() && failure.Type != gjson.Null:
		return usage, main, bodyError(trimmed)
	}
	return usage, main, notAnswer("the provider's answer has no " + field)
}

// bodyError is an error that came with a status of success.
func bodyError(body []byte) *schema.Error {
	e := decodeError(statusOf(gjson.Parse(wire.View(body)), 502), func(string) string { return "" }, body)
	e.UpstreamStatus = 200
	return e
}

func notAnswer(message string) *schema.Error {
	return &schema.Error{Code: schema.CodeUpstream, Status: 502, Origin: schema.OriginProvider,
		Class: schema.ClassInvalidOutput, Message: message}
}
