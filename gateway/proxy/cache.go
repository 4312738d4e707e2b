package proxy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/gateway/httpcache"
	"sluice/providers/schema"
)

// CacheOptions are what a route keeps of its answers.
type CacheOptions struct {
	Route  string
	Store  *httpcache.Store
	Policy httpcache.Policy
	Query  []string // parameters that answers differ by; nil: the query as it was sent
	Tags   []string // {name} stands for a parameter of the path
	// Own: the route is not open to all, so that answers belong to their callers.
	Own bool
	// Recovered is told of a panic in a request that is made for the cache alone.
	Recovered func(what any)
	Config    string // stands for all that the route is made of
}

// maxKept bounds the body of an answer that is kept, in bytes: all of it is read
// before any of it is sent.
const maxKept = 4 << 20

// markTime is for how long requests go on alone, each by itself, after an answer
// that could not be kept.
const markTime = time.Second

// cacher is the step of one route.
type cacher struct {
	CacheOptions
	next  Handler
	space string // of the policy
	count *httpcache.Results
}

// Cache gives answers that are kept, and keeps those that may be. It stands
// behind all that asks who calls and what is asked, and before what changes a
// request for the backend.
func Cache(o CacheOptions) Step {
	o.Policy.Vary = httpcache.Names(o.Policy.Vary)
	if o.Query != nil {
		o.Query = append([]string{}, o.Query...)
		slices.Sort(o.Query)
		o.Query = slices.Compact(o.Query)
	}
	space := fmt.Sprintf("%s\x00%s%v%v%q\x00", o.Route, o.Config, o.Policy, o.Own, o.Query)
	return func(next Handler) Handler {
		c := &cacher{o, next, space, o.Store.Of(o.Route)}
		return c.serve
	}
}

// visit is one request at a cache.
type visit struct {
	*cacher
	x     *Exchange
	ask   httpcache.Ask
	place httpcache.Place // of answers that are the caller's own, or anybody's
	all   httpcache.Place // of those that are for all
	found *httpcache.Entry
	asked bool // the level that replicas share was

	noneMatch, modifiedSince []byte // the caller's own
}

func (c *cacher) serve(x *Exchange) error {
	h := &x.RC.Request.Header
	if x.Method != http.MethodGet && x.Method != http.MethodHead {
		return c.change(x)
	}
	word := h.Peek("X-Sluice-Cache")
	v := &visit{cacher: c, x: x}
	if string(word) == "skip" || x.RC.Request.BodyStream() != nil || len(x.RC.Request.Body()) > 0 || isSwitch(x.RC) || !v.locate() {
		return c.next(x)
	}
	for _, name := range [...]string{"Range", "If-Match", "If-Unmodified-Since", "If-Range"} {
		if len(h.Peek(name)) > 0 {
			return c.next(x)
		}
	}
	if v.ask = c.Policy.Read(h, v.place.Space != v.all.Space, string(word) == "refresh"); v.ask.Uncached() {
		return c.next(x)
	}
	return v.serve()
}

// change passes on a request that may change what is kept, and forgets what has
// its URI once it has gone well (RFC 9111, section 4.4).
func (c *cacher) change(x *Exchange) error {
	err := c.next(x)
	if status := x.RC.Response.StatusCode(); err == nil && status >= 200 && status < 400 && x.Method != http.MethodOptions && x.Method != http.MethodTrace {
		c.Store.Changed(&httpcache.Place{Host: strings.ToLower(string(x.RC.Host())), URI: c.uri(x)})
	}
	return err
}

// uri tells which resource is asked for: path and query, of which those
// parameters count, by name, that the route chose.
func (c *cacher) uri(x *Exchange) string {
	query := x.Query
	if c.Query != nil && len(query) > 0 {
		var all, counts fasthttp.Args
		all.ParseBytes(query)
		for _, name := range c.Query {
			for _, value := range all.PeekMulti(name) {
				counts.AddBytesV(name, value)
			}
		}
		query = counts.QueryString()
	}
	if len(query) == 0 {
		return string(x.Path.Sent)
	}
	return string(x.Path.Sent) + "?" + string(query)
}

// locate finds where the answer may be kept; false: nobody knows whose it is.
func (v *visit) locate() bool {
	x := v.x
	v.all = httpcache.Place{Route: v.Route, Space: v.space, Host: strings.ToLower(string(x.RC.Host())), URI: v.uri(x)}
	if x.Arm != "" { // each arm has answers of its own
		v.all.Space += x.Arm + "\x00"
	}
	if x.Version != "" { // and so has each version, however it was asked for
		v.all.Space += "version " + x.Version + "\x00"
	}
	v.place = v.all
	switch {
	case v.Own && x.Caller.ID+x.Caller.Key+x.Caller.User == "":
		return false
	case v.Own:
		for _, part := range [...]string{x.Caller.ID, x.Caller.Key, x.Caller.Team, x.Caller.User} { // which may hold anything: tokens name them
			v.place.Space += strconv.Itoa(len(part)) + ":" + part
		}
	default:
		if who := x.RC.Request.Header.Peek("Authorization"); len(who) > 0 { // the backend knows its callers itself
			sum := sha256.Sum256(who)
			v.place.Space += hex.EncodeToString(sum[:])
		}
	}
	return true
}

// find finds what is kept: what is for all first.
func (v *visit) find() *httpcache.Entry {
	h := &v.x.RC.Request.Header
	if v.Policy.RFC9111 && v.ask.Own {
		if e := v.Store.Find(&v.all, h); e != nil {
			return e
		}
	}
	return v.Store.Find(&v.place, h)
}

func (v *visit) serve() error {
	h := &v.x.RC.Request.Header
	v.noneMatch, v.modifiedSince = bytes.Clone(h.Peek("If-None-Match")), bytes.Clone(h.Peek("If-Modified-Since"))
	for {
		now := time.Now()
		seen := v.find()
		v.found = seen
		if e := v.found; e != nil && e.Status == 0 {
			if e.Age(now) < e.Fresh {
				return v.pass()
			}
			v.found = nil
		}
		if v.found != nil {
			switch v.ask.May(v.found, now) {
			case httpcache.Give:
				return v.give(v.found, httpcache.Hit, now)
			case httpcache.GiveStale:
				v.refresh()
				return v.give(v.found, httpcache.Stale, now)
			}
		}
		fetches := !v.ask.OnlyCached() && v.x.Method != http.MethodHead
		if !fetches && v.Store.Shared() && !v.asked {
			if flight, leads := v.Store.Join(&v.place, v.vary(), h); leads {
				v.further(flight)
				v.Store.End(flight, nil, true)
				continue
			}
		}
		switch {
		case v.ask.OnlyCached():
			return &schema.Error{Code: schema.CodeUpstreamTimeout, Status: http.StatusGatewayTimeout, Origin: schema.OriginGateway, Class: schema.ClassInvalidRequest,
				Message: "nothing is kept that answers the request, and Cache-Control asks for only that"}
		case v.x.Method == http.MethodHead: // which brings nothing to keep
			return v.pass()
		}
		flight, leads := v.Store.Join(&v.place, v.vary(), h)
		if leads {
			if v.here(flight, seen) {
				v.Store.End(flight, nil, true) // and for all who wait
				continue
			}
			return v.fetch(flight)
		}
		select {
		case <-flight.Done():
		case <-v.x.Edge.Context().Done():
			return &schema.Error{Code: schema.CodeClientClosed, Status: 499, Origin: schema.OriginGateway, Class: schema.ClassCancelled, Message: "the caller left"}
		}
		e, again := flight.Outcome()
		switch {
		case again:
		case e != nil && e.Values == httpcache.ValuesOf(e.Vary, h) && v.ask.May(e, time.Now()) != httpcache.Revalidate:
			return v.give(e, httpcache.Hit, time.Now())
		default:
			return v.pass()
		}
	}
}

// here tells whether an answer has come meanwhile, by another request or from
// another replica.
func (v *visit) here(flight *httpcache.Flight, seen *httpcache.Entry) bool {
	if v.find() != seen {
		return true
	}
	e := v.further(flight)
	return e != nil && v.ask.May(e, time.Now()) != httpcache.Revalidate
}

// further asks the level that replicas share, once; nil: it has nothing.
func (v *visit) further(flight *httpcache.Flight) *httpcache.Entry {
	if v.asked || !v.Store.Shared() {
		return nil
	}
	v.asked = true
	places := []*httpcache.Place{&v.place}
	if v.Policy.RFC9111 && v.ask.Own {
		places = []*httpcache.Place{&v.all, &v.place}
	}
	e := v.Store.Further(flight, v.Policy.Vary, &v.x.RC.Request.Header, places...)
	if e != nil {
		v.found = e
	}
	return e
}

// vary is what the requests that wait for one another must have in common.
func (v *visit) vary() []string {
	if v.found != nil {
		return v.found.Vary
	}
	return v.Policy.Vary
}

// pass has the backend answer, and keeps nothing.
func (v *visit) pass() error {
	v.note(httpcache.Miss)
	err := v.next(v.x)
	v.x.RC.Response.Header.Set("X-Sluice-Cache", httpcache.Miss)
	v.x.RC.Response.Header.Del("Surrogate-Key")
	return err
}

func (v *visit) note(result string) {
	v.x.Cached = result
	v.count.Count(result)
}

// give answers with what is kept.
func (v *visit) give(e *httpcache.Entry, result string, now time.Time) error {
	v.note(result)
	r := &v.x.RC.Response
	r.SetStatusCode(e.Status)
	r.Header.SetNoDefaultContentType(true)
	for _, f := range e.Header {
		r.Header.Add(f.Name, f.Value)
	}
	age := e.Age(now)
	r.Header.Set("Age", strconv.FormatInt(int64(age/time.Second), 10))
	r.Header.Set("X-Sluice-Cache", result)
	r.Header.Set("Cache-Status", "sluice; hit; ttl="+strconv.FormatInt(int64((e.Fresh-age)/time.Second), 10)) // RFC 9211
	switch {
	case e.Status == http.StatusOK && e.Unmodified(v.noneMatch, v.modifiedSince):
		r.SetStatusCode(http.StatusNotModified)
		r.SkipBody = true
	case v.x.Method == http.MethodHead:
		r.SkipBody = true
		r.Header.SetContentLength(len(e.Body))
	default:
		r.SetBodyRaw(e.Body)
	}
	return nil
}

// fetch has the backend answer for all who wait, and keeps that where it may.
func (v *visit) fetch(flight *httpcache.Flight) error {
	var e *httpcache.Entry
	again := true // if it panics too
	defer func() { v.Store.End(flight, e, again) }()
	v.condition(&v.x.RC.Request.Header)
	err := v.next(v.x)
	now := time.Now()
	if v.fails(err, now) {
		v.x.take(0)
		v.x.RC.Response.Reset()
		e, again = v.found, false
		v.x.Fallback = FallbackStale
		v.x.RC.Response.Header.Set(headerFallback, FallbackStale)
		return v.give(v.found, httpcache.Stale, now)
	}
	if err != nil {
		again = schema.AsError(err).Class == schema.ClassCancelled
		return err
	}
	again = false
	varied := v.found == nil && (v.Store.Varied(&v.place) || v.Policy.RFC9111 && v.Store.Varied(&v.all)) // for another request, before this one's answer is kept
	if e = v.keep(v.x, flight, now); e != nil && v.x.RC.Response.StatusCode() == http.StatusNotModified {
		v.x.RC.Response.Reset()
		return v.give(e, httpcache.Hit, now)
	}
	v.note(httpcache.Miss)
	r := &v.x.RC.Response
	r.Header.Set("X-Sluice-Cache", httpcache.Miss)
	r.Header.Del("Surrogate-Key")
	status := "sluice; fwd=uri-miss"
	switch {
	case v.found != nil:
		status = "sluice; fwd=stale"
	case varied:
		status = "sluice; fwd=vary-miss"
	}
	switch {
	case e != nil:
		status += "; stored"
	case v.found == nil && r.StatusCode() < 500: // that nobody waits for it next time
		v.Store.Put(&httpcache.Entry{Place: v.place, Vary: v.Policy.Vary, Values: httpcache.ValuesOf(v.Policy.Vary, &v.x.RC.Request.Header),
			Made: now, Terms: httpcache.Terms{Fresh: markTime}}, flight)
	}
	r.Header.Set("Cache-Status", status)
	if e != nil && e.Status == http.StatusOK && e.Unmodified(v.noneMatch, v.modifiedSince) {
		r.SetStatusCode(http.StatusNotModified)
		r.ResetBody()
		r.SkipBody = true
	}
	return nil
}

// condition has the request ask whether what is kept still holds, instead of
// what the caller has.
func (v *visit) condition(h *fasthttp.RequestHeader) {
	h.Del("If-None-Match")
	h.Del("If-Modified-Since")
	if v.found == nil {
		return
	}
	if tag := v.found.Get("Etag"); tag != "" {
		h.Set("If-None-Match", tag)
	}
	if at := v.found.Get("Last-Modified"); at != "" {
		h.Set("If-Modified-Since", at)
	}
}

// fails tells whether what is kept is to be given in the place of a failure.
func (v *visit) fails(err error, now time.Time) bool {
	if v.found == nil || !v.ask.MayIfError(v.found, now) {
		return false
	}
	if err != nil {
		e := schema.AsError(err)
		return e.Origin == schema.OriginProvider || e.Code == schema.CodeNoTarget || e.Code == schema.CodeUnavailable
	}
	switch v.x.RC.Response.StatusCode() { // RFC 5861, section 4
	case 500, 502, 503, 504:
		return true
	}
	return v.x.Fallback == FallbackStatic
}

// keep keeps the answer of an exchange; nil: it may not be, or is too large.
func (v *visit) keep(x *Exchange, flight *httpcache.Flight, now time.Time) *httpcache.Entry {
	r := &x.RC.Response
	h := &r.Header
	status := r.StatusCode()
	if status == http.StatusNotModified && v.found != nil {
		terms, ok := v.Policy.Terms(&v.ask, v.found.Status, h, now)
		if ok = ok && x.Fallback == ""; !ok { // another server's word on it is no word of the backend's
			terms = httpcache.Terms{} // it answers this request, and no other
		}
		e := v.found.Renewed(fieldsOf(h), terms, now)
		if ok {
			v.Store.Put(e, flight)
		}
		return e
	}
	terms, ok := v.Policy.Terms(&v.ask, status, h, now)
	if !ok || x.Fallback != "" || bytes.HasPrefix(h.ContentType(), []byte("text/event-stream")) || !x.take(maxKept) {
		return nil
	}
	e := &httpcache.Entry{Place: v.place, Status: status, Header: fieldsOf(h), Body: bytes.Clone(r.Body()), Made: now, Terms: terms, Tags: v.tags(h)}
	if terms.Public {
		e.Place = v.all
	}
	e.Vary = httpcache.Varies(v.Policy.Vary, h)
	e.Values = httpcache.ValuesOf(e.Vary, &x.RC.Request.Header)
	if !v.Store.Put(e, flight) {
		return nil
	}
	return e
}

// fieldsOf are the headers of an answer that are kept with it.
func fieldsOf(h *fasthttp.ResponseHeader) []httpcache.Field {
	var list []httpcache.Field
	for name, value := range h.All() {
		switch string(name) {
		case "Content-Length", "Date", "Server", "Age", "Surrogate-Key", "X-Sluice-Cache", "Cache-Status", "Connection", "Transfer-Encoding":
			continue
		}
		list = append(list, httpcache.Field{Name: string(name), Value: string(value)})
	}
	return list
}

// The most that is read of an answer's tags.
const (
	mostTags = 64
	longTag  = 256
)

// tags are those that the route gives, and those of the answer's Surrogate-Key.
func (v *visit) tags(h *fasthttp.ResponseHeader) []string {
	var list []string
	for _, tag := range v.Tags {
		if strings.Contains(tag, "{") {
			for _, name := range v.x.Route.Params() {
				tag = strings.ReplaceAll(tag, "{"+name+"}", string(v.x.Route.Param(name, &v.x.Path)))
			}
		}
		list = append(list, tag)
	}
	for tag := range bytes.FieldsSeq(h.Peek("Surrogate-Key")) {
		if len(list) < mostTags && len(tag) <= longTag {
			list = append(list, string(tag))
		}
	}
	return list
}
