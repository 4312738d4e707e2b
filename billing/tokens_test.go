package billing

import (
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// counter is shared by the tests: its tables are large.
var counter = NewCounter()

func TestEncodingOf(t *testing.T) {
	for model, want := range map[string]string{
		"gpt-4": cl100k, "gpt-4-turbo-2024-04-09": cl100k, "gpt-3.5-turbo": cl100k, "text-embedding-3-small": cl100k,
		"text-embedding-ada-002": cl100k, "openai/gpt-4": cl100k, "az/eu/gpt-35-turbo": cl100k, "ft:gpt-4-0613:org": cl100k,
		"gpt-4o": o200k, "gpt-4o-mini": o200k, "gpt-4.1": o200k, "gpt-4.5-preview": o200k, "gpt-5": o200k, "o3": o200k,
		"o4-mini": o200k, "gpt-oss-120b": o200k, "claude-sonnet-4-5": o200k, "mock/echo": o200k, "": o200k, "ft:gpt-4o:org": o200k,
	} {
		if got := encodingOf(model); got != want {
			t.Errorf("%q has %s, want %s", model, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for _, c := range []struct {
		model, text string
		want        int64
	}{
		{"gpt-4o", "", 0},
		{"gpt-4", "tiktoken is great!", 6}, // the example of OpenAI's cookbook
		{"gpt-4o", "tiktoken is great!", 6},
		{"gpt-4o", "<|endoftext|>", 7}, // text, not the special token
		{"gpt-4", "hello world", 2},
	} {
		if got := counter.Count(c.model, c.text); got != c.want {
			t.Errorf("%s counts %d tokens in %q, want %d", c.model, got, c.text, c.want)
		}
	}
}

// TestCountInPieces: cutting long texts changes no count where words have
// spaces, and hardly one where they have none.
func TestCountInPieces(t *testing.T) {
	words := strings.Repeat("The quick brown fox, 42 times,\n\tjumps over the lazy dog's bed. ", 1000)
	for _, model := range []string{"gpt-4", "gpt-4o"} {
		enc := counter.newer.get(o200k)
		if model == "gpt-4" {
			enc = counter.older.get(cl100k)
		}
		if got, want := counter.Count(model, words), int64(len(enc.EncodeOrdinary(words))); got != want {
			t.Errorf("%s: %d tokens in pieces, %d whole", model, got, want)
		}
		run := strings.Repeat("a", 3000)
		got, want := counter.Count(model, run), int64(len(enc.EncodeOrdinary(run)))
		if got < want || got > want+8 {
			t.Errorf("%s: %d tokens in pieces of a run, %d whole", model, got, want)
		}
	}
}

// TestLongRunsStayFast would take minutes if a run went to the tokenizer whole.
func TestLongRunsStayFast(t *testing.T) {
	for _, unit := range []string{"a", " ", "\n", "é", "漢", "\u00a0 ", "=", "🙂"} {
		text := strings.Repeat(unit, 100_000/len(unit))
		if n := counter.Count("gpt-4o", text); n <= 0 || n > int64(len(text)) {
			t.Errorf("%q: %d tokens", unit, n)
		}
	}
}

func TestPiecesAreBounded(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("x", 5000), strings.Repeat(" ", 5000), strings.Repeat("漢", 5000), strings.Repeat("\xff", 5000),
		strings.Repeat("two words ", 5000), strings.Repeat("a\u00a0", 9000), "short", strings.Repeat(" \u2003", 2000),
	} {
		var back strings.Builder
		for rest := text; rest != ""; {
			end := pieceEnd(rest)
			if end <= 0 {
				t.Fatalf("no progress in %.20q", text)
			}
			piece := rest[:end]
			if utf8.ValidString(text) && !utf8.ValidString(piece) {
				t.Errorf("a character of %.20q was cut", text)
			}
			back.WriteString(piece)
			rest = rest[end:]
			for _, run := range strings.Fields(piece) {
				if len(run) > runCap {
					t.Errorf("a run of %d bytes in %.20q", len(run), text)
				}
			}
		}
		if back.String() != text {
			t.Errorf("pieces of %.20q are not the whole", text)
		}
	}
}

func TestBounds(t *testing.T) {
	texts := []string{"", "x", "hello world", strings.Repeat("漢字かな交じり文 ", 50), strings.Repeat("\x00\xfe", 100), `{"a":[1,2,3]}`, "🙂🙃"}
	for _, text := range texts {
		if n, most := counter.Count("gpt-4o", text), UpperBound(len(text)); n > most {
			t.Errorf("%q has %d tokens, at most %d", text, n, most)
		}
	}
	if Estimate(0) != 0 || Estimate(1) != 1 || Estimate(9) != 3 || Estimate(-4) != 0 || UpperBound(-1) != 8 {
		t.Error("estimates are wrong")
	}
}

func TestCounterIsShared(t *testing.T) {
	c := NewCounter()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if n := c.Count("gpt-4o", "hello world"); n != 2 {
				t.Errorf("%d tokens", n)
			}
		})
	}
	wg.Wait()
}

func FuzzCount(f *testing.F) {
	for _, s := range []string{"hello", "\xff\xfe", strings.Repeat("ab", 600), "<|im_start|>", "\n \n\t"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n := counter.Count("gpt-4o", s); n < 0 || n > UpperBound(3*len(s)) || (s != "" && n == 0) {
			t.Fatalf("%d tokens in %q", n, s)
		}
	})
}
