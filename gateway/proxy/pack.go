package proxy

import (
	"bytes"
	"io"
	"strconv"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/valyala/fasthttp"
)

// Answers that are not worth packing.
const leastPacked = 512

// Levels of about the same speed, for answers that are packed as they pass.
const (
	gzipLevel   = 4
	brotliLevel = 3
)

// compress packs the answer, if the caller takes one of the codings and it is of
// a kind that gets smaller. Events are not packed: they would be held up.
func compress(x *Exchange, codings []string, accept string) {
	r := &x.RC.Response
	h := &r.Header
	if !packs(mediaType(string(h.ContentType()))) {
		return
	}
	h.Add("Vary", "Accept-Encoding")
	coding := chooseCoding(codings, accept)
	length := h.ContentLength()
	if !x.streams {
		length = len(r.Body())
	}
	if coding == "" || !x.hasBody() || length >= 0 && length < leastPacked || len(h.ContentEncoding()) > 0 ||
		r.StatusCode() == fasthttp.StatusPartialContent || bytes.Contains(h.Peek("Cache-Control"), []byte("no-transform")) {
		return
	}
	h.SetContentEncoding(coding)
	h.Del("Accept-Ranges")
	weaken(h)
	if !x.streams {
		var out bytes.Buffer
		w := packer(coding, &out)
		_, _ = w.Write(r.Body()) // a buffer takes all
		_ = w.Close()
		r.SetBodyRaw(out.Bytes())
		return
	}
	a := x.answer
	owner := a.x
	a.x = nil // so that taking it from its place does not end the exchange
	p := &packed{answer: a}
	p.w = packer(coding, &p.out)
	r.SetBodyStream(p, -1)
	a.x = owner
}

// packs tells whether bodies of a type get smaller.
func packs(kind string) bool {
	switch {
	case kind == "text/event-stream":
		return false
	case strings.HasPrefix(kind, "text/"), strings.HasSuffix(kind, "+json"), strings.HasSuffix(kind, "+xml"):
		return true
	}
	switch kind {
	case "application/json", "application/problem+json", "application/xml", "application/javascript", "application/x-ndjson", "application/wasm":
		return true
	}
	return false
}

// chooseCoding is the first of the codings that a caller takes; empty: it takes
// none, or likes none of them as well as the plain body (RFC 9110, section 12.5.3).
func chooseCoding(codings []string, accept string) string {
	best, most := "", 0.0
	var plain float64
	for item := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(item, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		q := 1.0
		if _, text, ok := strings.Cut(params, "="); ok {
			q = qvalue(strings.TrimSpace(text))
		}
		if name == "identity" {
			plain = q
		}
		for i, c := range codings {
			if c == name && (q > most || q == most && best != "" && i < indexOf(codings, best)) {
				best, most = c, q
			}
		}
	}
	if most == 0 || most < plain {
		return ""
	}
	return best
}

func indexOf(list []string, word string) int {
	for i := range list {
		if list[i] == word {
			return i
		}
	}
	return len(list)
}

// qvalue reads a q; what cannot be read is 0, nothing is 1.
func qvalue(text string) float64 {
	if text == "" {
		return 1
	}
	q, err := strconv.ParseFloat(text, 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return 0
	}
	return q
}

// packWriter packs what is written to it.
type packWriter interface {
	io.WriteCloser
	Flush() error
}

func packer(coding string, to io.Writer) packWriter {
	if coding == "br" {
		return brotli.NewWriterLevel(to, brotliLevel)
	}
	w, _ := gzip.NewWriterLevel(to, gzipLevel) // a level that there is
	return w
}

// packed is a streamed answer that is packed as it passes: what one read of
// the backend brought goes out before the next.
type packed struct {
	*answer
	w   packWriter
	out bytes.Buffer
	end error // once all is read
}

// Read gives some of the packed body.
func (p *packed) Read(b []byte) (int, error) {
	for p.out.Len() == 0 {
		if p.end != nil {
			return 0, p.end
		}
		memory := buffers.Get().(*[]byte)
		n, err := p.answer.Read(*memory)
		_, _ = p.w.Write((*memory)[:n]) // a buffer takes all
		buffers.Put(memory)
		switch {
		case err == io.EOF:
			_ = p.w.Close()
		case n > 0:
			_ = p.w.Flush()
		}
		p.end = err
	}
	return p.out.Read(b)
}

// WriteTo sends the packed body to w.
func (p *packed) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, readerOnly{p})
}

// readerOnly hides all else that a reader can do.
type readerOnly struct{ io.Reader }
