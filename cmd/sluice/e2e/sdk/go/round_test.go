package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

func env(t *testing.T, name string) string {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		t.Skipf("%s is not set: run this through go test ./cmd/sluice/e2e", name)
	}
	return v
}

// TestRound is what every client does; the names of its subtests are
// feature/detail.
func TestRound(t *testing.T) {
	r := &round{provider: env(t, "SLUICE_SDK_PROVIDER"), origin: env(t, "SLUICE_SDK_ORIGIN"), fake: env(t, "SLUICE_SDK_FAKE"), narrow: env(t, "SLUICE_SDK_NARROW_KEY")}
	r.c = r.client(env(t, "SLUICE_SDK_KEY"))
	r.responses = strings.Contains(os.Getenv("SLUICE_SDK_PATHS"), "responses")
	t.Run("chat/completion", r.chat)
	t.Run("chat/responses", r.response)
	t.Run("stream/completion", r.stream)
	t.Run("stream/responses", r.responseStream)
	t.Run("tools/loop", r.tools)
	t.Run("structured/json_schema", r.structured)
	t.Run("vision/image", r.vision)
	t.Run("embeddings/several", r.embeddings)
	t.Run("errors/classes", r.errors)
	t.Run("abort/stream", r.abort)
	t.Run("models/list", r.models)
}

type round struct {
	provider, origin, fake, narrow string
	responses                      bool
	c                              openai.Client
}

// client never retries: that would hide an error.
func (r *round) client(key string) openai.Client {
	return openai.NewClient(option.WithAPIKey(key), option.WithBaseURL(r.origin+"/v1/"), option.WithMaxRetries(0), option.WithRequestTimeout(20*time.Second))
}

func (r *round) params(words, text string) openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{Model: r.provider + "/" + words, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(text)}}
}

func (r *round) chat(t *testing.T) {
	answer, err := r.c.Chat.Completions.New(t.Context(), r.params("echo_in-7", "hello there"))
	if err != nil {
		t.Fatal(err)
	}
	if c := answer.Choices[0]; c.Message.Content != "hello there" || c.FinishReason != "stop" || answer.Usage.PromptTokens != 7 || answer.Usage.CompletionTokens != 2 {
		t.Errorf("%s", answer.RawJSON())
	}
}

func (r *round) response(t *testing.T) {
	if !r.responses {
		t.Skip("the gateway has no responses")
	}
	answer, err := r.c.Responses.New(t.Context(), responses.ResponseNewParams{Model: r.provider + "/echo_in-7",
		Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("hello there")}})
	if err != nil {
		t.Fatal(err)
	}
	if answer.OutputText() != "hello there" || answer.Status != "completed" || answer.Usage.InputTokens != 7 {
		t.Errorf("%s", answer.RawJSON())
	}
}

func (r *round) stream(t *testing.T) {
	p := r.params("echo_in-7_pace-1", "one two three")
	p.StreamOptions.IncludeUsage = openai.Bool(true)
	s := r.c.Chat.Completions.NewStreaming(t.Context(), p)
	acc := openai.ChatCompletionAccumulator{}
	chunks := 0
	for s.Next() {
		chunks++
		if !acc.AddChunk(s.Current()) {
			t.Fatalf("a chunk does not fit: %s", s.Current().RawJSON())
		}
	}
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	if acc.Choices[0].Message.Content != "one two three" || acc.Usage.CompletionTokens != 3 || acc.Usage.PromptTokens != 7 || chunks < 4 {
		t.Errorf("%d chunks: %+v", chunks, acc.ChatCompletion)
	}
	cut := r.c.Chat.Completions.NewStreaming(t.Context(), r.params("chunks-20_cut-9", "x"))
	for cut.Next() {
	}
	if cut.Err() == nil {
		t.Error("a stream that its provider cuts ends without an error")
	}
}

func (r *round) responseStream(t *testing.T) {
	if !r.responses {
		t.Skip("the gateway has no responses")
	}
	s := r.c.Responses.NewStreaming(t.Context(), responses.ResponseNewParams{Model: r.provider + "/echo_in-7_pace-1",
		Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("one two three")}})
	text, last, number := "", "", int64(-1)
	for s.Next() {
		e := s.Current()
		if e.Type == "response.output_text.delta" {
			text += e.Delta
		}
		if e.SequenceNumber <= number {
			t.Errorf("event %s has number %d after %d", e.Type, e.SequenceNumber, number)
		}
		last, number = e.Type, e.SequenceNumber
	}
	if s.Err() != nil || text != "one two three" || last != "response.completed" {
		t.Errorf("%q, the last event %s, %v", text, last, s.Err())
	}
}

func tool(name string, schema string) openai.ChatCompletionToolUnionParam {
	var parameters shared.FunctionParameters
	if err := json.Unmarshal([]byte(schema), &parameters); err != nil {
		panic(err) // a schema of our own
	}
	return openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: name, Parameters: parameters})
}

func (r *round) tools(t *testing.T) {
	p := r.params("small", "weather and time?")
	p.Tools = []openai.ChatCompletionToolUnionParam{
		tool("weather", `{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"}},"required":["city","days"]}`),
		tool("clock", `{"type":"object","properties":{"zone":{"type":"string","enum":["UTC"]}}}`),
	}
	s := r.c.Chat.Completions.NewStreaming(t.Context(), p)
	acc := openai.ChatCompletionAccumulator{}
	for s.Next() {
		acc.AddChunk(s.Current())
	}
	if s.Err() != nil || len(acc.Choices) == 0 {
		t.Fatal(s.Err())
	}
	streamed := acc.Choices[0].Message.ToolCalls
	first, err := r.c.Chat.Completions.New(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	m := first.Choices[0].Message
	for _, calls := range [][]openai.ChatCompletionMessageToolCallUnion{streamed, m.ToolCalls} {
		if len(calls) != 2 || calls[0].ID == calls[1].ID || calls[0].Function.Name != "weather" || calls[1].Function.Arguments != `{"zone":"UTC"}` {
			t.Fatalf("%+v", calls)
		}
	}
	p.Messages = append(p.Messages, m.ToParam())
	for _, c := range m.ToolCalls {
		p.Messages = append(p.Messages, openai.ToolMessage("noon", c.ID))
	}
	answer, err := r.c.Chat.Completions.New(t.Context(), p)
	if err != nil || !strings.Contains(answer.Choices[0].Message.Content, "noon") {
		t.Errorf("%v, %v", answer, err)
	}
}

func (r *round) structured(t *testing.T) {
	p := r.params("small", "label it")
	p.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{
		Name: "label", Strict: openai.Bool(true), Schema: json.RawMessage(`{"type":"object","properties":{"sure":{"type":"boolean"}},"required":["sure"],"additionalProperties":false}`)}}
	answer, err := r.c.Chat.Completions.New(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Sure bool }
	if err := json.Unmarshal([]byte(answer.Choices[0].Message.Content), &got); err != nil || !got.Sure {
		t.Errorf("%s: %v", answer.RawJSON(), err)
	}
}

func (r *round) vision(t *testing.T) {
	p := r.params("echo", "")
	p.Messages = []openai.ChatCompletionMessageParamUnion{openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
		openai.TextContentPart("what is this?"),
		openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "data:image/png;base64," + pixel}),
	})}
	answer, err := r.c.Chat.Completions.New(t.Context(), p)
	if err != nil || answer.Choices[0].Message.Content != "what is this? [image image/png 96]" {
		t.Errorf("%+v, %v", answer, err)
	}
}

func (r *round) embeddings(t *testing.T) {
	if r.provider == "ant" {
		t.Skip("Anthropic has none")
	}
	model := r.provider + "/cohere.embed-v4"
	answer, err := r.c.Embeddings.New(t.Context(), openai.EmbeddingNewParams{Model: model, Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"one", "two"}}})
	if err != nil || len(answer.Data) != 2 || len(answer.Data[1].Embedding) != 8 || answer.Data[1].Index != 1 {
		t.Errorf("%+v, %v", answer, err)
	}
}

func (r *round) errors(t *testing.T) {
	known := r.c
	for _, c := range []struct {
		client openai.Client
		model  string
		status int
	}{
		{known, r.provider + "/fail-400", 400}, {r.client("sk-nobody"), r.provider + "/small", 401}, {r.client(r.narrow), r.provider + "/small", 403},
		{known, "no-such-model", 404}, {known, r.provider + "/fail-429", 429}, {known, r.provider + "/fail-500", 500}, {known, r.provider + "/fail-503", 503},
	} {
		p := r.params("", "x")
		p.Model = c.model
		_, err := c.client.Chat.Completions.New(t.Context(), p)
		var e *openai.Error
		if !errors.As(err, &e) || e.StatusCode != c.status || e.Message == "" || e.Type == "" {
			t.Errorf("%s: %v, want %d", c.model, err, c.status)
		}
	}
}

func (r *round) abort(t *testing.T) {
	before, _ := r.stats(t)
	ctx, leave := context.WithCancel(t.Context())
	s := r.c.Chat.Completions.NewStreaming(ctx, r.params("chunks-1000_pace-10", "x"))
	if !s.Next() {
		t.Fatal(s.Err())
	}
	leave()
	_ = s.Close() // we have left
	for range 250 {
		if cancelled, open := r.stats(t); cancelled > before && open == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("the upstream call lives on after its client has left")
}

func (r *round) stats(t *testing.T) (cancelled, open int) {
	t.Helper()
	res, err := http.Get(r.fake + "/stats")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	var s struct{ Cancelled, Open int }
	if err != nil || json.Unmarshal(b, &s) != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return s.Cancelled, s.Open
}

func (r *round) models(t *testing.T) {
	found := false
	list := r.c.Models.ListAutoPaging(t.Context())
	for list.Next() {
		found = found || list.Current().ID == "named"
	}
	if list.Err() != nil || !found {
		t.Errorf("named is not listed: %v", list.Err())
	}
	if one, err := r.c.Models.Get(t.Context(), "named"); err != nil || one.ID != "named" {
		t.Errorf("%v, %v", one, err)
	}
}
