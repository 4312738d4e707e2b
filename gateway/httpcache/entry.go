package httpcache

import (
	"bytes"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// Field is a header of an answer.
type Field struct{ Name, Value string }

// Entry is an answer that is kept. It is not changed once it was put.
type Entry struct {
	Place
	Vary   []string // names of the request's headers that it depends on,
	Values string   // and what they were
	Tags   []string

	Status int // 0: a mark that the answer could not be kept
	Header []Field
	Body   []byte
	Made   time.Time // when it came, by which its age is counted
	Terms
}

// Place is where an entry is kept.
type Place struct {
	Route string // its name, for figures
	// Space tells the policies of a route apart, and whom an answer is for.
	Space string
	Host  string
	URI   string // path and query
}

// at tells which resource it is, whoever it is kept for.
func (p *Place) at() string { return p.Host + "\x00" + p.URI }

// Age is how old the answer is.
func (e *Entry) Age(now time.Time) time.Duration { return max(now.Sub(e.Made), 0) + e.Terms.Age }

// Get is a header's value; empty: it has none.
func (e *Entry) Get(name string) string {
	for _, f := range e.Header {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// overhead is what an entry takes beside its bytes.
const overhead = 512

// Size is the bytes that the entry counts for.
func (e *Entry) Size() int64 {
	n := overhead + len(e.Body) + 2*(len(e.Host)+len(e.URI)+len(e.Space)) + len(e.Values)
	for _, f := range e.Header {
		n += len(f.Name) + len(f.Value) + 32
	}
	for _, tag := range e.Tags {
		n += len(tag) + 128 // its place in the index
	}
	return int64(n)
}

// ValuesOf are what a request's headers of these names hold.
func ValuesOf(names []string, h *fasthttp.RequestHeader) string {
	if len(names) == 0 {
		return ""
	}
	var b strings.Builder
	for _, name := range names {
		for _, value := range h.PeekAll(name) {
			b.Write(bytes.TrimSpace(value))
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Unmodified tells whether what a caller has, by the headers of its request, is
// the answer still (RFC 9110, section 13.2.2).
func (e *Entry) Unmodified(noneMatch, modifiedSince []byte) bool {
	if len(noneMatch) > 0 {
		tag := e.Get("Etag")
		if string(bytes.TrimSpace(noneMatch)) == "*" {
			return true
		}
		for given := range bytes.SplitSeq(noneMatch, []byte{','}) {
			if tag != "" && weak(string(bytes.TrimSpace(given))) == weak(tag) {
				return true
			}
		}
		return false
	}
	if len(modifiedSince) == 0 {
		return false
	}
	since, err := fasthttp.ParseHTTPDate(modifiedSince)
	last, lastErr := fasthttp.ParseHTTPDate([]byte(e.Get("Last-Modified")))
	return err == nil && lastErr == nil && !last.After(since)
}

func weak(tag string) string { return strings.TrimPrefix(tag, "W/") }

// Renewed is the entry after its backend has said that it holds, in an answer
// with these headers: they replace those of their names (RFC 9111, section
// 4.3.4).
func (e *Entry) Renewed(h []Field, t Terms, now time.Time) *Entry {
	n := *e
	n.Made, n.Terms = now, t
	n.Header = nil
	replaced := map[string]bool{}
	for _, f := range h {
		replaced[f.Name] = true
	}
	for _, f := range e.Header {
		if !replaced[f.Name] {
			n.Header = append(n.Header, f)
		}
	}
	n.Header = append(n.Header, h...)
	return &n
}
