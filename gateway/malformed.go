package gateway

import (
	"bytes"

	"github.com/valyala/fasthttp"

	"sluice/gateway/proxy"
	"sluice/providers/schema"
)

// malformed finds what the server's library lets pass and nginx or Envoy would
// not: requests of which two servers in a row could make two different ones. A
// connection that brought one is not read any further.
func malformed(h *fasthttp.RequestHeader) *schema.Error {
	if v := h.Protocol(); string(v) != "HTTP/1.1" && string(v) != "HTTP/1.0" {
		return badRequest(fasthttp.StatusHTTPVersionNotSupported, "HTTP/1.1 or HTTP/1.0 is spoken here")
	}
	for _, b := range h.Method() {
		if (b < 'A' || b > 'Z') && b != '-' && b != '_' {
			return badRequest(fasthttp.StatusBadRequest, "the method is not written in capitals")
		}
	}
	switch string(h.Method()) {
	case fasthttp.MethodConnect, fasthttp.MethodTrace:
		return badRequest(fasthttp.StatusMethodNotAllowed, "the method is not served")
	}
	if why := badLines(h.RawHeaders()); why != "" {
		return badRequest(fasthttp.StatusBadRequest, why)
	}
	if why := badTarget(h.RequestURI(), h.Host()); why != "" {
		return badRequest(fasthttp.StatusBadRequest, why)
	}
	return nil
}

func badRequest(status int, why string) *schema.Error {
	code := schema.CodeInvalidRequest
	if status == fasthttp.StatusMethodNotAllowed {
		code = schema.CodeMethodNotAllowed
	}
	return &schema.Error{Code: code, Status: status, Origin: schema.OriginGateway, Class: schema.ClassInvalidRequest, Message: why}
}

// badLines looks at the header as it came.
func badLines(raw []byte) string {
	length, coded := false, false
	for len(raw) > 0 {
		i := bytes.IndexByte(raw, '\n')
		if i < 1 || raw[i-1] != '\r' {
			return "a line of the headers ends without a carriage return"
		}
		line := raw[:i-1]
		if raw = raw[i+1:]; len(line) == 0 {
			break
		}
		if line[0] == ' ' || line[0] == '\t' {
			return "a header is folded over several lines"
		}
		colon := bytes.IndexByte(line, ':')
		if colon < 0 || bytes.IndexByte(line[:colon], ' ') >= 0 {
			return "the name of a header holds a space"
		}
		switch line[0] | 0x20 {
		case 'c':
			length = length || bytes.EqualFold(line[:colon], []byte("Content-Length"))
		case 't':
			if bytes.EqualFold(line[:colon], []byte("Transfer-Encoding")) {
				if coded = true; !bytes.EqualFold(bytes.Trim(line[colon+1:], " \t"), []byte("chunked")) {
					return "the transfer coding is not chunked"
				}
			}
		}
	}
	if length && coded {
		return "both a length and a transfer coding are given"
	}
	return ""
}

// badTarget looks at whom a request is for: by its target, where that names a
// host, and by its Host header.
func badTarget(target, host []byte) string {
	if len(host) > 0 && !proxy.ValidHost(host) {
		return "the Host header names no host"
	}
	if len(target) > 0 && (target[0] == '/' || string(target) == "*") {
		return ""
	}
	scheme, rest, ok := bytes.Cut(target, []byte("://"))
	if i := bytes.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	if !ok || !bytes.EqualFold(scheme, []byte("http")) && !bytes.EqualFold(scheme, []byte("https")) || !proxy.ValidHost(rest) {
		return "the target of the request is neither a path nor an address of HTTP"
	}
	return ""
}
