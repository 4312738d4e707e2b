package bedrock

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/dialect"
	"sluice/providers/schema"
	"sluice/providers/wire"
)

// encoder is the state of one translation.
type encoder struct {
	req        *schema.ChatRequest
	traits     traits
	system     [][]byte // content blocks
	turns      []turn
	tools      [][]byte // entries of toolConfig.tools
	toolNames  map[string]bool
	toolChoice string // JSON; empty: none
	maxTokens  *int64
	temp, topP *float64
	stop       []string
	format     []byte                     // outputConfig.textFormat
	more       map[string]json.RawMessage // additionalModelRequestFields
	paths      []string                   // additionalModelResponseFieldPaths
	documents  map[string]bool            // names of documents
	dropped    []string
}

// drop names a parameter that the provider will not see.
func (e *encoder) drop(name string) {
	if !slices.Contains(e.dropped, name) {
		e.dropped = append(e.dropped, name)
	}
}

func (e *encoder) addMore(name string, value json.RawMessage) {
	if e.more == nil {
		e.more = map[string]json.RawMessage{}
	}
	e.more[name] = value
}

// encode is Chat.Encode.
func encode(req *schema.ChatRequest) (*dialect.Upstream, error) {
	e, err := translate(req)
	if err != nil {
		return nil, err
	}
	operation := "converse"
	if req.Stream {
		operation = "converse-stream"
	}
	body := append(e.appendPrompt([]byte{'{'}), e.settings()...)
	return &dialect.Upstream{Path: modelPath(req.Model, operation), Body: append(body, '}'), Dropped: e.dropped}, nil
}

// translate fills an encoder with what the request says.
func translate(req *schema.ChatRequest) (*encoder, error) {
	e := &encoder{req: req, traits: traitsOf(req.Model), toolNames: map[string]bool{}, documents: map[string]bool{}}
	if err := e.messages(); err != nil {
		return nil, err
	}
	settings := e.other
	if e.traits.claude {
		settings = e.claude
	}
	if err := settings(); err != nil {
		return nil, err
	}
	if !e.traits.system {
		e.foldSystem()
	}
	e.usedTools()
	return e, nil
}

// appendPrompt writes messages, system and toolConfig.
func (e *encoder) appendPrompt(dst []byte) []byte {
	size := 256
	for i := range e.turns {
		for _, b := range e.turns[i].blocks {
			size += len(b.json) + 32
		}
	}
	dst = slices.Grow(dst, size)
	dst = append(wire.AppendKey(dst, "messages"), '[')
	for i := range e.turns {
		dst = append(wire.AppendComma(dst), '{')
		dst = wire.AppendText(dst, "role", e.turns[i].role)
		dst = append(wire.AppendKey(dst, "content"), '[')
		for _, b := range e.turns[i].blocks {
			dst = append(wire.AppendComma(dst), b.json...)
		}
		dst = append(dst, ']', '}')
	}
	dst = append(dst, ']')
	dst = appendList(dst, "system", e.system)
	if len(e.tools) == 0 {
		return dst
	}
	dst = appendList(append(wire.AppendKey(dst, "toolConfig"), '{'), "tools", e.tools)
	if e.toolChoice != "" {
		dst = wire.AppendRaw(dst, "toolChoice", json.RawMessage(e.toolChoice))
	}
	return append(dst, '}')
}

func appendList(dst []byte, name string, list [][]byte) []byte {
	if len(list) == 0 {
		return dst
	}
	dst = append(wire.AppendKey(dst, name), '[')
	for _, item := range list {
		dst = append(wire.AppendComma(dst), item...)
	}
	return append(dst, ']')
}

// settings writes all else, each field with a comma before it.
func (e *encoder) settings() []byte {
	dst := append([]byte(`,"inferenceConfig":`), '{')
	dst = wire.AppendInt(dst, "maxTokens", e.maxTokens)
	dst = wire.AppendFloat(dst, "temperature", e.temp)
	dst = wire.AppendFloat(dst, "topP", e.topP)
	dst = append(wire.AppendTexts(dst, "stopSequences", e.stop), '}')
	if e.format != nil {
		dst = append(wire.AppendKey(append(wire.AppendKey(dst, "outputConfig"), '{'), "textFormat"), e.format...)
		dst = append(dst, '}')
	}
	e.ownFields()
	if len(e.more) > 0 {
		dst = append(wire.AppendKey(dst, "additionalModelRequestFields"), '{')
		for _, name := range slices.Sorted(maps.Keys(e.more)) {
			dst = append(append(wire.AppendString(wire.AppendComma(dst), name), ':'), e.more[name]...)
		}
		dst = append(dst, '}')
	}
	dst = wire.AppendTexts(dst, "additionalModelResponseFieldPaths", e.paths)
	for _, name := range []string{"guardrailConfig", "performanceConfig"} {
		if raw := e.req.Extra[name]; gjson.ParseBytes(raw).IsObject() {
			dst = wire.AppendRaw(dst, name, raw)
		} else if len(raw) > 0 {
			e.drop(name)
		}
	}
	dst = e.appendMetadata(dst)
	switch tier := e.req.ServiceTier; tier {
	case "", "auto":
	case "default", "flex", "priority", "reserved":
		dst = append(wire.AppendText(append(wire.AppendKey(dst, "serviceTier"), '{'), "type", tier), '}')
	default:
		e.drop("service_tier")
	}
	return dst
}

// limits are fields of models by which a caller could ask for more than the
// gateway granted; they are told in inferenceConfig alone.
var limits = []string{"max_tokens", "max_completion_tokens", "max_new_tokens", "max_gen_len", "maxTokens", "maxTokenCount",
	"max_tokens_to_sample", "inferenceConfig", "n", "num_generations", "numResults"}

// ownFields reads the fields of Bedrock's own that a caller sends beside
// OpenAI's or Anthropic's, and names the rest; the caller's own word wins.
func (e *encoder) ownFields() {
	for _, name := range slices.Sorted(maps.Keys(e.req.Extra)) {
		raw := gjson.ParseBytes(e.req.Extra[name])
		switch name {
		case "guardrailConfig", "performanceConfig", "requestMetadata":
			// written by settings and appendMetadata
		case "additionalModelRequestFields":
			raw.ForEach(func(key, v gjson.Result) bool {
				if slices.Contains(limits, key.Str) {
					e.drop(name + "." + key.Str)
				} else {
					e.addMore(key.Str, json.RawMessage(v.Raw))
				}
				return true
			})
		case "additionalModelResponseFieldPaths":
			for _, p := range raw.Array() {
				e.paths = append(e.paths, p.String())
			}
		case "stream_options":
			// usage is always told
		default:
			if !e.traits.claude { // claude has named them
				e.drop(name)
			}
		}
	}
}

// maxMetadata is how many entries requestMetadata may have.
const maxMetadata = 16

// appendMetadata writes requestMetadata, which is for the caller's own logs of
// invocations: OpenAI's metadata and user, and the caller's own.
func (e *encoder) appendMetadata(dst []byte) []byte {
	all := maps.Clone(e.req.Metadata)
	if all == nil {
		all = map[string]string{}
	}
	gjson.ParseBytes(e.req.Extra["requestMetadata"]).ForEach(func(key, v gjson.Result) bool {
		all[key.Str] = v.String()
		return true
	})
	if e.req.User != "" {
		all["user"] = e.req.User
	}
	if len(all) == 0 {
		return dst
	}
	out, n := []byte{'{'}, 0
	for _, name := range slices.Sorted(maps.Keys(all)) {
		value := all[name]
		if n == maxMetadata || name == "" || !plain(name) || !plain(value) {
			if name == "user" && e.req.User != "" {
				e.drop("user")
			} else {
				e.drop("metadata")
			}
			continue
		}
		out = wire.AppendString(append(wire.AppendString(wire.AppendComma(out), name), ':'), value)
		n++
	}
	if n == 0 {
		return dst
	}
	return wire.AppendRaw(dst, "requestMetadata", append(out, '}'))
}

// plain tells whether a text fits the pattern of requestMetadata.
func plain(s string) bool {
	return len(s) <= 256 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(" \t\n:_@$#=/+,-.", r)
	})
}
