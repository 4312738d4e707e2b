package bedrock

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// parts writes content parts as blocks. Blank text is left out: the API
// refuses it. at names the content in errors.
func (e *encoder) parts(at string, parts []schema.Part) ([]block, error) {
	blocks := make([]block, 0, len(parts))
	for i := range parts {
		p := &parts[i]
		b, err := e.part(fmt.Sprintf("%s[%d]", at, i), p)
		if err != nil {
			return nil, err
		}
		if b == nil {
			continue
		}
		blocks = append(blocks, block{json: b})
		if point := e.cachePoint(p.CacheControl, e.traits.cache); point != nil {
			blocks = append(blocks, block{json: point})
		}
	}
	return blocks, nil
}

// part writes one part; nil where there is nothing to say.
func (e *encoder) part(at string, p *schema.Part) ([]byte, error) {
	switch p.Type {
	case schema.PartText:
		if strings.TrimSpace(p.Text) == "" {
			return nil, nil
		}
		return textBlock(p.Text), nil
	case schema.PartThinking:
		if !wire.Anthropics(p.Signature) { // another provider's: it cannot be shown to this one
			return nil, nil
		}
		b := wire.AppendString([]byte(`{"reasoningContent":{"reasoningText":{"text":`), p.Text)
		return append(wire.AppendText(b, "signature", p.Signature), "}}}"...), nil
	case schema.PartRedactedThinking:
		b := append([]byte(`{"reasoningContent":{"redactedContent":"`), base64.StdEncoding.EncodeToString([]byte(p.Data))...)
		return append(b, `"}}`...), nil
	case schema.PartImage, schema.PartDocument, schema.PartAudio:
		return e.media(at, p)
	case schema.PartRaw:
		return e.raw(p), nil
	}
	return nil, schema.Invalid(at, "%s: unknown type %q", at, p.Type)
}

// ownBlocks are the blocks of Converse that the schema has not: they pass as
// they came.
var ownBlocks = []string{"video", "guardContent", "searchResult", "cachePoint", "citationsContent"}

// raw writes a provider's own part if it is one of Converse, else its words.
func (e *encoder) raw(p *schema.Part) []byte {
	v := gjson.ParseBytes(p.Raw)
	for _, name := range ownBlocks {
		if own := v.Get(name); own.IsObject() && json.Valid(p.Raw) {
			return append(wire.AppendRaw([]byte{'{'}, name, json.RawMessage(own.Raw)), '}')
		}
	}
	if strings.TrimSpace(p.Text) != "" {
		return textBlock(p.Text)
	}
	e.drop("messages.content")
	return nil
}

// cachePoint writes a cache mark as Bedrock has it; nil where there is none.
// able tells whether the model takes one there.
func (e *encoder) cachePoint(mark json.RawMessage, able bool) []byte {
	if !wire.Says(mark) {
		return nil
	}
	if !able {
		e.drop("cache_control")
		return nil
	}
	ttl := gjson.GetBytes(mark, "ttl").Str
	switch {
	case ttl == "1h" && e.traits.cacheHour:
		return []byte(`{"cachePoint":{"type":"default","ttl":"1h"}}`)
	case ttl == "1h":
		e.drop("cache_control.ttl")
	}
	return []byte(`{"cachePoint":{"type":"default"}}`)
}
