package responses

import (
	"strconv"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// thought writes a piece of reasoning. A signature, or thinking that is not
// shown, ends the item: it is its encrypted content.
func (w *writer) thought(b []byte, d *schema.ChoiceDelta) []byte {
	if w.open != nil && (!w.open.reasoning || d.NewPart || d.Redacted != "" && len(w.open.text) > 0) {
		b = w.closeOpen(b)
	}
	if w.open == nil {
		b = w.closeCalls(b, nil, false)
		w.open = w.next("rs")
		w.open.reasoning = true
		b = w.add(b, w.open, appendReasoningItem(nil, w.open.id, "", ""))
	}
	item := w.open
	if d.Thinking != "" {
		if !item.begun {
			item.begun = true
			b = w.summaryEvent(b, eventSummaryPart, item)
			b = w.end(append(b, `,"part":{"type":"summary_text","text":""}`...))
		}
		item.text = append(item.text, d.Thinking...)
		b = w.summaryEvent(b, eventSummary, item)
		b = w.end(wire.AppendString(append(b, `,"delta":`...), d.Thinking))
	}
	switch {
	case d.Signature != "":
		b = w.closeReasoning(b, encrypted(&schema.Part{Type: schema.PartThinking, Signature: d.Signature}))
	case d.Redacted != "":
		b = w.closeReasoning(b, encrypted(&schema.Part{Type: schema.PartRedactedThinking, Data: d.Redacted}))
	}
	return b
}

func (w *writer) summaryEvent(b []byte, name string, item *openItem) []byte {
	return append(w.itemEvent(b, name, item), `,"summary_index":0`...)
}

func (w *writer) closeReasoning(b []byte, encrypted string) []byte {
	item := w.open
	w.open = nil
	text := string(item.text)
	if item.begun {
		b = w.summaryEvent(b, eventSummaryDone, item)
		b = w.end(wire.AppendString(append(b, `,"text":`...), text))
		b = w.summaryEvent(b, eventSummaryEnd, item)
		b = w.end(appendSummary(append(b, `,"part":`...), text))
	}
	return w.done(b, item, appendReasoningItem(nil, item.id, text, encrypted))
}

// closeOpen ends the open reasoning or message.
func (w *writer) closeOpen(b []byte) []byte {
	switch {
	case w.open == nil:
		return b
	case w.open.reasoning:
		return w.closeReasoning(b, "")
	}
	b = w.closePart(b)
	item := w.open
	w.open = nil
	return w.done(b, item, appendMessageItem(nil, item.id, item.content, w.itemStatus()))
}

// said writes a piece of text or refusal, or a citation of the text.
func (w *writer) said(b []byte, d *schema.ChoiceDelta) []byte {
	refusal := d.Refusal != "" && d.Text == ""
	if w.open == nil || w.open.reasoning {
		b = w.settle(b, nil)
		w.open = w.next("msg")
		b = w.add(b, w.open, appendMessageItem(nil, w.open.id, nil, "in_progress"))
	}
	item := w.open
	if item.begun && (item.refusal != refusal || d.NewPart) {
		b = w.closePart(b)
	}
	if !item.begun {
		item.begun, item.refusal = true, refusal
		b = append(w.partEvent(b, eventPartAdded, item), `,"part":`...)
		b = w.end(w.part(b, item))
	}
	if len(d.Citations) > 0 {
		b = w.citation(b, item, gjson.ParseBytes(d.Citations))
	}
	if d.Text != "" {
		b = w.text(b, item, d)
	}
	if d.Refusal != "" {
		if !item.refusal {
			return w.said(b, &schema.ChoiceDelta{Refusal: d.Refusal})
		}
		item.text = append(item.text, d.Refusal...)
		b = w.partEvent(b, eventRefusal, item)
		b = w.end(wire.AppendString(append(b, `,"delta":`...), d.Refusal))
	}
	return b
}

func (w *writer) text(b []byte, item *openItem, d *schema.ChoiceDelta) []byte {
	item.text = append(item.text, d.Text...)
	item.runes += int64(utf8.RuneCountInString(d.Text))
	logprobs := logprobsOf(d.Logprobs)
	if len(logprobs) > 0 {
		item.logprobs = append(separated(item.logprobs), logprobs...)
	}
	b = w.partEvent(b, eventText, item)
	b = wire.AppendString(append(b, `,"delta":`...), d.Text)
	return w.end(append(append(append(b, `,"logprobs":[`...), logprobs...), ']'))
}

// citation tells an annotation of the open text.
func (w *writer) citation(b []byte, item *openItem, v gjson.Result) []byte {
	mark, ok := flat(v, span{w.before, w.before + item.runes})
	if !ok {
		return b
	}
	mark = oneLine(mark)
	item.marks = append(separated(item.marks), mark...)
	b = w.partEvent(b, eventAnnotation, item)
	b = strconv.AppendInt(append(b, `,"annotation_index":`...), int64(item.marked), 10)
	item.marked++
	return w.end(append(append(b, `,"annotation":`...), mark...))
}

func (w *writer) partEvent(b []byte, name string, item *openItem) []byte {
	b = w.itemEvent(b, name, item)
	return strconv.AppendInt(append(b, `,"content_index":`...), int64(item.parts), 10)
}

// part writes the open part as it is by now.
func (w *writer) part(b []byte, item *openItem) []byte {
	if item.refusal {
		return appendRefusalPart(b, string(item.text))
	}
	return appendTextPart(b, string(item.text), item.marks, item.logprobs)
}

// closePart ends the open part of the open message.
func (w *writer) closePart(b []byte) []byte {
	item := w.open
	if !item.begun {
		return b
	}
	if item.refusal {
		b = w.partEvent(b, eventRefusalDone, item)
		b = w.end(wire.AppendString(append(b, `,"refusal":`...), string(item.text)))
	} else {
		b = w.partEvent(b, eventTextDone, item)
		b = wire.AppendString(append(b, `,"text":`...), string(item.text))
		b = w.end(append(append(append(b, `,"logprobs":[`...), item.logprobs...), ']'))
	}
	b = append(w.partEvent(b, eventPartDone, item), `,"part":`...)
	b = w.end(w.part(b, item))
	item.content = w.part(separated(item.content), item)
	item.parts++
	w.before += item.runes
	item.begun, item.text, item.marks, item.marked, item.logprobs, item.runes = false, nil, nil, 0, nil, 0
	return b
}
