package mock

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	openai "github.com/sashabaranov/go-openai"

	"sluice/providers/schema"
)

// maxLorem bounds lorem-N.
const maxLorem = 100_000

// answer is what one choice says.
type answer struct {
	text   string
	calls  []openai.ToolCall
	finish openai.FinishReason
	stop   string // the stop string that ended it
	tokens int64
}

// Chat answers a request whole. Errors are of type *schema.Error.
func (m *Mock) Chat(ctx context.Context, req *schema.ChatRequest) (*schema.ChatResponse, error) {
	n, err := m.begin(ctx, req.Model)
	if err != nil {
		return nil, err
	}
	a, err := m.answer(n, req)
	if err != nil {
		return nil, err
	}
	choices := make([]schema.Choice, choicesOf(req))
	for i := range choices {
		choices[i] = schema.Choice{
			Index: i, FinishReason: a.finish, StopSequence: a.stop,
			Message: schema.Message{Role: schema.RoleAssistant, Parts: schema.TextParts(a.text), ToolCalls: a.calls},
		}
	}
	return &schema.ChatResponse{
		ID: answerID(n), Model: req.Model, Created: m.o.Now().Unix(),
		Choices: choices, Usage: m.usage(req, &a),
	}, nil
}

func answerID(n uint64) string { return "chatcmpl-" + run + strconv.FormatUint(n, 10) }

// run tells the answers of this process from those of another, for answers may
// be kept by their ids.
var run = strings.ToLower(rand.Text()[:12]) + "-"

// choicesOf is how many answers were asked for, within reason.
func choicesOf(req *schema.ChatRequest) int {
	if req.N == nil || *req.N < 1 {
		return 1
	}
	return int(min(*req.N, 128))
}

func (m *Mock) usage(req *schema.ChatRequest, a *answer) schema.Usage {
	return schema.Usage{
		Input:  schema.PromptTokens(req, m.o.Count),
		Output: a.tokens * int64(choicesOf(req)),
		Source: schema.UsageReported,
	}
}

// answer decides what to say. n numbers the call. A last turn of the
// assistant's is the beginning of the answer, which goes on behind it.
func (m *Mock) answer(n uint64, req *schema.ChatRequest) (answer, error) {
	text, err := says(req)
	if err != nil {
		return answer{}, err
	}
	a := answer{text: text, finish: openai.FinishReasonStop}
	called, err := toolToCall(req)
	switch {
	case req.Model == "verbatim":
	case err != nil:
		return answer{}, err
	case called != nil:
		a = answer{finish: openai.FinishReasonToolCalls, calls: []openai.ToolCall{{
			ID: fmt.Sprintf("call_mock_%d", n), Type: openai.ToolTypeFunction,
			Function: openai.FunctionCall{Name: called.Name, Arguments: string(Instance(objectOf(called.Parameters)))},
		}}}
	case req.ResponseFormat != nil && req.ResponseFormat.Type == "json_schema":
		a.text = string(Instance(req.ResponseFormat.Schema))
	case req.ResponseFormat != nil && req.ResponseFormat.Type == "json_object":
		quoted, err := json.Marshal(text)
		if err != nil {
			return answer{}, fmt.Errorf("cannot encode answer of model %q: %w", req.Model, err)
		}
		a.text = `{"text":` + string(quoted) + `}`
	}
	if n := len(req.Messages); n > 0 && req.Messages[n-1].Role == schema.RoleAssistant {
		a.text = strings.TrimPrefix(a.text, req.Messages[n-1].Text())
	}
	m.bound(&a, req)
	return a, nil
}

// says is the plain text that the model answers with.
func says(req *schema.ChatRequest) (string, error) {
	words, lorem := strings.CutPrefix(req.Model, "lorem-")
	switch {
	case req.Model == "echo", req.Model == "verbatim":
		return echo(req), nil
	case lorem:
		n, err := strconv.Atoi(words)
		if err == nil && n >= 0 && n <= maxLorem {
			return loremWords(n), nil
		}
	}
	return "", noModel(req.Model)
}

// echo is the text of the last message of a user or a tool.
func echo(req *schema.ChatRequest) string {
	for i := len(req.Messages) - 1; i >= 0; i-- {
		if m := &req.Messages[i]; m.Role == schema.RoleUser || m.Role == schema.RoleTool {
			return m.Text()
		}
	}
	return ""
}

// toolToCall is the tool that the answer calls, nil for none.
func toolToCall(req *schema.ChatRequest) (*schema.Tool, error) {
	if n := len(req.Messages); n > 0 && req.Messages[n-1].Role == schema.RoleTool {
		return nil, nil
	}
	want := ""
	if c := req.ToolChoice; c != nil {
		if c.Mode == "none" {
			return nil, nil
		}
		want = c.Name
	}
	for i := range req.Tools {
		if t := &req.Tools[i]; t.Name != "" && (want == "" || t.Name == want) {
			return t, nil
		}
	}
	if want != "" {
		return nil, schema.Invalid("tool_choice", "tool_choice: there is no tool %q", want)
	}
	return nil, nil
}

// objectOf is a tool's schema; a tool without one takes an empty object.
func objectOf(parameters json.RawMessage) json.RawMessage {
	if len(parameters) == 0 || string(parameters) == "null" || string(parameters) == "{}" {
		return json.RawMessage(`{"type":"object"}`)
	}
	return parameters
}

// bound ends the answer at the first stop string and at max_tokens, and counts
// it.
func (m *Mock) bound(a *answer, req *schema.ChatRequest) {
	at := len(a.text)
	for _, stop := range req.Stop {
		if i := strings.Index(a.text, stop); stop != "" && i >= 0 && i < at {
			at, a.stop = i, stop
		}
	}
	a.text = a.text[:at]
	limit := int64(-1)
	if req.MaxTokens != nil && *req.MaxTokens > 0 {
		limit = *req.MaxTokens
	}
	if len(a.calls) == 0 {
		if cut, ok := m.cut(a.text, limit); ok {
			a.text, a.finish, a.stop = cut, openai.FinishReasonLength, ""
		}
		a.tokens = m.o.Count(a.text)
		return
	}
	f := &a.calls[0].Function
	a.tokens = m.o.Count(f.Name)
	if limit >= 0 {
		limit = max(0, limit-a.tokens)
	}
	if cut, ok := m.cut(f.Arguments, limit); ok {
		f.Arguments, a.finish = cut, openai.FinishReasonLength
	}
	a.tokens += m.o.Count(f.Arguments)
}

// cut is the longest beginning of text that has no more tokens than the
// limit; ok tells that something was cut off. A negative limit cuts nothing.
func (m *Mock) cut(text string, limit int64) (string, bool) {
	// No tokenizer makes more tokens than bytes.
	if limit < 0 || int64(len(text)) <= limit || m.o.Count(text) <= limit {
		return text, false
	}
	low, high := 0, len(text) // text[:low] fits, text[:high] does not
	for high-low > 1 {
		mid := (low + high) / 2
		if m.o.Count(whole(text, mid)) <= limit {
			low = mid
		} else {
			high = mid
		}
	}
	return whole(text, low), true
}

// whole is text[:n] without a part of a rune at its end.
func whole(text string, n int) string {
	for n > 0 && n < len(text) && text[n]&0xC0 == 0x80 {
		n--
	}
	return text[:n]
}
