package proxy

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"sluice/providers/schema"
	"sluice/providers/upstream"
	"sluice/router"
)

// HTTPOptions are what an HTTP backend is made of.
type HTTPOptions struct {
	Route    string // its name
	Targets  []HTTPTarget
	Balance  router.Balance
	Hash     string // ip, header:X, cookie:X or query:x; empty: requests do not stay with a target
	Retry    router.Retry
	Methods  []string // that may be sent again though a target has had them; nil: those that do the same twice
	Breaker  router.Breaker
	Registry *router.Registry
	// Timeout is how long an answer may take to begin, all tries together, and
	// how long it may be silent after that.
	Timeout time.Duration
	// Strip is taken off a path that begins with it; empty: nothing is.
	Strip        string
	PreserveHost bool
	// Fallback answers where no target can be asked; nil: it is an error.
	Fallback *Fallback
	// Panic is router.Route's.
	Panic float64
	// Later: the targets come by SetTargets. Until then a request is answered
	// that they are not known.
	Later   bool
	Mirrors []*Mirror // who get copies of requests
	// Canary answers the requests whose Arm is its own; nil: there is none.
	Canary *HTTP
	// Signing signs requests to targets; nil: they are not signed.
	Signing *Signing
}

// HTTP is a backend of one or several servers.
type HTTP struct {
	HTTPOptions
	now   atomic.Pointer[aim]
	strip []byte // as Path.Match has it
	cut   int    // segments of it
}

// Methods that may be sent twice (RFC 9110, section 9.2.2).
var idempotent = []string{"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"}

// NewHTTP makes the backend.
func NewHTTP(o HTTPOptions) (*HTTP, error) {
	h := &HTTP{HTTPOptions: o}
	if h.Methods == nil {
		h.Methods = idempotent
	}
	if o.Strip != "" && o.Strip != "/" {
		word, err := literalPath(o.Strip)
		if err != nil {
			return nil, fmt.Errorf("strip_prefix: %w", err)
		}
		h.strip, h.cut = []byte(word), strings.Count(word, "/")
	}
	if o.Later {
		h.now.Store(&aim{none: errUnknown(o.Route)})
		return h, nil
	}
	return h, h.SetTargets(o.Targets)
}

// TargetID is how a route's target is named among all targets.
func TargetID(route, url string) string { return "route " + route + "/" + url }

// CheckPrefix tells what is wrong with a prefix to be taken off.
func CheckPrefix(text string) error {
	_, err := literalPath(text)
	return err
}

// literalPath is a path without wildcards in the form of Path.Match.
func literalPath(text string) (string, error) {
	p, err := parsePattern(text)
	if err != nil {
		return "", err
	}
	word := ""
	for _, s := range p.segments {
		if s.kind != literal {
			return "", fmt.Errorf("want a path without wildcards, not %q", text)
		}
		word += "/" + s.text
	}
	if p.deep || word == "" {
		return "", fmt.Errorf("want a path without wildcards, not %q", text)
	}
	return word, nil
}

// Kind is http.
func (h *HTTP) Kind() string { return "http" }

// begins is the caller's context with the time until which an answer must have
// begun, for the router: it tries nothing after that. Nobody is woken at it.
type begins struct {
	context.Context
	at time.Time
}

// Deadline is that time.
func (b *begins) Deadline() (time.Time, bool) { return b.at, true }

// Serve asks the targets, and passes on what the first says that does not fail,
// else what the last has said.
func (h *HTTP) Serve(x *Exchange) error {
	if h.Canary != nil && x.Arm == ArmCanary {
		return h.Canary.Serve(x)
	}
	if err := h.takeBody(x); err != nil {
		return err
	}
	to := h.now.Load()
	if to.none != nil {
		return h.fail(x, to.none())
	}
	x.http, x.ask.head = h, x.appendRequest(x.ask.head[:0])
	x.Plan.Route, x.Plan.Subject, x.Plan.Late = to.route, subject{x}, true
	if isSwitch(x.RC) {
		return h.serveSwitch(x)
	}
	for _, m := range h.Mirrors {
		m.copy(x, h.request(x))
	}
	err := x.Plan.Do(h.context(x), x.try)
	if err != nil && (x.answer == nil || schema.AsError(err).Class == schema.ClassCancelled) {
		return h.fail(x, err)
	}
	return x.answer.send()
}

// takeBody readies the body to be sent on. To be signed it must be known whole.
func (h *HTTP) takeBody(x *Exchange) error {
	if h.Signing == nil {
		return x.takeBody()
	}
	for _, name := range h.Signing.Replaces {
		x.RC.Request.Header.Del(name)
	}
	_, err := x.WholeBody()
	return err
}

func (h *HTTP) context(x *Exchange) context.Context {
	if h.Timeout == 0 {
		return x.Edge.Context()
	}
	x.begins = begins{x.Edge.Context(), x.Now.Add(h.Timeout)}
	return &x.begins
}

// fail answers for targets that have not.
func (h *HTTP) fail(x *Exchange, err error) error {
	x.drop()
	e := schema.AsError(err)
	if h.Fallback != nil && (e.Code == schema.CodeNoTarget || e.Code == schema.CodeUnavailable) {
		return h.Fallback.serve(x)
	}
	e.Message = strings.ReplaceAll(e.Message, "the provider", "the backend")
	return err
}

// request is what is sent to a target.
func (h *HTTP) request(x *Exchange) upstream.Request {
	q := upstream.Request{Method: x.Method, Path: h.path(x), Lines: x.ask.head, Through: true}
	if h.PreserveHost {
		q.Host = string(x.RC.Host())
	}
	switch {
	case x.body.from != nil:
		q.Stream, q.Size = x, x.body.size
	case x.body.kept != nil:
		x.body.piece[0] = x.body.kept
		q.Body = x.body.piece[:]
	}
	if h.Timeout > 0 {
		q.Begin = x.Now.Add(h.Timeout)
	}
	return q
}

// path is the path that a target is asked for, with its query.
func (h *HTTP) path(x *Exchange) string {
	sent := x.Path.Sent
	if x.ask.path != nil {
		sent = x.ask.path
	} else if h.cut > 0 && bytes.HasPrefix(x.Path.Match, h.strip) && (len(x.Path.Match) == len(h.strip) || x.Path.Match[len(h.strip)] == '/') {
		for range h.cut {
			if i := bytes.IndexByte(sent[1:], '/'); i >= 0 {
				sent = sent[1+i:]
			} else {
				sent = sent[:0]
			}
			if len(sent) == 0 {
				sent = []byte{'/'}
				break
			}
		}
	}
	if len(x.Query) == 0 && x.ask.before == nil {
		return string(sent)
	}
	path := make([]byte, 0, len(x.ask.before)+len(sent)+1+len(x.Query))
	path = append(append(path, x.ask.before...), sent...)
	if len(x.Query) > 0 {
		path = append(append(path, '?'), x.Query...)
	}
	return string(path)
}

// try asks one target.
func (h *HTTP) try(x *Exchange, a *router.Attempt) error {
	x.drop() // what the attempt before has said
	t, q := a.Candidate.Payload.(*target), h.request(x)
	if t.sign != nil {
		if err := t.sign(x.Edge.Context(), &q, x.body.kept); err != nil {
			return err
		}
	}
	began := time.Now()
	res, err := t.client.Do(x.Edge.Context(), &q)
	if err != nil {
		x.Edge.Tried(Try{Target: t.url, Err: err, Took: time.Since(began)})
		return h.final(x, &q, schema.AsError(err))
	}
	x.said = answer{x: x, res: res, from: t}
	x.answer = &x.said
	if e := failed(res.Status); e != nil {
		x.Edge.Tried(Try{Target: t.url, Status: res.Status, Err: e, Took: time.Since(began)})
		return h.final(x, &q, e)
	}
	x.Edge.Tried(Try{Target: t.url, Status: res.Status, Took: time.Since(began)})
	if _, all := res.Ready(); !all {
		a.Late()
		x.attempt = a
	}
	return nil
}

// final lets an error be the last where the request may not be sent again: its
// body is gone, or a target may have acted on it.
func (h *HTTP) final(x *Exchange, q *upstream.Request, e *schema.Error) error {
	if e.Class == schema.ClassCancelled {
		return e
	}
	again := !q.Begun || q.Stream == nil && slices.Contains(h.Methods, q.Method)
	if !again {
		e.Class = schema.ClassInvalidOutput // which counts against the target, and is not tried again
	}
	return e
}

// failed is what a status says of the target that gave it; nil: nothing bad.
func failed(status int) *schema.Error {
	class := schema.ClassServerError
	switch {
	case status < 500 || status == 501 || status == 505:
		return nil
	case status == 503 || status == 529:
		class = schema.ClassOverloaded
	case status == 504:
		class = schema.ClassTimeout
	}
	return &schema.Error{Code: schema.CodeUpstream, Status: status, UpstreamStatus: status, Origin: schema.OriginProvider,
		Class: class, Message: "the backend answered with status " + strconv.Itoa(status)}
}

// subject is an exchange for a balance.
type subject struct{ *Exchange }

// Cost is not known.
func (subject) Cost(*router.Candidate) int64 { return -1 }

// Key is the hash of what the request stays with a target by; 0: it has none.
func (s subject) Key(by string) uint64 {
	kind, name, _ := strings.Cut(by, ":")
	r := &s.RC.Request
	var value []byte
	switch kind {
	case "ip":
		return xxhash.Sum64String(s.IP)
	case "header":
		value = r.Header.Peek(name)
	case "cookie":
		value = r.Header.Cookie(name)
	case "query":
		value = r.URI().QueryArgs().Peek(name)
	}
	if len(value) == 0 {
		return 0
	}
	return xxhash.Sum64(value)
}
