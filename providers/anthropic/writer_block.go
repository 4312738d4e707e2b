package anthropic

import (
	"bytes"
	"encoding/json"
	"strconv"

	"sluice/providers/wire"
)

// emit writes a step.
func (w *writer) emit(b []byte, s step) []byte {
	switch s.kind {
	case textStep:
		b = w.in(b, textStep, s.newPart)
		return w.appendDelta(b, "text_delta", "text", s.text)
	case citationStep:
		b = w.in(b, textStep, s.newPart)
		b = w.deltaHead(b, "citations_delta")
		b = append(wire.AppendKey(b, "citation"), s.text...)
		return append(b, "}}\n\n"...)
	case thinkingStep:
		b = w.in(b, thinkingStep, s.newPart)
		return w.appendDelta(b, "thinking_delta", "thinking", s.text)
	case signatureStep:
		b = w.in(b, thinkingStep, s.newPart)
		return w.close(w.appendDelta(b, "signature_delta", "signature", s.text))
	case redactedStep:
		b = w.start(w.close(b))
		b = append(b, `{"type":"redacted_thinking","data":`...)
		return w.stop(append(wire.AppendString(b, s.text), "}}\n\n"...))
	case rawStep:
		b = w.start(w.close(b))
		return w.stop(append(append(b, s.text...), "}\n\n"...))
	}
	return w.emitCall(b, s)
}

// emitCall writes a piece of a call, which it begins where it is new.
func (w *writer) emitCall(b []byte, s step) []byte {
	if w.open != callStep || w.call != s.call {
		b = w.start(w.close(b))
		b = appendToolUse(b, callID(s.id, w.ID, s.call), s.name)
		b = append(b, "{}}}\n\n"...)
		w.open, w.call, w.input, w.end.calls = callStep, s.call, progress{}, true
	}
	if s.text == "" {
		return b
	}
	w.input.add(s.text)
	return w.appendDelta(b, "input_json_delta", "partial_json", s.text)
}

// in makes sure that a block of this kind is open.
func (w *writer) in(b []byte, kind stepKind, anew bool) []byte {
	if w.open == kind && !anew {
		return b
	}
	b = w.start(w.close(b))
	w.open = kind
	if kind == textStep {
		return append(b, "{\"type\":\"text\",\"text\":\"\"}}\n\n"...)
	}
	return append(b, "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n"...)
}

// start begins the next block, up to the block itself.
func (w *writer) start(b []byte) []byte {
	b = append(b, "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":"...)
	b = strconv.AppendInt(b, int64(w.index), 10)
	return append(b, `,"content_block":`...)
}

// close ends the open block, if there is one.
func (w *writer) close(b []byte) []byte {
	if w.open == noStep {
		return b
	}
	if w.open == callStep {
		w.closed[w.call] = true
	}
	w.open = noStep
	return w.stop(b)
}

func (w *writer) stop(b []byte) []byte {
	b = append(b, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":"...)
	b = strconv.AppendInt(b, int64(w.index), 10)
	w.index++
	return append(b, "}\n\n"...)
}

// deltaHead begins a delta of the open block.
func (w *writer) deltaHead(b []byte, kind string) []byte {
	b = append(b, "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":"...)
	b = strconv.AppendInt(b, int64(w.index), 10)
	b = append(b, `,"delta":{`...)
	return wire.AppendString(wire.AppendKey(b, "type"), kind)
}

func (w *writer) appendDelta(b []byte, kind, name, text string) []byte {
	b = w.deltaHead(b, kind)
	b = wire.AppendString(wire.AppendKey(b, name), text)
	return append(b, "}}\n\n"...)
}

// oneLine is JSON without line ends, which would cut an event in two.
func oneLine(raw json.RawMessage) string {
	if bytes.ContainsAny(raw, "\r\n") {
		var out bytes.Buffer
		if json.Compact(&out, raw) == nil {
			return out.String()
		}
	}
	return string(raw)
}
