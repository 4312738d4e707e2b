package upstream

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sluice/providers/dialect"
	"sluice/providers/lifetime"
)

// Options describe one provider's endpoint. Zero durations and sizes take the
// defaults named beside them.
type Options struct {
	BaseURL string // http or https; its path comes before every request's path

	Connect   time.Duration // to connect, the TLS handshake included: 5s
	FirstByte time.Duration // from the request to the first byte of the answer: 5m
	Idle      time.Duration // the longest silence within an answer: 2m
	Total     time.Duration // the whole answer; 0: no limit

	MaxResponse int64         // bytes in a body: 64 MiB
	MaxIdle     int           // connections kept for reuse: 256
	MaxIdleTime time.Duration // how long an unused one is kept: 9s, below the 10s that servers allow

	TLS *tls.Config // nil: the system's roots
	// Dial replaces the TCP dialer; nil: net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Client sends requests to one endpoint. It is safe for many goroutines.
type Client struct {
	opt     Options
	host    string // for the Host header
	address string // to dial
	base    string // path before every request's path, without a slash at its end
	tls     *tls.Config

	mu     sync.Mutex
	idle   []*conn // the most recently used is last
	sweep  *time.Timer
	closed bool

	open atomic.Int64 // connections
}

// Connections is how many connections are open, idle ones too.
func (c *Client) Connections() int64 { return c.open.Load() }

// Request is one request. Header must hold neither host nor content-length.
type Request struct {
	Method   string
	Path     string // begins with "/"; may hold a query
	Header   []dialect.Field
	Body     [][]byte  // its pieces: not touched, and not needed once Do has returned
	Deadline time.Time // of the whole answer; zero: Options.Total alone

	// What follows is of requests that are passed on for somebody else.

	Host   string    // in place of the endpoint's own; empty: that
	Lines  []byte    // more header lines as they go out, which are well formed
	Stream io.Reader // a body that is sent as it comes, by a fresh connection
	Size   int64     // its length; -1: it is sent in chunks
	// Begin is when the answer must have begun, for a request without Stream;
	// zero: Options.FirstByte alone.
	Begin time.Time
	// Through lets an answer pass whatever its encoding is.
	Through bool

	// Sent is told by Do: the whole request was written, whatever came of it.
	Sent bool
	// Begun likewise: some of it may have been.
	Begun bool
}

// New makes the client of one endpoint. It does not connect.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("cannot read base URL: it is not a URL")
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, fmt.Errorf("cannot use base URL: it must begin with http:// or https:// and name a host")
	}
	if u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("cannot use base URL of %q: it must not hold a query, a fragment or a password", u.Hostname())
	}
	c := &Client{opt: o.withDefaults(), host: u.Host, base: strings.TrimRight(u.EscapedPath(), "/")}
	port := u.Port()
	if u.Scheme == "https" {
		if port == "" {
			port = "443"
		}
		c.tls = &tls.Config{}
		if o.TLS != nil {
			c.tls = o.TLS.Clone()
		}
		if c.tls.ServerName == "" {
			c.tls.ServerName = u.Hostname()
		}
		c.tls.NextProtos = []string{"http/1.1"}
		if c.tls.ClientSessionCache == nil {
			c.tls.ClientSessionCache = tls.NewLRUClientSessionCache(16)
		}
	} else if port == "" {
		port = "80"
	}
	c.address = net.JoinHostPort(u.Hostname(), port)
	return c, nil
}

func (o Options) withDefaults() Options {
	if o.Connect <= 0 {
		o.Connect = 5 * time.Second
	}
	if o.FirstByte <= 0 {
		o.FirstByte = 5 * time.Minute
	}
	if o.Idle <= 0 {
		o.Idle = 2 * time.Minute
	}
	if o.MaxResponse <= 0 {
		o.MaxResponse = 64 << 20
	}
	if o.MaxIdle <= 0 {
		o.MaxIdle = 256
	}
	if o.MaxIdleTime <= 0 {
		o.MaxIdleTime = 9 * time.Second
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	}
	return o
}

// Do sends the request and returns once the head of the answer is read. The
// response must be closed. A request that failed on a reused connection
// because the server had closed it is sent once more on a fresh one.
func (c *Client) Do(ctx context.Context, q *Request) (*Response, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	r := &Response{client: c, start: time.Now()}
	if c.opt.Total > 0 {
		r.until = r.start.Add(c.opt.Total)
	}
	if !q.Deadline.IsZero() && (r.until.IsZero() || q.Deadline.Before(r.until)) {
		r.until = q.Deadline
	}
	if ctx.Err() != nil {
		return nil, cancelled(ctx.Err())
	}
	r.ctx, r.wait = ctx, lifetime.AfterFunc(ctx, r.Abort)
	err := r.exchange(ctx, q, q.Stream == nil)
	if err == errStale {
		err = r.exchange(ctx, q, false)
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Close closes the idle connections. Answers that are being read go on, and
// their connections are closed after them.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.sweep != nil {
		c.sweep.Stop()
	}
	for _, k := range c.idle {
		k.close()
	}
	c.idle = nil
}
