package proxy

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sluice/gateway/reshape"
	"sluice/prompts/ordered"
	"sluice/providers/schema"
	"sluice/providers/upstream"
	"sluice/router"
)

// run makes one call, once those that it needs have been made.
func (c *Compose) run(ctx context.Context, i int, values ordered.Object, results []made, lines []byte) {
	r := &results[i]
	known := values[:len(values):len(values)]
	for _, n := range c.needs[i] {
		select {
		case <-results[n].done:
		case <-ctx.Done():
			r.err = cancelledCall(ctx)
			return
		}
		if results[n].err != nil && !c.Calls[n].Optional {
			r.err = cancelledCall(ctx)
			return
		}
		known = append(known, ordered.Member{Key: c.Calls[n].As, Value: results[n].value})
	}
	q, err := c.Calls[i].request(known, lines)
	if err != nil {
		r.err = &schema.Error{Code: schema.CodeUpstream, Origin: schema.OriginProvider, Class: schema.ClassInvalidRequest, Message: err.Error()}
		r.note(&c.Calls[i], 0, r.err, time.Now())
		return
	}
	body, contentType, err := c.ask(ctx, i, q, r)
	if err == nil {
		r.value, err = c.Calls[i].value(body, contentType)
	}
	if err != nil {
		r.value, r.err = nil, schema.AsError(err)
		if ctx.Err() != nil {
			r.err = cancelledCall(ctx)
		}
	}
}

func cancelledCall(ctx context.Context) *schema.Error {
	return &schema.Error{Code: schema.CodeUpstreamTimeout, Origin: schema.OriginProvider, Class: schema.ClassCancelled, Message: "it was given up", Cause: ctx.Err()}
}

// note keeps how an attempt ended, until all calls have.
func (m *made) note(c *ComposeCall, status int, err error, began time.Time) {
	base, _ := c.Base()
	now := time.Now()
	m.tried = append(m.tried, Try{Call: c.As, Method: c.Method, Target: base, Status: status, Err: err, Took: now.Sub(began), Ended: now})
}

// ask sends the request, and again where that may help.
func (c *Compose) ask(ctx context.Context, i int, q upstream.Request, r *made) (body []byte, contentType string, err error) {
	call := &c.Calls[i]
	var final error // not the target's fault, or not to be asked again
	plan := router.Plan{Route: c.routes[i]}
	err = plan.Do(ctx, func(*router.Attempt) error {
		final = nil
		began, status := time.Now(), 0
		again := q
		res, err := call.Client.Do(ctx, &again)
		if err == nil {
			status, contentType = res.Status, res.Header("Content-Type")
			body, err = res.ReadAll(nil, call.Max)
			res.Close()
		}
		switch e := failed(status); {
		case err != nil:
		case e != nil:
			err = e
		case status >= 300:
			final = &schema.Error{Code: schema.CodeUpstream, Status: status, UpstreamStatus: status, Origin: schema.OriginProvider, Class: schema.ClassInvalidRequest,
				Message: fmt.Sprintf("the backend answered with status %d", status)}
		}
		told := err
		if told == nil {
			told = final
		}
		r.note(call, status, told, began)
		return err
	})
	if err == nil {
		err = final
	}
	return body, contentType, err
}

// request fills the values in.
func (c *ComposeCall) request(values ordered.Object, lines []byte) (upstream.Request, error) {
	_, rest := c.Base()
	path, query, hasQuery := strings.Cut(rest, "?")
	q := upstream.Request{Method: c.Method}
	var err error
	if q.Path, err = fillPart(path, values, false); err != nil {
		return q, err
	}
	if hasQuery {
		filled, err := fillPart(query, values, true)
		if err != nil {
			return q, err
		}
		q.Path += "?" + filled
	}
	q.Lines = append(q.Lines, lines...)
	for _, h := range c.Headers {
		value, err := reshape.FillText(h.Value, func(p reshape.Path) (string, error) {
			found, _ := reshape.Get(values, p)
			return reshape.Text(found), nil
		})
		if err == nil && strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			err = fmt.Errorf("the value of the header %s holds control characters", h.Name)
		}
		if err != nil {
			return q, err
		}
		q.Lines = appendLine(q.Lines, []byte(h.Name), []byte(value))
	}
	if c.Body != nil {
		q.Lines = append(q.Lines, "Content-Type: application/json\r\n"...)
		q.Body = [][]byte{ordered.Append(nil, reshape.NewTemplate(c.Body).Fill(values))}
	}
	return q, nil
}

// fillPart fills the path or the query of an address. A value can be no more
// than one segment of the one, or one value of the other.
func fillPart(text string, values any, query bool) (string, error) {
	return reshape.FillText(text, func(p reshape.Path) (string, error) {
		value, ok := reshape.Get(values, p)
		switch value.(type) {
		case ordered.Object, []any:
			return "", fmt.Errorf("%s is no single value", p)
		}
		if (!ok || value == nil) && (!query || p[0] != "query" && p[0] != "headers" && p[0] != "body") {
			return "", fmt.Errorf("there is no %s", p)
		}
		filled, err := escapePlace(reshape.Text(value), query)
		if err != nil {
			err = fmt.Errorf("%s: %w", p, err)
		}
		return filled, err
	})
}

// value reads what a call has answered: JSON, else text; nothing is null.
func (c *ComposeCall) value(body []byte, contentType string) (any, error) {
	if len(body) == 0 {
		return nil, nil
	}
	if !isJSON(contentType) {
		return string(body), nil
	}
	v, err := ordered.Decode(body)
	if err != nil {
		return nil, badAnswer("is not JSON, as it says")
	}
	return c.Edit.Apply(v)
}
