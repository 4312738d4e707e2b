package anthropic

import (
	"errors"
	"strings"
	"testing"

	"sluice/providers/dialect"
	"sluice/providers/schema"
)

func TestScan(t *testing.T) {
	var tally dialect.Tally
	s := newScanner(false)
	for _, frame := range []string{
		": a comment\n\n",
		"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5,\"cache_read_input_tokens\":3,\"output_tokens\":1}}}\n\n",
		"event: ping\ndata: {\"type\": \"ping\"}\n\n",
		"data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"name\":\"f\"}}\r\n\r\n",
		"data: {\"type\" : \"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\": \"a\\\"b\"}  }\n\n",
		"data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"text\\\":\\\"\"}}\n\n",
		"data: {\"delta\":{\"type\":\"text_delta\",\"text\":\"xyz\"},\"type\":\"content_block_delta\"}\n\n",
		"data: {\"type\":\ndata: \"content_block_stop\"}\n\n",
		"data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":9}}\n\n",
	} {
		if keep, err := s.Scan([]byte(frame), &tally); !keep || err != nil {
			t.Fatalf("%v, %v for %s", keep, err, frame)
		}
	}
	want := schema.Usage{Input: 8, CachedInput: 3, Output: 9, Source: schema.UsageReported}
	if tally.Usage != want || tally.Finish != "tool_calls" || tally.Done {
		t.Errorf("scanned %+v, want %+v", tally, want)
	}
	if got := string(tally.Text.Sample); !strings.HasPrefix(got, `a\"b{\"text\":\"`) || !strings.Contains(got, "xyz") {
		t.Errorf("the text is %q", got)
	}
	if _, err := s.Scan([]byte("data: {\"type\":\"message_stop\"}\n\n"), &tally); err != nil || !tally.Done {
		t.Errorf("not done: %v", err)
	}
	_, err := s.Scan([]byte("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n"), &tally)
	if e := schema.AsError(err); e.Class != schema.ClassOverloaded || e.Status != 503 {
		t.Errorf("the error is %v", err)
	}
}

func TestRawUsage(t *testing.T) {
	var tally dialect.Tally
	if err := rawUsage([]byte(`{"type":"message","content":[{"type":"text","text":"ab"},{"type":"tool_use","name":"f","input":{"x":1}}],"stop_reason":"max_tokens"}`), &tally); err != nil {
		t.Fatal(err)
	}
	if tally.Finish != "length" || string(tally.Text.Sample) != `abf{"x":1}` || tally.Usage.Source != schema.UsageNone {
		t.Errorf("tally is %+v", tally)
	}
	for body, class := range map[string]schema.Class{
		"": schema.ClassInvalidOutput, "<html>": schema.ClassInvalidOutput, "{}": schema.ClassInvalidOutput,
		`{"type":"message","usage":{"input_tokens":"many"}}`:                          schema.ClassInvalidOutput,
		`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`: schema.ClassOverloaded,
	} {
		if err := rawUsage([]byte(body), &tally); schema.AsError(err).Class != class {
			t.Errorf("%s gives %v, want %s", body, err, class)
		}
	}
}

func FuzzScan(f *testing.F) {
	f.Add([]byte("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5}}}\n\n"))
	f.Add([]byte("data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"\\\n\n"))
	f.Add([]byte("data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"x\"},\"usage\":{}}\r\n\r\n"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		var tally dialect.Tally
		s := newScanner(false)
		for range 2 {
			if _, err := s.Scan(frame, &tally); err != nil && !errors.As(err, new(*schema.Error)) {
				t.Fatalf("%v is no *schema.Error", err)
			}
		}
		if tally.Text.Bytes > int64(2*len(frame)+2)*3 {
			t.Fatalf("%d bytes of text in %d", tally.Text.Bytes, len(frame))
		}
	})
}

// FuzzThrough puts any stream of this API through the decoder and the writer.
func FuzzThrough(f *testing.F) {
	f.Add("text", `{"type":"text_delta","text":"a"}`, `{"type":"input_json_delta","partial_json":"{}"}`)
	f.Add("tool_use", `{"type":"input_json_delta","partial_json":"{\"a"}`, `{"type":"signature_delta","signature":"s"}`)
	f.Add("server_tool_use", `{"type":"citations_delta","citation":{}}`, `{"type":"thinking_delta","thinking":"s"}`)
	f.Fuzz(func(t *testing.T, kind, one, two string) {
		s := newStream()
		var chunks []schema.Chunk
		for _, data := range []string{
			`{"type":"message_start","message":{}}`, `{"type":"content_block_start","index":0,"content_block":{"type":"` + kind + `","id":"i","name":"n"}}`,
			`{"type":"content_block_delta","index":0,"delta":` + one + `}`, `{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"j","name":"m"}}`,
			`{"type":"content_block_delta","index":1,"delta":` + two + `}`, `{"type":"content_block_delta","index":0,"delta":` + two + `}`,
			`{"type":"content_block_stop","index":0}`, `{"type":"content_block_stop","index":1}`,
		} {
			var err error
			if chunks, err = s.Decode(dialect.Frame{Data: []byte(data)}, chunks); err != nil {
				return
			}
		}
		message(t, written(chunks))
	})
}
