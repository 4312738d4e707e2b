package gateway

import (
	"strings"
	"testing"

	"sluice/gateway/telemetry/otlp"
)

const sampleParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestParseTraceparent(t *testing.T) {
	f := func(h string, ok bool) {
		t.Helper()
		id, parent, flags, got := parseTraceparent([]byte(h))
		if got != ok {
			t.Errorf("%q: %v", h, got)
		}
		if ok && (id.String() != "4bf92f3577b34da6a3ce929d0e0e4736" || parent != (otlp.SpanID{0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7}) || flags != h[54]-'0') {
			t.Errorf("%q is %v %v %v", h, id, parent, flags)
		}
	}
	f(sampleParent, true)
	f(strings.TrimSuffix(sampleParent, "1")+"0", true)
	f("cc"+sampleParent[2:]+"-what-comes-later", true)
	f(sampleParent+"-more", false)
	f("ff"+sampleParent[2:], false)
	f("cc"+sampleParent[2:]+"more", false)
	f(strings.ToUpper(sampleParent), false)
	f("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false)
	f("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false)
	f(strings.Replace(sampleParent, "4", "g", 1), false)
	f(sampleParent[:54], false)
	f("", false)
}

func FuzzTraceparent(f *testing.F) {
	f.Add([]byte(sampleParent))
	f.Add([]byte("cc" + sampleParent[2:] + "-x"))
	f.Fuzz(func(t *testing.T, h []byte) {
		id, parent, flags, ok := parseTraceparent(h)
		if !ok {
			return
		}
		tr := trace{id: id, flags: flags}
		if again := string(tr.append(nil, parent)); again[2:] != string(h[2:55]) {
			t.Errorf("%q is passed on as %q", h, again)
		}
	})
}

func TestStreamText(t *testing.T) {
	f := func(frames, want string) {
		t.Helper()
		if got := streamText([]byte(frames)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f("data: {\"choices\":[{\"delta\":{\"content\":\"ann@\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"example.com\"}}]}\n\ndata: [DONE]\n\n", "ann@example.com")
	f("event: content_block_delta\ndata: {\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\ndata: {\"delta\":{\"text\":\"b\"}}\n\n", "ab")
	f("data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\n\ndata: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"b\"}]}}]}\n\n", "ab")
	f("data: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\r\n\r\ndata: {\"delta\":\"b\"}\n\n", "ab")
	f("data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}}]}\n\ndata: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"arguments\":\"}\"}}]}}]}\n\n", "f\n{}")
	f(": hello\n\ndata: nothing\n\n", "")
}

func TestMessages(t *testing.T) {
	in := func(body, want string) {
		t.Helper()
		if got := string(inputMessages([]byte(body), false)); got != want {
			t.Errorf("%s\n is %s\nwant %s", body, got, want)
		}
	}
	in(`{"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"t"},{"type":"image_url","image_url":{}}]}]}`,
		`[{"role":"system","parts":[{"type":"text","content":"s"}]},{"role":"user","parts":[{"type":"text","content":"t"},{"type":"image_url"}]}]`)
	in(`{"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}}]}]}`,
		`[{"role":"assistant","parts":[{"type":"tool_call","id":"1","name":"f","arguments":"{}"}]}]`)
	in(`{"contents":[{"parts":[{"text":"hi"}]}]}`, `[{"role":"user","parts":[{"type":"text","content":"hi"}]}]`)
	in(`{"input":"hi"}`, `[{"role":"user","parts":[{"type":"text","content":"hi"}]}]`)
	in(`{"input":["a","b"]}`, `[{"role":"user","parts":[{"type":"text","content":"a"}]},{"role":"user","parts":[{"type":"text","content":"b"}]}]`)
	in(`{"model":"x"}`, ``)
	out := func(body, text, want string) {
		t.Helper()
		if got := string(outputMessages([]byte(body), text, false)); got != want {
			t.Errorf("%s\n is %s\nwant %s", body, got, want)
		}
	}
	out(`{"choices":[{"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}]}`, "",
		`[{"role":"assistant","parts":[{"type":"text","content":"a"}],"finish_reason":"stop"}]`)
	out(`{"role":"assistant","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn"}`, "",
		`[{"role":"assistant","parts":[{"type":"text","content":"a"}],"finish_reason":"end_turn"}]`)
	out(`{"candidates":[{"content":{"role":"model","parts":[{"text":"a"}]},"finishReason":"STOP"}]}`, "",
		`[{"role":"model","parts":[{"type":"text","content":"a"}],"finish_reason":"STOP"}]`)
	out(``, "streamed", `[{"role":"assistant","parts":[{"type":"text","content":"streamed"}]}]`)
	out(`{"error":{}}`, "", ``)
}
