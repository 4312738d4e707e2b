package openai

import (
	"bytes"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// CompletionsName is the name of the dialect of text completions.
const CompletionsName = "openai-completions"

// Completions is OpenAI's older API, which continues a text: POST
// /completions, as its reference documents it (read 2026-11-24). A caller's
// bytes go to hosts that speak it as they are; to others they go as a chat
// with one message of the user's.
var Completions = *NewCompletions(Quirks{})

// NewCompletions makes the dialect of text completions for a host with these
// quirks. It has no translated provider side: a chat does not become one.
func NewCompletions(q Quirks) *dialect.Dialect {
	q.MaxTokensField = fieldMaxTokens // there never was another
	return &dialect.Dialect{
		Name: CompletionsName,
		Chat: &dialect.Chat{
			Framing: dialect.FramingSSE,
			Path:    func(string, bool) string { return "/completions" },
			Splice:  q.splice,
			Usage:   completionUsage,
			Scan:    func(wantsUsage bool) dialect.Scanner { return &scanner{wantsUsage: wantsUsage, texts: true} },
		},
		Error: wire.DecodeError,
		Client: &dialect.Client{
			Head:        completionHead,
			DecodeChat:  decodeCompletion,
			EncodeChat:  encodeCompletion,
			Stream:      newCompletionEncoder,
			Error:       wire.AppendError,
			StreamError: appendStreamError,
		},
	}
}

const (
	atCompletionModel = iota
	atPrompt
	atCompletionStream
	atCompletionOptions
	atCompletionMax
	atCompletionN
	atBestOf
	atCompletionUser
)

var completionFields = []string{"model", "prompt", "stream", "stream_options", fieldMaxTokens, "n", "best_of", "user"}

// completionHead is head for text completions. Its N counts what is generated:
// candidates that are thrown away cost as much as those that are given.
func completionHead(_ schema.Operation, raw []byte) (schema.Head, error) {
	h := schema.Head{N: 1, BodyAt: bytes.IndexByte(raw, '{') + 1}
	best := schema.Head{N: 1}
	prompts := int64(1)
	err := wire.Object(raw, completionFields, func(field int, v gjson.Result) (err error) {
		at := schema.Span{From: v.Index, To: v.Index + len(v.Raw)}
		null := v.Type == gjson.Null
		switch field {
		case atCompletionModel:
			if v.Type != gjson.String || v.Str == "" {
				return schema.Invalid("model", "model must be a non-empty string")
			}
			h.Model, h.ModelAt = strings.Clone(v.Str), at
		case atPrompt:
			h.PromptSize = len(v.Raw)
			prompts, err = countPrompts(v)
		case atCompletionStream:
			if h.Stream = v.Type == gjson.True; !v.IsBool() && !null {
				return schema.Invalid("stream", "stream must be a boolean")
			}
		case atCompletionOptions:
			return streamOptions(&h, at, v)
		case atCompletionMax:
			return maxTokens(&h, fieldMaxTokens, at, v)
		case atCompletionN:
			return choices(&h, v)
		case atBestOf:
			if choices(&best, v) != nil {
				return schema.Invalid("best_of", "best_of must be an integer from 1 to %d", maxChoices)
			}
		case atCompletionUser:
			if h.User = strings.Clone(v.Str); v.Type != gjson.String && !null {
				return schema.Invalid("user", "user must be a string")
			}
		}
		return err
	})
	if err == nil && !h.ModelAt.Present() {
		err = schema.Invalid("model", "model is missing")
	}
	if err != nil {
		return schema.Head{}, err
	}
	h.N = max(h.N, best.N) * prompts
	return h, nil
}

// countPrompts is how many texts there are to continue: a string and a list of
// token ids are one.
func countPrompts(v gjson.Result) (int64, error) {
	switch {
	case v.Type == gjson.String, v.Type == gjson.Null:
		return 1, nil
	case !v.IsArray() || isEmpty(v):
		return 0, badPrompt()
	}
	n := int64(0)
	each(v, func(gjson.Result) { n++ })
	if v.Get("0").Type == gjson.Number {
		return 1, nil
	}
	return n, nil
}

func badPrompt() error {
	return schema.Invalid("prompt", "prompt must be a string, strings, token ids, or lists of token ids")
}

// completionUsage is chatUsage for text completions.
func completionUsage(body []byte, t *dialect.Tally) error {
	usage, choices, err := answerParts(body, "choices")
	if err != nil {
		return err
	}
	t.Finish = string(finishReason(choices.Get("0.finish_reason").Str))
	if usage.read(t) {
		return nil
	}
	each(choices, func(choice gjson.Result) { t.Text.Add([]byte(choice.Get("text").Str)) })
	return nil
}
