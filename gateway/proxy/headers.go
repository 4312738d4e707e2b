package proxy

import (
	"bytes"
	"strings"

	"github.com/valyala/fasthttp"
)

// What is said between two neighbours and not passed on (RFC 9110, section
// 7.6.1), both ways; and what the client or the server makes anew.
func isHop(name []byte) bool {
	switch string(name) { // in the form that fasthttp gives to names
	case "Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
		"Proxy-Authenticate", "Proxy-Authorization", "Content-Length", "Expect", "Http2-Settings":
		return true
	}
	return false
}

// Where a request came from is told by us.
func isOrigin(name []byte) bool {
	switch string(name) {
	case "Host", "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server", "X-Real-Ip":
		return true
	}
	// Some servers read an underscore in a name as a dash.
	if bytes.IndexByte(name, '_') >= 0 {
		dashed := []byte(strings.ReplaceAll(strings.ToLower(string(name)), "_", "-"))
		for upper, i := true, 0; i < len(dashed); i++ {
			if upper && dashed[i] >= 'a' && dashed[i] <= 'z' {
				dashed[i] -= 0x20
			}
			upper = dashed[i] == '-'
		}
		return isHop(dashed) || isOrigin(dashed)
	}
	return false
}

// IsOurs tells whether a header of requests is written by the gateway alone:
// nobody else's value is passed on.
func IsOurs(name string) bool {
	var h fasthttp.RequestHeader
	h.Set(name, "x")
	for key := range h.All() {
		return isHop(key) || isOrigin(key)
	}
	return true // fasthttp keeps it apart
}

// named tells whether a Connection header lists a name.
func named(connection [][]byte, name []byte) bool {
	for _, line := range connection {
		for len(line) > 0 {
			var word []byte
			word, line, _ = bytes.Cut(line, []byte{','})
			if bytes.EqualFold(bytes.TrimSpace(word), name) {
				return true
			}
		}
	}
	return false
}

// appendRequest writes the header lines of a request for a target: the
// caller's, but for what is not passed on, and where it came from.
func (x *Exchange) appendRequest(dst []byte) []byte {
	h := &x.RC.Request.Header
	var connection [][]byte
	if len(h.Peek("Connection")) > 0 {
		connection = append(connection, h.PeekAll("Connection")...) // of which the next PeekAll takes the memory
	}
	for name, value := range h.All() {
		if isHop(name) || isOrigin(name) || connection != nil && named(connection, name) {
			continue
		}
		dst = appendLine(dst, name, value)
	}
	return x.appendOrigin(dst)
}

func appendLine(dst, name, value []byte) []byte {
	dst = append(append(dst, name...), ':', ' ')
	return append(append(dst, value...), '\r', '\n')
}

// appendOrigin tells where a request came from. What a proxy says that is not
// believed is not passed on.
func (x *Exchange) appendOrigin(dst []byte) []byte {
	h := &x.RC.Request.Header
	host, proto := x.RC.Host(), []byte("http")
	if x.From.TLS {
		proto = []byte("https")
	}
	var chain, forwarded [][]byte
	if x.From.Trusted {
		if said := h.Peek("X-Forwarded-Host"); ValidHost(said) {
			host = said
		}
		if said := h.Peek("X-Forwarded-Proto"); string(said) == "http" || string(said) == "https" {
			proto = said
		}
		chain = append(chain, h.PeekAll("X-Forwarded-For")...)
		forwarded = append(forwarded, h.PeekAll("Forwarded")...)
	}
	dst = append(dst, "X-Forwarded-For: "...)
	dst = append(appendList(dst, chain), x.From.Peer...)
	dst = append(append(dst, "\r\nX-Forwarded-Proto: "...), proto...)
	dst = append(append(dst, "\r\nX-Forwarded-Host: "...), host...)
	dst = appendList(append(dst, "\r\nForwarded: "...), forwarded)
	if strings.IndexByte(x.From.Peer, ':') >= 0 { // RFC 7239, section 6
		dst = append(append(append(dst, `for="[`...), x.From.Peer...), `]"`...)
	} else {
		dst = append(append(dst, "for="...), x.From.Peer...)
	}
	dst = append(append(append(dst, `;host="`...), host...), `";proto=`...)
	return append(append(dst, proto...), '\r', '\n')
}

// appendList writes lines of a list, each with a comma after it.
func appendList(dst []byte, lines [][]byte) []byte {
	for _, line := range lines {
		if len(line) > 0 {
			dst = append(append(dst, line...), ',', ' ')
		}
	}
	return dst
}

// takeHeaders puts a target's headers into the answer, but for what is not
// passed on, and what tells which server it is.
func takeHeaders(to *fasthttp.ResponseHeader, from *fasthttp.ResponseHeader, t *target) {
	var connection [][]byte
	if len(from.Peek("Connection")) > 0 {
		connection = append(connection, from.PeekAll("Connection")...)
	}
	to.SetNoDefaultContentType(true)
	for name, value := range from.All() {
		switch {
		case isHop(name), string(name) == "Server", connection != nil && named(connection, name):
		case string(name) == "Location", string(name) == "Content-Location":
			to.AddBytesKV(name, t.ownPath(value))
		default:
			to.AddBytesKV(name, value)
		}
	}
}
