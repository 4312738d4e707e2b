package openai

import (
	"strconv"

	openai "github.com/sashabaranov/go-openai"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// encodeResponse writes a whole answer for a client.
func encodeResponse(b []byte, resp *schema.ChatResponse) []byte {
	b = append(b, `{"id":`...)
	b = wire.AppendString(b, resp.ID)
	b = append(b, `,"object":"chat.completion","created":`...)
	b = strconv.AppendInt(b, resp.Created, 10)
	b = append(b, `,"model":`...)
	b = wire.AppendString(b, resp.Model)
	b = append(b, `,"choices":[`...)
	for i := range resp.Choices {
		b = appendChoice(wire.AppendComma(b), &resp.Choices[i])
	}
	b = append(b, `],"usage":`...)
	b = appendUsage(b, &resp.Usage)
	b = appendText(b, "service_tier", resp.ServiceTier)
	b = appendText(b, "system_fingerprint", resp.SystemFingerprint)
	return append(b, '}')
}

func appendChoice(b []byte, c *schema.Choice) []byte {
	m := &c.Message
	b = append(b, `{"index":`...)
	b = strconv.AppendInt(b, int64(c.Index), 10)
	b = append(b, `,"message":{"role":"assistant","content":`...)
	if text := m.Text(); text != "" || len(m.ToolCalls) == 0 && m.Refusal == "" && c.Audio == nil {
		b = wire.AppendString(b, text)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"refusal":`...)
	b = wire.AppendOrNull(b, m.Refusal)
	b = appendThinking(b, m.Parts)
	if len(m.ToolCalls) > 0 {
		b = append(b, `,"tool_calls":`...)
		b = appendToolCalls(b, m.ToolCalls, false)
	}
	b = appendRaw(b, "annotations", c.Annotations)
	b = appendRaw(b, "audio", c.Audio)
	b = appendCitations(b, m.Parts)
	b = append(b, `},"logprobs":`...)
	b = appendRawOrNull(b, c.Logprobs)
	b = append(b, `,"finish_reason":`...)
	b = appendFinish(b, c.FinishReason)
	return append(b, '}')
}

// appendThinking writes what the model thought: as text for those who show it,
// and as LiteLLM's blocks for those who send it back, signatures and all.
func appendThinking(b []byte, parts []schema.Part) []byte {
	var text []byte
	blocks := 0
	for i := range parts {
		switch parts[i].Type {
		case schema.PartThinking:
			text = append(text, parts[i].Text...)
			blocks++
		case schema.PartRedactedThinking:
			blocks++
		}
	}
	if blocks == 0 {
		return b
	}
	b = appendText(b, "reasoning_content", string(text))
	b = append(b, `,"thinking_blocks":[`...)
	for i := range parts {
		switch p := &parts[i]; p.Type {
		case schema.PartThinking:
			b = appendThinkingBlock(wire.AppendComma(b), p.Text, p.Signature)
		case schema.PartRedactedThinking:
			b = appendRedactedBlock(wire.AppendComma(b), p.Data)
		}
	}
	return append(b, ']')
}

func appendThinkingBlock(b []byte, text, signature string) []byte {
	b = append(b, `{"type":"thinking","thinking":`...)
	b = wire.AppendString(b, text)
	b = appendText(b, "signature", signature)
	return append(b, '}')
}

func appendRedactedBlock(b []byte, data string) []byte {
	b = append(b, `{"type":"redacted_thinking","data":`...)
	return append(wire.AppendString(b, data), '}')
}

// appendCitations writes the citations of the text parts as the provider wrote
// them, where LiteLLM puts what has no place in OpenAI's form.
func appendCitations(b []byte, parts []schema.Part) []byte {
	open := false
	for i := range parts {
		if len(parts[i].Citations) == 0 {
			continue
		}
		if !open {
			b = append(b, `,"provider_specific_fields":{"citations":[`...)
			open = true
		}
		b = append(wire.AppendComma(b), parts[i].Citations...)
	}
	if open {
		b = append(b, ']', '}')
	}
	return b
}

func appendUsage(b []byte, u *schema.Usage) []byte {
	field := func(name string, n int64) {
		b = strconv.AppendInt(wire.AppendKey(b, name), n, 10)
	}
	b = append(b, '{')
	field("prompt_tokens", u.Input)
	field("completion_tokens", u.Output)
	field("total_tokens", u.Input+u.Output)
	b = append(b, `,"prompt_tokens_details":{`...)
	field("cached_tokens", u.CachedInput)
	field("audio_tokens", u.AudioInput)
	if u.CacheWrite > 0 {
		field("cache_write_tokens", u.CacheWrite)
	}
	b = append(b, `},"completion_tokens_details":{`...)
	field("reasoning_tokens", u.Reasoning)
	field("audio_tokens", u.AudioOutput)
	return append(b, '}', '}')
}

func appendRawOrNull(b, raw []byte) []byte {
	if len(raw) == 0 {
		return append(b, "null"...)
	}
	return append(b, raw...)
}

func appendFinish(b []byte, f openai.FinishReason) []byte {
	return wire.AppendOrNull(b, string(f))
}
