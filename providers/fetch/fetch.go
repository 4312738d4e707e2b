package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sluice/providers/schema"
)

// What Options leave unsaid.
const (
	DefaultMax     = 20 << 20
	DefaultTimeout = 10 * time.Second
)

const (
	maxRedirects = 3
	maxURL       = 8 << 10
	maxHeader    = 64 << 10
	userAgent    = "sluice-fetch"
)

// Options are what a Fetcher may do.
type Options struct {
	// Allow names what may be fetched from whatever else holds: a host
	// (files.example.com), all hosts below one (*.example.com), an address, or
	// a range of them (10.1.0.0/16).
	Allow []string
	// DenyPrivate keeps away from private and loopback addresses. Addresses
	// where clouds tell a machine its credentials need an entry of Allow in any
	// case.
	DenyPrivate bool
	Max         int64         // bytes of one body; 0: DefaultMax
	Timeout     time.Duration // of one URL with its redirects; 0: DefaultTimeout
}

// Fetcher gets media by URL. It is safe for many goroutines and keeps no
// connection between two calls.
type Fetcher struct {
	guard   guard
	max     int64
	timeout time.Duration
	dialer  net.Dialer // checks addresses
	client  *http.Client
}

// New makes a Fetcher. The error names the entry of Options.Allow at fault.
func New(o Options) (*Fetcher, error) {
	f := &Fetcher{guard: guard{private: !o.DenyPrivate}, max: o.Max, timeout: o.Timeout}
	for _, entry := range o.Allow {
		if err := f.guard.add(entry); err != nil {
			return nil, err
		}
	}
	if f.max <= 0 {
		f.max = DefaultMax
	}
	if f.timeout <= 0 {
		f.timeout = DefaultTimeout
	}
	f.dialer.Control = f.guard.control
	f.client = &http.Client{
		CheckRedirect: redirect,
		Transport: &http.Transport{
			Proxy:             nil, // a proxy would connect where the guard cannot see
			DialContext:       f.dial,
			DisableKeepAlives: true, // the guard sees connections: each request is to have its own
			// What is read is what Max bounds, not what it unpacks to.
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxHeader,
		},
	}
	return f, nil
}

// Allowable tells what is wrong with an entry of Options.Allow; nil: nothing.
func Allowable(entry string) error { return new(guard).add(entry) }

// dial connects to an address that the guard lets pass.
func (f *Fetcher) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, errDenied
	}
	d := f.dialer
	if f.guard.named(host) {
		d.Control = nil
	}
	return d.DialContext(ctx, network, address)
}

// redirect follows a few redirects to what might have been asked for at once.
func redirect(req *http.Request, via []*http.Request) error {
	req.Header.Del("Referer") // the URL before may hold a signature
	if len(via) > maxRedirects {
		return refused("it redirects more than %d times", maxRedirects)
	}
	if err := usable(req.URL); err != nil {
		return refused("it redirects elsewhere: %s", err.Message)
	}
	return nil
}

// Get gets what is at a URL: its media type, such as image/png, and its bytes.
// Errors are *schema.Error, without Param.
func (f *Fetcher) Get(ctx context.Context, address string) (kind string, data []byte, err error) {
	u, fault := parse(address)
	if fault != nil {
		return "", nil, fault
	}
	within, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	kind, data, err = f.get(within, u)
	if err == nil {
		return kind, data, nil
	}
	return "", nil, f.told(ctx, u, err)
}

func (f *Fetcher) get(ctx context.Context, u *url.URL) (kind string, data []byte, err error) {
	req := (&http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: http.Header{
		"User-Agent": {userAgent}, "Accept": {"image/*, application/pdf, text/*, audio/*, video/*, */*;q=0.5"}}}).WithContext(ctx)
	resp, err := f.client.Do(req)
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode != http.StatusOK:
		return "", nil, refused("its server answered with status %d", resp.StatusCode)
	case resp.ContentLength > f.max:
		return "", nil, f.tooLarge()
	}
	if coding := resp.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return "", nil, refused("its server sends it compressed, which was not asked for")
	}
	data, err = io.ReadAll(io.LimitReader(resp.Body, f.max+1))
	switch {
	case err != nil:
		return "", nil, err
	case int64(len(data)) > f.max:
		return "", nil, f.tooLarge()
	case len(data) == 0:
		return "", nil, refused("it is empty")
	}
	kind, ok := kindOf(resp.Header.Get("Content-Type"), data)
	if !ok {
		return "", nil, refused("it is %.80q, not an image, a sound, a film, text or a document", kind)
	}
	return kind, data, nil
}

// parse reads a URL that may be fetched.
func parse(address string) (*url.URL, *schema.Error) {
	if len(address) > maxURL {
		return nil, refused("the URL is longer than %d bytes", maxURL)
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, refused("the URL is not well-formed")
	}
	u.Fragment, u.RawFragment = "", ""
	return u, usable(u)
}

// usable tells what is wrong with a URL; nil: nothing.
func usable(u *url.URL) *schema.Error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return refused("only http and https URLs are fetched")
	case u.User != nil:
		return refused("the URL must not hold credentials")
	case u.Hostname() == "":
		return refused("the URL names no host")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return refused("the URL's port is not one")
		}
	}
	return nil
}

func refused(format string, args ...any) *schema.Error {
	return schema.Invalid("", format, args...)
}

func (f *Fetcher) tooLarge() *schema.Error {
	return refused("it is larger than the %d bytes that are fetched", f.max)
}

// told is the error that the caller sees. What went wrong on the way to the
// host stays in Cause.
func (f *Fetcher) told(ctx context.Context, u *url.URL, err error) *schema.Error {
	if gone := ctx.Err(); gone != nil {
		return ended(gone)
	}
	var known *schema.Error
	var timeout net.Error
	message := "the host could not be reached"
	switch {
	case errors.As(err, &known):
		message = known.Message
	case errors.Is(err, errDenied):
		message = "the host is not one that may be fetched from"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		message = fmt.Sprintf("it did not come within %v", f.timeout)
	case errors.Is(err, io.ErrUnexpectedEOF):
		message = "the answer was cut"
	}
	e := refused("cannot fetch from %.255q: %s", u.Hostname(), message)
	e.Cause = err
	return e
}

// ended is the error of a call that ended while its media were fetched.
func ended(gone error) *schema.Error {
	if errors.Is(gone, context.DeadlineExceeded) {
		return &schema.Error{Code: schema.CodeUpstreamTimeout, Status: 504, Origin: schema.OriginGateway,
			Class: schema.ClassTimeout, Message: "the media were not there in the time allowed", Cause: gone}
	}
	return &schema.Error{Code: schema.CodeClientClosed, Status: 499, Origin: schema.OriginGateway,
		Class: schema.ClassCancelled, Message: "the call was cancelled", Cause: gone}
}
