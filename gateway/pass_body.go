package gateway

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sluice/providers/schema"
	"sluice/providers/wire"
)

// passedBody is a body that is passed on: JSON or multipart/form-data.
type passedBody struct {
	passing
	kind string // media type, with its parameters; empty: no body
	raw  []byte
	head schema.Head
	text string         // what is to be spoken or judged, as far as it is one text
	file int64          // bytes of its files
	sent []schema.Span  // its files
	part *wire.FormPart // that names the model; nil: JSON, or none does
}

const (
	passModel = iota
	passInput
	passPrompt
	passN
	passStream
	passUser
)

var passFields = []string{"model", "input", "prompt", "n", "stream", "user"}

// read finds what the stages need: the model, how many answers, whether they
// come as events.
func (b *passedBody) read() error {
	b.head = schema.Head{N: 1, BodyAt: bytes.IndexByte(b.raw, '{') + 1}
	form := strings.HasPrefix(strings.ToLower(strings.TrimSpace(b.kind)), "multipart/")
	switch {
	case form:
		return b.readForm()
	case b.kind == "" && len(b.raw) == 0, b.model == noModel && len(b.raw) == 0:
		b.kind = ""
		return nil
	}
	b.kind = "application/json"
	return wire.Object(b.raw, passFields, b.field)
}

// field takes in a field of a JSON body.
func (b *passedBody) field(field int, v gjson.Result) error {
	if b.model == noModel || v.Type == gjson.Null {
		return nil
	}
	h := &b.head
	switch field {
	case passModel:
		if v.Type != gjson.String || v.Str == "" {
			return schema.Invalid("model", "model must be a non-empty string")
		}
		h.Model, h.ModelAt = strings.Clone(v.Str), schema.Span{From: v.Index, To: v.Index + len(v.Raw)}
	case passInput, passPrompt:
		h.PromptSize += len(v.Raw)
		b.text = strings.Clone(v.String())
	case passN:
		return b.count(v.Raw)
	case passStream:
		if h.Stream = v.Type == gjson.True; !v.IsBool() {
			return schema.Invalid("stream", "stream must be a boolean")
		}
	case passUser:
		if h.User = strings.Clone(v.Str); v.Type != gjson.String {
			return schema.Invalid("user", "user must be a string")
		}
	}
	return nil
}

// maxPictures is more than any provider makes of one request.
const maxPictures = 128

func (b *passedBody) count(n string) (err error) {
	b.head.N, err = strconv.ParseInt(n, 10, 64)
	if err != nil || b.head.N < 1 || b.head.N > maxPictures {
		return schema.Invalid("n", "n must be an integer from 1 to %d", maxPictures)
	}
	return nil
}

// readForm reads a multipart body.
func (b *passedBody) readForm() error {
	parts, err := wire.Form(b.kind, b.raw)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for i := range parts {
		p := &parts[i]
		if p.File {
			b.file += int64(p.Value.To - p.Value.From)
			b.sent = append(b.sent, p.Value)
		}
		if b.model == noModel {
			continue
		}
		for _, name := range passFields {
			if !strings.EqualFold(p.Name, name) {
				continue
			}
			if p.Name != name || seen[name] || p.File {
				return schema.Invalid(name, "the form must hold the field %q once, in this case, and as a plain value", name)
			}
			seen[name] = true
			if err := b.formField(p, string(b.raw[p.Value.From:p.Value.To])); err != nil {
				return err
			}
		}
	}
	return nil
}

// formField takes in a field of a form.
func (b *passedBody) formField(p *wire.FormPart, value string) error {
	switch p.Name {
	case "model":
		if value == "" || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' }) {
			return schema.Invalid("model", "model must be a non-empty text of one line")
		}
		b.head.Model, b.part = value, p
	case "prompt", "input":
		b.head.PromptSize += len(value)
		b.text = value
	case "n":
		return b.count(value)
	case "stream":
		if b.head.Stream = value == "true"; value != "true" && value != "false" {
			return schema.Invalid("stream", "stream must be true or false")
		}
	case "user":
		b.head.User = value
	}
	return nil
}

// with is the body with the provider's name of the model in it.
func (b *passedBody) with(model string) []byte {
	h := &b.head
	switch {
	case h.Model == model || h.Model == "":
		return b.raw
	case b.part != nil:
		return wire.SetFormPart(nil, b.raw, b.part, model)
	}
	out := append(make([]byte, 0, len(b.raw)+len(model)), b.raw[:h.ModelAt.From]...)
	return append(wire.AppendString(out, model), b.raw[h.ModelAt.To:]...)
}

// json tells whether the body is JSON.
func (b *passedBody) json() bool { return b.kind == "application/json" }

// replace puts another body in the place of the caller's.
func (b *passedBody) replace(raw []byte) error {
	b.raw = raw
	return b.read()
}
