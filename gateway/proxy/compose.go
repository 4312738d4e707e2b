package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/gateway/reshape"
	"sluice/prompts/ordered"
	"sluice/providers/schema"
	"sluice/providers/upstream"
	"sluice/router"
)

// ComposeOptions are several calls whose answers become one.
type ComposeOptions struct {
	Route    string
	Calls    []ComposeCall
	Answer   any           // with places for values; nil: what each call gave, by its name
	Deadline time.Duration // of all
	Registry *router.Registry
	Breaker  router.Breaker
	Retry    router.Retry
}

// ComposeCall is one of the calls.
type ComposeCall struct {
	As       string
	Method   string
	URL      string // {name.field} are values in its path and query
	Headers  []Condition
	Body     any // with places; nil: none
	Optional bool
	Edit     reshape.Edit
	Max      int64            // bytes of its answer
	Client   *upstream.Client // for Base
}

// Reserved are the names of what the request brings, beside the parameters of
// its path.
var Reserved = []string{"query", "headers", "body"}

// Base is the part of the URL that holds no values: scheme and host.
func (c *ComposeCall) Base() (base, rest string) {
	scheme, after, _ := strings.Cut(c.URL, "://")
	i := strings.IndexAny(after, "/?")
	if i < 0 {
		return c.URL, "/"
	}
	base, rest = scheme+"://"+after[:i], after[i:]
	if rest[0] == '?' {
		rest = "/" + rest
	}
	return base, rest
}

// References are the values that a call takes.
func (c *ComposeCall) References() []reshape.Path {
	_, rest := c.Base()
	refs := reshape.References(rest)
	for _, h := range c.Headers {
		refs = append(refs, reshape.References(h.Value)...)
	}
	return append(refs, reshape.NewTemplate(c.Body).References()...)
}

// Check tells what is wrong with the calls, given the parameters of the route's
// path, and in which of them: -1, if it is the answer.
func (o *ComposeOptions) Check(params []string) (call int, err error) {
	names := slices.Concat(params, Reserved)
	for i := range o.Calls {
		if slices.Contains(names, o.Calls[i].As) {
			return i, fmt.Errorf("the name %q stands for something else already", o.Calls[i].As)
		}
		names = append(names, o.Calls[i].As)
	}
	unknown := func(refs []reshape.Path) error {
		for _, p := range refs {
			if !slices.Contains(names, p[0]) {
				return fmt.Errorf("{%s}: there is no parameter and no call %q", p, p[0])
			}
		}
		return nil
	}
	for i := range o.Calls {
		if err := unknown(o.Calls[i].References()); err != nil {
			return i, err
		}
	}
	if err := unknown(reshape.NewTemplate(o.Answer).References()); err != nil {
		return -1, err
	}
	for i := range o.Calls {
		if loop := o.loop(i, nil); loop != nil {
			return i, fmt.Errorf("the calls wait for each other: %s", strings.Join(loop, " needs "))
		}
	}
	for i, way := range o.deepest() {
		if len(way) > mostDeep {
			return i, fmt.Errorf("the calls wait for each other more than %d deep: %s", mostDeep, strings.Join(way, " needs "))
		}
	}
	return 0, nil
}

// mostDeep bounds how many calls may be made one after the other, each of what
// the one before has brought: as the steps of prompts.
const mostDeep = 5

// deepest is, of each call, the longest way to one that needs no other. There
// is no loop.
func (o *ComposeOptions) deepest() [][]string {
	ways := make([][]string, len(o.Calls))
	var of func(i int) []string
	of = func(i int) []string {
		if ways[i] == nil {
			var below []string
			for _, n := range o.needs(i) {
				if way := of(n); len(way) > len(below) {
					below = way
				}
			}
			ways[i] = append([]string{o.Calls[i].As}, below...)
		}
		return ways[i]
	}
	for i := range o.Calls {
		of(i)
	}
	return ways
}

// needs are the calls whose answers a call takes.
func (o *ComposeOptions) needs(i int) []int {
	var list []int
	for _, p := range o.Calls[i].References() {
		n := slices.IndexFunc(o.Calls, func(c ComposeCall) bool { return c.As == p[0] })
		if n >= 0 && !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list
}

// loop finds the way from a call back to itself; nil: there is none.
func (o *ComposeOptions) loop(i int, way []string) []string {
	if at := slices.Index(way, o.Calls[i].As); at >= 0 {
		return append(slices.Clone(way[at:]), o.Calls[i].As)
	}
	for _, n := range o.needs(i) {
		if loop := o.loop(n, append(slices.Clone(way), o.Calls[i].As)); loop != nil {
			return loop
		}
	}
	return nil
}

// Compose is a backend that makes one answer of several calls. Those that take
// no other's answer are made at once.
type Compose struct {
	ComposeOptions
	routes []*router.Route // of the calls
	needs  [][]int
	answer *reshape.Template
	body   bool // of the request, is asked for
}

// NewCompose makes the backend, of options that were checked.
func NewCompose(o ComposeOptions) (*Compose, error) {
	c := &Compose{ComposeOptions: o, answer: reshape.NewTemplate(o.Answer)}
	if o.Answer == nil {
		var all ordered.Object
		for i := range o.Calls {
			all = append(all, ordered.Member{Key: o.Calls[i].As, Value: "{" + o.Calls[i].As + "}"})
		}
		c.answer = reshape.NewTemplate(all)
	}
	refs := c.answer.References()
	for i := range o.Calls {
		call := &o.Calls[i]
		refs = append(refs, call.References()...)
		base, _ := call.Base()
		r := &router.Route{Name: "route " + o.Route + " call " + call.As, Retry: o.Retry, Candidates: []router.Candidate{{
			Target: o.Registry.Target(TargetID(o.Route, call.As+" "+base), o.Breaker), Weight: 1}}}
		if !slices.Contains(idempotent, call.Method) {
			r.Retry = router.Retry{Attempts: 1}
		}
		if err := r.Prepare(); err != nil {
			return nil, err
		}
		c.routes, c.needs = append(c.routes, r), append(c.needs, o.needs(i))
	}
	c.body = slices.ContainsFunc(refs, func(p reshape.Path) bool { return p[0] == "body" })
	return c, nil
}

// Kind is compose.
func (c *Compose) Kind() string { return "compose" }

// made is what came of a call.
type made struct {
	done  chan struct{}
	value any
	err   *schema.Error
	tried []Try
}

// Serve makes the calls, and the answer of what they gave.
func (c *Compose) Serve(x *Exchange) error {
	values, err := c.request(x)
	if err != nil {
		return err
	}
	lines, err := x.composeLines()
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(x.Edge.Context(), c.Deadline)
	defer stop()
	results := make([]made, len(c.Calls))
	for i := range results {
		results[i].done = make(chan struct{})
	}
	var wg sync.WaitGroup
	for i := range c.Calls {
		wg.Go(func() {
			defer close(results[i].done)
			c.run(ctx, i, values, results, lines)
			if results[i].err != nil && !c.Calls[i].Optional {
				stop() // nobody waits for the others any more
			}
		})
	}
	wg.Wait()
	var failed []string
	for i := range results {
		r := &results[i]
		for _, t := range r.tried {
			x.Edge.Tried(t)
		}
		if r.err != nil {
			failed = append(failed, c.Calls[i].As)
		}
		values = append(values, ordered.Member{Key: c.Calls[i].As, Value: r.value})
	}
	if err := c.fault(ctx, x, results); err != nil {
		return err
	}
	r := &x.RC.Response
	if len(failed) > 0 {
		r.Header.Set("X-Sluice-Partial", strings.Join(failed, ", "))
	}
	r.SetStatusCode(fasthttp.StatusOK)
	r.Header.SetContentType("application/json")
	r.SetBodyRaw(ordered.Append(nil, c.answer.Fill(values)))
	return nil
}

// fault is why there is no answer: of the required calls that failed the one
// that did so by itself, and not because another did.
func (c *Compose) fault(ctx context.Context, x *Exchange, results []made) error {
	if err := x.Edge.Context().Err(); err != nil {
		return CutShort(err)
	}
	var first *schema.Error
	var name string
	for i := range results {
		if e := results[i].err; e != nil && !c.Calls[i].Optional && (first == nil || first.Class == schema.ClassCancelled && e.Class != schema.ClassCancelled) {
			first, name = e, c.Calls[i].As
		}
	}
	if first == nil {
		return nil
	}
	e := &schema.Error{Code: schema.CodeUpstream, Status: fasthttp.StatusBadGateway, Origin: schema.OriginProvider, Class: first.Class, Cause: first,
		Message: fmt.Sprintf("the call %q failed: %s", name, strings.ReplaceAll(first.Message, "the provider", "the backend"))}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && (first.Class == schema.ClassCancelled || first.Class == schema.ClassTimeout) {
		e.Code, e.Status, e.Message = schema.CodeUpstreamTimeout, fasthttp.StatusGatewayTimeout, fmt.Sprintf("the call %q did not end within %v", name, c.Deadline)
	}
	return &Uncomposed{Fault: e, Calls: c.outcomes(results)}
}

// request is what the request brings for the calls.
func (c *Compose) request(x *Exchange) (ordered.Object, error) {
	var values ordered.Object
	for _, name := range x.Route.Params() {
		values = append(values, ordered.Member{Key: name, Value: asText(x.Route.Param(name, &x.Path))})
	}
	lookup := func(name string, from interface {
		Find(string) (string, bool)
		Names() []string
	}) {
		var all ordered.Object
		for _, key := range from.Names() {
			value, _ := from.Find(key)
			all = append(all, ordered.Member{Key: key, Value: value})
		}
		values = append(values, ordered.Member{Key: name, Value: all})
	}
	lookup("query", queryOf{x.RC.QueryArgs()})
	lookup("headers", headersOf{&x.RC.Request.Header})
	if !c.body {
		return values, nil
	}
	body, err := x.plainBody()
	if err != nil || len(body) == 0 {
		return values, err
	}
	v, err := ordered.Decode(body)
	if err != nil {
		return nil, &schema.Error{Code: schema.CodeInvalidJSON, Status: fasthttp.StatusBadRequest, Origin: schema.OriginGateway,
			Class: schema.ClassCancelled, Message: "the body is not JSON", Cause: err}
	}
	return append(values, ordered.Member{Key: "body", Value: v}), nil
}

// escapePlace makes a value one segment of a path, or a value in a query.
func escapePlace(text string, query bool) (string, error) {
	switch {
	case query:
		return url.QueryEscape(text), nil
	case text == "", text == ".", text == "..":
		return "", fmt.Errorf("%q is no segment of a path", text)
	}
	return url.PathEscape(text), nil
}
