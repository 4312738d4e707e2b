package mock

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"

	"sluice/providers/schema"
)

// passModels are the models that answer what is passed on in OpenAI's form.
var passModels = map[schema.Operation]struct {
	model  string
	answer func(*Mock, form) (*schema.PassResponse, error)
}{
	schema.OpModerate:   {"moderate", (*Mock).moderate},
	schema.OpImage:      {"image", (*Mock).picture},
	schema.OpSpeech:     {"speech", (*Mock).speak},
	schema.OpTranscribe: {"transcribe", (*Mock).transcribe},
}

// Passes tells whether the mock answers an operation.
func (m *Mock) Passes(op schema.Operation) bool { return passModels[op].model != "" }

// Pass answers a request in OpenAI's form. Errors are of type *schema.Error.
func (m *Mock) Pass(ctx context.Context, req *schema.PassRequest) (*schema.PassResponse, error) {
	if _, err := m.begin(ctx, req.Model); err != nil {
		return nil, err
	}
	p := passModels[req.Op]
	if req.Model != p.model && (req.Model != "" || req.Op != schema.OpModerate) {
		return nil, &schema.Error{Code: schema.CodeModelNotFound, Status: http.StatusNotFound, UpstreamStatus: http.StatusNotFound,
			Origin: schema.OriginProvider, Class: schema.ClassNotFound, Param: "model",
			Message: "the mock has no model " + strconv.Quote(req.Model) + " here: it has " + p.model}
	}
	f, err := readForm(req)
	if err != nil {
		return nil, err
	}
	return p.answer(m, f)
}

// form is the fields of a request: JSON values, or texts of a multipart body.
type form struct {
	values map[string]json.RawMessage
	file   int64 // bytes of its file
}

// maxFields bounds what is read of a multipart body's fields.
const maxFields = 1 << 20

func readForm(req *schema.PassRequest) (form, error) {
	f := form{values: map[string]json.RawMessage{}}
	kind, params, err := mime.ParseMediaType(req.Type)
	if err != nil || kind != "multipart/form-data" {
		if json.Unmarshal(req.Body, &f.values) != nil {
			return f, schema.Invalid("", "the body is not a JSON object")
		}
		return f, nil
	}
	r := multipart.NewReader(bytes.NewReader(req.Body), params["boundary"])
	for {
		part, err := r.NextPart()
		if err == io.EOF {
			return f, nil
		}
		if err != nil {
			return f, schema.Invalid("", "the body is not valid multipart/form-data")
		}
		if part.FileName() != "" {
			f.file, err = io.Copy(io.Discard, part)
		} else {
			var value []byte
			value, err = io.ReadAll(io.LimitReader(part, maxFields))
			f.values[part.FormName()] = value
		}
		if err != nil {
			return f, schema.Invalid("", "the body is not valid multipart/form-data")
		}
	}
}

// text is a field as text: a JSON string, or what a multipart body holds.
func (f form) text(name string) string {
	var s string
	if json.Unmarshal(f.values[name], &s) != nil {
		return string(f.values[name])
	}
	return s
}

// number is a field as a whole number, or otherwise.
func (f form) number(name string, otherwise int) int {
	if n, err := strconv.Atoi(f.text(name)); err == nil {
		return n
	}
	return otherwise
}

func jsonAnswer(v any, usage schema.Usage) (*schema.PassResponse, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, &schema.Error{Code: schema.CodeInternal, Status: 500, Origin: schema.OriginGateway, Message: "internal error", Cause: err}
	}
	usage.Source = schema.UsageReported
	return &schema.PassResponse{Type: "application/json", Body: body, Usage: usage}, nil
}
