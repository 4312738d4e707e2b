package config

import (
	"net/url"
	"slices"
	"strconv"
	"time"

	"sluice/gateway/cel"
)

// BackendMirror is a server that gets copies of a route's requests; its URL may
// stand for it.
type BackendMirror struct {
	URL     string        `json:"url"`
	Share   float64       `json:"share"` // of the requests
	Timeout time.Duration `json:"timeout"`
}

// Mirrors are all who get copies; one may stand for the list.
type Mirrors []BackendMirror

func defaultBackendMirror() BackendMirror {
	return BackendMirror{Share: 1, Timeout: 10 * time.Second}
}

// BackendCanary is other servers, for some of the callers.
type BackendCanary struct {
	Targets []BackendTarget `json:"targets"`
	Share   float64         `json:"share"` // of the callers
	By      string          `json:"by"`    // key, ip, header:X or cookie:X
	Match   CanaryMatch     `json:"match"`
}

// CanaryMatch is what a request is of the canary for, whatever the share is.
type CanaryMatch struct {
	Headers map[string]string `json:"headers"` // * is any value; none: no request is
}

// RouteFaults are what goes wrong on purpose.
type RouteFaults struct {
	Delay      time.Duration `json:"delay"`
	DelayShare float64       `json:"delay_share"` // of the requests
	Status     int64         `json:"status"`
	Share      float64       `json:"share"` // of the requests
	When       string        `json:"when"`  // CEL; empty: any request
}

// mostFaultDelay bounds faults.delay: a request that waits keeps its connection.
const mostFaultDelay = 5 * time.Minute

func (k *checker) targetURL(at []string, text string) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		k.fault(at, "want a url")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		k.fault(at, "want an address such as http://127.0.0.1:9001%s", k.said(at, text))
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		k.fault(at, "the address of a target holds no query, fragment or password")
	}
}

// targetURLs checks the addresses of targets and adds up their weights.
func (k *checker) targetURLs(path []string, list []BackendTarget) (weight int64) {
	for i, t := range list {
		at := below(below(path, strconv.Itoa(i)), "url")
		if !k.origin.given(at...) {
			at = at[:len(at)-1] // it stands for the whole
		}
		k.targetURL(at, t.URL)
		weight += t.Weight
	}
	return weight
}

func (k *checker) share(path []string, share float64, zero bool) {
	if share < 0 || share > 1 || share == 0 && !zero {
		k.fault(path, "want a share above 0 and at most 1")
	}
}

func (k *checker) mirrors(path []string, list Mirrors) {
	seen := map[string]bool{}
	for i := range list {
		at := below(path, strconv.Itoa(i))
		if len(list) == 1 && !k.origin.given(at...) {
			at = path // it stands without the list
		}
		k.mirror(at, &list[i])
		if seen[list[i].URL] {
			k.fault(at, "%s stands there twice", strconv.Quote(list[i].URL))
		}
		seen[list[i].URL] = true
	}
}

func (k *checker) mirror(path []string, m *BackendMirror) {
	at := below(path, "url")
	if !k.origin.given(at...) {
		at = path
	}
	k.targetURL(at, m.URL)
	k.share(below(path, "share"), m.Share, false)
	if m.Timeout <= 0 {
		k.fault(below(path, "timeout"), "want a duration such as 10s")
	}
}

func (k *checker) canary(path []string, b *HTTPBackend) {
	c := b.Canary
	if c == nil {
		return
	}
	targets, headers := below(path, "targets"), below(below(path, "match"), "headers")
	switch weight := k.targetURLs(targets, c.Targets); {
	case len(c.Targets) == 0:
		k.fault(targets, "want at least one target")
	case weight == 0:
		k.fault(targets, "every weight is 0: no target would ever be used")
	}
	for i, t := range c.Targets {
		if slices.ContainsFunc(b.Targets, func(other BackendTarget) bool { return other.URL == t.URL }) {
			k.fault(below(targets, strconv.Itoa(i)), "%s is a target of the route itself", strconv.Quote(t.URL))
		}
	}
	k.share(below(path, "share"), c.Share, true)
	if c.By != "" && !isSubject(c.By, []string{"key", "ip"}, []string{"header", "cookie"}) {
		k.fault(below(path, "by"), "want key, ip, header:X or cookie:X%s", k.said(below(path, "by"), c.By))
	}
	for _, name := range sortedKeys(c.Match.Headers) {
		k.header(below(headers, name), name, c.Match.Headers[name])
	}
	if c.Share == 0 && len(c.Match.Headers) == 0 && !k.origin.given(below(path, "share")...) {
		k.fault(path, "want share, or match: {headers: …}: nobody would ever get there")
	}
}

// routeFaults checks what a route is to do wrong. Nobody gets faults who has not said
// that they may be made.
func (k *checker) routeFaults(path []string, f *RouteFaults) {
	if f == nil {
		return
	}
	if !k.config.Server.Faults {
		k.fault(path, "faults are for tests: they need server: {allow_faults: true}")
	}
	given := func(name string) bool { return k.origin.given(below(path, name)...) }
	switch {
	case f.Delay == 0 && f.Status == 0:
		k.fault(path, "want delay or status")
	case f.Delay > mostFaultDelay:
		k.fault(below(path, "delay"), "want at most 5m")
	case f.Delay == 0 && given("delay_share"):
		k.fault(below(path, "delay_share"), "want delay too")
	case f.Status == 0 && given("share"):
		k.fault(below(path, "share"), "want status too; the share of the requests that wait is delay_share")
	}
	k.status(below(path, "status"), f.Status, 400, 599)
	k.share(below(path, "delay_share"), f.DelayShare, false)
	k.share(below(path, "share"), f.Share, false)
	if f.When != "" {
		if _, err := cel.Compile(f.When, cel.Options{}); err != nil {
			k.fault(below(path, "when"), "%v", err)
		}
	}
}
