package bedrock

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"sluice/providers/anthropic"
	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// claude writes the settings of Claude: as the Messages API has them, put
// where Converse wants them.
func (e *encoder) claude() error {
	settings := *e.req
	settings.Model = claudeName(e.req.Model)
	settings.Messages = []schema.Message{{Role: schema.RoleUser, Parts: schema.TextParts("x")}}
	// These are told in requestMetadata and serviceTier.
	settings.User, settings.Metadata, settings.ServiceTier, settings.Stream = "", nil, "", false
	settings.Extra = map[string]json.RawMessage{}
	for name, raw := range e.req.Extra {
		if !slices.Contains(ownNames, name) {
			settings.Extra[name] = raw
		}
	}
	settings.Tools = nil
	for i := range e.req.Tools {
		if t := &e.req.Tools[i]; t.Name == "" && gjson.GetBytes(t.Raw, "systemTool").Exists() {
			e.ownTool(t.Raw)
			continue
		}
		settings.Tools = append(settings.Tools, e.req.Tools[i])
	}
	up, err := anthropic.Dialect.Chat.Encode(&settings)
	if err != nil {
		return err
	}
	for _, name := range up.Dropped {
		e.drop(name)
	}
	e.betas(up.Header)
	gjson.ParseBytes(up.Body).ForEach(func(key, v gjson.Result) bool {
		e.claudeField(key.Str, v)
		return true
	})
	if gjson.GetBytes(up.Body, "tool_choice.type").Str == "none" {
		e.noTools()
	}
	if len(e.stop) > 0 {
		path := "/stop_sequence"
		if e.req.Stream {
			path = "/delta/stop_sequence"
		}
		e.paths = append(e.paths, path)
	}
	return nil
}

// ownNames are Bedrock's own fields.
var ownNames = []string{"guardrailConfig", "performanceConfig", "requestMetadata", "additionalModelRequestFields",
	"additionalModelResponseFieldPaths", "stream_options"}

// betas go into the body.
func (e *encoder) betas(header []dialect.Field) {
	for _, h := range header {
		if h.Name == "anthropic-beta" {
			list := wire.AppendTexts([]byte{'{'}, "x", strings.Split(h.Value, ","))
			e.addMore("anthropic_beta", json.RawMessage(gjson.GetBytes(append(list, '}'), "x").Raw))
		}
	}
}

// claudeField puts a field of the Messages API in its place.
func (e *encoder) claudeField(name string, v gjson.Result) {
	switch name {
	case "model", "messages", "stream":
	case "max_tokens":
		n := v.Int()
		e.maxTokens = &n
	case "temperature":
		e.temp = &v.Num
	case "top_p":
		e.topP = &v.Num
	case "stop_sequences":
		for _, s := range v.Array() {
			e.stop = append(e.stop, s.Str)
		}
	case "system":
		for _, b := range v.Array() {
			e.instruct(b.Get("text").Str)
		}
	case "tools":
		for _, t := range v.Array() {
			e.claudeTool(t)
		}
	case "tool_choice":
		e.claudeChoice(v)
	case "output_config":
		if s := v.Get("format.schema"); s.IsObject() {
			f := e.req.ResponseFormat
			if f == nil { // from the caller's own output_config
				f = &schema.ResponseFormat{}
			}
			e.jsonFormat(f.Name, f.Description, json.RawMessage(s.Raw))
		}
		rest, err := sjson.Delete(v.Raw, "format")
		if err == nil && wire.Says(json.RawMessage(rest)) {
			e.addMore(name, json.RawMessage(rest))
		}
	case "top_k", "thinking", "context_management":
		e.addMore(name, json.RawMessage(v.Raw))
	default:
		e.drop(name)
	}
}

// claudeTool adds a function, or a tool of Anthropic's own design that the
// caller runs (bash, text editor, computer), which Converse passes on.
func (e *encoder) claudeTool(t gjson.Result) {
	if !t.Get("input_schema").Exists() {
		list := string(e.more["tools"])
		if list == "" {
			list = "[]"
		}
		if list, err := sjson.SetRaw(list, "-1", t.Raw); err == nil {
			e.addMore("tools", json.RawMessage(list))
		}
		return
	}
	for name := range wire.Others(t, "name", "description", "input_schema", "strict", "cache_control", "type") {
		e.drop("tools." + name)
	}
	e.tool(toolSpec{t.Get("name").Str, t.Get("description").Str, json.RawMessage(t.Get("input_schema").Raw), t.Get("strict").Bool()},
		wire.RawObject(t.Get("cache_control")))
}

// claudeChoice writes the tool choice. Only the Messages API's own form can
// forbid parallel calls, and the two must not both be told.
func (e *encoder) claudeChoice(v gjson.Result) {
	if v.Get("disable_parallel_tool_use").Bool() {
		e.addMore("tool_choice", json.RawMessage(v.Raw))
		return
	}
	switch v.Get("type").Str {
	case "none": // said once the tools are known
	case "any":
		e.toolChoice = `{"any":{}}`
	case "tool":
		e.toolChoice = string(append(wire.AppendText([]byte(`{"tool":{`), "name", v.Get("name").Str), "}}"...))
	default:
		e.toolChoice = `{"auto":{}}`
	}
}
