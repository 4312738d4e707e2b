package anthropic

import (
	"strings"
	"testing"

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
