package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// agentTargets are a model of each shape that thinks.
var agentTargets = []struct{ name, model, own string }{
	{"openai-compatible", "up/small_think", "openai"},
	{"openai", "oai/gpt-5_small_think", "responses"},
	{"anthropic", "ant/claude-sonnet-4-5_small", "anthropic"},
	{"gemini", "gem/gemini-3-pro-preview_small", "gemini"},
	{"bedrock", "bed/anthropic.claude-sonnet-4-5_small", ""},
}

// agentTools are as many as a coding agent declares, some with schemas that
// not every provider takes as they are, written over several lines.
func agentTools(wrap func(name, schema string) string) string {
	schemas := []string{
		`{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","additionalProperties":false,
			"properties":{"command":{"type":"string","description":"what to run"},"timeout":{"type":"number","maximum":600000}},"required":["command"]}`,
		`{"type":"object","properties":{"todos":{"type":"array","minItems":1,"items":{"type":"object","properties":
			{"content":{"type":"string","minLength":1},"status":{"type":"string","enum":["pending","done"]}},"required":["content","status"],"additionalProperties":false}}},"required":["todos"]}`,
		`{"type":"object","properties":{"path":{"anyOf":[{"type":"string"},{"type":"null"}]},"lines":{"type":["integer","null"]},"mode":{"const":"read"}}}`,
		`{"type":"object","properties":{}}`,
	}
	var list []string
	for i := range 18 {
		list = append(list, wrap(fmt.Sprintf("Tool_%02d", i), schemas[i%len(schemas)]))
	}
	return "[" + strings.Join(list, ",\n  ") + "]"
}

// A coding agent on Anthropic's API: system blocks and tools that are to be
// cached, thoughts, several turns of parallel calls, all streamed; thoughts and
// their signatures go back as they came.
func TestAgentOnMessages(t *testing.T) {
	g := start(t, sdkConfig)
	for _, target := range agentTargets {
		t.Run(target.name, func(t *testing.T) {
			messages := []string{`{"role":"user","content":[{"type":"text","text":"<system-reminder>be brief</system-reminder>"},
				{"type":"text","text":"fix the test","cache_control":{"type":"ephemeral"}}]}`}
			for turn := range 4 {
				body := `{"model":` + quote(target.model) + `,"max_tokens":32000,"stream":true,"temperature":1,
  "metadata":{"user_id":"user_abc_account__session_1"},
  "system":[{"type":"text","text":"You are an agent.","cache_control":{"type":"ephemeral"}},{"type":"text","text":"Work in /src.","cache_control":{"type":"ephemeral","ttl":"1h"}}],
  "thinking":{"type":"enabled","budget_tokens":31999},
  "tools":` + agentTools(func(name, schema string) string {
					return `{"name":"` + name + `","description":"does ` + name + `","input_schema":` + schema + `}`
				}) + `,"messages":[` + strings.Join(messages, ",\n") + `]}`
				a := g.data("POST", "/v1/messages?beta=true", body, "anthropic-version", "2023-06-01", "anthropic-beta", "claude-code-20250219,interleaved-thinking-2025-05-14")
				content, calls := messageOf(t, a)
				if a.status != 200 || turn%2 == 0 && len(calls) != 2 {
					t.Fatalf("turn %d: %d, %d calls: %s", turn, a.status, len(calls), tail(a.body, 1500))
				}
				messages = append(messages, `{"role":"assistant","content":`+content+`}`)
				if len(calls) == 0 {
					messages = append(messages, `{"role":"user","content":"go on"}`)
					continue
				}
				var results []string
				for i, id := range calls {
					results = append(results, fmt.Sprintf(`{"type":"tool_result","tool_use_id":%q,"is_error":%v,"content":[{"type":"text","text":"line 1\nline 2"}]}`, id, i == 1))
				}
				messages = append(messages, `{"role":"user","content":[`+strings.Join(results, ",")+`,{"type":"text","text":"<system-reminder>a file changed</system-reminder>"}]}`)
			}
		})
	}
}

// messageOf puts a streamed message together: its content as JSON, and the ids
// of its calls.
func messageOf(t *testing.T, a answer) (content string, calls []string) {
	t.Helper()
	var blocks []map[string]any
	inputs := map[int]string{}
	last := ""
	eachEvent(a.body, func(e gjson.Result) {
		i := int(e.Get("index").Int())
		last = e.Get("type").String()
		switch last {
		case "content_block_start":
			var b map[string]any
			if json.Unmarshal([]byte(e.Get("content_block").Raw), &b) != nil || i != len(blocks) {
				t.Errorf("block %d: %s", i, e.Raw)
			}
			blocks = append(blocks, b)
		case "content_block_delta":
			b, d := blocks[i], e.Get("delta")
			switch d.Get("type").String() {
			case "text_delta":
				b["text"] = b["text"].(string) + d.Get("text").String()
			case "thinking_delta":
				b["thinking"] = b["thinking"].(string) + d.Get("thinking").String()
			case "signature_delta":
				b["signature"] = d.Get("signature").String()
			case "input_json_delta":
				inputs[i] += d.Get("partial_json").String()
			}
		}
	})
	if last != "message_stop" || len(blocks) == 0 || blocks[0]["type"] != "thinking" {
		t.Errorf("the message ends with %q and holds %v", last, blocks)
	}
	for i, b := range blocks {
		if b["type"] == "tool_use" {
			if !gjson.Valid(inputs[i]) {
				t.Errorf("the input of call %d is %q", i, inputs[i])
			}
			b["input"] = json.RawMessage(inputs[i])
			calls = append(calls, b["id"].(string))
		}
	}
	raw, err := json.Marshal(blocks)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw), calls
}

// A coding agent on the Responses API: nothing is stored, reasoning travels
// encrypted, functions and a custom tool, all streamed.
func TestAgentOnResponses(t *testing.T) {
	g := start(t, sdkConfig)
	for _, target := range agentTargets {
		t.Run(target.name, func(t *testing.T) {
			input := []string{`{"type":"message","role":"developer","content":[{"type":"input_text","text":"<permissions>read</permissions>"}]}`,
				`{"type":"message","role":"user","content":[{"type":"input_text","text":"fix the test"}]}`}
			for turn := range 4 {
				body := `{"model":` + quote(target.model) + `,"instructions":"You are an agent.","stream":true,"store":false,
  "include":["reasoning.encrypted_content"],"reasoning":{"effort":"high","summary":"auto"},"tool_choice":"auto","parallel_tool_calls":true,
  "prompt_cache_key":"0198","text":{"verbosity":"low"},
  "tools":` + agentTools(func(name, schema string) string {
					return `{"type":"function","name":"` + name + `","description":"does ` + name + `","strict":false,"parameters":` + schema + `}`
				}) + `,"input":[` + strings.Join(input, ",\n") + `]}`
				a := g.data("POST", "/v1/responses", body)
				var final gjson.Result
				next := int64(0)
				eachEvent(a.body, func(e gjson.Result) {
					if n := e.Get("sequence_number").Int(); n != next {
						t.Errorf("event %s is number %d, not %d", e.Get("type"), n, next)
					}
					next++
					if e.Get("type").String() == "response.completed" {
						final = e.Get("response")
					}
				})
				calls := final.Get(`output.#(type=="function_call")#`).Array()
				if a.status != 200 || turn%2 == 0 && len(calls) != 2 || !final.Get(`output.#(type=="reasoning")`).Exists() {
					t.Fatalf("turn %d: %d, %d calls: %s", turn, a.status, len(calls), tail(a.body, 2500))
				}
				for _, item := range final.Get("output").Array() {
					input = append(input, item.Raw)
				}
				for _, c := range calls {
					input = append(input, `{"type":"function_call_output","call_id":`+c.Get("call_id").Raw+`,"output":"line 1\nline 2"}`)
				}
				if len(calls) == 0 {
					input = append(input, `{"type":"message","role":"user","content":[{"type":"input_text","text":"go on"}]}`)
				}
			}
		})
	}
}

// Every recorded request of a chat, from a client of its dialect, reaches an
// upstream of every shape in a form that it takes.
func TestRecordedRequests(t *testing.T) {
	all := captures(t, os.Getenv("SLUICE_WIRE"))
	g := start(t, sdkConfig)
	passed, sum := map[string]int{}, map[string]int{}
	for i := range all {
		c := &all[i]
		if c.dialect == "" || c.Response.Status != 200 || !gjson.ValidBytes(c.request) {
			continue
		}
		for _, d := range dialects {
			if d.name != c.dialect {
				continue
			}
			for _, target := range agentTargets {
				if d.name == target.own { // its own bytes pass unchanged, signatures of the real provider among them
					continue
				}
				provider, model, _ := strings.Cut(target.model, "/")
				ok := t.Run(c.ID+"/"+target.name, func(t *testing.T) {
					path, _ := d.ask(target.model, c.Stream != nil)
					as := *c
					as.model = model
					_, body, _ := d.own(&as, provider, path)
					a := g.data("POST", path, body, "anthropic-version", "2023-06-01")
					if a.status != 200 && !refusedRightly.MatchString(a.body) {
						t.Errorf("%d %s", a.status, tail(a.body, 500))
					}
				})
				if sum[target.name]++; ok {
					passed[target.name]++
				}
			}
		}
	}
	for _, target := range agentTargets {
		t.Logf("%-18s %d/%d", target.name, passed[target.name], sum[target.name])
	}
}

// refusedRightly are the reasons for which a recorded request may be refused: a
// file that nobody can fetch here or a target cannot read, a conversation
// without a word of the user's, or a signature that a real provider made.
var refusedRightly = regexp.MustCompile("cannot fetch from|takes http and https URLs only|takes s3:// only|reads PDF and text documents|" +
	"there is no user message with content|must begin with a user message|Invalid `signature`|Invalid signature in reasoningContent")
