package gateway_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

// filled is the prompt that the benchmarks call: one variable, a schema, a text.
const filled = `---
model: up/in-10_out-5
config: {maxOutputTokens: 256}
input: {schema: {text: string}}
---
{{role "system"}}You are a helpful assistant.
{{role "user"}}{{text}}
`

// promptCall is a connection that calls the prompt "filled", with as long a
// text as that of a small call.
func (r *rig) promptCall(t testing.TB) *keptConn {
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"text":%q}`, strings.Repeat("a few words ", 20))
	return &keptConn{Conn: conn, buf: make([]byte, 64<<10), request: fmt.Appendf(nil,
		"POST /prompts/filled HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", testKey, len(body), body)}
}

// BenchmarkPromptCall is BenchmarkCall of a prompt.
func BenchmarkPromptCall(b *testing.B) {
	r := newRig(b, func(s *setup) { s.prompts["filled"] = filled })
	conn := r.promptCall(b)
	defer conn.Close()
	b.ReportAllocs()
	for b.Loop() {
		if err := conn.do(); err != nil {
			b.Fatal(err)
		}
	}
}

// A prompt's call, whose input is checked and whose messages are made, stays
// within its budget of allocations: see mostAllocs.
func TestAllocationsOfAPromptCall(t *testing.T) {
	r := newRig(t, func(s *setup) { s.prompts["filled"] = filled })
	r.promptCall(t).allocates(t, 80)
}
