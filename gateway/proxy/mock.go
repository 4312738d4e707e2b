package proxy

import (
	"errors"
	"net/http"
	"strings"

	"github.com/valyala/fasthttp"

	"sluice/gateway/validate"
	"sluice/providers/schema"
)

// Answerer answers as a document says. It keeps those who make answers out of
// what every route is made of.
type Answerer interface {
	// Answer's error is validate.ErrNoPath, ErrNoMethod or a *validate.Refusal.
	Answer(*validate.Request) (*validate.Answer, error)
	// Methods are what the document has at a path.
	Methods(path string) []string
}

// Mock is a backend that answers with the examples of an OpenAPI document.
type Mock struct {
	Service Answerer
	// Strip is taken off paths that are not in the document as they are.
	Strip string
}

// Kind is mock.
func (m *Mock) Kind() string { return "mock" }

// Serve answers.
func (m *Mock) Serve(x *Exchange) error {
	q := &validate.Request{Method: x.Method, Path: string(x.Path.Sent), Header: http.Header{}}
	if x.ask.path != nil {
		q.Path = string(x.ask.path)
	}
	for _, name := range []string{"Accept", "Prefer"} {
		for _, value := range x.RC.Request.Header.PeekAll(name) {
			q.Header.Add(name, string(value))
		}
	}
	a, err := m.Service.Answer(q)
	if rest, ok := strippedOf(q.Path, m.Strip); ok && errors.Is(err, validate.ErrNoPath) {
		q.Path = rest
		a, err = m.Service.Answer(q)
	}
	var refused *validate.Refusal
	switch {
	case errors.As(err, &refused):
		return &schema.Error{Code: schema.CodeInvalidRequest, Status: refused.Status, Origin: schema.OriginGateway,
			Class: schema.ClassInvalidRequest, Message: refused.Message}
	case errors.Is(err, validate.ErrNoMethod):
		x.Told = append(x.Told, Condition{"Allow", strings.Join(m.Service.Methods(q.Path), ", ")})
		return errOperation(err)
	case err != nil:
		return errOperation(err)
	}
	m.write(&x.RC.Response, a)
	return nil
}

func (m *Mock) write(r *fasthttp.Response, a *validate.Answer) {
	r.SetStatusCode(a.Status)
	for _, h := range a.Headers {
		r.Header.Add(h.Name, h.Value)
	}
	r.Header.SetNoDefaultContentType(true)
	if a.Type != "" {
		r.Header.SetContentType(a.Type)
		r.Header.Add("Vary", "Accept, Prefer")
		r.SetBodyRaw(a.Body)
	}
	if a.Applied != "" {
		r.Header.Set("Preference-Applied", a.Applied)
	}
}

// strippedOf is a path without a prefix; false: it does not begin with that.
func strippedOf(path, prefix string) (string, bool) {
	rest, ok := strings.CutPrefix(path, prefix)
	return rest, ok && prefix != "" && (rest == "" || rest[0] == '/')
}
