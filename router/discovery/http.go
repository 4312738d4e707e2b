package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// leastPause is between two questions to a registry that answers at once.
const leastPause = 100 * time.Millisecond

// errTooLong says that an answer is longer than any that is taken.
var errTooLong = fmt.Errorf("the registry's answer is longer than %d bytes", mostAnswer)

// askLimit is how long the answer of a registry may take that answers at once.
const askLimit = 10 * time.Second

// mostAnswer bounds the answer of a registry, and mostReason what is read of one
// that it refuses with, in bytes.
const (
	mostAnswer = 64 << 20
	mostReason = 4 << 10
)

// poll waits until a registry is asked again that cannot say when something
// changes: every at the most, and by chance a little less, lest all replicas ask
// at once.
func poll(ctx context.Context, every time.Duration) error {
	every = max(every, leastPause)
	return wait(ctx, every-rand.N(every/10))
}

// address is the URL of an endpoint.
func address(scheme, host string, port int) string {
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(port))
}

// statusError is an answer that is not 200.
type statusError struct {
	code int
	text []byte // the beginning of what it says
}

func (e statusError) Error() string {
	return "the registry answered with status " + strconv.Itoa(e.code)
}

// statusOf is the status of an answer that is not 200; 0: err is something else.
func statusOf(err error) int {
	var e statusError
	if errors.As(err, &e) {
		return e.code
	}
	return 0
}

// question is what a registry is asked.
type question struct {
	client  *http.Client // nil: the default one
	address string
	header  http.Header // which more is added to
	body    string      // what is posted; empty: it is a GET
}

// open asks a registry; its answer is 200, and must be closed.
func (a *question) open(ctx context.Context) (*http.Response, error) {
	method, body := http.MethodGet, io.Reader(nil)
	if a.body != "" {
		method, body = http.MethodPost, strings.NewReader(a.body)
	}
	q, err := http.NewRequestWithContext(ctx, method, a.address, body)
	if err != nil {
		return nil, errors.New("cannot use the address of the registry")
	}
	q.Header = a.header
	q.Header.Set("Accept", "application/json")
	q.Header.Set("User-Agent", "sluice")
	c := a.client
	if c == nil {
		c = http.DefaultClient
	}
	r, err := c.Do(q)
	if err != nil {
		return nil, fmt.Errorf("cannot ask the registry: %w", without(err))
	}
	if r.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(r.Body, mostReason))
		_ = r.Body.Close()
		return nil, statusError{r.StatusCode, text}
	}
	return r, nil
}

// without takes the URL, which may hold a password, out of an error.
func without(err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

// fetch reads an answer in JSON, all of it within limit.
func (a *question) fetch(ctx context.Context, limit time.Duration, into any) (http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	body := &io.LimitedReader{R: r.Body, N: mostAnswer}
	if err := json.NewDecoder(body).Decode(into); err != nil {
		if body.N <= 0 {
			return nil, errTooLong
		}
		return nil, fmt.Errorf("cannot read the registry's answer: %w", without(err))
	}
	return r.Header, nil
}
