package proxy

import (
	"bytes"
	"compress/gzip"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/gateway/validate"
)

// Drift is how a route's requests and answers differ from what they are held
// against, where that is only told. Any number of goroutines may use it.
type Drift struct {
	route string
	log   *slog.Logger // is told of each kind of difference once

	mu    sync.Mutex
	kinds map[kind]*Difference
	paths int // of the kinds: paths that the document has not
	more  int64
}

// Difference is one kind of them.
type Difference struct {
	Part    string // PartRequest or PartResponse
	Method  string
	Path    string // as the document has it, else as it was sent
	Status  int    // of answers
	Problem        // in its pointer, * is any place of a list
	Count   int64
	First   time.Time
	Last    time.Time
}

type kind struct {
	part, method, path string
	unknown            bool // the document has no such path
	status             int
	Problem
}

// What is held against a contract.
const (
	PartRequest  = "request"
	PartResponse = "response"
)

// What becomes of it.
const (
	contractKept      = "kept"
	contractBroken    = "broken"
	contractUnchecked = "unchecked" // it is too large, or packed
)

// Bounds of what is kept of differences, and of how much of a body is looked
// into for them. Whoever tries one path after the other leaves room for others.
const (
	mostDifferences = 100
	mostPaths       = 50
	longDifference  = 300
	drifting        = 1 << 20
)

// NewDrift is that of a route of which nothing is known yet.
func NewDrift(route string, log *slog.Logger) *Drift {
	return &Drift{route: route, log: log, kinds: map[kind]*Difference{}}
}

// Differences are the kinds that were seen, the latest first; more counts what
// was of other kinds, which there was no room for.
func (d *Drift) Differences() (list []Difference, more int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.kinds {
		list = append(list, *one)
	}
	slices.SortFunc(list, func(a, b Difference) int {
		if c := b.Last.Compare(a.Last); c != 0 {
			return c
		}
		return strings.Compare(a.Pointer, b.Pointer)
	})
	return list, d.more
}

// note takes down what is wrong with one request or answer; k has no problem.
func (d *Drift) note(k kind, problems []Problem, now time.Time) {
	k.path = k.path[:min(len(k.path), longDifference)]
	for _, p := range problems {
		k.Problem = Problem{Pointer: anyPlace(p.Pointer), Message: p.Message[:min(len(p.Message), longDifference)]}
		if d.add(k, now) {
			d.log.Warn("the contract of a route is not kept", "route", d.route, "part", k.part, "method", k.method, "path", k.path,
				"status", k.status, "pointer", k.Pointer, "message", k.Message)
		}
	}
}

// add counts one; true: it is the first of its kind.
func (d *Drift) add(k kind, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	one := d.kinds[k]
	switch {
	case one != nil:
	case len(d.kinds) >= mostDifferences, k.unknown && d.paths >= mostPaths:
		d.more++
		return false
	default:
		if k.unknown {
			d.paths++
		}
		one = &Difference{Part: k.part, Method: strings.Clone(k.method), Path: strings.Clone(k.path), Status: k.status, Problem: k.Problem, First: now}
		k.method, k.path = one.Method, one.Path
		d.kinds[k] = one
	}
	one.Count++
	one.Last = now
	return one.Count == 1
}

// anyPlace has * for the numbers in a pointer, lest each element of a list be a
// kind of its own.
func anyPlace(pointer string) string {
	words := strings.Split(pointer[:min(len(pointer), longDifference)], "/")
	for i, w := range words {
		if w != "" && strings.Trim(w, "0123456789") == "" {
			words[i] = "*"
		}
	}
	return strings.Join(words, "/")
}

// tell counts what was held against the contract, and takes down what is wrong.
func (d *Drift) tell(x *Exchange, k kind, problems []Problem) {
	result := contractKept
	if len(problems) > 0 {
		result = contractBroken
	}
	x.Route.Series.Contract(k.part, result)
	d.note(k, problems, x.Now)
}

// lookInto is the request's body, if it can be looked into. What hinders that
// is no reason to refuse it.
func (x *Exchange) lookInto() (body []byte, ok bool, err error) {
	h := &x.RC.Request.Header
	if coding := h.Peek("Content-Encoding"); len(coding) > 0 && string(coding) != "identity" {
		return nil, false, nil
	}
	size := int64(h.ContentLength())
	if size < 0 { // its sender may wait for an answer before there is more of it
		return nil, false, nil
	}
	body, cut, err := x.peekBody(min(size, drifting))
	return body, !cut, err
}

// tellBody tells of a body that does not fit a schema.
func (d *Drift) tellBody(x *Exchange, s *validate.Schema) error {
	body, ok, err := x.lookInto()
	if err != nil {
		return err
	}
	if !ok {
		x.Route.Series.Contract(PartRequest, contractUnchecked)
		return nil
	}
	problems, err := s.Check(body)
	if err != nil {
		problems = []Problem{{Message: err.Error()}}
	}
	d.tell(x, kind{part: PartRequest, method: x.Method, path: x.Route.Match.Path}, problems)
	return nil
}

// tellRequest tells of a request that does not keep the contract.
func (o *Contract) tellRequest(x *Exchange, op *validate.Operation, q *validate.Request, params map[string]string) error {
	path, method := op.Place()
	k := kind{part: PartRequest, method: method, path: path}
	if op.HasBody() {
		body, ok, err := x.lookInto()
		if err != nil {
			return err
		}
		if !ok {
			x.Route.Series.Contract(PartRequest, contractUnchecked)
			return nil
		}
		q.Body = body
	}
	problems, err := op.Check(q, params)
	if err != nil {
		problems = append(problems, Problem{Message: err.Error()})
	}
	o.Drift.tell(x, k, problems)
	q.Body = nil // it is gone when the answer has come
	return nil
}

// heard is an answer on its way to the caller, a copy of which is held against
// the contract when it is complete.
type heard struct {
	drift  *Drift
	op     *validate.Operation
	q      *validate.Request
	params map[string]string
	status int
	header http.Header
	coding string // of the body
	body   []byte
	cut    bool // there is more than is kept
}

// listen has the answer of x heard, and checks it at once if all of it is there.
// What has no body of its own says nothing of the contract.
func (o *Contract) listen(x *Exchange, op *validate.Operation, q *validate.Request, params map[string]string) {
	r := &x.RC.Response
	status := r.StatusCode()
	if x.switched || x.RC.IsHead() || status == fasthttp.StatusPartialContent || status == fasthttp.StatusNotModified ||
		mediaType(string(r.Header.ContentType())) == "text/event-stream" || x.Fallback != "" {
		return
	}
	h := &heard{drift: o.Drift, op: op, q: q, params: params, status: status, header: http.Header{}}
	for name, value := range r.Header.All() {
		h.header.Add(string(name), string(value))
	}
	if x.streams { // as the target sends it, whatever packs it afterwards
		h.coding = string(x.answer.res.Head().ContentEncoding())
		x.answer.heard = h
		return
	}
	h.coding = string(r.Header.ContentEncoding())
	h.take(r.Body())
	h.over(x, nil)
}

func (h *heard) take(p []byte) {
	if h == nil || h.cut {
		return
	}
	if h.cut = len(h.body)+len(p) > drifting; h.cut {
		h.body = nil
		return
	}
	h.body = append(h.body, p...)
}

// over checks the answer, unless it broke off.
func (h *heard) over(x *Exchange, err error) {
	if h == nil || err != nil {
		return
	}
	body, ok := h.plain()
	if h.cut || !ok {
		x.Route.Series.Contract(PartResponse, contractUnchecked)
		return
	}
	path, method := h.op.Place()
	problems := h.op.CheckAnswer(h.q, h.params, h.status, h.header, body)
	if !h.op.Answers(h.status) {
		problems = append(problems, Problem{Message: "the API has no answer of status " + strconv.Itoa(h.status) + " here"})
	}
	h.drift.tell(x, kind{part: PartResponse, method: method, path: path, status: h.status}, problems)
}

// plain is the body unpacked, where that can be done.
func (h *heard) plain() ([]byte, bool) {
	switch h.coding {
	case "", "identity":
		return h.body, true
	case "gzip":
		unpack, err := gzip.NewReader(bytes.NewReader(h.body))
		if err != nil {
			return nil, false
		}
		plain, err := io.ReadAll(io.LimitReader(unpack, drifting+1))
		return plain, err == nil && len(plain) <= drifting
	}
	return nil, false
}
