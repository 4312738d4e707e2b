package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"sluice/billing"
	"sluice/gateway/admin"
)

const base = "/admin/v1/"

// problem is the admin API's refusal (RFC 9457), or one of our own.
type problem struct {
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Param  string `json:"param"` // the field at fault
	Errors []struct {
		Line    int    `json:"line"`
		File    string `json:"file"`
		Message string `json:"message"`
	} `json:"errors"`
}

func (p *problem) Error() string {
	lines := []string{p.Detail}
	for _, e := range p.Errors {
		switch {
		case e.File != "":
			e.Message = e.File + ": " + e.Message
		case e.Line > 0:
			e.Message = fmt.Sprintf("line %d: %s", e.Line, e.Message)
		}
		lines = append(lines, e.Message)
	}
	return strings.Join(lines, "\n")
}

// answer is what the API said.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }
func (a *answer) WriteHeader(status int)      { a.status = status }

// asker makes requests to the admin API as somebody.
type asker struct {
	api http.Handler
	ctx context.Context
	who admin.Identity
	ip  string // of who asks
}

// send makes a request as who asks; path is below /admin/v1/. A refusal is a
// *problem.
func (v *asker) send(method, path string, query url.Values, in any) (*answer, error) {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return nil, fmt.Errorf("cannot encode request: %w", err)
		}
	}
	return v.sendBody(method, path, query, &body, "")
}

// sendBody is send for a body as it is; match is the ETag that what is changed
// must have, empty: any.
func (v *asker) sendBody(method, path string, query url.Values, body io.Reader, match string) (*answer, error) {
	target := base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(admin.As(v.ctx, v.who), method, target, body)
	if err != nil {
		return nil, &problem{Status: http.StatusNotFound, Detail: "There is nothing of this name."}
	}
	if match != "" {
		r.Header.Set("If-Match", match)
	}
	r.RemoteAddr = v.ip // for the audit trail
	a := &answer{status: http.StatusOK, header: http.Header{}}
	v.api.ServeHTTP(a, r)
	if a.status >= 300 {
		p := &problem{}
		if err := json.Unmarshal(a.body.Bytes(), p); err != nil || p.Detail == "" {
			p.Detail = http.StatusText(a.status)
		}
		p.Status = a.status
		return nil, p
	}
	return a, nil
}

// get asks the API and decodes its answer.
func (v *asker) get(path string, query url.Values, out any) error {
	return v.do(http.MethodGet, path, query, nil, out)
}

// report asks the API for sums of usage.
func (v *asker) report(query url.Values) (*billing.Report, error) {
	r := &billing.Report{}
	direct := *v
	direct.ctx = admin.Into(v.ctx, r)
	return r, direct.get("usage", query, nil)
}

// do makes a request and decodes its answer; out may be nil.
func (v *asker) do(method, path string, query url.Values, in, out any) error {
	a, err := v.send(method, path, query, in)
	if err != nil || out == nil || a.body.Len() == 0 {
		return err
	}
	if err := json.Unmarshal(a.body.Bytes(), out); err != nil {
		return fmt.Errorf("cannot read the API's answer to %s %s: %w", method, path, err)
	}
	return nil
}

// list is a list of the API.
type list[T any] struct {
	Data []T     `json:"data"`
	Next *string `json:"next"`
}

// getter is who asks for a list.
type getter interface {
	get(path string, query url.Values, out any) error
}

// all asks for a whole list, page by page.
func all[T any](v getter, path string, query url.Values) ([]T, error) {
	query = clone(query)
	query.Set("limit", "1000")
	var out []T
	for {
		var l list[T]
		if err := v.get(path, query, &l); err != nil {
			return nil, err
		}
		out = append(out, l.Data...)
		if l.Next == nil {
			return out, nil
		}
		query.Set("after", *l.Next)
	}
}

func clone(q url.Values) url.Values {
	out := url.Values{}
	for name, values := range q {
		out[name] = append([]string(nil), values...)
	}
	return out
}

// pass hands the API's answer on as it is: exports and invoices.
func (v *visit) pass(path string, query url.Values, name string) error {
	a, err := v.send(http.MethodGet, path, query, nil)
	if err != nil {
		return err
	}
	for _, field := range []string{"Content-Type", "Content-Security-Policy"} {
		if value := a.header.Get(field); value != "" {
			v.w.Header().Set(field, value)
		}
	}
	if name != "" {
		v.w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	}
	_, _ = v.w.Write(a.body.Bytes()) // the reader may have left
	return nil
}
