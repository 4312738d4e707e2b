package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/providers/dialect"
	"sluice/providers/providertest"
	"sluice/providers/schema"
	"sluice/providers/sse"
	"sluice/providers/wire"
)

// capture is an entry of the recorded traffic's index.
type capture struct {
	ID       string   `json:"id"`
	Provider string   `json:"provider"`
	Endpoint string   `json:"endpoint"`
	Features []string `json:"features"`
	Stream   string   `json:"stream"`
	Request  struct {
		Path string `json:"path"`
		Body string `json:"body_file"`
	} `json:"request"`
	Response struct {
		Status int    `json:"status"`
		Body   string `json:"body_file"`
	} `json:"response"`
	Expect *struct {
		Text      string `json:"text"`
		Reasoning string `json:"reasoning"`
		ToolCalls []struct {
			ID, Name, Arguments string
		} `json:"tool_calls"`
		Finish *string          `json:"finish"`
		Usage  map[string]int64 `json:"usage"`
	} `json:"expect"`
	body, request []byte
}

var hosts = []string{"openai", "azure", "groq", "deepseek", "mistral", "openrouter", "xai", "together", "cerebras",
	"moonshot", "perplexity", "huggingface", "alibaba", "zai", "ollama", "bedrock-mantle"}

// captures gives the recorded traffic of hosts that speak this dialect.
func captures(t testing.TB, endpoint string) []capture {
	dir := os.Getenv("SLUICE_WIRE")
	if dir == "" {
		t.Skip("SLUICE_WIRE names no recorded traffic")
	}
	index, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all, out []capture
	if err := json.Unmarshal(index, &all); err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		if name == "" {
			return nil
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range all {
		if c.Endpoint != endpoint || !slices.Contains(hosts, c.Provider) {
			continue
		}
		c.body, c.request = read(c.Response.Body), read(c.Request.Body)
		out = append(out, c)
	}
	if len(out) == 0 {
		t.Fatalf("no captures of %s", endpoint)
	}
	return out
}

// answer is what a test sees of an answer, whole or streamed.
type answer struct {
	text, thinking, finish string
	calls                  []string
	usage                  schema.Usage
}

func (c *capture) check(t *testing.T, got answer) {
	t.Helper()
	e := c.Expect
	if e == nil || strings.HasSuffix(c.ID, "legacy_function_call") {
		return
	}
	if got.text != e.Text {
		t.Errorf("text is %q, want %q", got.text, e.Text)
	}
	if want := strings.TrimPrefix(e.Reasoning, "\n"); !strings.Contains(got.thinking, want) {
		t.Errorf("thinking is %.200q, want %.200q", got.thinking, want)
	}
	if e.Finish != nil && got.finish != string(finishReason(*e.Finish)) {
		t.Errorf("finish is %q, want %q", got.finish, *e.Finish)
	}
	var want []string
	for _, call := range e.ToolCalls {
		want = append(want, call.ID+" "+call.Name+" "+call.Arguments)
	}
	if !slices.Equal(got.calls, want) {
		t.Errorf("calls are %q, want %q", got.calls, want)
	}
	c.checkUsage(t, got.usage)
}

// checkUsage compares figures. The index has them as the host wrote them;
// ours hold what hosts count beside the sums.
func (c *capture) checkUsage(t *testing.T, u schema.Usage) {
	t.Helper()
	if c.Expect == nil || c.Expect.Usage == nil {
		return
	}
	w := c.Expect.Usage
	if c.Provider == "moonshot" { // the index knows OpenAI's place for it only
		w["cached"] = u.CachedInput
	}
	input, output := w["input"], w["output"]
	switch beside := w["total"] - input - output; {
	case beside > 0 && beside == w["reasoning"]:
		output += beside
	case beside > 0:
		input += beside
	}
	if w["cached"] > input {
		input += w["cached"]
	}
	if u.Input != input || u.Output != output || u.CachedInput != w["cached"] || u.Reasoning != min(w["reasoning"], output) {
		t.Errorf("usage is %+v, want %v", u, w)
	}
	if (u.Source == schema.UsageReported) != (len(w) > 0) {
		t.Errorf("usage has source %v, want %v", u.Source, w)
	}
}

func TestRecordedAnswers(t *testing.T) {
	for _, c := range captures(t, "chat") {
		if c.Stream != "" || c.Response.Status != 200 {
			continue
		}
		t.Run(c.ID, func(t *testing.T) {
			resp, err := decodeResponse(c.body)
			if err != nil {
				t.Fatal(err)
			}
			c.check(t, summary(resp))
			var tally dialect.Tally
			if err := chatUsage(c.body, &tally); err != nil {
				t.Fatal(err)
			}
			if tally.Usage != resp.Usage {
				t.Errorf("raw usage is %+v, decoded %+v", tally.Usage, resp.Usage)
			}
			again, err := decodeResponse(encodeResponse(nil, resp))
			if err != nil {
				t.Fatal(err)
			}
			if len(resp.Choices) > 0 && c.Expect != nil {
				c.check(t, summary(again))
			}
		})
	}
}

func summary(resp *schema.ChatResponse) answer {
	var a answer
	a.usage = resp.Usage
	if len(resp.Choices) == 0 {
		return a
	}
	ch := resp.Choices[0]
	a.text, a.finish = ch.Message.Text(), string(ch.FinishReason)
	for _, p := range ch.Message.Parts {
		if p.Type == schema.PartThinking {
			a.thinking += p.Text
		}
	}
	for _, call := range ch.Message.ToolCalls {
		a.calls = append(a.calls, call.ID+" "+call.Function.Name+" "+call.Function.Arguments)
	}
	return a
}

// cutFrames cuts a stream at its frames' ends.
func cutFrames(t testing.TB, b []byte) (out [][]byte) {
	var s sse.Splitter
	for len(b) > 0 {
		n, err := s.Next(b)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		out, b = append(out, b[:n]), b[n:]
	}
	return out
}

// decodeStream reads frames through a decoder.
func decodeStream(d dialect.StreamDecoder, stream []byte) ([]schema.Chunk, error) {
	var out []schema.Chunk
	err := sse.Events(stream, func(f dialect.Frame) (err error) {
		out, err = d.Decode(f, out)
		return err
	})
	return out, err
}

func joinChunks(chunks []schema.Chunk) answer {
	var a answer
	calls := map[int]*[3]string{}
	var order []int
	for _, c := range chunks {
		if c.Usage != nil {
			a.usage.Merge(*c.Usage)
		}
		for _, d := range c.Choices {
			if d.Index != 0 {
				continue
			}
			a.text += d.Text
			a.thinking += d.Thinking
			if d.FinishReason != "" {
				a.finish = string(d.FinishReason)
			}
			for _, call := range d.ToolCalls {
				k := calls[*call.Index]
				if k == nil {
					k = &[3]string{}
					calls[*call.Index] = k
					order = append(order, *call.Index)
				}
				k[0] += call.ID
				k[1] += call.Function.Name
				k[2] += call.Function.Arguments
			}
		}
	}
	for _, i := range order {
		a.calls = append(a.calls, strings.Join(calls[i][:], " "))
	}
	return a
}

func TestRecordedStreams(t *testing.T) {
	for _, c := range captures(t, "chat") {
		if c.Stream == "" {
			continue
		}
		t.Run(c.ID, func(t *testing.T) {
			fails := slices.Contains(c.Features, "error_in_stream")
			d := &decoder{}
			chunks, err := decodeStream(d, c.body)
			var tally dialect.Tally
			sc := &scanner{wantsUsage: true}
			scanErr := scanAll(t, sc, c.body, &tally)
			if fails {
				checkStreamError(t, err)
				checkStreamError(t, scanErr)
				return
			}
			if err != nil || scanErr != nil {
				t.Fatal(err, scanErr)
			}
			if !d.Done() && !d.Ended() || !tally.Done && !sc.Ended() {
				t.Error("the stream's end was not seen")
			}
			got := joinChunks(chunks)
			c.check(t, got)
			c.checkUsage(t, tally.Usage)
			if tally.Finish != got.finish {
				t.Errorf("raw finish is %q, decoded %q", tally.Finish, got.finish)
			}
			if tally.Text.Bytes == 0 {
				t.Error("no text was measured")
			}
			checkReencoded(t, &c, chunks, got)
		})
	}
}

func checkStreamError(t *testing.T, err error) {
	t.Helper()
	var e *schema.Error
	if !errors.As(err, &e) || e.Class != schema.ClassInvalidRequest || e.Status != 400 || !strings.Contains(strings.ToLower(e.Message), "tool") {
		t.Errorf("the error in the stream is %+v", err)
	}
}

func scanAll(t testing.TB, s *scanner, body []byte, tally *dialect.Tally) error {
	for _, f := range cutFrames(t, body) {
		if _, err := s.Scan(f, tally); err != nil {
			return err
		}
	}
	return nil
}

// checkReencoded writes the chunks for a client and reads them back.
func checkReencoded(t *testing.T, c *capture, chunks []schema.Chunk, want answer) {
	t.Helper()
	enc := newEncoder(dialect.StreamOptions{ID: "x", WantsUsage: true})
	var out []byte
	var usage schema.Usage
	for i := range chunks {
		if chunks[i].Usage != nil {
			usage.Merge(*chunks[i].Usage)
		}
		out = enc.Chunk(out, &chunks[i])
	}
	out = enc.End(out, &usage)
	again, err := decodeStream(&decoder{}, out)
	if err != nil {
		t.Fatal(err)
	}
	got := joinChunks(again)
	got.usage.Source, got.usage.CacheWrite = want.usage.Source, want.usage.CacheWrite
	if got.text != want.text || got.thinking != want.thinking || got.finish != want.finish || !slices.Equal(got.calls, want.calls) || got.usage != want.usage {
		t.Errorf("written and read again it is %+v, want %+v", got, want)
	}
}

func TestRecordedRequests(t *testing.T) {
	for _, c := range captures(t, "chat") {
		if len(c.request) == 0 || !json.Valid(c.request) {
			continue
		}
		t.Run(c.ID, func(t *testing.T) {
			h, err := head(schema.OpChat, c.request)
			if err != nil {
				t.Skip(err) // Azure names its model in the path
			}
			spliced := providertest.Spliced(Quirks{MaxTokensField: fieldMaxTokens}.splice, c.request, &h, "other/model", 77)
			checkSplice(t, c.request, spliced, &h, "other/model", 77)
			req, err := decodeRequest(c.request)
			if err != nil {
				t.Fatal(err)
			}
			up, err := Quirks{MaxTokensField: fieldMaxTokens}.encodeRequest(req)
			if err != nil || !json.Valid(up.Body) {
				t.Fatalf("encoded to %s, %v", up.Body, err)
			}
			again, err := decodeRequest(up.Body)
			if err != nil {
				t.Fatal(err)
			}
			second, err := Quirks{MaxTokensField: fieldMaxTokens}.encodeRequest(again)
			if err != nil || !bytes.Equal(up.Body, second.Body) {
				t.Errorf("not stable:\n%s\n%s", up.Body, second.Body)
			}
		})
	}
}

func TestRecordedErrors(t *testing.T) {
	want := map[string]schema.Class{
		"azure-chat-error_401": schema.ClassAuth, "azure-chat-error_404": schema.ClassNotFound,
		"deepseek-chat-error_401": schema.ClassAuth, "deepseek-chat-error_400": schema.ClassContextLength,
		"groq-chat-error_404": schema.ClassNotFound, "groq-chat-error_400": schema.ClassInvalidRequest,
		"groq-chat-error_404.2": schema.ClassNotFound, "groq-chat-error_400.2": schema.ClassInvalidRequest,
		"ollama-chat-error_400": schema.ClassContextLength, "openai-chat-error_404": schema.ClassNotFound,
		"openai-chat-error_404.2": schema.ClassNotFound, "openai-chat-error_400.2": schema.ClassInvalidRequest,
		"openrouter-chat-error_401": schema.ClassAuth, "openrouter-chat-error_400": schema.ClassContextLength,
		"perplexity-chat-error_400": schema.ClassContextLength,
	}
	for _, c := range captures(t, "chat") {
		if c.Response.Status < 400 {
			continue
		}
		e := wire.DecodeError(c.Response.Status, func(string) string { return "" }, c.body)
		if e.Class != want[c.ID] || e.Message == "" || e.UpstreamStatus != c.Response.Status {
			t.Errorf("%s: %+v, want class %q", c.ID, e, want[c.ID])
		}
	}
}

func TestRecordedEmbeddings(t *testing.T) {
	for _, c := range captures(t, "embeddings") {
		if c.Response.Status != 200 || c.Provider == "ollama" { // recorded from its own API
			continue
		}
		resp, err := decodeEmbedResponse(c.body)
		if err != nil || len(resp.Data) == 0 || resp.Usage.Input == 0 {
			t.Errorf("%s: %+v, %v", c.ID, resp, err)
			continue
		}
		for _, format := range []string{"float", "base64"} {
			again, err := decodeEmbedResponse(encodeEmbedResponse(nil, &schema.EmbedRequest{EncodingFormat: format}, resp))
			if err != nil || len(again.Data) != len(resp.Data) || (again.Data[0].Base64 != "") != (format == "base64") {
				t.Errorf("%s as %s: %v", c.ID, format, err)
			}
		}
	}
}
