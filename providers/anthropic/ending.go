package anthropic

import (
	openai "github.com/sashabaranov/go-openai"

	"sluice/providers/wire"
)

// ending is why and how an answer ended.
type ending struct {
	finish      openai.FinishReason
	sequence    string
	id          string // of the answer
	calls       bool   // it calls tools
	refused     bool
	explanation string // of a refusal
}

// refuse notes a refusal. isText tells that the model wrote it as its answer,
// which is so where no filter ended the answer.
func (e *ending) refuse(text string) (isText bool) {
	e.refused = true
	if e.finish == openai.FinishReasonContentFilter {
		e.explanation = text
		return false
	}
	return true
}

// reason is the stop reason, one of the SDK's StopReason.
func (e *ending) reason() string {
	switch {
	case e.finish == openai.FinishReasonLength:
		return "max_tokens"
	case e.finish == openai.FinishReasonContentFilter, e.refused:
		return "refusal"
	case e.calls:
		return "tool_use"
	case e.sequence != "":
		return "stop_sequence"
	}
	return "end_turn"
}

// appendTo writes the fields that tell the end.
func (e *ending) appendTo(b []byte) []byte {
	reason := e.reason()
	b = wire.AppendString(wire.AppendKey(b, "stop_reason"), reason)
	b = wire.AppendKey(b, "stop_sequence")
	if reason == "stop_sequence" {
		b = wire.AppendString(b, e.sequence)
	} else {
		b = append(b, "null"...)
	}
	b = wire.AppendKey(b, "stop_details")
	if reason != "refusal" {
		return append(b, "null"...)
	}
	b = append(b, `{"type":"refusal","category":null,"explanation":`...)
	if e.explanation == "" {
		return append(b, "null}"...)
	}
	return append(wire.AppendString(b, e.explanation), '}')
}
