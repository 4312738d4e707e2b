package mock

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"sluice/providers/schema"
)

// Options say how the mock behaves. The zero value answers at once, never
// fails, and counts a token for every four bytes.
type Options struct {
	Latency time.Duration // before the first byte
	Rate    float64       // words per second of a stream; 0: at once
	Fail    Fail
	// Count counts the tokens of a text. It must be safe for concurrent use.
	Count func(text string) int64
	Now   func() time.Time
	// Sleep waits, or returns the context's error as soon as it is done.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Fail makes a share of all calls fail, evenly spread: with a share of 0.1
// every tenth one.
type Fail struct {
	Status int     // 400 to 599
	Share  float64 // 0 to 1
}

// Mock is the provider. It is safe for concurrent use.
type Mock struct {
	o     Options
	calls atomic.Uint64
}

// New makes a mock.
func New(o Options) *Mock {
	if o.Count == nil {
		o.Count = func(text string) int64 { return int64(len(text)+3) / 4 }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	return &Mock{o: o}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// begin counts the call, waits the latency and fails where it is time to. It
// returns the call's number.
func (m *Mock) begin(ctx context.Context, model string) (uint64, error) {
	n := m.calls.Add(1)
	if m.o.Latency > 0 {
		if err := m.o.Sleep(ctx, m.o.Latency); err != nil {
			return n, gone(err)
		}
	}
	if err := ctx.Err(); err != nil {
		return n, gone(err)
	}
	if f := m.o.Fail; f.Status != 0 && uint64(float64(n)*f.Share) > uint64(float64(n-1)*f.Share) {
		return n, failure(f.Status)
	}
	if word, ok := strings.CutPrefix(model, "fail-"); ok {
		if status, err := strconv.Atoi(word); err == nil && status >= 400 && status <= 599 {
			return n, failure(status)
		}
	}
	return n, nil
}

// gone is the error of a call whose context is done.
func gone(cause error) *schema.Error {
	if errors.Is(cause, context.DeadlineExceeded) {
		return &schema.Error{Code: schema.CodeUpstreamTimeout, Status: http.StatusGatewayTimeout, Origin: schema.OriginProvider,
			Class: schema.ClassTimeout, Message: "the provider did not answer in time", Cause: cause}
	}
	return &schema.Error{Code: schema.CodeClientClosed, Status: 499, Origin: schema.OriginGateway,
		Class: schema.ClassCancelled, Message: "the call was cancelled", Cause: cause}
}

// failure is what an adapter makes of a provider's answer with this status.
func failure(status int) *schema.Error {
	e := &schema.Error{Code: schema.CodeUpstream, Status: status, UpstreamStatus: status, Origin: schema.OriginProvider,
		Class: schema.ClassServerError, Type: "mock_error",
		Message: fmt.Sprintf("the mock was asked to fail with %d %s", status, http.StatusText(status))}
	set := func(code schema.Code, class schema.Class, outward int) {
		e.Code, e.Class, e.Status = code, class, outward
	}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		set(schema.CodeUpstreamAuth, schema.ClassAuth, http.StatusBadGateway)
	case http.StatusPaymentRequired:
		set(schema.CodeInsufficientQuota, schema.ClassQuota, http.StatusTooManyRequests)
	case http.StatusNotFound:
		set(schema.CodeModelNotFound, schema.ClassNotFound, status)
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		set(schema.CodeUpstreamTimeout, schema.ClassTimeout, http.StatusGatewayTimeout)
	case http.StatusRequestEntityTooLarge:
		set(schema.CodeTooLarge, schema.ClassInvalidRequest, status)
	case http.StatusTooManyRequests:
		set(schema.CodeRateLimit, schema.ClassRateLimited, status)
		e.RetryAfter = time.Second
	case http.StatusServiceUnavailable, 529:
		set(schema.CodeUpstream, schema.ClassOverloaded, http.StatusServiceUnavailable)
	default:
		if status < 500 {
			set(schema.CodeInvalidRequest, schema.ClassInvalidRequest, status)
		}
	}
	return e
}

// noModel is the answer to a model that the mock has not, or not for this.
func noModel(model string) *schema.Error {
	return &schema.Error{Code: schema.CodeModelNotFound, Status: http.StatusNotFound, UpstreamStatus: http.StatusNotFound,
		Origin: schema.OriginProvider, Class: schema.ClassNotFound, Param: "model",
		Message: fmt.Sprintf("the mock has no model %q here: it has echo, verbatim, lorem-N and fail-STATUS for chat, embed for embeddings", model)}
}
