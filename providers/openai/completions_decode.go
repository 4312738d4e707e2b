package openai

import (
	"encoding/json"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// decodeCompletion reads a request to continue a text as a chat. What a chat
// has no place for (suffix, echo, best_of) stays in Extra, to be named as
// dropped; several prompts, and token ids, are refused.
func decodeCompletion(raw []byte) (*schema.ChatRequest, error) {
	root := gjson.ParseBytes(raw)
	req := &schema.ChatRequest{Dialect: CompletionsName}
	err := wire.EachField(root, func(name string, v gjson.Result) error { return decodeCompletionField(req, name, v) })
	if err == nil && len(req.Messages) == 0 {
		err = schema.Invalid("prompt", "prompt is missing: this target continues no empty text")
	}
	return req, err
}

func decodeCompletionField(req *schema.ChatRequest, name string, v gjson.Result) error {
	switch name {
	case "prompt":
		text, err := onePrompt(v)
		req.Messages = []schema.Message{{Role: schema.RoleUser, Parts: []schema.Part{{Type: schema.PartText, Text: text}}}}
		return err
	case "logprobs":
		n, err := wire.Integer(name, v)
		if err == nil {
			on := true
			req.Logprobs, req.TopLogprobs = &on, n
		}
		return err
	case "echo":
		if on, err := wire.Boolean(name, v); err != nil || !on {
			return err
		}
	case "suffix":
		if text, err := wire.Text(name, v); err != nil || text == "" {
			return err
		}
	case "best_of":
		if n, err := wire.Integer(name, v); err != nil || *n <= 1 {
			return err
		}
	case "model", fieldMaxTokens, "stream", "stream_options", "stop", "temperature", "top_p", "top_k", "min_p",
		"frequency_penalty", "presence_penalty", "seed", "n", "user", "logit_bias", "metadata", "service_tier":
		return decodeField(req, name, v)
	}
	req.Extra = addExtra(req.Extra, name, v.Raw)
	return nil
}

// onePrompt reads a prompt that is a string, or the only one of a list.
func onePrompt(v gjson.Result) (string, error) {
	if v.Type == gjson.String {
		return v.Str, nil
	}
	list := v.Array()
	switch {
	case !v.IsArray() || len(list) == 0:
		return "", badPrompt()
	case list[0].Type != gjson.String:
		return "", schema.Invalid("prompt", "prompt must be text: this target takes no token ids")
	case len(list) > 1:
		return "", schema.Invalid("prompt", "prompt must be one text: this target takes no more in a request")
	}
	return list[0].Str, nil
}

// legacyLogprobs turns OpenAI's logprobs of a chat into those of a text
// completion. from is where in the text they begin, in characters; it comes
// back moved on.
func legacyLogprobs(b []byte, chat json.RawMessage, from int) ([]byte, int) {
	content := gjson.ParseBytes(chat).Get("content")
	if !content.IsArray() {
		return append(b, "null"...), from
	}
	var tokens, probs, tops, offsets []byte
	tokens, probs, tops, offsets = append(tokens, '['), append(probs, '['), append(tops, '['), append(offsets, '[')
	each(content, func(t gjson.Result) {
		token := t.Get("token").Str
		tokens = wire.AppendString(wire.AppendComma(tokens), token)
		probs = append(wire.AppendComma(probs), numberOr(t.Get("logprob"), "null")...)
		tops = append(wire.AppendComma(tops), '{')
		each(t.Get("top_logprobs"), func(top gjson.Result) {
			tops = wire.AppendString(wire.AppendComma(tops), top.Get("token").Str)
			tops = append(append(tops, ':'), numberOr(top.Get("logprob"), "null")...)
		})
		tops = append(tops, '}')
		offsets = appendNumber(wire.AppendComma(offsets), from)
		from += len([]rune(token))
	})
	b = append(append(b, `{"tokens":`...), append(tokens, ']')...)
	b = append(append(b, `,"token_logprobs":`...), append(probs, ']')...)
	b = append(append(b, `,"top_logprobs":`...), append(tops, ']')...)
	b = append(append(b, `,"text_offset":`...), append(offsets, ']')...)
	return append(b, '}'), from
}

func numberOr(v gjson.Result, otherwise string) string {
	if v.Type != gjson.Number {
		return otherwise
	}
	return v.Raw
}
