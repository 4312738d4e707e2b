package responses

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// What begins an encrypted_content that is not OpenAI's: the signature of
// another provider's thinking, or the whole of thinking that it does not show.
const (
	signatureMark = "sluice_ts_"
	redactedMark  = "sluice_rt_"
)

// thought reads a reasoning item as a part. The summary is what OpenAI shows of
// it; hosts of open models give the text itself, as content.
func thought(item gjson.Result) schema.Part {
	text := joined(item.Get("summary"))
	if text == "" {
		text = joined(item.Get("content"))
	}
	p := thinking(text, item.Get("encrypted_content").Str)
	p.Raw = json.RawMessage(item.Raw)
	return p
}

// thinking is a part of a text and an encrypted content.
func thinking(text, encrypted string) schema.Part {
	p := schema.Part{Type: schema.PartThinking, Text: text}
	if data, ok := strings.CutPrefix(encrypted, redactedMark); ok {
		return schema.Part{Type: schema.PartRedactedThinking, Data: data}
	}
	if signature, ok := strings.CutPrefix(encrypted, signatureMark); ok {
		p.Signature = signature
	} else if encrypted != "" {
		p.Signature = wire.MarkOpenAI(encrypted)
	}
	return p
}

// separator stands between the parts of a summary, each of which is a paragraph
// with a heading.
const separator = "\n\n"

// joined is the text of a summary or a content.
func joined(list gjson.Result) string {
	var texts []string
	wire.Each(list, func(v gjson.Result) {
		if t := v.Get("text").Str; t != "" {
			texts = append(texts, t)
		}
	})
	return strings.Join(texts, separator)
}

// encrypted is how a part's signature or data travels as encrypted_content.
func encrypted(p *schema.Part) string {
	if p.Type == schema.PartRedactedThinking {
		return redactedMark + p.Data
	}
	if own, ok := wire.UnmarkOpenAI(p.Signature); ok {
		return own
	}
	if p.Signature == "" {
		return ""
	}
	return signatureMark + p.Signature
}

// appendReasoning writes the fields of a reasoning item, from summary on.
func appendReasoning(b []byte, text, encrypted string) []byte {
	b = append(wire.AppendKey(b, "summary"), '[')
	if text != "" {
		b = appendSummary(b, text)
	}
	return wire.AppendText(append(b, ']'), "encrypted_content", encrypted)
}

func appendSummary(b []byte, text string) []byte {
	b = append(b, `{"type":"summary_text","text":`...)
	return append(wire.AppendString(b, text), '}')
}

// foreign is Client.Foreign: thinking of another provider, and calls signed by
// Gemini. OpenAI refuses both.
func foreign(raw []byte) bool {
	return bytes.Contains(raw, []byte(signatureMark)) || bytes.Contains(raw, []byte(redactedMark)) || wire.SignedCalls(raw)
}
