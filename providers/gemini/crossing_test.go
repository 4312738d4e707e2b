package gemini

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"sluice/providers/anthropic"
	"sluice/providers/dialect"
	"sluice/providers/openai"
	"sluice/providers/providertest"
	"sluice/providers/schema"
	"sluice/providers/sse"
	"sluice/providers/wire"
)

var targets = []*dialect.Dialect{&Dialect, &openai.Dialect, &anthropic.Dialect}

// TestRecordedRequests sends what Gemini's clients asked to providers of each
// dialect, and what others' clients asked to Gemini.
func TestRecordedRequests(t *testing.T) {
	type lane struct {
		client             *dialect.Dialect
		endpoint, provider string
		to                 []*dialect.Dialect
	}
	lanes := []lane{
		{&Dialect, "generate", "gemini", targets}, {&Dialect, "generate", "vertex", targets},
		{&openai.Dialect, "chat", "openai", targets[:1]}, {&openai.Dialect, "chat", "openrouter", targets[:1]},
		{&anthropic.Dialect, "messages", "anthropic", targets[:1]},
	}
	for _, l := range lanes {
		n := 0
		for _, c := range providertest.Captures(t, os.Getenv("SLUICE_WIRE"), l.endpoint, l.provider) {
			if len(c.Asked) == 0 || c.Response.Status != 200 {
				continue
			}
			n++
			for _, to := range l.to {
				t.Run(c.ID+"/"+to.Name, func(t *testing.T) { sendTo(t, &c, l.client, to) })
			}
		}
		t.Logf("%s client: %d requests of %s", l.client.Name, n, l.provider)
	}
}

func sendTo(t *testing.T, c *providertest.Capture, client, to *dialect.Dialect) {
	t.Helper()
	if client == &Dialect {
		if _, err := head(schema.OpChat, c.Asked); err != nil {
			t.Fatalf("head: %v", err)
		}
	}
	req, err := client.Client.DecodeChat(c.Asked)
	if err != nil {
		t.Fatalf("cannot decode: %v", err)
	}
	req.Model = map[string]string{"gemini": "gemini-3-flash-preview", "openai": "gpt-5", "anthropic": "claude-sonnet-4-5"}[to.Name]
	if client == to && c.Provider == "vertex" {
		to = New(Quirks{Vertex: true})
	}
	up, err := to.Chat.Encode(req)
	if err != nil && to == &anthropic.Dialect && strings.Contains(string(c.Asked)+err.Error(), "gs://") {
		return // files in Google's storage, which nobody else can read
	}
	if err != nil && to == &anthropic.Dialect && strings.Contains(string(c.Asked), `"text":""`) {
		return // a question without a word, which Anthropic refuses
	}
	if err != nil {
		t.Fatalf("cannot encode: %v", err)
	}
	if !json.Valid(up.Body) {
		t.Fatalf("not JSON: %s", up.Body)
	}
	if client.Name == to.Name {
		sameConversation(t, c.Asked, up.Body)
	} else if wire.SignedCalls(up.Body) && to.Name != Name {
		t.Errorf("a signature reached another provider: %s", up.Body)
	}
}

// sameConversation holds two requests' contents against each other: what is
// said, called, answered and signed.
func sameConversation(t *testing.T, want, got []byte) {
	t.Helper()
	if a, b := essence(want), essence(got); !slices.Equal(a, b) {
		t.Errorf("the conversation changed:\n%s\nwas\n%s", strings.Join(b, "\n"), strings.Join(a, "\n"))
	}
}

func essence(body []byte) (out []string) {
	root := gjson.ParseBytes(body)
	each(root.Get("contents"), func(c gjson.Result) {
		each(c.Get("parts"), func(v gjson.Result) {
			switch p := readPart(v); {
			case p.call != nil:
				out = append(out, fmt.Sprintf("call %s %s %s %s", p.call.ID, p.call.Name, canonical(p.call.Args), toStd(p.signature)))
			case p.result.IsObject():
				text, failed := resultText(p.result.Get("response"))
				out = append(out, fmt.Sprintf("result %s %s %v", p.result.Get("name").Str, canonical([]byte(text)), failed))
			case p.media != nil:
				out = append(out, fmt.Sprintf("media %s %d %s", p.media.MIME, len(p.media.Data), p.media.URL))
			case p.known:
				out = append(out, "raw "+canonical(p.raw))
			case p.text != "" || p.signature != "":
				out = append(out, fmt.Sprintf("text %v %s %s", p.thought, p.text, p.signature))
			}
		})
	})
	for i := range out { // ids that were made where there were none
		if f := strings.Fields(out[i]); f[0] == "call" && (strings.HasPrefix(f[1], "call_") && len(f[1]) < 8) {
			out[i] = strings.Replace(out[i], "call "+f[1], "call ", 1)
		}
	}
	for i := range out { // a call of Gemini 3's must be signed
		out[i] = strings.TrimSuffix(out[i], toStd(noSignature))
	}
	return out
}

func toStd(signature string) string {
	return strings.NewReplacer("-", "+", "_", "/").Replace(signature)
}

func canonical(raw []byte) string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return string(raw)
	}
	out, _ := json.Marshal(v)
	return string(out)
}

// result is what an answer says, in any dialect.
type result struct {
	Text, Thinking, Finish string
	Calls                  []string
	Usage                  schema.Usage
}

func (r *result) add(t *testing.T, c *schema.Choice) {
	t.Helper()
	r.Text += c.Message.Text() + c.Message.Refusal
	for _, p := range c.Message.Parts {
		if p.Type == schema.PartThinking {
			r.Thinking += p.Text
		}
	}
	for _, call := range c.Message.ToolCalls {
		id, _ := wire.SplitCall(call.ID)
		r.Calls = append(r.Calls, id+" "+call.Function.Name+" "+canonical([]byte(call.Function.Arguments)))
	}
	r.Finish += string(c.FinishReason)
}

func whole(t *testing.T, d *dialect.Dialect, body []byte) (result, *schema.ChatResponse) {
	t.Helper()
	resp, err := d.Chat.Decode(body)
	if err != nil {
		t.Fatalf("%s cannot decode: %v\n%s", d.Name, err, body)
	}
	r := result{Usage: resp.Usage}
	r.add(t, &resp.Choices[0])
	return r, resp
}

// streamed reads a stream of d's, and writes it for client where that is set.
func streamed(t *testing.T, d *dialect.Dialect, body []byte, client *dialect.Dialect) (result, []byte) {
	t.Helper()
	decoder, frames := d.Chat.Stream(), sse.NewReader(bytes.NewReader(body))
	defer frames.Close()
	encoder := Dialect.Client.Stream(dialect.StreamOptions{})
	if client != nil {
		encoder = client.Client.Stream(dialect.StreamOptions{ID: "id", Model: "m", WantsUsage: true})
	}
	var r result
	var out []byte
	args := map[int]string{}
	for {
		f, err := frames.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		chunks, err := decoder.Decode(f, nil)
		if err != nil {
			t.Fatalf("%s cannot decode: %v", d.Name, err)
		}
		for i := range chunks {
			c := &chunks[i]
			if c.Usage != nil {
				r.Usage.Merge(*c.Usage)
			}
			for _, delta := range c.Choices {
				if delta.Index != 0 {
					continue
				}
				r.Text += delta.Text + delta.Refusal
				r.Thinking += delta.Thinking
				r.Finish += string(delta.FinishReason)
				for _, call := range delta.ToolCalls {
					id, _ := wire.SplitCall(call.ID)
					args[*call.Index] += strings.TrimSpace(id + " " + call.Function.Name + " " + call.Function.Arguments)
				}
			}
			out = encoder.Chunk(out, c)
		}
	}
	if e, ok := decoder.(dialect.Ender); !decoder.Done() && (!ok || !e.Ended()) {
		t.Errorf("%s: the stream is not whole", d.Name)
	}
	for i := range len(args) {
		r.Calls = append(r.Calls, strings.ReplaceAll(args[i], " ", ""))
	}
	return r, encoder.End(out, &r.Usage)
}

// TestRecordedAnswers gives what other providers answered to a Gemini client,
// and what Gemini answered to each client, and reads it again there.
func TestRecordedAnswers(t *testing.T) {
	lanes := []struct {
		from               *dialect.Dialect
		endpoint, provider string
		to                 []*dialect.Dialect
	}{
		{&openai.Dialect, "chat", "openai", targets[:1]}, {&openai.Dialect, "chat", "deepseek", targets[:1]},
		{&anthropic.Dialect, "messages", "anthropic", targets[:1]},
		{&Dialect, "generate", "gemini", targets}, {&Dialect, "generate", "vertex", targets},
	}
	for _, l := range lanes {
		for _, c := range providertest.Captures(t, os.Getenv("SLUICE_WIRE"), l.endpoint, l.provider) {
			if c.Response.Status != 200 || c.Stream != nil && *c.Stream != "sse" || strings.Contains(c.ID, "server_tool") {
				continue
			}
			for _, to := range l.to {
				t.Run(c.ID+"/"+to.Name, func(t *testing.T) { answerTo(t, &c, l.from, to) })
			}
		}
	}
}

func answerTo(t *testing.T, c *providertest.Capture, from, to *dialect.Dialect) {
	t.Helper()
	var want, got result
	if c.Stream == nil {
		var resp *schema.ChatResponse
		want, resp = whole(t, from, c.Answered)
		got, _ = whole(t, to, to.Client.EncodeChat(nil, resp))
	} else {
		var out []byte
		want, out = streamed(t, from, c.Answered, to)
		got, _ = streamed(t, to, out, nil)
	}
	if to == &anthropic.Dialect && bytes.Contains(c.Answered, []byte("executableCode")) {
		want.Text, got.Text = "", "" // code is told in words there
	}
	if to == &anthropic.Dialect { // it has neither the share of thinking nor that of sound
		for _, u := range []*schema.Usage{&want.Usage, &got.Usage} {
			u.Reasoning, u.AudioInput, u.AudioOutput = 0, 0, 0
		}
	}
	if to == &Dialect { // it counts no writes to a cache
		for _, u := range []*schema.Usage{&want.Usage, &got.Usage} {
			u.CacheWrite, u.CacheWrite1h = 0, 0
		}
	}
	if want.Usage.Source == schema.UsageNone {
		want.Usage, got.Usage = schema.Usage{}, schema.Usage{}
	}
	want.Usage.Tier = got.Usage.Tier // not every dialect has a word for it
	if a, b := fmt.Sprintf("%+v", want), fmt.Sprintf("%+v", got); a != b {
		t.Errorf("the answer is\n%s\nwant\n%s", b, a)
	}
}
