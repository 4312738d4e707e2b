package proxy

import (
	"strings"

	"github.com/valyala/fasthttp"
)

// Static is a backend that always answers the same.
type Static struct {
	Status  int // 0: 200
	Headers []Condition
	Body    string
}

// Kind is static.
func (s *Static) Kind() string { return "static" }

// Serve answers.
func (s *Static) Serve(x *Exchange) error {
	r := &x.RC.Response
	r.SetStatusCode(s.Status)
	if s.Body == "" {
		r.Header.SetNoDefaultContentType(true)
	} else {
		r.Header.SetContentType("text/plain; charset=utf-8")
	}
	for _, h := range s.Headers {
		r.Header.Add(h.Name, h.Value)
	}
	if s.Body != "" {
		r.SetBodyString(s.Body)
	}
	return nil
}

// Redirect is a backend that sends the caller elsewhere.
type Redirect struct {
	To     string // {name} stands for a parameter of the path
	Status int    // 0: 308
}

// Kind is redirect.
func (d *Redirect) Kind() string { return "redirect" }

// Serve answers.
func (d *Redirect) Serve(x *Exchange) error {
	to := d.To
	if strings.Contains(to, "{") {
		for _, name := range x.Route.Params() {
			to = strings.ReplaceAll(to, "{"+name+"}", string(x.Route.Param(name, &x.Path)))
		}
	}
	r := &x.RC.Response
	r.SetStatusCode(d.Status)
	if d.Status == 0 {
		r.SetStatusCode(fasthttp.StatusPermanentRedirect)
	}
	r.Header.SetNoDefaultContentType(true)
	r.Header.Set("Location", to)
	return nil
}
