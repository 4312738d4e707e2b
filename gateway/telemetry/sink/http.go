package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// HTTP posts batches.
type HTTP struct {
	URL    string
	Header map[string]string
	Type   string // of the content; empty: lines of JSON
	// Wrap makes a batch's body; nil: its records are the body.
	Wrap func(dst []byte, b Batch) []byte
	// Read looks at the body of a good answer; nil: it says nothing.
	Read func(body []byte) error

	client *http.Client
	body   []byte
}

// mostAnswer bounds what is read of an answer.
const mostAnswer = 64 << 10

// Send posts a batch. What the other side says is wrong with it is final, but
// for what it says of its own state.
func (s *HTTP) Send(ctx context.Context, b Batch) error {
	if s.client == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = 1
		s.client = &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	body := b.Bytes
	if s.Wrap != nil {
		s.body = s.Wrap(s.body[:0], b)
		body = s.body
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(body))
	if err != nil {
		return &Final{errors.New("the address is none")}
	}
	kind := s.Type
	if kind == "" {
		kind = "application/x-ndjson"
	}
	q.Header.Set("Content-Type", kind)
	for name, value := range s.Header {
		q.Header.Set(name, value)
	}
	res, err := s.client.Do(q)
	if err != nil {
		if u := (*url.Error)(nil); errors.As(err, &u) { // whose address may hold a secret
			return u.Err
		}
		return err
	}
	said, err := io.ReadAll(io.LimitReader(res.Body, mostAnswer))
	_ = res.Body.Close()
	switch {
	case res.StatusCode/100 == 2:
		if err == nil && s.Read != nil {
			return s.Read(said)
		}
		return nil
	case res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusRequestTimeout || res.StatusCode >= 500 && res.StatusCode != http.StatusNotImplemented:
		return &Later{answered(res.StatusCode), after(res.Header.Get("Retry-After"))}
	}
	return &Final{answered(res.StatusCode)}
}

func answered(status int) error { return fmt.Errorf("it answered with status %d", status) }

// after is what Retry-After says, half a minute at most.
func after(s string) time.Duration {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(n)*time.Second, 30*time.Second)
}

// Close closes connections that are kept.
func (s *HTTP) Close() error {
	if s.client != nil {
		s.client.CloseIdleConnections()
	}
	return nil
}
