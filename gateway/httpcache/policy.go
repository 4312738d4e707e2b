package httpcache

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pquerna/cachecontrol/cacheobject"
	"github.com/valyala/fasthttp"
)

// Policy says what is kept of a route's answers, and for how long.
type Policy struct {
	TTL     time.Duration // for how long; with RFC9111, of answers that do not say
	Vary    []string      // headers of requests that answers differ by, beside those that they name
	Revalid time.Duration // for how long after that a stale one is given while it is asked for anew
	IfError time.Duration // and where the backend fails
	RFC9111 bool          // the headers of requests and answers decide
}

// Ask is what a request says of caches.
type Ask struct {
	Own bool // answers to it belong to its caller

	directives cacheobject.RequestCacheDirectives
	refresh    bool
}

// Read reads a request. refresh: what is kept is not good enough.
func (p *Policy) Read(h *fasthttp.RequestHeader, own, refresh bool) Ask {
	a := Ask{Own: own, refresh: refresh, directives: cacheobject.RequestCacheDirectives{MaxAge: -1, MinFresh: -1, MaxStale: -1}}
	if !p.RFC9111 {
		return a
	}
	if text := joined(h.PeekAll("Cache-Control")); text != "" {
		d, err := cacheobject.ParseRequestCacheControl(text)
		if err != nil { // nobody knows what is meant
			a.refresh = true
			return a
		}
		a.directives = *d
	} else if bytes.Contains(h.Peek("Pragma"), []byte("no-cache")) {
		a.refresh = true
	}
	return a
}

// Uncached tells whether the answer must not be kept.
func (a *Ask) Uncached() bool { return a.directives.NoStore }

// OnlyCached tells whether the backend is not to be asked.
func (a *Ask) OnlyCached() bool { return a.directives.OnlyIfCached }

// Use is what may be done with an entry.
type Use int

// The uses.
const (
	Revalidate Use = iota // it is asked about anew
	Give                  // it is fresh
	GiveStale             // it is given, and asked about anew meanwhile
)

// May tells what a request lets be done with an entry now.
func (a *Ask) May(e *Entry, now time.Time) Use {
	age, d := e.Age(now), &a.directives
	left := e.Fresh - age
	switch {
	case a.refresh, d.NoCache, d.MaxAge >= 0 && age > seconds(d.MaxAge), d.MinFresh >= 0 && left < seconds(d.MinFresh):
		return Revalidate
	case left > 0:
		return Give
	case e.Must:
		return Revalidate
	case d.MaxStaleSet && d.MaxStale < 0, d.MaxStale >= 0 && -left <= seconds(d.MaxStale):
		return Give
	case -left < e.Revalid:
		return GiveStale
	}
	return Revalidate
}

// MayIfError tells whether an entry may be given in the place of a failure.
func (a *Ask) MayIfError(e *Entry, now time.Time) bool {
	return !a.refresh && !a.directives.NoCache && !e.Must && e.Age(now)-e.Fresh < e.IfError
}

func seconds(d cacheobject.DeltaSeconds) time.Duration { return time.Duration(d) * time.Second }

// Terms are how an answer may be kept.
type Terms struct {
	Fresh   time.Duration // since it was made
	Age     time.Duration // that it had when it came
	Revalid time.Duration
	IfError time.Duration
	Must    bool // it is never given once it is stale
	Public  bool // it is for all, even where answers belong to callers
}

// What is kept without a word of the answer: without RFC 9111, and with it
// (RFC 9110, section 15.1; 206 is not taken apart here).
var (
	plainStatuses     = []int{200, 203, 301, 308}
	heuristicStatuses = []int{200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501}
)

// Terms tells how an answer may be kept; false: it must not be.
func (p *Policy) Terms(a *Ask, status int, h *fasthttp.ResponseHeader, now time.Time) (Terms, bool) {
	t := Terms{Fresh: p.TTL, Revalid: p.Revalid, IfError: p.IfError}
	d, err := cacheobject.ParseResponseCacheControl(joined(h.PeekAll("Cache-Control")))
	switch {
	case err != nil, d.NoStore, a.Uncached(), d.PrivatePresent && !a.Own, hasCookie(h), slices.Contains(varies(h), "*"), status == 206:
		return t, false
	case !p.RFC9111:
		return t, slices.Contains(plainStatuses, status)
	}
	t.Public = d.Public
	shared := !a.Own || d.Public
	explicit := true
	switch expires := h.Peek("Expires"); {
	case d.NoCachePresent:
		t.Fresh = 0
	case d.SMaxAge >= 0 && shared:
		t.Fresh = seconds(d.SMaxAge)
	case d.MaxAge >= 0:
		t.Fresh = seconds(d.MaxAge)
	case len(expires) > 0:
		t.Fresh = until(expires, now)
	default:
		explicit = false
	}
	if !explicit && !d.Public && !slices.Contains(heuristicStatuses, status) || status < 200 || status == 304 {
		return t, false
	}
	t.Must = d.MustRevalidate || d.ProxyRevalidate || d.NoCachePresent || d.SMaxAge >= 0 && shared
	if d.StaleWhileRevalidate >= 0 {
		t.Revalid = seconds(d.StaleWhileRevalidate)
	}
	if d.StaleIfError >= 0 {
		t.IfError = seconds(d.StaleIfError)
	}
	if n, err := strconv.ParseInt(string(h.Peek("Age")), 10, 32); err == nil && n > 0 {
		t.Age = time.Duration(n) * time.Second
	}
	useless := t.Fresh <= t.Age && len(h.Peek("Etag")) == 0 && len(h.Peek("Last-Modified")) == 0 && (t.Must || t.Revalid == 0 && t.IfError == 0)
	return t, !useless
}

// until is the time to an Expires; what cannot be read has been (section 5.3).
func until(expires []byte, now time.Time) time.Duration {
	at, err := fasthttp.ParseHTTPDate(expires)
	if err != nil {
		return 0
	}
	return max(at.Sub(now), 0)
}

func hasCookie(h *fasthttp.ResponseHeader) bool {
	for range h.Cookies() {
		return true
	}
	return false
}

// joined is a header's lines as one list.
func joined(lines [][]byte) string {
	if len(lines) == 1 {
		return string(lines[0])
	}
	return string(bytes.Join(lines, []byte(", ")))
}

// varies are the names in Vary, in the form that fasthttp gives to names.
func varies(h *fasthttp.ResponseHeader) []string {
	var names []string
	for _, line := range h.PeekAll("Vary") {
		for name := range strings.SplitSeq(string(line), ",") {
			if name = strings.TrimSpace(name); name != "" {
				names = append(names, name)
			}
		}
	}
	return Names(names)
}

// Names brings names of headers into one form and order, each once.
func Names(list []string) []string {
	names := make([]string, 0, len(list))
	for _, name := range list {
		text := []byte(name)
		if name != "*" {
			text = fasthttp.AppendNormalizedHeaderKey(nil, name)
		}
		names = append(names, string(text))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Varies are the names of the headers that an answer depends on: those given,
// which are in the form of Names, and those in its Vary.
func Varies(given []string, h *fasthttp.ResponseHeader) []string {
	said := varies(h)
	if len(said) == 0 {
		return given
	}
	return Names(append(said, given...))
}
