package admin

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sluice/billing"
	"sluice/providers/schema"
)

// This file is the only writer of the API's error statuses and bodies.

// Codes that the data plane has no use for.
const (
	codeConflict schema.Code = "conflict"
	codeFaulty   schema.Code = "invalid_configuration"
	codeMoved    schema.Code = "precondition_failed"
)

// problem is an RFC 9457 body.
type problem struct {
	Type     string        `json:"type"`
	Title    string        `json:"title"`
	Status   int           `json:"status"`
	Detail   string        `json:"detail"`
	Code     schema.Code   `json:"code"`
	Origin   schema.Origin `json:"origin"`
	Param    string        `json:"param,omitempty"` // the field at fault
	Instance string        `json:"instance"`
	Request  string        `json:"request_id"`
	Errors   []fault       `json:"errors,omitempty"`
}

// fault is one of several things that are wrong.
type fault struct {
	Line    int     `json:"line,omitempty"`    // in the text that was sent
	File    string  `json:"file,omitempty"`    // where else it is
	Pointer *string `json:"pointer,omitempty"` // in a value that was sent; nil: the fault is not in one
	Message string  `json:"message"`
}

// faulty is an error with a line a fault.
type faulty struct {
	err    *schema.Error
	faults []fault
}

// errFaulty is the refusal of a configuration or prompt as a whole.
func errFaulty(what string, err error) error {
	e := faulty{err: &schema.Error{Code: codeFaulty, Status: http.StatusUnprocessableEntity,
		Origin: schema.OriginGateway, Message: what, Cause: err}}
	for line := range strings.Lines(err.Error()) {
		e.faults = append(e.faults, fault{Message: strings.TrimRight(line, "\n")})
	}
	return e
}

// PromptFaults are a reload's that put all in force but these files of prompts,
// a line each.
type PromptFaults []string

func (f PromptFaults) Error() string { return strings.Join(f, "\n") }

func (f faulty) Error() string { return f.err.Error() }

func (f faulty) Unwrap() error { return f.err }

// fail answers with an error.
func (a *api) fail(q *request, err error) {
	e := a.asError(q, err)
	p := problem{Type: "about:blank", Title: http.StatusText(e.Status), Status: e.Status, Detail: e.Message,
		Code: e.Code, Origin: e.Origin, Param: e.Param, Instance: q.URL.Path, Request: q.requestID}
	var many faulty
	if errors.As(err, &many) {
		p.Errors = many.faults
	}
	var breaks ErrConfigBreaks
	if errors.As(err, &breaks) {
		for _, change := range breaks.Changes {
			p.Errors = append(p.Errors, fault{Message: change})
		}
	}
	var faults ConfigFaults
	if errors.As(err, &faults) {
		for _, f := range faults {
			p.Errors = append(p.Errors, fault{Line: f.Line, File: f.File, Message: f.Message})
		}
	}
	h := q.w.Header()
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	if e.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="sluice admin"`)
	}
	body, _ := json.Marshal(p) // strings and numbers only
	h.Set("Content-Type", "application/problem+json")
	q.w.WriteHeader(e.Status)
	_, _ = q.w.Write(append(body, '\n'))
}

// asError turns any error into one with a status. What is not about the
// request is our own infrastructure: 503, with the cause in the log alone.
func (a *api) asError(q *request, err error) *schema.Error {
	var e *schema.Error
	var large *http.MaxBytesError
	var bad billing.BadQuery
	if e := configError(q, err); e != nil {
		return e
	}
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &large):
		return &schema.Error{Code: schema.CodeTooLarge, Status: http.StatusRequestEntityTooLarge,
			Origin: schema.OriginGateway, Message: "the body is larger than " + strconv.FormatInt(large.Limit, 10) + " bytes"}
	case errors.Is(err, billing.ErrNotFound):
		return errNotFound("%s", err.Error())
	case errors.As(err, &bad):
		return schema.Invalid(bad.Field, "%v", bad)
	case errors.Is(err, billing.ErrConflict):
		return errConflict("%s", err.Error())
	case errors.Is(err, context.Canceled) && q.Context().Err() != nil: // nobody reads the answer
		return &schema.Error{Code: schema.CodeClientClosed, Status: 499, Origin: schema.OriginGateway, Message: "the client left"}
	}
	a.Log.Error("admin request failed", "method", q.Method, "path", q.URL.Path, "error", err)
	return &schema.Error{Code: schema.CodeUnavailable, Status: http.StatusServiceUnavailable,
		Origin: schema.OriginGateway, Message: "the store cannot serve this now; the log tells why", RetryAfter: time.Second, Cause: err}
}
