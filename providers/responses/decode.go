package responses

import (
	"bytes"
	"encoding/json"

	openai "github.com/sashabaranov/go-openai"
	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// decode is Chat.Decode: a response object as the one choice of an answer.
func decode(body []byte) (*schema.ChatResponse, error) {
	if !wire.Valid(body) {
		return nil, wire.NotAnswer("the provider's answer is not valid JSON")
	}
	root := gjson.ParseBytes(body)
	if err := fault(root); err != nil {
		return nil, err
	}
	c := schema.Choice{Message: schema.Message{Role: schema.RoleAssistant}}
	var marks annotations
	wire.Each(root.Get("output"), func(item gjson.Result) { decodeOutput(&c.Message, item, &marks, &c.Logprobs) })
	c.Annotations = marks.list()
	c.FinishReason = finish(root, len(c.Message.ToolCalls) > 0)
	out := &schema.ChatResponse{
		ID:          root.Get("id").String(),
		Model:       root.Get("model").String(),
		Created:     root.Get("created_at").Int(),
		ServiceTier: root.Get("service_tier").Str,
		Choices:     []schema.Choice{c},
	}
	if u := root.Get("usage"); u.IsObject() {
		out.Usage = usageOf(root)
	}
	return out, nil
}

// fault is the failure that a response object tells, or that it is none.
func fault(root gjson.Result) error {
	if e := root.Get("error"); e.Exists() && e.Type != gjson.Null || root.Get("status").Str == "failed" {
		return failure(root)
	}
	if !root.IsObject() || !root.Get("output").IsArray() {
		return wire.NotAnswer("the provider's answer has no output")
	}
	return nil
}

func decodeOutput(m *schema.Message, item gjson.Result, marks *annotations, logprobs *json.RawMessage) {
	switch item.Get("type").Str {
	case itemReasoning:
		if p := thought(item); p.Text != "" || p.Signature != "" || p.Data != "" {
			m.Parts = append(m.Parts, p)
		}
	case itemMessage:
		wire.Each(item.Get("content"), func(part gjson.Result) {
			if part.Get("type").Str == "refusal" {
				m.Refusal += part.Get("refusal").Str
				return
			}
			text := part.Get("text").Str
			marks.add(part.Get("annotations"), text)
			addLogprobs(logprobs, part.Get("logprobs"))
			if text != "" {
				m.Parts = append(m.Parts, schema.Part{Type: schema.PartText, Text: text})
			}
		})
	case itemCall:
		m.ToolCalls = append(m.ToolCalls, openai.ToolCall{ID: callID(item), Type: openai.ToolTypeFunction,
			Function: openai.FunctionCall{Name: item.Get("name").Str, Arguments: item.Get("arguments").String()}})
	default:
		m.Parts = append(m.Parts, schema.Part{Type: schema.PartRaw, Raw: json.RawMessage(item.Raw)})
	}
}

// callID is what a call's result must name: some hosts give the item's id alone.
func callID(item gjson.Result) string {
	if id := item.Get("call_id").Str; id != "" {
		return id
	}
	return item.Get("id").Str
}

// addLogprobs adds a part's logprobs to those of the answer, in the shape of
// Chat Completions.
func addLogprobs(to *json.RawMessage, list gjson.Result) {
	if !list.IsArray() || len(list.Array()) == 0 {
		return
	}
	inner := bytes.TrimSpace([]byte(list.Raw))
	inner = inner[1 : len(inner)-1]
	b := []byte(`{"content":[`)
	if *to != nil {
		b = append((*to)[:len(*to)-2:len(*to)-2], ',')
	}
	*to = append(append(b, inner...), ']', '}')
}

// finish is the finish reason, in OpenAI's words of chat.
func finish(response gjson.Result, calls bool) openai.FinishReason {
	if response.Get("status").Str == "incomplete" {
		switch response.Get("incomplete_details.reason").Str {
		case "content_filter":
			return openai.FinishReasonContentFilter
		default:
			return openai.FinishReasonLength
		}
	}
	if calls {
		return openai.FinishReasonToolCalls
	}
	return openai.FinishReasonStop
}

// rawUsage is Chat.Usage; without a usage it measures the text.
func rawUsage(body []byte, t *dialect.Tally) error {
	trimmed := bytes.TrimSpace(body)
	if n := len(trimmed); n < 2 || trimmed[0] != '{' || trimmed[n-1] != '}' {
		return wire.NotAnswer("the provider's answer is not a JSON object")
	}
	root := gjson.Parse(wire.View(trimmed))
	if err := fault(root); err != nil {
		return err
	}
	calls := false
	measured := root.Get("usage").IsObject()
	wire.Each(root.Get("output"), func(item gjson.Result) {
		calls = calls || item.Get("type").Str == itemCall
		if !measured {
			measure(item, t)
		}
	})
	t.Finish = string(finish(root, calls))
	if measured {
		t.Usage = usageOf(root)
	}
	return nil
}

// usageOf is what a response object says that it used, and at which tier.
func usageOf(response gjson.Result) schema.Usage {
	u := wire.ReadUsage(response.Get("usage"))
	u.Tier = schema.Tier(response.Get("service_tier").Str)
	return u
}

func measure(item gjson.Result, t *dialect.Tally) {
	for _, field := range []string{"name", "arguments", "input"} {
		t.Text.Add([]byte(item.Get(field).Str))
	}
	for _, field := range []string{"summary", "content"} {
		wire.Each(item.Get(field), func(part gjson.Result) { t.Text.Add([]byte(part.Get("text").Str)) })
	}
}
