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
	t.Finish = string(finishReason(firstFinish(choices.Raw)))
	if usage.read(t) {
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

// firstFinish is the finish reason of the first choice.
func firstFinish(choices string) (reason string) {
	wire.Members(strings.TrimLeft(choices[1:], " \t\r\n"), func(name, v string) bool {
		if name != "finish_reason" {
			return true
		}
		reason = gjson.Parse(v).Str
		return false
	})
	return reason
}

// embedUsage reads the usage of an embeddings answer.
func embedUsage(body []byte, t *dialect.Tally) error {
	usage, _, err := answerParts(body, "data")
	if err == nil {
		usage.read(t)
	}
	return err
}

// told is what an answer says of what it used: its usage, and the service tier
// beside it.
type told struct{ usage, tier gjson.Result }

// read takes over the usage; false: there is none.
func (u *told) read(t *dialect.Tally) bool {
	if !u.usage.IsObject() {
		return false
	}
	t.Usage = usageOf(u.usage, u.tier.Str)
	return true
}

// usageOf is a usage that was served at a tier.
func usageOf(v gjson.Result, tier string) schema.Usage {
	u := wire.ReadUsage(v)
	u.Tier = schema.Tier(tier)
	return u
}

// answerParts finds usage and the field that makes a body an answer. A body
// without that field is an error: the one that it holds, if it holds one.
func answerParts(body []byte, field string) (usage told, main gjson.Result, err error) {
	trimmed := bytes.TrimSpace(body)
	if n := len(trimmed); n < 2 || trimmed[0] != '{' || trimmed[n-1] != '}' {
		return usage, main, wire.NotAnswer("the provider's answer is not a JSON object")
	}
	var failure gjson.Result
	wire.Members(wire.View(trimmed), func(name, v string) bool {
		switch name {
		case "usage":
			usage.usage = gjson.Parse(v)
		case "service_tier":
			usage.tier = gjson.Parse(v)
		case field:
			main = gjson.Parse(v)
		case "error":
			failure = gjson.Parse(v)
		}
		return true
	})
	switch {
	case main.IsArray():
		return usage, main, nil
	case failure.Exists() && failure.Type != gjson.Null:
		return usage, main, bodyError(trimmed)
	}
	return usage, main, wire.NotAnswer("the provider's answer has no " + field)
}

// bodyError is an error that came with a status of success.
func bodyError(body []byte) *schema.Error {
	e := wire.DecodeError(wire.StatusOf(gjson.Parse(wire.View(body)), 502), func(string) string { return "" }, body)
	e.UpstreamStatus = 200
	return e
}
