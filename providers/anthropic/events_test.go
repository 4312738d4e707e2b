package anthropic

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	openai "github.com/sashabaranov/go-openai"
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/sse"
)

// deltasOf are the deltas that a block of each type may get.
var deltasOf = map[string][]string{
	"text":              {"text_delta text", "citations_delta citation"},
	"thinking":          {"thinking_delta thinking", "signature_delta signature"},
	"tool_use":          {"input_json_delta partial_json"},
	"server_tool_use":   {"input_json_delta partial_json"},
	"redacted_thinking": nil,
}

// message puts a client's stream together, as strictly as the API's page on
// streaming tells it: one block after the other, counted from 0, closed before
// the next; deltas of the block's own type only; message_start first, then
// message_delta and message_stop at the end, each once; a name on every event
// that is its type; data of one line.
func message(t testing.TB, stream []byte) (msg []byte) {
	t.Helper()
	var blocks []string
	open, state := "", "new"
	input := ""
	fail := func(data []byte, format string, args ...any) {
		t.Helper()
		t.Fatalf("%s\nat %s\nin\n%s", fmt.Sprintf(format, args...), data, stream)
	}
	err := sse.Events(stream, func(f dialect.Frame) error {
		data := append([]byte(nil), f.Data...)
		if !json.Valid(data) || strings.ContainsAny(string(data), "\r\n") {
			fail(data, "the data is not one line of JSON")
		}
		kind := gjson.GetBytes(data, "type").Str
		if f.Event != kind {
			fail(data, "the event is named %q", f.Event)
		}
		index := gjson.GetBytes(data, "index")
		if strings.HasPrefix(kind, "content_block") && (state != "begun" || index.Type != gjson.Number || int(index.Int()) != len(blocks)) {
			fail(data, "a block's event in state %s, where %d blocks are over", state, len(blocks))
		}
		switch kind {
		case "ping":
		case "message_start":
			m := gjson.GetBytes(data, "message")
			if state != "new" || m.Get("role").Str != "assistant" || m.Get("content").Raw != "[]" || !strings.HasPrefix(m.Get("id").Str, "msg_") ||
				m.Get("usage.input_tokens").Type != gjson.Number || m.Get("type").Str != "message" || m.Get("stop_reason").Type != gjson.Null {
				fail(data, "it is not a start")
			}
			state, msg = "begun", []byte(m.Raw)
		case "content_block_start":
			if open != "" {
				fail(data, "the block before is open")
			}
			open, input = gjson.GetBytes(data, "content_block").Raw, ""
		case "content_block_delta":
			open, input = addDelta(t, open, input, gjson.GetBytes(data, "delta"))
		case "content_block_stop":
			if open == "" {
				fail(data, "no block is open")
			}
			if input != "" {
				open, _ = sjson.SetRaw(open, "input", string(toolInput(input)))
			}
			blocks, open = append(blocks, open), ""
		case "message_delta":
			if state != "begun" || open != "" || gjson.GetBytes(data, "delta.stop_reason").Type != gjson.String || gjson.GetBytes(data, "usage.output_tokens").Type != gjson.Number {
				fail(data, "it is no end, or not the time for it")
			}
			state = "told"
			gjson.GetBytes(data, "delta").ForEach(func(key, v gjson.Result) bool {
				msg, _ = sjson.SetRawBytes(msg, key.Str, []byte(v.Raw))
				return true
			})
			gjson.GetBytes(data, "usage").ForEach(func(key, v gjson.Result) bool {
				msg, _ = sjson.SetRawBytes(msg, "usage."+key.Str, []byte(v.Raw))
				return true
			})
		case "message_stop":
			if state != "told" {
				fail(data, "stopped in state %s", state)
			}
			state = "stopped"
		default:
			fail(data, "an unknown event")
		}
		return nil
	})
	if err != nil || state != "stopped" {
		t.Fatalf("the stream ends in state %s, %v\n%s", state, err, stream)
	}
	msg, err = sjson.SetRawBytes(msg, "content", []byte("["+strings.Join(blocks, ",")+"]"))
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

// addDelta adds a delta to the open block.
func addDelta(t testing.TB, block, input string, d gjson.Result) (string, string) {
	t.Helper()
	kind := d.Get("type").Str
	for _, known := range deltasOf[gjson.Get(block, "type").Str] {
		name, field, _ := strings.Cut(known, " ")
		if name != kind {
			continue
		}
		switch {
		case field == "partial_json":
			return block, input + d.Get(field).Str
		case field == "citation":
			block, _ = sjson.SetRaw(block, "citations.-1", d.Get(field).Raw)
		default:
			block, _ = sjson.Set(block, field, gjson.Get(block, field).Str+d.Get(field).Str)
		}
		return block, input
	}
	t.Fatalf("a block %q gets %s", block, d.Raw)
	return "", ""
}

// written is what a client gets of chunks.
func written(chunks []schema.Chunk) []byte {
	w := newWriter(dialect.StreamOptions{ID: "made", Model: "asked"})
	var out []byte
	var usage schema.Usage
	for i := range chunks {
		if chunks[i].Usage != nil {
			usage.Merge(*chunks[i].Usage)
		}
		out = w.Chunk(out, &chunks[i])
	}
	return w.End(out, &usage)
}

func delta(d schema.ChoiceDelta) schema.Chunk {
	return schema.Chunk{ID: "chatcmpl-1", Model: "m", Choices: []schema.ChoiceDelta{d}}
}

func piece(index int, id, name, arguments string) openai.ToolCall {
	return openai.ToolCall{Index: &index, ID: id, Function: openai.FunctionCall{Name: name, Arguments: arguments}}
}

func calls(list ...openai.ToolCall) schema.Chunk { return delta(schema.ChoiceDelta{ToolCalls: list}) }

func text(s string) schema.Chunk { return delta(schema.ChoiceDelta{Text: s}) }

func ends(reason openai.FinishReason) schema.Chunk {
	return delta(schema.ChoiceDelta{FinishReason: reason})
}
