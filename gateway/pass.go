package gateway

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/providers"
	"sluice/providers/schema"
)

// passing is how one path and method of OpenAI's API is passed on: requests
// for which there is no unified form go to a provider as they are, but for the
// model's name.
type passing struct {
	op    schema.Operation
	model modelRule
	bytes bool // the answer is a file
	once  bool // it makes something that a second try would make twice
}

// modelRule tells whether a request names a model.
type modelRule uint8

const (
	noModel modelRule = iota
	mayNameModel
	mustNameModel
)

// passings are by path and method; {} stands for an id.
var passings = map[string]map[string]passing{
	"/v1/moderations":          {"POST": {op: schema.OpModerate, model: mayNameModel}},
	"/v1/images/generations":   {"POST": {op: schema.OpImage, model: mayNameModel}},
	"/v1/images/edits":         {"POST": {op: schema.OpImage, model: mayNameModel}},
	"/v1/images/variations":    {"POST": {op: schema.OpImage, model: mayNameModel}},
	"/v1/audio/speech":         {"POST": {op: schema.OpSpeech, model: mustNameModel, bytes: true}},
	"/v1/audio/transcriptions": {"POST": {op: schema.OpTranscribe, model: mustNameModel}},
	"/v1/audio/translations":   {"POST": {op: schema.OpTranscribe, model: mustNameModel}},
	"/v1/files":                {"GET": {op: schema.OpFile}, "POST": {op: schema.OpFile, once: true}},
	"/v1/files/{}":             {"GET": {op: schema.OpFile}, "DELETE": {op: schema.OpFile, once: true}},
	"/v1/files/{}/content":     {"GET": {op: schema.OpFile, bytes: true}},
	"/v1/batches":              {"GET": {op: schema.OpBatch}, "POST": {op: schema.OpBatch, once: true}},
	"/v1/batches/{}":           {"GET": {op: schema.OpBatch}},
	"/v1/batches/{}/cancel":    {"POST": {op: schema.OpBatch, once: true}},
}

// passingsAt are those of a path; nil: it is none of theirs.
func passingsAt(path string) map[string]passing {
	if m := passings[path]; m != nil {
		return m
	}
	if !strings.HasPrefix(path, "/v1/") {
		return nil
	}
	parts := strings.Split(path, "/") // "", v1, files, ID, …
	if len(parts) < 4 || !saneID([]byte(parts[3])) || parts[3] == "." || parts[3] == ".." {
		return nil
	}
	parts[3] = "{}"
	return passings[strings.Join(parts, "/")]
}

// servePassing is a call that is passed on.
func (c *Call) servePassing(methods map[string]passing) error {
	p, ok := methods[c.from.method]
	if !ok {
		return errMethod(c, strings.Join(slices.Sorted(maps.Keys(methods)), ", "))
	}
	if err := c.authenticate(); err != nil {
		return err
	}
	if err := c.readPassed(p); err != nil {
		return err
	}
	if err := c.chooseFor(p); err != nil {
		return err
	}
	if err := c.reaches(); err != nil {
		return err
	}
	if err := c.deadline(); err != nil {
		return err
	}
	if err := c.admit(); err != nil {
		return err
	}
	if err := c.guardPassed(); err != nil {
		return err
	}
	passed, err := c.passOn()
	if err != nil {
		return err
	}
	return c.sendPassed(passed)
}

// readPassed reads what the stages need of the request.
func (c *Call) readPassed(p passing) error {
	b := &passedBody{passing: p, kind: string(c.rc.Request.Header.ContentType()), raw: c.rc.PostBody()}
	if c.from.method == fasthttp.MethodGet || c.from.method == fasthttp.MethodDelete {
		b.kind, b.raw = "", nil
	}
	if err := b.read(); err != nil {
		return err
	}
	if b.head.Model == "" && p.model == mustNameModel {
		return schema.Invalid("model", "model is missing")
	}
	c.passed = b
	c.req = providers.Request{Op: p.op, Client: c.speaks, Raw: b.raw, Head: b.head}
	e := &c.entry
	e.Operation, e.Model, e.Stream, e.User = p.op.String(), label(b.head.Model), b.head.Stream, c.userOf(b.head.User)
	e.Tags = labels(splitTags(c.rc.Request.Header.Peek("X-Sluice-Tags")))
	return nil
}

// passOn tries targets until one answers.
func (c *Call) passOn() (*providers.Passed, error) {
	path := strings.TrimPrefix(c.from.path, "/v1")
	if q := c.rc.URI().QueryString(); len(q) > 0 && c.from.method == fasthttp.MethodGet { // of a list
		path += "?" + string(q)
	}
	b := c.passed
	passed, err := route(c, true, func(p *providers.Provider, ctx context.Context, call *providers.Call) (*providers.Passed, error) {
		return p.Pass(ctx, call, &schema.PassRequest{Op: b.op, Method: c.from.method, Path: path,
			Model: call.Model, Type: b.kind, Body: b.with(call.Model), Bytes: b.bytes})
	})
	if err != nil {
		return nil, err
	}
	c.entry.TTFT = time.Since(c.now)
	return passed, nil
}

// sendPassed gives the answer to the connection.
func (c *Call) sendPassed(passed *providers.Passed) error {
	h := &c.rc.Response.Header
	if passed.Answer == nil {
		c.entry.Stream = true
		c.answerHeaders(nil)
		if passed.Disposition != "" {
			h.Set("Content-Disposition", passed.Disposition)
		}
		if passed.Stream != nil {
			c.sendStream(passed.Stream, c.speaks.Client.StreamError)
		} else {
			c.sendStream(passed.Bytes, nil)
			h.SetContentType(passed.Type)
		}
		return nil
	}
	defer passed.Answer.Release()
	c.charge(&passed.Answer.Tally)
	if err := c.keepOwned(passed.Answer); err != nil {
		return err
	}
	c.answerHeaders(nil)
	c.costHeader()
	h.SetContentType(passed.Type)
	c.rc.Response.SetBody(passed.Answer.Body)
	return nil
}
