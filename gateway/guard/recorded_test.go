package guard

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"sluice/providers/anthropic"
	"sluice/providers/cohere"
	"sluice/providers/dialect"
	"sluice/providers/gemini"
	"sluice/providers/mistral"
	"sluice/providers/openai"
	"sluice/providers/providertest"
	"sluice/providers/responses"
	"sluice/providers/schema"
	"sluice/providers/sse"
)

// lanesOf joins what chunks say, by where it is said.
func lanesOf(chunks []schema.Chunk) map[string]string {
	lanes, ended := map[string]string{}, map[int]bool{}
	for i := range chunks {
		for j := range chunks[i].Choices {
			d := &chunks[i].Choices[j]
			add := func(name, text string) {
				if text == "" {
					return
				}
				if ended[d.Index] {
					lanes["behind the end"] += text
				}
				lanes[fmt.Sprint(d.Index, " ", name)] += text
			}
			add("thinking", d.Thinking)
			add("signature", d.Signature)
			add("said", d.Text)
			add("refusal", d.Refusal)
			add("raw", string(d.Raw)+string(d.Citations))
			for k := range d.ToolCalls {
				tool := 0
				if n := d.ToolCalls[k].Index; n != nil {
					tool = *n
				}
				add(fmt.Sprint("tool ", tool), d.ToolCalls[k].ID+d.ToolCalls[k].Function.Name+d.ToolCalls[k].Function.Arguments)
			}
			if d.FinishReason != "" {
				ended[d.Index] = true
				lanes[fmt.Sprint(d.Index, " finish")] = string(d.FinishReason)
			}
		}
	}
	return lanes
}

// decoded are a recorded stream's chunks, each decoded anew with its own memory.
func decoded(d *dialect.Dialect, body []byte) (chunks [][]schema.Chunk) {
	decoder := d.Chat.Stream()
	_ = sse.Events(body, func(f dialect.Frame) error {
		list, err := decoder.Decode(f, nil)
		chunks = append(chunks, list)
		return err
	})
	return chunks
}

// TestRecordedStreams: a guard that finds nothing changes nothing of any recorded
// stream, whether it holds text back or the whole answer.
func TestRecordedStreams(t *testing.T) {
	dir := os.Getenv("SLUICE_WIRE")
	if dir == "" {
		t.Skip("SLUICE_WIRE is not set")
	}
	seen := 0
	for _, c := range []struct {
		dialect  *dialect.Dialect
		endpoint string
		names    []string
	}{
		{&anthropic.Dialect, "messages", []string{"anthropic"}},
		{&openai.Dialect, "chat", []string{"openai", "azure", "deepseek", "openrouter", "groq"}},
		{&responses.Dialect, "responses", []string{"openai", "azure", "xai"}},
		{&gemini.Dialect, "generate", []string{"gemini", "vertex"}},
		{&cohere.Dialect, "chat", []string{"cohere"}},
		{&mistral.Dialect, "chat", []string{"mistral"}},
	} {
		for _, capture := range providertest.Captures(t, dir, c.endpoint, c.names...) {
			if capture.Stream == nil || *capture.Stream != "sse" || capture.Response.Status != 200 {
				continue
			}
			seen++
			t.Run(capture.ID, func(t *testing.T) { unchanged(t, c.dialect, capture.Answered) })
		}
	}
	if seen < 40 {
		t.Errorf("%d streams", seen)
	}
}

func unchanged(t *testing.T, d *dialect.Dialect, body []byte) {
	never := &Matcher{Kinds: Card | IBAN | Email, Patterns: []*Pattern{mustPattern(`never-[0-9]{40}`)}}
	for name, g := range map[string]*Guard{
		"held":  {Name: "g", On: OnResponse, Mask: never, Deny: never, Figures: &Figures{}},
		"whole": {Name: "g", On: OnResponse, Mask: never, Check: func(string) error { return nil }, Figures: &Figures{}},
	} {
		var plain, past []schema.Chunk
		for _, list := range decoded(d, bytes.Clone(body)) {
			plain = append(plain, list...)
		}
		st := NewSession(NewSet([]*Guard{g}), nil).NewStream(t.Context())
		var err error
		for _, list := range decoded(d, bytes.Clone(body)) {
			for i := range list {
				if past, err = st.Chunk(&list[i], past); err != nil {
					t.Fatal(err)
				}
			}
		}
		if past, err = st.End(past); err != nil {
			t.Fatal(err)
		}
		want, got := lanesOf(plain), lanesOf(past)
		if g.Figures.Masked.Load() > 0 {
			t.Skip("it holds what the guard looks for")
		}
		for _, key := range slices.Sorted(maps.Keys(want)) {
			if got[key] != want[key] {
				t.Errorf("%s, %s:\n got %.300q\nwant %.300q", name, key, got[key], want[key])
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d texts instead of %d", name, len(got), len(want))
		}
	}
}
