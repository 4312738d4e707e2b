package anthropic

import (
	"strings"
	"testing"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

func BenchmarkEncode(b *testing.B) {
	text := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 66)
	for name, turns := range map[string]int{"small": 0, "32KB": 10} {
		req := ask("claude-haiku-4-5", nil)
		for range turns {
			req.Messages = append(req.Messages, schema.Message{Role: schema.RoleAssistant, Parts: schema.TextParts("fine")}, user(text))
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := encode(req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Most frames of a raw stream are deltas.
func BenchmarkScan(b *testing.B) {
	frame := []byte("event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" the quick brown fox\"}}\n\n")
	s := newScanner(false)
	var tally dialect.Tally
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Scan(frame, &tally); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWriter(b *testing.B) {
	w := newWriter(dialect.StreamOptions{ID: "x"})
	chunk := text(" the quick brown fox")
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out = w.Chunk(out[:0], &chunk)
	}
}
