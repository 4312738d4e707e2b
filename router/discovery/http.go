package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// leastPause is between two questions to a registry that answers at once.
const leastPause = 100 * time.Millisecond

// mostAnswer bounds the answer of a registry, in bytes.
const mostAnswer = 64 << 20

// address is the URL of an endpoint.
func address(scheme, host string, port int) string {
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(port))
}

// statusError is an answer that is not 200.
type statusError int

func (e statusError) Error() string {
	return "the registry answered with status " + strconv.Itoa(int(e))
}

// question is what a registry is asked.
type question struct {
	client  *http.Client // nil: the default one
	address string
	header  http.Header // which more is added to
}

// open asks a registry; its answer is 200, and must be closed.
func (a *question) open(ctx context.Context) (*http.Response, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, a.address, nil)
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
		_ = r.Body.Close()
		return nil, statusError(r.StatusCode)
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
	if err := json.NewDecoder(io.LimitReader(r.Body, mostAnswer)).Decode(into); err != nil {
		return nil, fmt.Errorf("cannot read the registry's answer: %w", err)
	}
	return r.Header, nil
}
