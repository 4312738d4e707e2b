package gemini

import (
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// readUsage reads an answer's usageMetadata and the tier that served it.
// candidatesTokenCount leaves out thoughtsTokenCount, promptTokenCount what the
// prompts of server-side tools came to; cachedContentTokenCount is inside
// promptTokenCount (page generate-content, UsageMetadata).
//
// Vertex begins some streams with a usageMetadata without figures: that is not
// a report yet.
func readUsage(root gjson.Result) (u schema.Usage, tier string) {
	meta := root.Get("usageMetadata")
	var candidates int64
	meta.ForEach(func(key, v gjson.Result) bool {
		switch key.Str {
		case "promptTokenCount":
			u.Input += count(v)
			u.Source = schema.UsageReported
		case "toolUsePromptTokenCount":
			u.Input += count(v)
		case "cachedContentTokenCount":
			u.CachedInput = count(v)
		case "candidatesTokenCount":
			candidates = count(v)
		case "thoughtsTokenCount":
			u.Reasoning = count(v)
		case "totalTokenCount":
			u.Source = schema.UsageReported
		case "promptTokensDetails", "toolUsePromptTokensDetails":
			u.AudioInput += audioTokens(v)
		case "candidatesTokensDetails":
			u.AudioOutput = audioTokens(v)
		case "serviceTier", "trafficType":
			tier = tierName(v.String())
		}
		return true
	})
	u.Output = candidates + u.Reasoning
	u.Tier = schema.Tier(tier)
	if meta.Exists() && root.Get("promptFeedback.blockReason").Exists() {
		u.Source = schema.UsageReported // nothing was read, and nothing is charged
	}
	// Figures that contradict each other must not make a negative price.
	u.CachedInput = min(u.CachedInput, u.Input)
	u.AudioInput = min(u.AudioInput, u.Input)
	u.AudioOutput = min(u.AudioOutput, u.Output)
	return u, tier
}

func count(v gjson.Result) int64 { return max(0, v.Int()) }

// audioTokens is the share of a modality in a list of token counts.
func audioTokens(list gjson.Result) (n int64) {
	each(list, func(v gjson.Result) {
		if v.Get("modality").Str == "AUDIO" {
			n += count(v.Get("tokenCount"))
		}
	})
	return n
}

// tierName is OpenAI's word for the Gemini API's serviceTier and Vertex's
// trafficType.
func tierName(word string) string {
	switch strings.ToLower(word) {
	case "standard", "on_demand":
		return "default"
	case "flex", "on_demand_flex":
		return "flex"
	case "priority", "on_demand_priority":
		return "priority"
	}
	return ""
}

// created is when the answer was made, which Vertex tells.
func created(root gjson.Result) int64 {
	at, err := time.Parse(time.RFC3339, root.Get("createTime").String())
	if err != nil {
		return 0
	}
	return at.Unix()
}

// chatUsage reads usage and finish reason out of a whole answer; without a
// usage it measures the text.
func chatUsage(body []byte, t *dialect.Tally) error {
	if !wire.Valid(body) {
		return wire.NotAnswer("the provider's answer is not valid JSON")
	}
	root := gjson.Parse(wire.View(body))
	if err := answerError(root, body); err != nil {
		return err
	}
	var usage schema.Usage
	usage, _ = readUsage(root)
	t.Usage = usage
	t.Finish = "content_filter" // of a prompt that was blocked
	if first := root.Get("candidates.0"); first.Exists() {
		t.Finish = string(finish(first.Get("finishReason").String(), hasCalls(first)))
	}
	if usage.Source != schema.UsageReported {
		each(root.Get("candidates"), func(c gjson.Result) { measure(c, t) })
	}
	return nil
}

// measure takes in the text of a candidate.
func measure(candidate gjson.Result, t *dialect.Tally) {
	each(candidate.Get("content.parts"), func(p gjson.Result) {
		t.Text.Add([]byte(p.Get("text").Str))
		if call := p.Get("functionCall"); call.IsObject() {
			t.Text.Add([]byte(call.Get("name").Str))
			t.Text.Add([]byte(call.Get("args").Raw))
		}
	})
}

func hasCalls(candidate gjson.Result) (found bool) {
	each(candidate.Get("content.parts"), func(p gjson.Result) { found = found || p.Get("functionCall").IsObject() })
	return found
}
