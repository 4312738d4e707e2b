package upstream

import (
	"strconv"
	"strings"

	"sluice/providers/schema"
)

// check refuses what would break the framing: names and values come from the
// configuration and from secrets, not from here.
func (q *Request) check() error {
	if !cleanTarget(q.Path) {
		return badHead("path")
	}
	for i := range q.Header {
		if f := &q.Header[i]; !cleanName(f.Name) || !cleanValue(f.Value) {
			return badHead("header " + strconv.Quote(f.Name))
		}
	}
	return nil
}

// appendHead writes the head of a request.
func (c *Client) appendHead(dst []byte, q *Request) []byte {
	dst = append(dst, q.Method...)
	dst = append(dst, ' ')
	dst = append(dst, c.base...)
	dst = append(dst, q.Path...)
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	if q.Host != "" {
		dst = append(dst, q.Host...)
	} else {
		dst = append(dst, c.host...)
	}
	dst = append(dst, '\r', '\n')
	dst = append(dst, q.Lines...)
	for i := range q.Header {
		f := &q.Header[i]
		dst = append(dst, f.Name...)
		dst = append(dst, ':', ' ')
		dst = append(dst, f.Value...)
		dst = append(dst, '\r', '\n')
	}
	size := int64(0)
	for _, piece := range q.Body {
		size += int64(len(piece))
	}
	if q.Stream != nil {
		size = q.Size
	}
	switch {
	case size < 0:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	case size > 0 || q.Method != "GET" && q.Method != "HEAD":
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, size, 10)
		dst = append(dst, '\r', '\n')
	}
	return append(dst, '\r', '\n')
}

func badHead(what string) error {
	return &schema.Error{Code: schema.CodeInternal, Status: 500, Origin: schema.OriginGateway,
		Class: schema.ClassInvalidRequest, Message: "the request to the provider has a bad " + what}
}

func cleanTarget(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return len(s) > 0 && s[0] == '/'
}

func cleanValue(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// cleanName accepts RFC 9110 tokens.
func cleanName(s string) bool {
	for i := range len(s) {
		b := s[i]
		if b|0x20 >= 'a' && b|0x20 <= 'z' || b >= '0' && b <= '9' {
			continue
		}
		if strings.IndexByte("!#$%&'*+-.^_`|~", b) < 0 {
			return false
		}
	}
	return len(s) > 0
}
