package anthropic

import (
	"encoding/json"
	"maps"
	"slices"

	"sluice/providers/wire"
)

// Messages are written by hand: encoding/json goes over a large prompt three
// times, and a translated call should cost no more than its bytes.

// appendTo writes the block as JSON.
func (b *block) appendTo(dst []byte) []byte {
	if b.Raw != nil {
		return append(dst, b.Raw...)
	}
	dst = append(dst, '{')
	dst = appendText(dst, "type", b.Type)
	dst = appendText(dst, "text", b.Text)
	if b.Thinking != nil {
		dst = wire.AppendString(wire.AppendKey(dst, "thinking"), *b.Thinking)
	}
	dst = appendText(dst, "signature", b.Signature)
	dst = appendText(dst, "data", b.Data)
	if s := b.Source; s != nil && b.Extra["source"] == nil {
		dst = append(wire.AppendKey(dst, "source"), '{')
		dst = appendText(dst, "type", s.Type)
		dst = appendText(dst, "media_type", s.MediaType)
		dst = appendText(dst, "data", s.Data)
		dst = appendText(dst, "url", s.URL)
		dst = append(appendText(dst, "file_id", s.FileID), '}')
	}
	dst = appendText(dst, "title", b.Title)
	dst = appendText(dst, "id", b.ID)
	dst = appendText(dst, "name", b.Name)
	if b.Input != nil {
		dst = append(wire.AppendKey(dst, "input"), b.Input...)
	}
	dst = appendText(dst, "tool_use_id", b.ToolUseID)
	if len(b.Content) > 0 {
		dst = appendBlocks(wire.AppendKey(dst, "content"), b.Content)
	}
	if b.IsError {
		dst = append(wire.AppendKey(dst, "is_error"), "true"...)
	}
	if b.Citations != nil {
		dst = append(wire.AppendKey(dst, "citations"), b.Citations...)
	}
	if b.CacheControl != nil {
		dst = append(wire.AppendKey(dst, "cache_control"), b.CacheControl...)
	}
	return append(appendExtra(dst, b.Extra), '}')
}

// appendExtra writes fields that are kept verbatim, in the order of their names.
func appendExtra(dst []byte, fields map[string]json.RawMessage) []byte {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		dst = append(wire.AppendString(wire.AppendComma(dst), name), ':')
		dst = append(dst, fields[name]...)
	}
	return dst
}

// appendText writes a field that is left out when empty.
func appendText(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return wire.AppendString(wire.AppendKey(dst, name), value)
}

func appendBlocks(dst []byte, blocks []block) []byte {
	dst = append(dst, '[')
	for i := range blocks {
		dst = blocks[i].appendTo(wire.AppendComma(dst))
	}
	return append(dst, ']')
}

// appendPrompt writes the fields system, messages and tools.
func (e *encoder) appendPrompt(dst []byte) []byte {
	dst = slices.Grow(dst, e.promptSize())
	if len(e.systemBlocks) > 0 {
		dst = appendBlocks(wire.AppendKey(dst, "system"), e.systemBlocks)
	}
	dst = append(wire.AppendKey(dst, "messages"), '[')
	for i := range e.turns {
		dst = append(wire.AppendComma(dst), '{')
		dst = appendText(dst, "role", e.turns[i].Role)
		dst = append(appendBlocks(wire.AppendKey(dst, "content"), e.turns[i].Content), '}')
	}
	dst = append(dst, ']')
	if len(e.toolList) > 0 {
		dst = append(wire.AppendKey(dst, "tools"), '[')
		for _, t := range e.toolList {
			dst = append(wire.AppendComma(dst), t...)
		}
		dst = append(dst, ']')
	}
	return dst
}

// promptSize is about how many bytes appendPrompt writes.
func (e *encoder) promptSize() int {
	n := 64
	for i := range e.turns {
		for j := range e.turns[i].Content {
			b := &e.turns[i].Content[j]
			n += 64 + len(b.Text) + len(b.Text)/16 + len(b.Input) + len(b.Raw)
			if b.Source != nil {
				n += len(b.Source.Data)
			}
		}
	}
	for _, t := range e.toolList {
		n += len(t) + 1
	}
	return n
}
