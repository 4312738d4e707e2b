package providertest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// Options choose and explain recorded traffic.
type Options struct {
	Provider string // of the index, such as anthropic
	Endpoint string // such as messages, chat, embeddings
	// CachedApart says that the provider counts cached tokens beside the
	// input, not in it; the index has the provider's own figures.
	CachedApart bool
	// Plans says that the provider tells its plans as thinking, which the index
	// does not: reasoning that it expects to be empty is not compared.
	Plans bool
	// Usage turns unified figures into the provider's own, which the index has,
	// where more than CachedApart tells them apart; body is the recorded answer.
	Usage func(got schema.Usage, body []byte) schema.Usage
	// Joined names captures that hold several streams, one after another: cut
	// between them, they are complete.
	Joined []string
	// Skip names captures that say nothing of the dialect, with the reason.
	Skip map[string]string
}

// Capture is an entry of the index.
type Capture struct {
	ID       string  `json:"id"`
	Provider string  `json:"provider"`
	Endpoint string  `json:"endpoint"`
	Kind     string  `json:"kind"`
	Stream   *string `json:"stream"`
	Request  struct {
		BodyFile string `json:"body_file"`
	} `json:"request"`
	Response struct {
		Status   int               `json:"status"`
		Headers  map[string]string `json:"headers"`
		BodyFile string            `json:"body_file"`
	} `json:"response"`
	Features []string  `json:"features"`
	Expect   *expected `json:"expect"`

	// The bodies, or nil where there is none. Captures reads them.
	Asked    []byte `json:"-"`
	Answered []byte `json:"-"`
}

// expected is what a right adapter makes of a capture, in the provider's own
// words and figures.
type expected struct {
	Text            *string `json:"text"`
	Reasoning       *string `json:"reasoning"`
	ReasoningCut    bool    `json:"reasoning_truncated"`
	ReasoningSHA256 string  `json:"reasoning_sha256"`
	ToolCalls       []struct {
		ID, Name  string
		Arguments json.RawMessage
	} `json:"tool_calls"`
	Finish *string `json:"finish"`
	Usage  *struct {
		Input, Output, Total *int64
		Cached, Reasoning    *int64
		CacheWrite           *int64 `json:"cache_write"`
		// With what is not billed, where the provider tells both.
		InputTotal  *int64 `json:"input_total"`
		OutputTotal *int64 `json:"output_total"`
	} `json:"usage"`
}

// finishes are the providers' words for an end, in OpenAI's.
var finishes = map[string]string{
	"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls", "refusal": "content_filter",
	"eos": "stop", "guardrail_intervened": "content_filter", "function_call": "tool_calls", "COMPLETE": "stop", "TOOL_CALL": "tool_calls", "MAX_TOKENS": "length",
	"completed": "stop", "max_output_tokens": "length",
	"STOP": "stop", "SAFETY": "content_filter", "prompt:MODEL_ARMOR": "content_filter",
}

// Recorded replays the captures of one provider's endpoint and prints a table
// of what passed. dir is the folder of recorded traffic, as the environment's
// SLUICE_WIRE names it; where that is empty, the test is skipped.
func Recorded(t *testing.T, dir string, d *dialect.Dialect, o Options) {
	all := index(t, dir)
	table := map[string][2]int{} // kind: passed, all
	for i := range all {
		c := &all[i]
		if c.Provider != o.Provider || c.Endpoint != o.Endpoint {
			continue
		}
		if why := o.Skip[c.ID]; why != "" {
			t.Logf("%s is left out: %s", c.ID, why)
			continue
		}
		passed := t.Run(c.ID, func(t *testing.T) {
			replay(t, d, o, c, c.read(t, dir, c.Response.BodyFile))
		})
		n := table[c.Kind]
		if n[1]++; passed {
			n[0]++
		}
		table[c.Kind] = n
	}
	if len(table) == 0 {
		t.Fatalf("the index has no capture of %s %s", o.Provider, o.Endpoint)
	}
	printTable(t, o, table)
}

func printTable(t *testing.T, o Options, table map[string][2]int) {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "provider\tkind\tpassed")
	sum := [2]int{}
	for _, kind := range slices.Sorted(maps.Keys(table)) {
		n := table[kind]
		sum[0], sum[1] = sum[0]+n[0], sum[1]+n[1]
		fmt.Fprintf(w, "%s\t%s\t%d/%d\n", o.Provider, kind, n[0], n[1])
	}
	fmt.Fprintf(w, "%s\tall\t%d/%d\n", o.Provider, sum[0], sum[1])
	_ = w.Flush() // a Builder takes everything
	t.Logf("\n%s", out.String())
}

// replay puts one recorded answer through the dialect.
func replay(t *testing.T, d *dialect.Dialect, o Options, c *Capture, body []byte) {
	if c.Response.Status >= 400 {
		checkError(t, d.Error(c.Response.Status, headerOf(c.Response.Headers), body), c.Response.Status)
		return
	}
	if c.Endpoint == "embeddings" {
		resp, err := d.Embed.Decode(body)
		if err != nil || len(resp.Data) == 0 || len(resp.Data[0].Vector) == 0 && resp.Data[0].Base64 == "" {
			t.Fatalf("cannot read embeddings: %v", err)
		}
		return
	}
	if c.Endpoint == "rerank" {
		resp, err := d.Rerank.Decode(body)
		if err != nil || len(resp.Results) == 0 || resp.Results[0].Score == 0 {
			t.Fatalf("cannot read a ranking: %v", err)
		}
		return
	}
	got, err := answer{}, error(nil)
	if c.Stream != nil {
		if *c.Stream == "json-array" {
			body = arrayFrames(t, body)
		}
		got, err = checkStream(t, d.Chat, body, slices.Contains(o.Joined, c.ID))
	} else {
		var whole *schema.ChatResponse
		if whole, err = d.Chat.Decode(body); err == nil {
			got = fromWhole(whole)
		}
	}
	if err != nil {
		t.Fatalf("cannot read the answer: %v", err)
	}
	if o.Usage != nil {
		got.Usage = o.Usage(got.Usage, body)
	}
	if c.Expect != nil {
		compare(t, o, &got, c.Expect)
	}
}

// arrayFrames turns a stream that is one JSON array, as Gemini sends it where
// no event stream is asked for, into frames.
func arrayFrames(t *testing.T, body []byte) []byte {
	var list []json.RawMessage
	if err := json.Unmarshal(body, &list); err != nil {
		t.Fatalf("cannot read the recorded array: %v", err)
	}
	var out bytes.Buffer
	for _, item := range list {
		out.WriteString("data: ")
		if err := json.Compact(&out, item); err != nil {
			t.Fatal(err)
		}
		out.WriteString("\n\n")
	}
	return out.Bytes()
}

func headerOf(headers map[string]string) func(string) string {
	return func(name string) string {
		for k, v := range headers {
			if strings.EqualFold(k, name) {
				return v
			}
		}
		return ""
	}
}

func checkError(t *testing.T, e *schema.Error, status int) {
	t.Helper()
	if e == nil {
		t.Fatal("an error answer gave no error")
	}
	if e.Code == "" || e.Class == "" || e.Message == "" || e.Status < 400 || e.UpstreamStatus != status {
		t.Errorf("the error is incomplete: %+v", e)
	}
}

// compare holds an answer against what the index expects.
func compare(t *testing.T, o Options, got *answer, want *expected) {
	t.Helper()
	if want.Text != nil && got.Text != *want.Text {
		t.Errorf("text is %q, want %q", got.Text, *want.Text)
	}
	if !o.Plans || want.Reasoning != nil && *want.Reasoning != "" {
		compareReasoning(t, got.Reasoning, want)
	}
	if len(got.Calls) != len(want.ToolCalls) {
		t.Errorf("%d tool calls, want %d", len(got.Calls), len(want.ToolCalls))
	} else {
		for i, w := range want.ToolCalls {
			g := got.Calls[i]
			g.ID, _ = wire.SplitCall(g.ID)
			if g.Function.Name != w.Name || w.ID != "" && g.ID != w.ID || canonical(g.Function.Arguments) != expectedArguments(w.Arguments) {
				t.Errorf("tool call %d is %s %s(%s), want %s %s(%s)", i, g.ID, g.Function.Name, g.Function.Arguments, w.ID, w.Name, w.Arguments)
			}
		}
	}
	if want.Finish != nil {
		finish := *want.Finish
		if word, ok := finishes[finish]; ok {
			finish = word
		}
		if (*want.Finish == "STOP" || *want.Finish == "completed") && len(got.Calls) > 0 { // an end of both kinds
			finish = "tool_calls"
		}
		if got.Finish != finish {
			t.Errorf("finish reason is %q, want %q", got.Finish, finish)
		}
	}
	compareUsage(t, o, got.Usage, want)
}

func compareReasoning(t *testing.T, got string, want *expected) {
	t.Helper()
	if want.Reasoning == nil {
		return
	}
	if want.ReasoningSHA256 != "" {
		if sum := sha256.Sum256([]byte(got)); hex.EncodeToString(sum[:]) != want.ReasoningSHA256 {
			t.Errorf("the reasoning's digest is %x, want %s", sum, want.ReasoningSHA256)
		}
		return
	}
	if want.ReasoningCut && strings.HasPrefix(got, *want.Reasoning) {
		return
	}
	if got != *want.Reasoning {
		t.Errorf("reasoning is %q, want %q", got, *want.Reasoning)
	}
}

func compareUsage(t *testing.T, o Options, got schema.Usage, want *expected) {
	t.Helper()
	if want.Usage == nil {
		return
	}
	if got.Source != schema.UsageReported {
		t.Errorf("usage is %s, want reported", got.Source)
	}
	if want.Usage.InputTotal != nil {
		want.Usage.Input, want.Usage.Output = want.Usage.InputTotal, want.Usage.OutputTotal
	}
	input := got.Input
	if w := want.Usage; w.Total != nil && got.AudioInput > 0 && *w.Total-*w.Input-*w.Output == got.AudioInput {
		input -= got.AudioInput // the provider counts it beside the input
	}
	if o.CachedApart {
		input -= got.CachedInput + got.CacheWrite
	}
	for _, f := range []struct {
		name string
		got  int64
		want *int64
	}{
		{"input", input, want.Usage.Input}, {"output", got.Output, want.Usage.Output}, {"cached", got.CachedInput, want.Usage.Cached},
		{"cache_write", got.CacheWrite, want.Usage.CacheWrite}, {"reasoning", got.Reasoning, want.Usage.Reasoning},
	} {
		if f.want != nil && f.got != *f.want {
			t.Errorf("usage %s is %d, want %d", f.name, f.got, *f.want)
		}
	}
}

// expectedArguments is the index's form of arguments as JSON: a string that
// holds JSON, or JSON; none is the empty object.
func expectedArguments(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		text = string(raw)
	}
	return canonical(text)
}

// canonical is JSON without insignificant differences; what is not JSON stays.
func canonical(text string) string {
	if strings.TrimSpace(text) == "" {
		return "{}"
	}
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return text
	}
	return string(raw)
}
