package proxy

import (
	"bytes"
	"compress/gzip"
	"io"
	"strconv"

	"github.com/valyala/fasthttp"

	"sluice/providers/schema"
)

// wholeLimit bounds the bodies that are read whole where server.body_limit
// does not.
const wholeLimit = 32 << 20

func (x *Exchange) wholeLimit() int64 {
	if x.From.Body > 0 {
		return x.From.Body
	}
	return wholeLimit
}

// replaceBody is what is sent on in place of the request's body.
func (x *Exchange) replaceBody(body []byte) {
	x.body.taken, x.body.kept, x.body.from = true, body, nil
	for _, name := range [...]string{"Content-Md5", "Digest", "Content-Digest", "Repr-Digest"} {
		x.RC.Request.Header.Del(name)
	}
}

// takeBack makes an answer that would be passed on as a stream one that is not,
// which ends its attempt: with err, if it failed.
func (x *Exchange) takeBack(err error) {
	if x.answer == nil {
		return
	}
	x.answer.x = nil
	x.RC.Response.ResetBody()
	x.RC.Response.ImmediateHeaderFlush = false
	x.Ended(err)
	x.drop()
	x.streams = false
}

// hasBody tells whether what is answered has a body that a step may look into.
func (x *Exchange) hasBody() bool {
	status := x.RC.Response.StatusCode()
	return !x.switched && !x.RC.IsHead() && status >= 200 && status != fasthttp.StatusNoContent && status != fasthttp.StatusNotModified
}

// wholeAnswer reads all of the answer's body, and unpacks it.
func (x *Exchange) wholeAnswer() ([]byte, error) {
	r, limit := &x.RC.Response, x.wholeLimit()
	var body []byte
	if !x.streams {
		body = r.Body()
	} else {
		all, err := io.ReadAll(io.LimitReader(x.answer, limit+1))
		if int64(len(all)) <= limit {
			x.answer.heard.over(x, err)
		}
		x.takeBack(err)
		if err != nil {
			return nil, err
		}
		body = all
		r.SetBodyRaw(body)
	}
	if int64(len(body)) > limit {
		return nil, badAnswer("is larger than the limit of " + strconv.FormatInt(limit, 10) + " bytes")
	}
	switch coding := string(r.Header.ContentEncoding()); coding {
	case "", "identity":
		return body, nil
	case "gzip":
		unpack, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, badAnswer("is not in the coding that it names")
		}
		plain, err := io.ReadAll(io.LimitReader(unpack, limit+1))
		switch {
		case err != nil:
			return nil, badAnswer("is not in the coding that it names")
		case int64(len(plain)) > limit:
			return nil, badAnswer("is larger than the limit of " + strconv.FormatInt(limit, 10) + " bytes")
		}
		r.Header.Del("Content-Encoding")
		r.SetBodyRaw(plain)
		return plain, nil
	default:
		return nil, badAnswer("is in the coding " + strconv.Quote(coding) + ", which cannot be looked into")
	}
}

// Whole is all of the answer's body, unpacked, for whoever is no caller who
// could take it as it comes.
func (x *Exchange) Whole() ([]byte, error) { return x.wholeAnswer() }

// replaceAnswer is what the caller gets in place of the answer's body. What
// was said of the bytes themselves does not hold for these.
func (x *Exchange) replaceAnswer(body []byte) {
	r := &x.RC.Response
	r.SetBodyRaw(body)
	for _, name := range [...]string{"Content-Md5", "Digest", "Content-Digest", "Repr-Digest", "Accept-Ranges"} {
		r.Header.Del(name)
	}
	weaken(&r.Header)
}

// weaken makes an entity tag one of the same meaning, not of the same bytes (RFC
// 9110, section 8.8.1).
func weaken(h *fasthttp.ResponseHeader) {
	if tag := h.Peek("Etag"); len(tag) > 0 && tag[0] == '"' {
		h.Set("Etag", "W/"+string(tag))
	}
}

// badAnswer is the fault of an answer that a step cannot work on.
func badAnswer(what string) *schema.Error {
	return &schema.Error{Code: schema.CodeInvalidOutput, Status: fasthttp.StatusBadGateway, Origin: schema.OriginProvider,
		Class: schema.ClassInvalidOutput, Message: "the backend's answer " + what}
}
